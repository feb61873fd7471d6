/**
 * Blocks of candidates, as columns: one space, a presence bitmap, and the fingerprints present
 * (FORMATS §6).
 */

import { BadFingerprint, Malformed } from "../errors";
import { type Bytes, concat, lp, packBitmap, u8, u32, unpackBitmap } from "./encoding";
import { MAX_FACES, MAX_SPACES, type Space, spaceOf } from "./spaces";
import { decodeVector } from "./vectors";

/** Most images in one block. */
export const MAX_BLOCK = 10_000;

/** The fingerprints of a block in one space: one per image, or of people any number. */
export class Column {
  readonly space: Space;
  /** Which images have a fingerprint here, or were looked at for people. */
  readonly present: readonly boolean[];
  /** The fingerprints in the order of the images, one after the other. */
  readonly data: Bytes;
  /** A space of people: how many fingerprints each present image has. Null in a space of works. */
  readonly counts: Bytes | null;

  constructor(spaceId: string, present: readonly boolean[], data: Bytes, counts: Bytes | null) {
    checkCount(present.length);
    this.space = spaceOf(spaceId);
    const images = present.filter(Boolean).length;
    checkCounts(counts, this.space, images);
    const total = counts === null ? images : counts.reduce((sum, count) => sum + count, 0);
    if (data.length !== total * this.space.size) {
      throw new BadFingerprint("a column is not as long as the fingerprints present in it");
    }
    this.present = present;
    this.data = data;
    this.counts = counts;
  }

  /** A column from the wire. */
  static decode(
    spaceId: string,
    count: number,
    present: Bytes,
    fingerprints: Bytes,
    counts: Bytes | null,
  ): Column {
    checkCount(count);
    return new Column(spaceId, unpackBitmap(present, count), fingerprints, counts);
  }

  /** The fingerprints, each by itself. */
  fingerprints(): Bytes[] {
    const { size } = this.space;
    return Array.from({ length: this.data.length / size }, (_, at) =>
      this.data.slice(at * size, (at + 1) * size),
    );
  }

  /** The vectors of a float space, of norm 1; `BadFingerprint` where one is not. */
  vectors(): Float32Array[] {
    return this.fingerprints().map((each) => decodeVector(each, this.space));
  }
}

/**
 * The canonical bytes of a block: the same for the same fingerprints in any order of columns.
 *
 * `u32 n ‖ u8 columns`, then for each, ascending by space id,
 * `lp(space_id) ‖ bitmap ‖ counts (in a space of people) ‖ u32 length ‖ data`.
 */
export function blockContent(columns: readonly Column[]): Bytes {
  const ordered = [...columns].sort((left, right) => (left.space.id < right.space.id ? -1 : 1));
  const [first] = ordered;
  if (first === undefined || ordered.length > MAX_SPACES) {
    throw new Malformed(`a block has 1 to ${MAX_SPACES} columns`);
  }
  if (new Set(ordered.map((column) => column.space.id)).size !== ordered.length) {
    throw new Malformed("a block has one column per space");
  }
  if (ordered.some((column) => column.present.length !== first.present.length)) {
    throw new Malformed("the columns of a block are of one length");
  }
  const parts = ordered.flatMap((column) => [
    lp(column.space.id),
    packBitmap(column.present),
    column.counts ?? new Uint8Array(0),
    u32(column.data.length),
    column.data,
  ]);
  return concat(u32(first.present.length), u8(ordered.length), ...parts);
}

function checkCount(count: number): void {
  if (count < 1 || count > MAX_BLOCK) throw new Malformed(`a block has 1 to ${MAX_BLOCK} images`);
}

function checkCounts(counts: Bytes | null, of: Space, images: number): void {
  if ((counts === null) !== (of.subject === "WORK")) {
    throw new Malformed("a column of people, and no other, says how many each image has");
  }
  if (counts !== null && counts.length !== images) {
    throw new Malformed("a column of people says how many each present image has, and no more");
  }
  if (counts?.some((count) => count > MAX_FACES)) {
    throw new Malformed(`an image has at most ${MAX_FACES} fingerprints of people`);
  }
}
