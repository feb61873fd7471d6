/** SHA-256 and HKDF of short byte strings. Files are hashed by the browser: see `fingerprints`. */

import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 as hash } from "@noble/hashes/sha2.js";
import type { Bytes } from "./encoding";

/** SHA-256 of the parts joined plainly, 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Bytes {
  const running = hash.create();
  for (const part of parts) running.update(part);
  return running.digest();
}

/** HKDF-SHA256 (RFC 5869) without a salt, 32 bytes. */
export function hkdf256(secret: Uint8Array, info: Uint8Array): Bytes {
  return hkdf(hash, secret, undefined, info, 32);
}
