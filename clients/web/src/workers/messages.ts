/** What the page and the worker that fingerprints pictures tell each other. */

import type { Missing } from "../fingerprints";
import type { Bytes } from "../protocol";

/** To the worker: one picture. It answers in the order it was asked in. */
export interface Ask {
  readonly number: number;
  readonly file: Blob;
}

/** What a picture was found to have; the fingerprints of `PictureFingerprints`, fit to be sent. */
export interface Found {
  readonly number: number;
  readonly fingerprints: readonly (readonly [string, readonly Bytes[]])[];
  readonly missing: readonly (readonly [string, Missing])[];
}

/** Why a picture could not be fingerprinted: the code of an error, for people in `message`. */
export interface Failed {
  readonly number: number;
  readonly code: string;
  readonly message: string;
}

export type Told = Found | Failed;
