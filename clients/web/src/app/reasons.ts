/** What went wrong, in the person's language. */

import { ConsentError, RegistryProblem } from "../errors";
import type { Texts } from "../i18n";
import { WrongPassphrase } from "./vault";

/** Codes whose own words are too near to another's to be told apart. */
const SAME: Readonly<Record<string, string>> = {
  LOG_SHORTENED: "WRONG_ANSWER",
  RECORDS_LOST: "WRONG_ANSWER",
  BAD_NOTE: "WRONG_ANSWER",
  BAD_PROOF: "WRONG_ANSWER",
  BAD_CHECKPOINT: "WRONG_ANSWER",
  HELD: "RATE_LIMITED",
  BUSY: "UNREACHABLE",
  NOT_READY: "UNREACHABLE",
  NOT_PUBLISHED: "UNREACHABLE",
};

/** A sentence for people; where there is none in their language, the error's own English one. */
export function reasonOf({ t, fill }: Texts, error: unknown): string {
  if (error instanceof WrongPassphrase) return t.errors.WRONG_PASSPHRASE;
  const code = codeOf(error);
  const known: Readonly<Record<string, string>> = t.errors;
  const message = known[code] ?? known[SAME[code] ?? ""];
  if (message !== undefined) return message;
  return fill(t.errors.other, { message: error instanceof Error ? error.message : "?" });
}

function codeOf(error: unknown): string {
  if (error instanceof RegistryProblem) return error.problemCode;
  return error instanceof ConsentError ? error.code : "";
}
