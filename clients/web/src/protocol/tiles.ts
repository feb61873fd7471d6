/**
 * Tiles of a log's tree and bundles of its entries: C2SP tlog-tiles, height 8.
 *
 * A tile of level L holds up to 256 consecutive hashes of the tree's level 8·L. What tiles say is
 * only as good as the checkpoint that a proof or root made from them leads to.
 */

import { Malformed } from "../errors";
import type { Bytes } from "./encoding";
import { decodeBundle } from "./log";
import { HASH_BYTES, MAX_SIZE } from "./merkle";

export const TILE_HEIGHT = 8;
/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;

const LEVELS = 8; // a hash of the ninth would cover 2⁶⁴ leaves

/** A place in the tree that a tile holds, or, of level 0, that a bundle of entries holds. */
export interface Place {
  readonly index: number;
  /** Hashes or entries in it, 1 to 256; fewer than 256 make it partial. */
  readonly width: number;
}

/** The path of a tile below the log's prefix: `tile/0/x001/234.p/5`. */
export function tilePath(level: number, { index, width }: Place): string {
  checkPlace(level, index, width);
  return `tile/${level}/${indexPath(index, width)}`;
}

/** The path of an entry bundle below the log's prefix: `tile/entries/x001/234.p/5`. */
export function bundlePath({ index, width }: Place): string {
  checkPlace(0, index, width);
  return `tile/entries/${indexPath(index, width)}`;
}

function checkPlace(level: number, index: number, width: number): void {
  const whole = [level, index, width].every(Number.isSafeInteger);
  if (!whole || level < 0 || index < 0 || width < 1 || width > TILE_WIDTH) {
    throw new Malformed("a tile's level, index or width is out of range");
  }
  if (level >= LEVELS || (index * TILE_WIDTH + width) * TILE_WIDTH ** level > MAX_SIZE) {
    throw new Malformed("a tile beyond the largest tree");
  }
}

function indexPath(index: number, width: number): string {
  const groups: string[] = [];
  let rest = index;
  do {
    groups.unshift(String(rest % 1000).padStart(3, "0"));
    rest = Math.floor(rest / 1000);
  } while (rest > 0);
  const last = groups.pop() ?? "";
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `${groups.map((group) => `x${group}/`).join("")}${last}${partial}`;
}

/** The bundles that hold the entries of a log from `start` up to `size`. */
export function bundlesFrom(start: number, size: number): Place[] {
  const out: Place[] = [];
  for (let index = Math.floor(start / TILE_WIDTH); index * TILE_WIDTH < size; index++) {
    out.push({ index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) });
  }
  return out;
}

/** Tile → its `width` hashes; `Malformed` where it has another length or width is not 1..256. */
export function decodeTile(data: Bytes, width: number): Bytes[] {
  if (!(width >= 1 && width <= TILE_WIDTH) || data.length !== width * HASH_BYTES) {
    throw new Malformed("a tile of the wrong length");
  }
  return Array.from({ length: width }, (_, at) =>
    data.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}

/** Entry bundle → its `width` encoded entries; `Malformed` for another number of them. */
export function readBundle(data: Bytes, width: number): Bytes[] {
  const entries = decodeBundle(data);
  if (!(width >= 1 && width <= TILE_WIDTH) || entries.length !== width) {
    throw new Malformed("a bundle with another number of entries");
  }
  return entries;
}
