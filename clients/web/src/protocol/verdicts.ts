/** How stances combine into the answer a builder gets (IETF AIPREF; FORMATS §6). */

import type { Stance } from "./statements";

/** In the order of their bytes. */
export const VERDICTS = ["CLEAR", "EXCLUDE", "PERMIT", "UNKNOWN"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Any refusal excludes; else a required space that is missing leaves it unknown. */
export function combine(stances: readonly Stance[], missing: boolean): Verdict {
  if (stances.includes("notAllowed")) return "EXCLUDE";
  if (missing) return "UNKNOWN";
  return stances.includes("allowed") ? "PERMIT" : "CLEAR";
}
