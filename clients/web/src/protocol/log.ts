/**
 * Entries of the log, and bundles of them (FORMATS §5).
 *
 * An entry is `"cr1" ‖ u8 type ‖ body`. Types this version does not know are refused: a follower
 * that skipped them would answer for a state it does not understand. A bundle is C2SP tlog-tiles':
 * each entry after its u16 length.
 */

import { BadSignature, Malformed } from "../errors";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify } from "./ed25519";
import { type Bytes, concat, Reader, sameBytes, u8, u16, u32, u64, utf8 } from "./encoding";
import { ownerTag } from "./keys";
import { withdrawMessage } from "./records";

/** Greatest log index: what a JSON number holds exactly. */
export const MAX_INDEX = 2 ** 53 - 1;

export const ERASE_REASONS = [
  null,
  "court order",
  "unlawful content",
  "false statement",
  "abuse",
  "technical",
] as const;

/** What an operator decided about a disputed exclusion, by code. */
export const DISPUTE_OUTCOMES = [null, "stands", "mistaken", "erased"] as const;

export const DISPUTE_REASONS = [
  null,
  "same image",
  "same person",
  "undecided",
  "another image",
  "false statement",
] as const;

/** Codes of the reasons that fit each outcome. */
const REASONS_OF: Readonly<Record<number, readonly number[]>> = { 1: [1, 2, 3], 2: [4], 3: [5] };

/** A record came in: C and W, 32 bytes each. */
export interface Register {
  readonly type: "REGISTER";
  readonly commitment: Bytes;
  readonly ownerTag: Bytes;
}

/** Its owner took a record back; `registerIndex` is that of its REGISTER entry. */
export interface Withdraw {
  readonly type: "WITHDRAW";
  readonly registerIndex: number;
  readonly ownerPublicKey: Bytes;
  readonly signature: Bytes;
}

/** The operator took a record out; `reason` is a place in `ERASE_REASONS`. */
export interface Erase {
  readonly type: "ERASE";
  readonly registerIndex: number;
  readonly reason: number;
}

/** A committed screening was opened. */
export interface Session {
  readonly type: "SESSION";
  readonly builder: Bytes;
  readonly commitment: Bytes;
  readonly count: number;
  readonly terms: Bytes;
}

/** A committed screening was answered in full. */
export interface Close {
  readonly type: "CLOSE";
  readonly sessionIndex: number;
  readonly leastLogSize: number;
  readonly resultsRoot: Bytes;
}

/** A builder's certificate was logged. */
export interface Certify {
  readonly type: "CERTIFY";
  readonly sessionIndex: number;
  readonly digest: Bytes;
}

/** A snapshot was published. */
export interface Snapshot {
  readonly type: "SNAPSHOT";
  readonly serial: number;
  readonly logSize: number;
  readonly manifestDigest: Bytes;
}

/** A UTC day began; what was valid until an earlier one expires. */
export interface Day {
  readonly type: "DAY";
  readonly day: number;
}

/** A builder disputed that a record excluded an image, and the operator decided. */
export interface Dispute {
  readonly type: "DISPUTE";
  readonly registerIndex: number;
  readonly reference: Bytes;
  /** A place in `DISPUTE_OUTCOMES`. */
  readonly outcome: number;
  /** A place in `DISPUTE_REASONS`. */
  readonly reason: number;
}

export type Entry =
  Register | Withdraw | Erase | Session | Close | Certify | Snapshot | Day | Dispute;

const MAGIC = utf8("cr1");
const HASH_BYTES = 32;

/** Code of each type: the place in this list. */
export const ENTRY_TYPES = [
  null,
  "REGISTER",
  "WITHDRAW",
  "ERASE",
  "SESSION",
  "CLOSE",
  "CERTIFY",
  "SNAPSHOT",
  "DAY",
  "DISPUTE",
] as const;

/** The entry's bytes; `Malformed` for values out of range. */
export function encodeEntry(entry: Entry): Bytes {
  const data = concat(MAGIC, u8(ENTRY_TYPES.indexOf(entry.type)), ...bodyOf(entry));
  decodeEntry(data); // sizes and ranges are said once, by the reader
  return data;
}

function bodyOf(entry: Entry): Bytes[] {
  switch (entry.type) {
    case "REGISTER":
      return [entry.commitment, entry.ownerTag];
    case "WITHDRAW":
      return [u64(entry.registerIndex), entry.ownerPublicKey, entry.signature];
    case "ERASE":
      return [u64(entry.registerIndex), u8(entry.reason)];
    case "SESSION":
      return [entry.builder, entry.commitment, u64(entry.count), entry.terms];
    case "CLOSE":
      return [u64(entry.sessionIndex), u64(entry.leastLogSize), entry.resultsRoot];
    case "CERTIFY":
      return [u64(entry.sessionIndex), entry.digest];
    case "SNAPSHOT":
      return [u64(entry.serial), u64(entry.logSize), entry.manifestDigest];
    case "DAY":
      return [u32(entry.day)];
    case "DISPUTE":
      return [u64(entry.registerIndex), entry.reference, u8(entry.outcome), u8(entry.reason)];
  }
}

/** The entry behind its bytes; `Malformed` for anything `encodeEntry` would not have written. */
export function decodeEntry(data: Bytes): Entry {
  const reader = new Reader(data);
  if (!sameBytes(reader.take(MAGIC.length), MAGIC)) {
    throw new Malformed("not an entry of this log");
  }
  const entry = readBody(ENTRY_TYPES[reader.u8()], reader);
  reader.end();
  return entry;
}

function readBody(type: Entry["type"] | null | undefined, reader: Reader): Entry {
  const hash = (): Bytes => reader.take(HASH_BYTES);
  switch (type) {
    case "REGISTER":
      return { type, commitment: hash(), ownerTag: hash() };
    case "WITHDRAW":
      return {
        type,
        registerIndex: reader.u64(),
        ownerPublicKey: reader.take(PUBLIC_KEY_BYTES),
        signature: reader.take(SIGNATURE_BYTES),
      };
    case "ERASE":
      return { type, registerIndex: reader.u64(), reason: reasonOf(reader.u8()) };
    case "SESSION":
      return {
        type,
        builder: hash(),
        commitment: hash(),
        count: countOf(reader.u64()),
        terms: hash(),
      };
    case "CLOSE":
      return {
        type,
        sessionIndex: reader.u64(),
        leastLogSize: reader.u64(),
        resultsRoot: hash(),
      };
    case "CERTIFY":
      return { type, sessionIndex: reader.u64(), digest: hash() };
    case "SNAPSHOT":
      return { type, serial: reader.u64(), logSize: reader.u64(), manifestDigest: hash() };
    case "DAY":
      return { type, day: reader.u32() };
    case "DISPUTE":
      return { type, registerIndex: reader.u64(), reference: hash(), ...decisionOf(reader) };
    default:
      throw new Malformed("an entry of a type this version does not know");
  }
}

function reasonOf(code: number): number {
  if (!ERASE_REASONS[code]) throw new Malformed("an erasure has one of the stated reasons");
  return code;
}

function decisionOf(reader: Reader): { outcome: number; reason: number } {
  const outcome = reader.u8();
  const reason = reader.u8();
  if (!REASONS_OF[outcome]?.includes(reason)) {
    throw new Malformed("a dispute has one of the stated outcomes, for a reason that fits it");
  }
  return { outcome, reason };
}

function countOf(count: number): number {
  if (count < 1) throw new Malformed("a session has at least one row, and fewer than 2^53");
  return count;
}

/** Whether a WITHDRAW entry is its REGISTER entry's owner's; `WeakKey` or `BadSignature`. */
export function checkWithdrawal(origin: string, withdraw: Withdraw, register: Register): void {
  if (!sameBytes(ownerTag(withdraw.ownerPublicKey), register.ownerTag)) {
    throw new BadSignature("the withdrawal is by another key than the registration");
  }
  const message = withdrawMessage(origin, register.commitment);
  verify(withdraw.ownerPublicKey, withdraw.signature, message);
}

/** Encoded entries → bundle; `Malformed` for an entry longer than 2¹⁶-1 bytes. */
export function encodeBundle(entries: readonly Bytes[]): Bytes {
  return concat(...entries.flatMap((entry) => [u16(entry.length), entry]));
}

/** Bundle → encoded entries, which `decodeEntry` reads; `Malformed` where it ends early. */
export function decodeBundle(data: Bytes): Bytes[] {
  const reader = new Reader(data);
  const out: Bytes[] = [];
  while (reader.left > 0) out.push(reader.take(reader.u16()));
  return out;
}
