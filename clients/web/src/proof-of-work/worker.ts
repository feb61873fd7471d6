/** Solves one challenge beside the page, which stays responsive. */

import { ConsentError } from "../errors";
import type { Ask, Told } from "./messages";
import { solve } from "./solve";

/** Often enough for a progress bar to move. */
const TELL_EVERY = 16;

const tell = (told: Told): void => self.postMessage(told);

self.onmessage = async ({ data }: MessageEvent<Ask>) => {
  const onAttempts = (attempts: number): void => {
    if (attempts % TELL_EVERY === 0) tell({ attempts });
  };
  try {
    tell({ payload: await solve(data.challenge, data.recordId, { onAttempts }) });
  } catch (error) {
    const code = error instanceof ConsentError ? error.code : "";
    tell({ code, message: error instanceof ConsentError ? error.message : "it went wrong" });
  }
};
