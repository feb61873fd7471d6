/** Pages that come when they are first shown, so that the first one comes sooner. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failure } from "../components/failure";
import { Unreachable } from "../errors";
import { useTexts } from "../i18n";

export type Page = (props: { readonly isShown: boolean }) => JSX.Element;

/** A page that is fetched when it is first shown, and stays. */
export function later(load: () => Promise<Page>): Page {
  return function Later({ isShown }) {
    const { t } = useTexts();
    const [loaded, setLoaded] = useState<{ readonly Page: Page } | null>(null);
    const [error, setError] = useState<unknown>(null);
    useEffect(() => {
      if (!isShown || loaded !== null) return;
      setError(null);
      load().then(
        (page) => setLoaded({ Page: page }),
        () => setError(new Unreachable("a part of the page can not be fetched")),
      );
    }, [isShown]);
    if (loaded !== null) return <loaded.Page isShown={isShown} />;
    return error === null ? <p role="status">{t.working}</p> : <Failure error={error} />;
  };
}
