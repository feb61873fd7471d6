/**
 * What every format is made of: integers, length-prefixed strings, bitmaps and base64.
 *
 * Integers are big-endian. Everything here throws `Malformed` and nothing else on bad input.
 */

import { Malformed } from "../errors";

/** Bytes that Web Crypto takes too: never over shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Longest length-prefixed string, bytes (FORMATS, first paragraph). */
export const MAX_LP = 2 ** 20;

const LONE_SURROGATE = /\p{Surrogate}/u;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const CHUNK = 0x8000; // arguments that a call takes in every engine

const encoder = new TextEncoder();

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let position = 0;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

/** Whether two byte strings are the same; of public values, it takes no constant time. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

/** Negative, zero or positive, as byte strings are ordered in Python. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const common = Math.min(left.length, right.length);
  for (let at = 0; at < common; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function unsigned(value: number, size: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
    throw new Malformed(`an integer does not fit into ${size} unsigned bytes`);
  }
  const out = new Uint8Array(size);
  let rest = value;
  for (let at = size - 1; at >= 0; at--) {
    out[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

export const u8 = (value: number): Bytes => unsigned(value, 1);
export const u16 = (value: number): Bytes => unsigned(value, 2);
export const u32 = (value: number): Bytes => unsigned(value, 4);
/** Eight bytes; of numbers up to 2⁵³-1, which is as far as the log's indexes go. */
export const u64 = (value: number): Bytes => unsigned(value, 8);

/** Each part after its u32 length, one after the other; text as UTF-8. */
export function lp(...parts: readonly (Uint8Array | string)[]): Bytes {
  const out: Uint8Array[] = [];
  for (const part of parts) {
    const data = typeof part === "string" ? utf8(part) : part;
    if (data.length > MAX_LP) throw new Malformed("a length-prefixed string is too long");
    out.push(u32(data.length), data);
  }
  return concat(...out);
}

/** UTF-8 of a text; `Malformed` for lone surrogates. */
export function utf8(text: string): Bytes {
  if (LONE_SURROGATE.test(text)) throw new Malformed("text that UTF-8 can not hold");
  return encoder.encode(text);
}

/** Reads a byte string from front to back, strictly; `end()` says that nothing may be left. */
export class Reader {
  readonly #data: Bytes;
  #position = 0;

  constructor(data: Bytes) {
    this.#data = data;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#data.length - this.#position;
  }

  /** The next bytes, copied. */
  take(count: number): Bytes {
    const stop = this.#position + count;
    if (count < 0 || stop > this.#data.length) throw new Malformed("the message ends early");
    const taken = this.#data.slice(this.#position, stop);
    this.#position = stop;
    return taken;
  }

  #unsigned(size: number): number {
    const value = this.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(value)) throw new Malformed("an integer beyond 2^53 - 1");
    return value;
  }

  u8(): number {
    return this.#unsigned(1);
  }

  u16(): number {
    return this.#unsigned(2);
  }

  u32(): number {
    return this.#unsigned(4);
  }

  /** Eight bytes; `Malformed` beyond 2⁵³-1, where no index of a log lies. */
  u64(): number {
    return this.#unsigned(8);
  }

  /** The next length-prefixed string, of at most `longest` bytes. */
  lp(longest: number = MAX_LP): Bytes {
    const length = this.u32();
    if (length > longest) throw new Malformed("a length-prefixed string is too long");
    return this.take(length);
  }

  end(): void {
    if (this.left > 0) throw new Malformed("the message goes on after its end");
  }
}

/** Bit i is bit (i mod 8), least significant first, of byte i div 8. */
export function packBitmap(bits: readonly boolean[]): Bytes {
  const out = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => {
    const byte = at >> 3;
    if (bit) out[byte] = (out[byte] ?? 0) | (1 << (at & 7));
  });
  return out;
}

/** The first `count` bits; `Malformed` for another length or a reserved bit that is set. */
export function unpackBitmap(data: Uint8Array, count: number): boolean[] {
  if (count < 0 || data.length !== Math.ceil(count / 8)) {
    throw new Malformed("a bitmap of the wrong length");
  }
  if (count % 8 !== 0 && (data.at(-1) ?? 0) >> (count % 8) !== 0) {
    throw new Malformed("a reserved bit of a bitmap is set");
  }
  return Array.from({ length: count }, (_, at) => (((data[at >> 3] ?? 0) >> (at & 7)) & 1) === 1);
}

/** RFC 4648 §4, padded. */
export function encodeBase64(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += CHUNK) {
    text += String.fromCharCode(...data.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

/**
 * The bytes behind canonical RFC 4648 §4 base64; `Malformed` for whatever `encodeBase64` would not
 * have written: another alphabet, white space, padding that is missing or too much, unused bits.
 */
export function decodeBase64(text: string): Bytes {
  if (text.length % 4 === 0 && BASE64.test(text)) {
    const binary = atob(text);
    const data = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    if (btoa(binary) === text) return data;
  }
  throw new Malformed("not canonical base64");
}
