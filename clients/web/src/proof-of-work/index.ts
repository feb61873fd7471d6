/** The work a registration brings instead of an identity, done in a worker. */

import { TransportError, WorkTooHard } from "../errors";
import type { Bytes } from "../protocol/encoding";
import type { Ask, Told } from "./messages";

export { expectedAttempts } from "./solve";

/** Solves a challenge for a record; `onAttempts` is told now and then how far it is. */
export type Solver = (
  challenge: string,
  recordId: Bytes,
  onAttempts?: (attempts: number) => void,
) => Promise<string>;

/** `solve` in a worker of its own, which ends with the answer. Throws what `solve` throws. */
export const solveInWorker: Solver = (challenge, recordId, onAttempts) => {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const solved = new Promise<string>((resolve, reject) => {
    worker.onerror = () => reject(new TransportError("the proof of work could not be started"));
    worker.onmessage = ({ data }: MessageEvent<Told>) => {
      if ("attempts" in data) onAttempts?.(data.attempts);
      else if ("payload" in data) resolve(data.payload);
      else reject(errorOf(data));
    };
  });
  const ask: Ask = { challenge, recordId };
  worker.postMessage(ask);
  return solved.finally(() => worker.terminate());
};

function errorOf({ code, message }: { code: string; message: string }): TransportError {
  return code === "WORK_TOO_HARD" ? new WorkTooHard(message) : new TransportError(message);
}
