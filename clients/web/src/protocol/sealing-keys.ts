/**
 * The registry's sealing keys, and the signed note that publishes them (FORMATS §3).
 *
 * Suite 1 is X-Wing (ML-KEM-768 with X25519), suite 2 X25519. Public keys: suite 1, ML-KEM
 * encapsulation key 1184 ‖ X25519 32; suite 2, X25519 32.
 */

import { BadNote, Malformed, NoUsableKey } from "../errors";
import { sha256 } from "./digests";
import { type Bytes, compareBytes, decodeBase64, encodeBase64, u8, utf8 } from "./encoding";
import { asNote, type NoteSigner, type NoteVerifier, verifyNote } from "./notes";
import { checkOrigin } from "./origins";

/** 1: post-quantum and classical together, the default. 2: for clients without ML-KEM. */
export type Suite = 1 | 2;

export const KEY_ID_BYTES = 8;
/** Most keys in one note: two suites, a few overlapping rotations, and room. */
export const MAX_SEALING_KEYS = 16;
export const NOTE_TITLE = "consent-registry/v1/sealing-keys";

const X25519_BYTES = 32;
const MLKEM_PUBLIC_BYTES = 1_184;
const MLKEM_SEED_BYTES = 32; // rho, which ends an encapsulation key
const MLKEM_MODULUS = 3_329;
const PUBLIC_BYTES: Readonly<Record<Suite, number>> = {
  1: MLKEM_PUBLIC_BYTES + X25519_BYTES,
  2: X25519_BYTES,
};
const DAY_MAX = 2 ** 32 - 1;
const KEY_DOMAIN = utf8("consent-registry/sealing-key/v1\0");
const KEY_LINE = /^([12]) (0|[1-9][0-9]{0,9}) (0|[1-9][0-9]{0,9}) ([A-Za-z0-9+/]+={0,2})$/;

// u of the points of small order (RFC 7748 §7): the shared secret would be zero and hide nothing.
const X25519_FIELD = 2n ** 255n - 19n;
const X25519_SMALL_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  X25519_FIELD - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/** A published sealing key; `Malformed` for a key the suite refuses, or days not in order. */
export class SealingKey {
  readonly suite: Suite;
  readonly publicKey: Bytes;
  /** The first UTC day (days since 1970-01-01) it may be used. */
  readonly issueDay: number;
  /** The first UTC day it is refused. */
  readonly expiryDay: number;
  /** What names it in a request and binds it into a seal, 8 bytes. */
  readonly keyId: Bytes;

  constructor(suite: Suite, publicKey: Bytes, issueDay: number, expiryDay: number) {
    if (!(issueDay >= 0 && issueDay < expiryDay && expiryDay <= DAY_MAX)) {
      throw new Malformed("a sealing key is issued before it expires");
    }
    checkSealingPublicKey(suite, publicKey);
    this.suite = suite;
    this.publicKey = publicKey;
    this.issueDay = issueDay;
    this.expiryDay = expiryDay;
    this.keyId = sealingKeyId(suite, publicKey);
  }

  /** Whether it may be sealed to on this UTC day. */
  usable(day: number): boolean {
    return this.issueDay <= day && day < this.expiryDay;
  }
}

/** What names a sealing key, 8 bytes. */
export function sealingKeyId(suite: Suite, publicKey: Bytes): Bytes {
  return sha256(KEY_DOMAIN, u8(suite), publicKey).slice(0, KEY_ID_BYTES);
}

function checkSealingPublicKey(suite: Suite, data: Bytes): void {
  if (data.length !== PUBLIC_BYTES[suite]) throw new Malformed("a sealing key of the wrong length");
  checkX25519(data.subarray(-X25519_BYTES));
  if (suite === 1) checkMlKem(data.subarray(0, MLKEM_PUBLIC_BYTES));
}

function checkX25519(data: Bytes): void {
  const u = data.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (u >= X25519_FIELD) throw new Malformed("an X25519 public key that is not canonical");
  if (X25519_SMALL_ORDER.has(u)) throw new Malformed("an X25519 public key of small order");
}

/** FIPS 203 §7.2, the modulus check: every 12-bit coefficient is below q. */
function checkMlKem(data: Bytes): void {
  for (let at = 0; at < MLKEM_PUBLIC_BYTES - MLKEM_SEED_BYTES; at += 3) {
    const [a = 0, b = 0, c = 0] = data.subarray(at, at + 3);
    const low = a | ((b & 15) << 8);
    const high = (b >> 4) | (c << 4);
    if (low >= MLKEM_MODULUS || high >= MLKEM_MODULUS) {
      throw new Malformed("not an ML-KEM-768 public key");
    }
  }
}

/**
 * The signed note that publishes sealing keys: the title, the origin, and for each key, ascending
 * by key id, a line `<suite> <issue day> <expiry day> <base64 public key>`.
 */
export function encodeSealingKeys(
  origin: string,
  keys: readonly SealingKey[],
  signer: NoteSigner,
): string {
  const ordered = [...keys].sort((left, right) => compareBytes(left.keyId, right.keyId));
  checkOrder(ordered);
  const lines = ordered.map(
    (key) => `${key.suite} ${key.issueDay} ${key.expiryDay} ${encodeBase64(key.publicKey)}\n`,
  );
  return signer.note(`${NOTE_TITLE}\n${checkOrigin(origin)}\n${lines.join("")}`);
}

/** The keys in a note signed by this key for this registry; `BadNote` for anything else. */
export function decodeSealingKeys(
  note: string,
  origin: string,
  verifier: NoteVerifier,
): SealingKey[] {
  const [title, named, ...lines] = verifyNote(note, verifier).slice(0, -1).split("\n");
  if (title !== NOTE_TITLE || named !== origin) {
    throw new BadNote("not the sealing keys of this registry");
  }
  const keys = lines.map(keyOfLine);
  checkOrder(keys);
  return keys;
}

function keyOfLine(line: string): SealingKey {
  const [, suite, issueDay, expiryDay, publicKey] = KEY_LINE.exec(line) ?? [];
  if (publicKey === undefined) throw new BadNote("a line that is no sealing key");
  return asNote(
    "a line that is no sealing key",
    () =>
      new SealingKey(
        suite === "1" ? 1 : 2,
        decodeBase64(publicKey),
        Number(issueDay),
        Number(expiryDay),
      ),
  );
}

function checkOrder(keys: readonly SealingKey[]): void {
  if (keys.length < 1 || keys.length > MAX_SEALING_KEYS) {
    throw new BadNote(`a note publishes 1 to ${MAX_SEALING_KEYS} sealing keys`);
  }
  keys.reduce((before, key) => {
    if (compareBytes(before.keyId, key.keyId) >= 0) {
      throw new BadNote("sealing keys are listed once each, ascending by key id");
    }
    return key;
  });
}

/** The newest key of the first preferred suite that can be used on this UTC day. */
export function usableKey(
  keys: readonly SealingKey[],
  day: number,
  preference: readonly Suite[] = [1, 2],
): SealingKey {
  for (const suite of preference) {
    const [newest] = keys
      .filter((key) => key.suite === suite && key.usable(day))
      .sort(
        (left, right) =>
          right.issueDay - left.issueDay ||
          right.expiryDay - left.expiryDay ||
          compareBytes(right.keyId, left.keyId),
      );
    if (newest !== undefined) return newest;
  }
  throw new NoUsableKey("the registry publishes no sealing key that can be used today");
}
