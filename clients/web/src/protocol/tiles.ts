/**
 * Tiles of a log's tree and bundles of its entries: C2SP tlog-tiles, height 8.
 *
 * A tile of level L holds up to 256 consecutive hashes of the tree's level 8·L. What tiles say is
 * only as good as the checkpoint that a proof or root made from them leads to.
 */

import { Malformed } from "../errors";
import type { Bytes } from "./encoding";
import { decodeBundle } from "./log";
import { HASH_BYTES, MAX_SIZE, type Nodes, rootOf } from "./merkle";

export const TILE_HEIGHT = 8;
/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;

const LEVELS = 8; // a hash of the ninth would cover 2⁶⁴ leaves

const INDEX = "(?<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\\.p/(?<width>[1-9][0-9]{0,2}))?";
const PATH = new RegExp(`^tile/(?<level>0|[1-9][0-9]?|entries)/${INDEX}$`);
const MAX_PATH = 64; // the greatest index has 17 digits

/** A tile of a level from 0, or a bundle of entries. */
export interface Tile {
  readonly level: number | "entries";
  /** Within the level, from 0. */
  readonly index: number;
  /** Hashes or entries in it, 1 to 256; fewer than 256 make it partial. */
  readonly width: number;
}

/**
 * The path below the log's prefix: `tile/0/x001/234.p/5`, `tile/entries/000`.
 *
 * `Malformed`: out of range, or beyond every tree of at most `MAX_SIZE` leaves.
 */
export function tilePath({ level, index, width }: Tile): string {
  checkPlace(level === "entries" ? 0 : level, index, width);
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `tile/${level}/${groupsOf(index)}${partial}`;
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

/** The index in thousands, most significant first, all but the last after an `x`. */
function groupsOf(index: number): string {
  const last = String(index % 1000).padStart(3, "0");
  return index < 1000 ? last : `${xGroupsOf(Math.floor(index / 1000))}${last}`;
}

function xGroupsOf(index: number): string {
  const above = index < 1000 ? "" : xGroupsOf(Math.floor(index / 1000));
  return `${above}x${String(index % 1000).padStart(3, "0")}/`;
}

/** What a path names; `Malformed` for any that `tilePath` would not write. */
export function parseTilePath(path: string): Tile {
  const found = path.length <= MAX_PATH ? PATH.exec(path)?.groups : undefined;
  if (found?.index === undefined) throw new Malformed("not the path of a tile");
  const tile: Tile = {
    level: found.level === "entries" ? "entries" : Number(found.level),
    index: Number(found.index.replaceAll(/[x/]/g, "")),
    width: Number(found.width ?? TILE_WIDTH),
  };
  if (tilePath(tile) !== path) throw new Malformed("a tile's path that is not canonical");
  return tile;
}

/** The tiles that a tree of `size` leaves has and one of `old` has not, from the leaves up. */
export function newTiles(old: number, size: number): Tile[] {
  const out: Tile[] = [];
  let [before, after] = [old, size];
  for (let level = 0; before < after; level++) {
    out.push(...grown(level, before, after));
    [before, after] = [Math.floor(before / TILE_WIDTH), Math.floor(after / TILE_WIDTH)];
  }
  return out;
}

/** The entry bundles that a log of `size` entries has and one of `old` has not. */
export const newBundles = (old: number, size: number): Tile[] =>
  old < size ? grown("entries", old, size) : [];

function grown(level: Tile["level"], old: number, size: number): Tile[] {
  const out: Tile[] = [];
  for (let index = Math.floor(old / TILE_WIDTH); index * TILE_WIDTH < size; index++) {
    out.push({ level, index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) });
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

/**
 * The nodes of the tree of `size` leaves, from its tiles.
 *
 * `hashesOf` gives a tile's hashes, as `decodeTile` reads them, at least as many as it is wide at
 * `size`: tiles are fetched before, and `newTiles(0, size)` says which there are.
 */
export function tileNodes(hashesOf: (tile: Tile) => readonly Bytes[], size: number): Nodes {
  return (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const across = 2 ** (level % TILE_HEIGHT);
    const first = index * across;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const left = Math.floor(size / TILE_WIDTH ** tileLevel) - tileIndex * TILE_WIDTH;
    const width = Math.min(left, TILE_WIDTH);
    const inTile = first % TILE_WIDTH;
    if (level < 0 || index < 0 || inTile + across > width) {
      throw new Malformed("a node that is not in the tree");
    }
    const hashes = hashesOf({ level: tileLevel, index: tileIndex, width });
    return rootOf(hashes.slice(inTile, inTile + across));
  };
}
