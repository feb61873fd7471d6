/**
 * Sealing a record's content to the registry: HPKE (RFC 9180), base mode, single shot,
 * `enc ‖ ciphertext`, with HKDF-SHA256 and AES-256-GCM. Opening is the registry's.
 */

import { Malformed, SealError } from "../errors";
import { type Bytes, concat, lp } from "./encoding";
import { originBytes } from "./origins";
import type { SealingKey, Suite } from "./sealing-keys";

/** Every sealed plaintext has this size, so that a blob's length says nothing of its content. */
export const PLAINTEXT_BYTES = 8_192;

const TAG_BYTES = 16;

/** Bytes of a whole sealed blob: encapsulated key, ciphertext and tag. */
export const SEALED_BYTES: Readonly<Record<Suite, number>> = {
  1: 1_120 + PLAINTEXT_BYTES + TAG_BYTES,
  2: 32 + PLAINTEXT_BYTES + TAG_BYTES,
};

/** What binds a seal to its registry, key, record and owner. */
export function sealInfo(
  origin: string,
  keyId: Bytes,
  recordId: Bytes,
  ownerPublicKey: Bytes,
): Bytes {
  return lp("consent-registry/v1/seal", originBytes(origin), keyId, recordId, ownerPublicKey);
}

/**
 * The sealed blob, `SEALED_BYTES[key.suite]` long.
 *
 * Throws `Malformed` for a plaintext that is not `PLAINTEXT_BYTES` long or a bad origin, and
 * `SealError` where the library could not seal, or could not be loaded.
 */
export async function seal(
  plaintext: Bytes,
  key: SealingKey,
  origin: string,
  recordId: Bytes,
  ownerPublicKey: Bytes,
): Promise<Bytes> {
  if (plaintext.length !== PLAINTEXT_BYTES) {
    throw new Malformed(`a sealed plaintext has ${PLAINTEXT_BYTES} bytes`);
  }
  const info = sealInfo(origin, key.keyId, recordId, ownerPublicKey);
  try {
    const { cipherSuite } = await import("./hpke");
    const suite = cipherSuite(key.suite);
    const recipientPublicKey = await suite.kem.deserializePublicKey(key.publicKey.slice().buffer);
    const { enc, ct } = await suite.seal(
      { recipientPublicKey, info: info.buffer },
      plaintext.buffer,
    );
    return concat(new Uint8Array(enc), new Uint8Array(ct));
  } catch {
    throw new SealError("the content could not be sealed");
  }
}
