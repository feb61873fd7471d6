/** The frame of all pages: menu, language, and what is shown. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isLanguage, LANGUAGES, type Texts, TextsContext, textsIn } from "../i18n";
import { ProtectPage } from "../pages/protect";
import { later, type Page } from "./later";
import { addressOf, ROUTES, type Route, useRoute } from "./routes";
import { type Session, SessionContext } from "./session";

const PAGES: Readonly<Record<Route, Page>> = {
  protect: ProtectPage,
  records: later(async () => (await import("../pages/records")).RecordsPage),
  verify: later(async () => (await import("../pages/verify")).VerifyPage),
  log: later(async () => (await import("../pages/log")).LogPage),
};

export function App(props: { readonly session: Session; readonly texts: Texts }): JSX.Element {
  const { session } = props;
  const [texts, setTexts] = useState(props.texts);
  const { t, language } = texts;
  const route = useRoute();
  const isOnline = useOnline();
  const origin = useOrigin(session);
  const content = useRef<HTMLElement>(null);

  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${t.nav[route]} · ${t.title}`;
  }, [language, route, t]);
  useFocusOnChange(content, route);

  return (
    <SessionContext.Provider value={session}>
      <TextsContext.Provider value={texts}>
        <a
          class="skip"
          href="#content"
          onClick={(event) => {
            event.preventDefault();
            content.current?.focus();
          }}
        >
          {t.skip}
        </a>
        <header class="top">
          <p class="name">
            <img src="/icon.svg" alt="" width="28" height="28" />
            {t.title}
          </p>
          <nav aria-label={t.menu}>
            <ul>
              {ROUTES.map((each) => (
                <li key={each}>
                  <a href={addressOf(each)} aria-current={each === route ? "page" : undefined}>
                    {t.nav[each]}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
        </header>
        <main id="content" ref={content} tabIndex={-1}>
          {!isOnline && (
            <p class="note" role="status">
              {t.offline}
            </p>
          )}
          {/* All stay alive: what was begun on one page is not lost by a look at another. */}
          {ROUTES.map((each) => {
            const Page = PAGES[each];
            return (
              <div key={each} hidden={each !== route}>
                <Page isShown={each === route} />
              </div>
            );
          })}
        </main>
        <footer>
          <p>{origin === null ? t.footerUnknown : texts.fill(t.footer, { origin })}</p>
          <p>
            <label>
              {t.chooseLanguage}{" "}
              <select
                value={language}
                onChange={({ currentTarget: { value } }) => {
                  if (isLanguage(value)) void textsIn(value, navigator.languages).then(setTexts);
                }}
              >
                {Object.entries(LANGUAGES).map(([code, name]) => (
                  <option key={code} value={code} lang={code}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </p>
        </footer>
      </TextsContext.Provider>
    </SessionContext.Provider>
  );
}

/** After another page was chosen, the keyboard and the reader go on there; not at the start. */
function useFocusOnChange(content: { current: HTMLElement | null }, route: Route): void {
  const shown = useRef(route);
  useEffect(() => {
    if (shown.current === route) return;
    shown.current = route;
    scrollTo(0, 0);
    content.current?.focus();
  }, [content, route]);
}

function useOnline(): boolean {
  const [isOnline, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const changed = (): void => setOnline(navigator.onLine);
    addEventListener("online", changed);
    addEventListener("offline", changed);
    return () => {
      removeEventListener("online", changed);
      removeEventListener("offline", changed);
    };
  }, []);
  return isOnline;
}

/** The registry's name, once it has said it. */
function useOrigin(session: Session): string | null {
  const [origin, setOrigin] = useState<string | null>(null);
  useEffect(() => {
    session.registrant.origin().then(setOrigin, () => undefined);
  }, [session]);
  return origin;
}
