/** Signatures are taken exactly where OpenSSL takes them, weak keys aside. */

import { createPublicKey, verify as opensslVerify } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { BadSignature } from "../../src/errors";
import { type Bytes, concat, publicKeyOf, sign, utf8, verify } from "../../src/protocol";

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
const SPKI = Uint8Array.from([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0]);
// RFC 8032's curve has this point of order 8.
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");

function openssl(publicKey: Bytes, signature: Bytes, message: Bytes): boolean {
  const key = Buffer.from(concat(SPKI, publicKey));
  return opensslVerify(
    null,
    message,
    createPublicKey({ key, format: "der", type: "spki" }),
    signature,
  );
}

function ours(publicKey: Bytes, signature: Bytes, message: Bytes): boolean {
  try {
    verify(publicKey, signature, message);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(BadSignature);
    return false;
  }
}

const bytesOf = (scalar: bigint): Bytes =>
  Uint8Array.from({ length: 32 }, (_, at) => Number((scalar >> BigInt(8 * at)) & 255n));

const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

test("keys and nonces with a part of small order: only where the parts cancel out", () => {
  const secret = 123456789n;
  const nonce = 987654321n;
  const seen: boolean[] = [];
  for (let onKey = 0n; onKey < 8n; onKey++) {
    for (let onNonce = 0n; onNonce < 8n; onNonce++) {
      const part = (times: bigint) => (times === 0n ? Point.ZERO : TORSION.multiplyUnsafe(times));
      const publicKey = Point.BASE.multiply(secret).add(part(onKey)).toBytes() as Bytes;
      const r = Point.BASE.multiply(nonce).add(part(onNonce)).toBytes() as Bytes;
      const message = utf8(`${onKey} ${onNonce}`);
      const k = littleEndian(sha512(concat(r, publicKey, message))) % ORDER;
      const signature = concat(r, bytesOf((nonce + k * secret) % ORDER));
      seen.push(ours(publicKey, signature, message));
      expect(seen.at(-1)).toBe(openssl(publicKey, signature, message));
    }
  }
  expect(seen).toContain(true);
  expect(seen).toContain(false);
});

test("our signatures verify there, and with a bit changed in neither", () => {
  const privateKey = new Uint8Array(32).fill(9);
  const publicKey = publicKeyOf(privateKey);
  const message = utf8("message");
  const signature = sign(privateKey, message);
  expect(ours(publicKey, signature, message)).toBe(true);
  expect(openssl(publicKey, signature, message)).toBe(true);
  for (let bit = 0; bit < 512; bit += 7) {
    const changed = signature.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(ours(publicKey, changed, message), `bit ${bit}`).toBe(false);
    expect(openssl(publicKey, changed, message), `bit ${bit}`).toBe(false);
  }
});
