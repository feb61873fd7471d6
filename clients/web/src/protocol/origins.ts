/**
 * The name of a registry, bound into every key, seal and signature made for it.
 *
 * It is also the name of the key that signs its notes, hence C2SP signed-note's rule: not empty, no
 * space, no plus sign. Of what that leaves, only printable ASCII is taken, so that two names that
 * look alike are alike.
 */

import { Malformed } from "../errors";
import { type Bytes, utf8 } from "./encoding";

/** Long enough for any host name (253) and short enough for a line of a note. */
export const MAX_ORIGIN_BYTES = 255;

const ORIGIN = /^[!-*,-~]+$/;

/** The name itself where it is well-formed, else `Malformed`. */
export function checkOrigin(origin: string): string {
  // `$` would let a newline at the end pass in multi-line mode only, which this is not.
  if (origin.length > MAX_ORIGIN_BYTES || !ORIGIN.test(origin)) {
    throw new Malformed(
      `an origin is 1 to ${MAX_ORIGIN_BYTES} printable ASCII characters, no space, no plus`,
    );
  }
  return origin;
}

/** The bytes of a well-formed origin; `Malformed` as `checkOrigin`. */
export const originBytes = (origin: string): Bytes => utf8(checkOrigin(origin));
