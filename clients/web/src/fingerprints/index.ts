/** All fingerprints of one picture, for registering it. */

import { type Bytes, encodeVector, type Fingerprints } from "../protocol";
import { decodePicture } from "./decoding";
import { hashOrientations, LEAST_QUALITY, LEAST_SIDE, PDQ_SPACE, sample } from "./pdq";
import type { Picture } from "./pictures";

export * from "./decoding";
export * from "./pdq";
export * from "./pictures";
export * from "./url";

export const FILE_SPACE = "sha256";

/** A space whose fingerprints a network computes; there is one for `sscd-1` and one for `face-1`. */
export interface Model {
  /** Id of its space. */
  readonly space: string;
  /**
   * The vectors that a picture is registered with, of any norm but zero: for `sscd-1` those of the
   * picture and of its mirror image, for `face-1` that of the one face that was chosen.
   *
   * Throws `ImageError` where there is none.
   */
  registrationVectors(picture: Picture): Promise<readonly Float32Array[]>;
}

/** Why a picture has no fingerprint in a space. */
export type Missing = "too plain" | "too small";

/** What was computed of one picture: its fingerprints, and why there are none in other spaces. */
export interface PictureFingerprints {
  readonly fingerprints: Fingerprints;
  readonly missing: ReadonlyMap<string, Missing>;
}

/** SHA-256 of a file's bytes (space `sha256`). */
export async function fileFingerprint(file: Blob): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
}

/**
 * The fingerprints that a picture is registered with, so that turned copies are found too: `sha256`
 * of the file, `pdq-1` in 8 orientations, and what the models compute.
 *
 * Throws `ImageError`: not a picture, too large, or refused by a model.
 */
export async function registrationFingerprints(
  file: Blob,
  models: readonly Model[] = [],
  decode: (file: Blob) => Promise<Picture> = decodePicture,
): Promise<PictureFingerprints> {
  const found: [string, Bytes[]][] = [[FILE_SPACE, [await fileFingerprint(file)]]];
  const missing = new Map<string, Missing>();
  const picture = await decode(file);
  const hashed = pdqFingerprints(picture);
  if (typeof hashed === "string") missing.set(PDQ_SPACE, hashed);
  else found.push([PDQ_SPACE, hashed]);
  for (const model of models) {
    const vectors = await model.registrationVectors(picture);
    found.push([model.space, vectors.map(encodeVector)]);
  }
  return { fingerprints: new Map(found.sort(([a], [b]) => (a < b ? -1 : 1))), missing };
}

function pdqFingerprints(picture: Picture): Bytes[] | Missing {
  if (Math.min(picture.width, picture.height) < LEAST_SIDE) return "too small";
  const hashes = hashOrientations(sample(picture));
  if (hashes.some(({ quality }) => quality < LEAST_QUALITY)) return "too plain";
  return hashes.map(({ bits }) => bits);
}
