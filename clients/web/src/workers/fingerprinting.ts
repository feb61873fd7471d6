/** The page's side of the worker that fingerprints pictures. */

import { ImageError, ImageTooLarge, NotAnImage } from "../errors";
import type { PictureFingerprints } from "../fingerprints";
import type { Ask, Told } from "./messages";

type Waiting = {
  readonly resolve: (found: PictureFingerprints) => void;
  readonly reject: (error: Error) => void;
};

/** A worker that lives as long as the page: it is there also where the network goes away. */
export class Fingerprinter {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  constructor() {
    this.#worker = new Worker(new URL("./fingerprints.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Told>) => this.#settle(data);
    this.#worker.onerror = () => {
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const { reject } of waiting) reject(new ImageError("the worker could not be started"));
    };
  }

  /** All fingerprints of a picture; `ImageError` as `registrationFingerprints`. */
  of(file: Blob): Promise<PictureFingerprints> {
    const number = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, file } satisfies Ask);
    });
  }

  #settle(told: Told): void {
    const waiting = this.#waiting.get(told.number);
    this.#waiting.delete(told.number);
    if ("code" in told) waiting?.reject(errorOf(told.code, told.message));
    else {
      const fingerprints = new Map(told.fingerprints.map(([space, made]) => [space, [...made]]));
      waiting?.resolve({ fingerprints, missing: new Map(told.missing) });
    }
  }
}

function errorOf(code: string, message: string): ImageError {
  if (code === "NOT_AN_IMAGE") return new NotAnImage(message);
  return code === "IMAGE_TOO_LARGE" ? new ImageTooLarge(message) : new ImageError(message);
}
