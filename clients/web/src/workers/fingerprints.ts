/** Fingerprints pictures beside the page, one after the other, so that one is decoded at a time. */

import { ConsentError } from "../errors";
import { registrationFingerprints } from "../fingerprints";
import type { Ask, Told } from "./messages";

let last: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  last = last.then(async () => self.postMessage(await answer(data)));
};

async function answer({ number, file }: Ask): Promise<Told> {
  try {
    const { fingerprints, missing } = await registrationFingerprints(file);
    return { number, fingerprints: [...fingerprints], missing: [...missing] };
  } catch (error) {
    const known = error instanceof ConsentError;
    return { number, code: known ? error.code : "", message: known ? error.message : "" };
  }
}
