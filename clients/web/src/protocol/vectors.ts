/** Fingerprint vectors on the wire: float16, little-endian, of norm 1 (FORMATS §1). */

import { BadFingerprint } from "../errors";
import type { Bytes } from "./encoding";
import type { Space } from "./spaces";

/** How far from 1 a norm may be: float16 rounding of 512 components stays far below it. */
export const NORM_TOLERANCE = 0.02;

const LEAST_SQUARES = Math.fround((1 - NORM_TOLERANCE) ** 2);
const GREATEST_SQUARES = Math.fround((1 + NORM_TOLERANCE) ** 2);

const LEAST_EXPONENT = -14; // of a normal float16
const MANTISSA_BITS = 10;

/** A vector as the bytes of its float16 components, scaled to norm 1; not finite or zero: error. */
export function encodeVector(vector: Float32Array): Bytes {
  const greatest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!Number.isFinite(greatest) || vector.some(Number.isNaN)) {
    throw new BadFingerprint("a fingerprint vector is one row of finite numbers");
  }
  if (greatest === 0) throw new BadFingerprint("a fingerprint vector is not zero");
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + (value / greatest) ** 2, 0));
  const out = new Uint8Array(vector.length * 2);
  const view = new DataView(out.buffer);
  vector.forEach((value, at) => {
    view.setUint16(2 * at, toHalf(value / greatest / norm), true);
  });
  return out;
}

/** The vector of norm 1 behind one fingerprint; `BadFingerprint` unless finite, of norm 1 ± 2 %. */
export function decodeVector(data: Bytes, space: Space): Float32Array {
  if (space.kind !== "FLOAT" || data.length !== space.size) {
    throw new BadFingerprint("a fingerprint of the wrong size for its space");
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const vector = Float32Array.from({ length: space.dimension }, (_, at) =>
    fromHalf(view.getUint16(2 * at, true)),
  );
  const squares = Math.fround(vector.reduce((sum, value) => sum + value * value, 0));
  if (!(squares >= LEAST_SQUARES && squares <= GREATEST_SQUARES)) {
    throw new BadFingerprint("a fingerprint vector is not a finite unit vector");
  }
  return vector.map((value) => value / Math.sqrt(squares));
}

/** The float16 nearest to a number of magnitude at most 1, ties to even (IEEE 754). */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  const exponent = Math.max(LEAST_EXPONENT, exponentOf(magnitude));
  const steps = roundHalfEven(magnitude / 2 ** (exponent - MANTISSA_BITS));
  // Normal numbers have steps from 1,024 on: the leading bit raises the exponent field by one.
  return sign | (steps + ((exponent - LEAST_EXPONENT) << MANTISSA_BITS));
}

function exponentOf(magnitude: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  return ((view.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> MANTISSA_BITS) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * mantissa * 2 ** (LEAST_EXPONENT - MANTISSA_BITS);
  return sign * (1024 + mantissa) * 2 ** (exponent - 1 + LEAST_EXPONENT - MANTISSA_BITS);
}
