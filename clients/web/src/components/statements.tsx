/** A statement in words. */

import type { Texts } from "../i18n";
import { type Statement, USES } from "../protocol";

/** One line: what is stated of which uses, and until when. */
export function inWords(texts: Texts, statement: Statement): string {
  const { t } = texts;
  const { stances, validUntil, givenFor } = statement;
  const isRefusal = USES.every((use) => stances[use] === "notAllowed");
  const said = USES.filter((use) => stances[use] !== "unsaid").map(
    (use) => `${t.protect.uses[use]}: ${t.protect.stances[stances[use]]}`,
  );
  const parts = [isRefusal ? t.records.allRefused : said.join("; ")];
  const purpose = t.purposes[givenFor];
  if (givenFor > 0 && purpose) parts.push(`${t.protect.givenFor}: ${purpose}`);
  if (validUntil > 0) {
    parts.push(texts.fill(t.records.until, { day: texts.day(validUntil) }));
  }
  return parts.join(" · ");
}
