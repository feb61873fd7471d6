/**
 * The fingerprint spaces.
 *
 * A space id pins everything that changes a fingerprint: model, preprocessing, version.
 * Fingerprints of different spaces never meet.
 */

import { UnknownSpace } from "../errors";

/** Most spaces in one image's list (FORMATS §1). */
export const MAX_SPACES = 8;
/** Most fingerprints of one image in one space: 4 rotations, each also mirrored. */
export const MAX_FINGERPRINTS = 8;
/** Most fingerprints of one candidate image in a space of people (FORMATS §6). */
export const MAX_FACES = 64;
/** Longest encoded list: with its frame it fits a sealed plaintext of 8,192 bytes. */
export const MAX_LIST_BYTES = 8_000;

/** EXACT: 32 bytes, equal or not. BINARY: bits, Hamming distance. FLOAT: float16, a unit vector. */
export type Kind = "EXACT" | "BINARY" | "FLOAT";

/** WORK: fingerprints find copies of an image. PERSON: they find other photographs of someone. */
export type Subject = "WORK" | "PERSON";

export interface Space {
  /** Its name in lists, columns and indexes. */
  readonly id: string;
  readonly kind: Kind;
  /** Bits (exact, binary) or vector components (float). */
  readonly dimension: number;
  /** Bytes of one fingerprint. */
  readonly size: number;
  readonly subject: Subject;
  /** In plain words, what it finds. */
  readonly finds: string;
}

function space(id: string, kind: Kind, dimension: number, subject: Subject, finds: string): Space {
  const size = kind === "FLOAT" ? dimension * 2 : dimension / 8;
  return { id, kind, dimension, size, subject, finds };
}

const ALL = [
  space("face-1", "FLOAT", 128, "PERSON", "other photographs of the person"),
  space("pdq-1", "BINARY", 256, "WORK", "light edits of the image"),
  space("sha256", "EXACT", 256, "WORK", "the same file, byte for byte"),
  space("sscd-1", "FLOAT", 512, "WORK", "edited copies: crops, bars, captions, screenshots"),
  space("url-1", "EXACT", 256, "WORK", "the same web address"),
] as const;

/** Every space this version knows, by id, in ascending order of id. */
export const SPACES: ReadonlyMap<string, Space> = new Map(ALL.map((each) => [each.id, each]));

/** The space with this id; `UnknownSpace` where there is none. */
export function spaceOf(id: string): Space {
  const found = SPACES.get(id);
  if (found === undefined) throw new UnknownSpace("no fingerprint space has this id");
  return found;
}
