/**
 * The log from an entry on, as it was signed.
 *
 * What a registry answers is hashed upon the subtrees that its tiles show of everything before. If
 * that leads to the signed root, then every entry that was read is one of the signed log: nobody
 * finds other entries, or other subtrees, with the same root.
 */

import { BadProof, WrongAnswer } from "../errors";
import {
  type Bytes,
  type Checkpoint,
  decodeTile,
  EMPTY_ROOT,
  encodeEntry,
  Frontier,
  leafHash,
  type Nodes,
  sameBytes,
  type Tile,
  TILE_WIDTH,
  tileNodes,
  tilePath,
} from "../protocol";
import type { Placed } from "./own-log";

/** A file of the published log by its path; null where there is none. */
export type ReadFile = (path: string) => Promise<Bytes | null>;

/**
 * The entries of `log` that the checkpoint covers. They are proven only once all were read.
 *
 * Throws `BadProof` at the end: they are not those that were signed. `WrongAnswer`: a tile is
 * missing. `Malformed`: it is none. And what `log` throws.
 */
export async function* provenEntries(
  checkpoint: Checkpoint,
  log: AsyncIterable<Placed>,
  read: ReadFile,
): AsyncGenerator<Placed> {
  let tree: Frontier | null = null;
  for await (const [index, entry] of log) {
    if (index >= checkpoint.size) break; // newer than what was signed
    tree ??= await frontierAt(index, checkpoint.size, read);
    tree.append(leafHash(encodeEntry(entry)));
    yield [index, entry];
  }
  if (tree?.size !== checkpoint.size || !sameBytes(tree.root(), checkpoint.root)) {
    throw new BadProof("the log's entries do not have the root that was signed");
  }
}

/** The tree of the first `start` leaves, as the tiles of a log of `size` entries show it. */
async function frontierAt(start: number, size: number, read: ReadFile): Promise<Frontier> {
  const wanted = new Map<string, Tile>();
  frontier(
    start,
    tileNodes((tile) => {
      wanted.set(tilePath(tile), tile);
      return Array.from({ length: tile.width }, () => EMPTY_ROOT);
    }, size),
  );
  const pairs = [...wanted].map(
    async ([path, tile]) => [path, await hashesOf(tile, read)] as const,
  );
  const hashes = new Map(await Promise.all(pairs));
  return frontier(
    start,
    tileNodes((tile) => hashes.get(tilePath(tile)) ?? [], size),
  );
}

function frontier(start: number, nodes: Nodes): Frontier {
  const made = new Frontier();
  let level = 0;
  while (2 ** (level + 1) <= start) level++;
  for (; level >= 0; level--) {
    const width = 2 ** level;
    if (made.size + width <= start) made.appendSubtree(level, nodes(level, made.size / width));
  }
  return made;
}

/** A tile's hashes; cut out of the full one where it has grown since. */
async function hashesOf(tile: Tile, read: ReadFile): Promise<readonly Bytes[]> {
  const data = await read(tilePath(tile));
  if (data !== null) return decodeTile(data, tile.width);
  const full = await read(tilePath({ ...tile, width: TILE_WIDTH }));
  if (full === null) throw new WrongAnswer("a tile of the registry's log is missing");
  return decodeTile(full, TILE_WIDTH).slice(0, tile.width);
}
