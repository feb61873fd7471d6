/**
 * Ed25519 (RFC 8032) with two rules on top: public keys that are non-canonical or of small order
 * are refused, for a signature by them proves nothing.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { BadSignature, WeakKey } from "../errors";
import { type Bytes, concat, sameBytes } from "./encoding";

export const PRIVATE_KEY_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

// y of the eight points whose order divides 8 (RFC 8032 §5.1; the sign of x is masked off): order 4
// at 0, order 1 at 1, order 2 at p-1, and the two y of the four points of order 8.
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

/** The public key of a private one, 32 bytes. */
export function publicKeyOf(privateKey: Bytes): Bytes {
  return ed25519.getPublicKey(privateKey);
}

/** Ed25519 signature, 64 bytes. */
export function sign(privateKey: Bytes, message: Bytes): Bytes {
  return ed25519.sign(message, privateKey);
}

/** Refuse a public key that proves nothing: `WeakKey`. */
export function checkPublicKey(publicKey: Bytes): void {
  if (publicKey.length !== PUBLIC_KEY_BYTES) {
    throw new WeakKey(`an Ed25519 public key has ${PUBLIC_KEY_BYTES} bytes`);
  }
  const y = BigInt.asUintN(255, littleEndian(publicKey));
  if (y >= FIELD) throw new WeakKey("an Ed25519 public key that is not canonical");
  if (SMALL_ORDER_Y.has(y)) throw new WeakKey("an Ed25519 public key of small order");
}

/**
 * Check a signature; `WeakKey` as `checkPublicKey`, `BadSignature` where it does not verify.
 *
 * By the equation without cofactor, R = S·B - k·A compared as bytes, which is what OpenSSL does:
 * the library's own check also takes signatures that the registry refuses.
 */
export function verify(publicKey: Bytes, signature: Bytes, message: Bytes): void {
  checkPublicKey(publicKey);
  if (!verifies(publicKey, signature, message)) {
    throw new BadSignature("the signature does not verify");
  }
}

function verifies(publicKey: Bytes, signature: Bytes, message: Bytes): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const r = signature.slice(0, 32);
  const s = littleEndian(signature.slice(32));
  if (s >= ORDER) return false;
  const { Point } = ed25519;
  let owner: InstanceType<typeof Point>;
  try {
    owner = Point.fromBytes(publicKey);
  } catch {
    return false; // not a point of the curve
  }
  const k = littleEndian(sha512(concat(r, publicKey, message))) % ORDER;
  const seen = Point.BASE.multiplyUnsafe(s).subtract(owner.multiplyUnsafe(k));
  return sameBytes(seen.toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}
