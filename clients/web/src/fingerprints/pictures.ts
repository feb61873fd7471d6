/** A decoded picture, row by row: what every fingerprint of pixels is computed from. */

/**
 * Upright, on white, 8 bits of red, green, blue and a fourth that is not looked at, as a canvas
 * gives them. Rows are asked for in runs, so that nobody has to hold a large picture twice.
 */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `count` rows from `top` on: `count * width * 4` bytes. */
  readonly rows: (top: number, count: number) => Uint8Array | Uint8ClampedArray;
}

/** A picture that is in memory, for example an `ImageData`. */
export function pictureOf(image: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}): Picture {
  const stride = image.width * 4;
  return {
    width: image.width,
    height: image.height,
    rows: (top, count) => image.data.subarray(top * stride, (top + count) * stride),
  };
}
