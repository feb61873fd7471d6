/**
 * Canonical JSON: the part of RFC 8785 that the formats need, so that one value has one text.
 *
 * Numbers are integers up to 2⁵³-1 and such fractions as both Python and ECMAScript write without
 * an exponent; the rest is refused.
 */

import { Malformed } from "../errors";
import { type Bytes, sameBytes, utf8 } from "./encoding";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Between these, Python's shortest text of a fraction is that of ECMAScript. */
const LEAST = 1e-4;
const GREATEST = 1e15;
/** Deeper than anything that is written; a text of brackets alone would else fill the stack. */
const MAX_DEPTH = 500;

/** The canonical text of a value; `Malformed` for numbers out of range or lone surrogates. */
export const canonical = (value: Json): Bytes => utf8(written(value, 0));

/** The value behind its canonical text; `Malformed` for whatever `canonical` would not write. */
export function readCanonical(data: Bytes): Json {
  let value: Json;
  try {
    value = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data),
    ) as Json;
  } catch {
    throw new Malformed("not canonical JSON");
  }
  // The parser takes more than the one text: names twice, exponents, escapes. Writing tells.
  if (!sameBytes(canonical(value), data)) throw new Malformed("not canonical JSON");
  return value;
}

function written(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw new Malformed("a value that has no canonical JSON");
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (isList(value)) return `[${value.map((each) => written(each, depth + 1)).join(",")}]`;
  // Sorted by UTF-16 code units, as RFC 8785 section 3.2.3 says and `sort` does.
  const fields = Object.keys(value)
    .sort()
    .map((name) => `${quoted(name)}:${written(value[name] ?? null, depth + 1)}`);
  return `{${fields.join(",")}}`;
}

function quoted(text: string): string {
  utf8(text); // a lone surrogate would be written as an escape
  return JSON.stringify(text);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function number(value: number): string {
  const size = Math.abs(value);
  const fits = Number.isInteger(value)
    ? Number.isSafeInteger(value)
    : size >= LEAST && size <= GREATEST;
  if (!fits) throw new Malformed("a number that has no canonical JSON here");
  return String(value);
}
