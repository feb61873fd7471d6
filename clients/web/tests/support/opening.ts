/**
 * Opening sealed blobs as the registry does, for the tests: the pages only seal.
 *
 * The registry keeps X-Wing's private key expanded, ML-KEM seed 64 ‖ X25519 32, where the library
 * takes the 32 bytes it is expanded from: hence a KEM of its own here.
 */

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { XWing } from "@hpke/hybridkem-x-wing";
import { x25519 } from "@noble/curves/ed25519.js";
import { sha3_256 } from "@noble/hashes/sha3.js";
import { MlKem768 } from "mlkem";
import { SealError } from "../../src/errors";
import { type Bytes, concat, SEALED_BYTES, type Suite, sealInfo } from "../../src/protocol";

const MLKEM_SEED_BYTES = 64;
const ENC_BYTES: Readonly<Record<Suite, number>> = { 1: 1_120, 2: 32 };
const XWING_LABEL = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);

class ExpandedXWing extends XWing {
  readonly #private: Bytes;

  constructor(privateKey: Bytes) {
    super();
    this.#private = privateKey;
  }

  override async decap(params: { enc: ArrayBufferLike | ArrayBufferView }): Promise<ArrayBuffer> {
    const enc = new Uint8Array(params.enc as ArrayBuffer);
    const kem = new MlKem768();
    const [, lattice] = await kem.deriveKeyPair(this.#private.slice(0, MLKEM_SEED_BYTES));
    const classical = this.#private.slice(MLKEM_SEED_BYTES);
    const [encM, encX] = [enc.slice(0, -32), enc.slice(-32)];
    const shared = [
      await kem.decap(encM, lattice),
      x25519.getSharedSecret(classical, encX),
      encX,
      x25519.getPublicKey(classical),
      XWING_LABEL,
    ];
    return sha3_256(concat(...shared)).buffer;
  }
}

/** The public key of a private one as the registry writes both. */
export async function sealingPublicKey(suite: Suite, privateKey: Bytes): Promise<Bytes> {
  const classical = x25519.getPublicKey(privateKey.slice(-32)) as Bytes;
  if (suite === 2) return classical;
  const seed = privateKey.slice(0, MLKEM_SEED_BYTES);
  const [lattice] = await new MlKem768().deriveKeyPair(seed);
  return concat(lattice, classical);
}

/** The plaintext of a blob; `SealError` where it does not open. */
export async function openSealed(
  sealed: Bytes,
  suite: Suite,
  privateKey: Bytes,
  info: Parameters<typeof sealInfo>,
): Promise<Bytes> {
  if (sealed.length !== SEALED_BYTES[suite]) throw new SealError("of the wrong length");
  const kem = suite === 1 ? new ExpandedXWing(privateKey) : new DhkemX25519HkdfSha256();
  const hpke = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const classical = privateKey.slice(suite === 1 ? MLKEM_SEED_BYTES : 0);
  try {
    const opened = await hpke.open(
      {
        recipientKey: await kem.deserializePrivateKey(classical.buffer),
        enc: sealed.slice(0, ENC_BYTES[suite]).buffer,
        info: sealInfo(...info).buffer,
      },
      sealed.slice(ENC_BYTES[suite]).buffer,
    );
    return new Uint8Array(opened);
  } catch {
    throw new SealError("does not open");
  }
}
