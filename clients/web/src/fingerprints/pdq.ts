/**
 * PDQ, the perceptual hash of 256 bits (space `pdq-1`).
 *
 * PDQ (Facebook, 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm")
 * blurs the luma plane twice with a running box, takes 64 x 64 samples of it, and compares 256
 * coefficients of their discrete cosine transform with the median. Blur and sampling are linear and
 * separable: a sample is a weighted sum of few rows and columns, and only those are looked at, as
 * in the Python client. `tests/vectors/pdq.json` holds the answers of the reference implementation.
 */

import type { Bytes } from "../protocol";
import type { Picture } from "./pictures";

export const PDQ_SPACE = "pdq-1";

/** Below this PDQ's own measure of detail says that the hash means little (PDQ paper, §4). */
export const LEAST_QUALITY = 50;
/** Smallest side in pixels that the reference implementation hashes (MIN_HASHABLE_DIM). */
export const LEAST_SIDE = 5;

/**
 * The order of `hashOrientations`, which is that of the reference implementation. Rotations are
 * counter-clockwise. "transposed" mirrors at the diagonal from the top left to the bottom right.
 */
export const ORIENTATIONS = [
  "original",
  "rotated 90",
  "rotated 180",
  "rotated 270",
  "flipped top to bottom",
  "flipped left to right",
  "transposed",
  "transposed the other way",
] as const;

const SAMPLES = 64; // the side of PDQ's sampled picture
const FREQUENCIES = 16; // the side of the block of coefficients that becomes the bits
const WINDOW_DIVISOR = 128; // PDQ_JAROSZ_WINDOW_SIZE_DIVISOR: a box is 1/128 of the side
const CHANNELS = 4;
const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114]; // ITU-R BT.601, as PDQ
const QUALITY_DIVISOR = 90; // pdqImageDomainQualityMetric's own scale
const BEST_QUALITY = 100;
const WHITE = 255;

/** A PDQ hash. */
export interface PdqHash {
  /** 32 bytes, most significant bit first; its hexadecimal form is the usual one. */
  readonly bits: Bytes;
  /** How much there is to see, 0 (blank) to 100. */
  readonly quality: number;
}

/** PDQ's blurred picture: 64 x 64 luma values from 0 to 255, row by row. */
export type Samples = Float32Array;

/** Where along a side one sample looks, and how much each pixel there counts; they sum to 1. */
interface Span {
  readonly start: number;
  readonly weights: Float64Array;
}

/** First and one past the last pixel of PDQ's box at a position, clipped at the edges. */
function box(length: number, position: number): [number, number] {
  const window = Math.floor((length + WINDOW_DIVISOR - 1) / WINDOW_DIVISOR);
  const half = Math.floor((window + 2) / 2);
  return [Math.max(position + half - window, 0), Math.min(position + half, length)];
}

/** Two passes of the box and the choice of 64 samples, along one side of `length` pixels. */
export function samplingSpans(length: number): Span[] {
  return Array.from({ length: SAMPLES }, (_, sample) => {
    const centre = Math.floor(((2 * sample + 1) * length) / (2 * SAMPLES));
    const [first, last] = box(length, centre);
    const start = box(length, first)[0];
    const weights = new Float64Array(box(length, last - 1)[1] - start);
    for (let inner = first; inner < last; inner++) {
      const [from, to] = box(length, inner);
      const weight = 1 / ((to - from) * (last - first));
      for (let at = from; at < to; at++) weights[at - start] = (weights[at - start] ?? 0) + weight;
    }
    return { start, weights };
  });
}

/** PDQ's blurred 64 x 64 picture, of one with sides of at least one pixel. */
export function sample(picture: Picture): Samples {
  const columns = samplingSpans(picture.width);
  const samples = new Float32Array(SAMPLES * SAMPLES);
  samplingSpans(picture.height).forEach((span, row) => {
    const luma = blurredLuma(picture, span);
    columns.forEach(({ start, weights }, column) => {
      let sum = 0;
      for (let at = 0; at < weights.length; at++) {
        sum += (weights[at] as number) * (luma[start + at] as number);
      }
      samples[row * SAMPLES + column] = sum;
    });
  });
  return samples;
}

/** One row of the picture as it is after the blur along the columns. */
function blurredLuma(picture: Picture, { start, weights }: Span): Float64Array {
  const { width } = picture;
  const pixels = picture.rows(start, weights.length);
  const luma = new Float64Array(width);
  let at = 0;
  for (const weight of weights) {
    const [red, green, blue] = [RED * weight, GREEN * weight, BLUE * weight];
    for (let column = 0; column < width; column++, at += CHANNELS) {
      luma[column] =
        (luma[column] as number) +
        red * (pixels[at] as number) +
        green * (pixels[at + 1] as number) +
        blue * (pixels[at + 2] as number);
    }
  }
  return luma;
}

/** Rows 1 to 16 of the discrete cosine transform of 64 values; the constant is left out. */
const TRANSFORM = Float32Array.from({ length: FREQUENCIES * SAMPLES }, (_, at) => {
  const frequency = Math.floor(at / SAMPLES) + 1;
  const position = 2 * (at % SAMPLES) + 1;
  return Math.sqrt(2 / SAMPLES) * Math.cos((Math.PI / 2 / SAMPLES) * frequency * position);
});

/** The 16 x 16 coefficients, down by across. */
function coefficientsOf(samples: Samples): Float64Array {
  const half = product(
    TRANSFORM,
    samples,
    FREQUENCIES,
    (inner, column) => inner * SAMPLES + column,
  );
  const across = (inner: number, column: number): number => column * SAMPLES + inner;
  return product(half, TRANSFORM, FREQUENCIES, across).subarray(0, FREQUENCIES * FREQUENCIES);

  function product(
    left: ArrayLike<number>,
    right: ArrayLike<number>,
    rows: number,
    rightAt: (inner: number, column: number) => number,
  ): Float64Array {
    const wide = right.length / SAMPLES;
    const out = new Float64Array(rows * wide);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < wide; column++) {
        let sum = 0;
        for (let inner = 0; inner < SAMPLES; inner++) {
          sum +=
            (left[row * SAMPLES + inner] as number) * (right[rightAt(inner, column)] as number);
        }
        out[row * wide + column] = sum;
      }
    }
    return out;
  }
}

/** One bit for each coefficient above the lower median, the last coefficient first. */
function toBits(coefficients: Float64Array): Bytes {
  const lowerMedian = [...coefficients].sort((a, b) => a - b)[
    coefficients.length / 2 - 1
  ] as number;
  const bits = new Uint8Array(coefficients.length / 8);
  coefficients.forEach((value, at) => {
    const bit = coefficients.length - 1 - at;
    if (value > lowerMedian) bits[bit >> 3] = (bits[bit >> 3] as number) | (0x80 >> (bit & 7));
  });
  return bits;
}

/** PDQ's measure of detail: the sum of the gradients that are large enough to matter. */
export function quality(samples: Samples): number {
  let gradients = 0;
  for (let at = 0; at < samples.length; at++) {
    if (at + SAMPLES < samples.length) gradients += gradient(at, at + SAMPLES);
    if ((at + 1) % SAMPLES > 0) gradients += gradient(at, at + 1);
  }
  return Math.min(BEST_QUALITY, Math.floor(gradients / QUALITY_DIVISOR));

  // Rounded to float32 step by step, as the reference computes: what is cut off hangs on it.
  function gradient(one: number, other: number): number {
    const difference = Math.fround((samples[one] as number) - (samples[other] as number));
    return Math.abs(Math.trunc(Math.fround(Math.fround(difference * 100) / WHITE)));
  }
}

/** The hash of a sampled picture. */
export function hashSamples(samples: Samples): PdqHash {
  return { bits: toBits(coefficientsOf(samples)), quality: quality(samples) };
}

/**
 * The hashes of the picture's 8 rotations and mirror images, in the order of `ORIENTATIONS`.
 *
 * A mirror changes the sign of every second coefficient along its axis, and transposing the picture
 * transposes the coefficients. A symmetrical picture has equal hashes among the 8.
 */
export function hashOrientations(samples: Samples): PdqHash[] {
  const found = coefficientsOf(samples);
  const detail = quality(samples);
  const turned = [
    turn(false, false, false),
    turn(false, true, true),
    turn(true, true, false),
    turn(true, false, true),
    turn(true, false, false),
    turn(false, true, false),
    turn(false, false, true),
    turn(true, true, true),
  ];
  return turned.map((coefficients) => ({ bits: toBits(coefficients), quality: detail }));

  function turn(down: boolean, across: boolean, transposed: boolean): Float64Array {
    const out = new Float64Array(found.length);
    for (let row = 0; row < FREQUENCIES; row++) {
      for (let column = 0; column < FREQUENCIES; column++) {
        // Coefficient 1, 3, 5… of the cosine transform is odd about the middle.
        const odd = (down && row % 2 === 0) !== (across && column % 2 === 0);
        const value = found[row * FREQUENCIES + column] as number;
        const at = transposed ? column * FREQUENCIES + row : row * FREQUENCIES + column;
        out[at] = odd ? -value : value;
      }
    }
    return out;
  }
}
