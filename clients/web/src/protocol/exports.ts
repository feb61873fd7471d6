/**
 * A statement in the words of others: CAWG's assertion for C2PA manifests, and IETF AIPREF's header.
 *
 * Both repeat a statement that nobody checked, work only where they are put, and are not taken back
 * with the record (docs/exports.md).
 */

import { type Statement, type Use, USES } from "./statements";

/** The one use that a category of the AIPREF drafts is about: models that generate. */
const AIPREF: readonly (readonly [Use, string])[] = [["ai_generative_training", "train-ai"]];

/** The assertion as manifest definitions have it; what is unsaid has no entry. */
export function cawgAssertion({ stances }: Statement): object {
  const said = USES.filter((use) => stances[use] !== "unsaid");
  const entries = Object.fromEntries(said.map((use) => [`cawg.${use}`, { use: stances[use] }]));
  return { label: "cawg.training-mining", data: { entries } };
}

/** The HTTP header field, `Content-Usage: train-ai=n`; null: no category is about what is stated. */
export function aiprefHeader({ stances }: Statement): string | null {
  const said = AIPREF.filter(([use]) => stances[use] !== "unsaid").map(
    ([use, label]) => `${label}=${stances[use] === "allowed" ? "y" : "n"}`,
  );
  return said.length === 0 ? null : `Content-Usage: ${said.join(", ")}`;
}
