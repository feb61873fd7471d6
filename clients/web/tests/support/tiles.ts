/** Tiles of a tree, as a registry publishes them. */

import { type Bytes, concat, parseTilePath, rootOf } from "../../src/protocol";

/** The tile at a path, of the tree over leaf hashes; null for what is no tile of hashes. */
export function tile(leaves: readonly Bytes[], path: string): Bytes | null {
  const { level, index, width } = parseTilePath(path);
  if (level === "entries") return null;
  const across = 256 ** level;
  const hashes = Array.from({ length: width }, (_, at) => {
    const first = (index * 256 + at) * across;
    return rootOf(leaves.slice(first, first + across));
  });
  return concat(...hashes);
}
