/** What went wrong, as a sentence of its own. */

import type { JSX } from "preact";
import { reasonOf } from "../app/reasons";
import { useTexts } from "../i18n";
import { Alert } from "./parts";

export function Failure({ error }: { readonly error: unknown }): JSX.Element {
  const texts = useTexts();
  const reason = reasonOf(texts, error);
  return <Alert>{reason.slice(0, 1).toLocaleUpperCase(texts.language) + reason.slice(1)}</Alert>;
}
