/**
 * The list of an image's fingerprints and its digest F (FORMATS §1).
 *
 * A list is encoded as `u8 spaces ‖ for each space, ascending by id: lp(space_id) ‖ u8 n ‖
 * lp(fp₁) … lp(fpₙ)`. The order of fingerprints within a space is the registrant's and is kept.
 */

import { BadFingerprint, Malformed, UnknownSpace } from "../errors";
import { sha256 } from "./digests";
import { type Bytes, compareBytes, concat, lp, Reader, u8, utf8 } from "./encoding";
import {
  MAX_FINGERPRINTS,
  MAX_LIST_BYTES,
  MAX_SPACES,
  SPACES,
  type Space,
  spaceOf,
} from "./spaces";
import { decodeVector } from "./vectors";

/** Space id → the fingerprints of one image in that space, at least one. */
export type Fingerprints = ReadonlyMap<string, readonly Bytes[]>;

const IMAGE_DOMAIN = utf8("consent-registry/image/v1\0");
const NO_BYTES = new Uint8Array(0);

/** Refuse what can not be a fingerprint of this space: its size, and a vector's norm. */
export function checkFingerprint(space: Space, data: Bytes): void {
  if (data.length !== space.size) throw wrongSize();
  if (space.kind === "FLOAT") decodeVector(data, space);
}

/** Check every fingerprint of a list, vectors' norms included (`decodeList` checks sizes only). */
export function checkFingerprints(fingerprints: Fingerprints): void {
  for (const [id, values] of fingerprints) {
    for (const value of values) checkFingerprint(spaceOf(id), value);
  }
}

/**
 * The canonical bytes of one image's fingerprints.
 *
 * Throws `UnknownSpace`, `BadFingerprint` for a wrong size, `Malformed` for too few or too many
 * spaces or fingerprints, or more than `MAX_LIST_BYTES` in all.
 */
export function encodeList(fingerprints: Fingerprints): Bytes {
  checkSpaceCount(fingerprints.size);
  const parts: Bytes[] = [u8(fingerprints.size)];
  for (const id of [...fingerprints.keys()].sort()) {
    const space = spaceOf(id);
    const values = fingerprints.get(id) ?? [];
    checkCount(values.length);
    if (values.some((value) => value.length !== space.size)) throw wrongSize();
    parts.push(lp(id), u8(values.length), lp(...values));
  }
  const data = concat(...parts);
  checkListLength(data);
  return data;
}

/**
 * The fingerprints behind canonical list bytes: shape and sizes are checked, norms are not.
 *
 * Throws `UnknownSpace`, `BadFingerprint` for a wrong size in a list long enough for right ones,
 * and `Malformed` for anything else that `encodeList` would not have written.
 */
export function decodeList(data: Bytes): Map<string, Bytes[]> {
  checkListLength(data);
  const reader = new Reader(data);
  const spaces = reader.u8();
  checkSpaceCount(spaces);
  const out = new Map<string, Bytes[]>();
  let before: Bytes = NO_BYTES;
  for (let at = 0; at < spaces; at++) {
    const name = reader.lp();
    if (reader.left === 0) throw new Malformed("the list ends early");
    if (compareBytes(name, before) <= 0) {
      throw new Malformed("spaces are listed once each, in ascending order");
    }
    const space = knownSpace(name);
    const count = reader.u8();
    checkCount(count);
    out.set(space.id, takeFingerprints(reader, count, space));
    before = name;
  }
  reader.end();
  return out;
}

function takeFingerprints(reader: Reader, count: number, space: Space): Bytes[] {
  const run = new Reader(reader.take(count * (4 + space.size)));
  return Array.from({ length: count }, () => {
    if (run.u32() !== space.size) throw wrongSize();
    return run.take(space.size);
  });
}

function knownSpace(name: Bytes): Space {
  for (const space of SPACES.values()) {
    if (compareBytes(utf8(space.id), name) === 0) return space;
  }
  throw new UnknownSpace("no fingerprint space has this id");
}

function checkSpaceCount(count: number): void {
  if (count < 1 || count > MAX_SPACES) {
    throw new Malformed(`an image has fingerprints in 1 to ${MAX_SPACES} spaces`);
  }
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_FINGERPRINTS) {
    throw new Malformed(`a space holds 1 to ${MAX_FINGERPRINTS} fingerprints of an image`);
  }
}

function checkListLength(data: Bytes): void {
  if (data.length > MAX_LIST_BYTES) {
    throw new Malformed(`an image's fingerprints take at most ${MAX_LIST_BYTES} bytes`);
  }
}

function wrongSize(): BadFingerprint {
  return new BadFingerprint("a fingerprint of the wrong size for its space");
}

/** F of a list that is already encoded, 32 bytes; the bytes are not checked again. */
export const listDigest = (list: Bytes): Bytes => sha256(IMAGE_DOMAIN, list);

/** F, 32 bytes: what stands for an image's fingerprints. Throws as `encodeList`. */
export const imageDigest = (fingerprints: Fingerprints): Bytes =>
  listDigest(encodeList(fingerprints));
