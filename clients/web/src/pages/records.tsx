import type { JSX } from "preact";
import { useTexts } from "../i18n";

export function RecordsPage(_: { readonly isShown: boolean }): JSX.Element {
  const { t } = useTexts();
  return <h1>{t.records.title}</h1>;
}
