/**
 * The Merkle tree of RFC 6962 section 2.1: roots, and whether proofs show what they should.
 *
 * Indexes and sizes are exact up to 2⁵³-1, which is as far as the log goes.
 */

import { BadProof } from "../errors";
import { sha256 } from "./digests";
import { type Bytes, sameBytes } from "./encoding";

export const HASH_BYTES = 32;
/** Hashes in the longest proof of a tree whose size fits in 63 bits (C2SP tlog-proof). */
export const MAX_PROOF_HASHES = 63;
/** Leaves of the largest tree that this client looks at. */
export const MAX_SIZE = Number.MAX_SAFE_INTEGER;
/** Root of the tree without leaves (RFC 6962, MTH({})). */
export const EMPTY_ROOT: Bytes = sha256();

/** The hash of a complete subtree: that over the leaves from `index << level` up to the next. */
export type Nodes = (level: number, index: number) => Bytes;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** H(0x00 ‖ data). */
export const leafHash = (data: Bytes): Bytes => sha256(LEAF, data);

/** H(0x01 ‖ left ‖ right). */
export const nodeHash = (left: Bytes, right: Bytes): Bytes => sha256(NODE, left, right);

/**
 * The root over leaf hashes.
 *
 * Also the root over roots of equally large, aligned parts of a list, of which only the last may be
 * shorter: RFC 6962 splits at powers of two, so such parts are the tree's own subtrees.
 */
export function rootOf(leaves: readonly Bytes[]): Bytes {
  let level = [...leaves];
  while (level.length > 1) {
    const above: Bytes[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = level.slice(at, at + 2);
      if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
    }
    level = above;
  }
  return level[0] ?? EMPTY_ROOT;
}

/** A tree of which only what its root and its growth need is kept: at most 53 hashes. */
export class Frontier {
  /** Leaves so far. */
  size = 0;
  /** Of the complete subtrees that cover them, largest first, as RFC 6962 splits. */
  readonly #hashes: Bytes[] = [];

  append(leaf: Bytes): void {
    this.appendSubtree(0, leaf);
  }

  /** Adds 2^level leaves of which only the subtree's hash is known; `BadProof` where none fits. */
  appendSubtree(level: number, node: Bytes): void {
    const width = 2 ** level;
    if (level < 0 || this.size % width !== 0) {
      throw new BadProof("a subtree begins at a multiple of its size");
    }
    let index = this.size / width;
    let above = node;
    for (let left; index % 2 === 1 && (left = this.#hashes.pop()) !== undefined;) {
      above = nodeHash(left, above);
      index = half(index);
    }
    this.#hashes.push(above);
    this.size += width;
  }

  /** The root of the leaves so far. */
  root(): Bytes {
    const [last, ...before] = this.#hashes.toReversed();
    return before.reduce((right, left) => nodeHash(left, right), last ?? EMPTY_ROOT);
  }
}

/** The root of the first `size` leaves of a tree. */
export function rootAt(nodes: Nodes, size: number): Bytes {
  const hashes = range(nodes, 0, size);
  return (
    hashes.reduceRight<Bytes | null>(
      (right, left) => (right === null ? left : nodeHash(left, right)),
      null,
    ) ?? EMPTY_ROOT
  );
}

/** The complete subtrees that cover the leaves from `low` to `high`, largest first. */
function range(nodes: Nodes, low: number, high: number): Bytes[] {
  const hashes: Bytes[] = [];
  let at = low;
  while (at < high) {
    let level = 0;
    while (2 ** (level + 1) <= high - at) level++;
    const width = 2 ** level;
    hashes.push(nodes(level, at / width));
    at += width;
  }
  return hashes;
}

/**
 * Whether a leaf hash stands at `index` of the tree of that size and root; `BadProof` where that is
 * not shown. The algorithm of RFC 9162 section 2.1.3.2, which knows the right number of hashes.
 */
export function verifyInclusion(
  leaf: Bytes,
  index: number,
  size: number,
  proof: readonly Bytes[],
  root: Bytes,
): void {
  checkHashes(leaf, root, ...proof);
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new BadProof("the proof is about a leaf beyond the tree");
  }
  let seen = leaf;
  for (const { sibling, onLeft } of siblings(index, size - 1, proof)) {
    seen = onLeft ? nodeHash(sibling, seen) : nodeHash(seen, sibling);
  }
  if (!sameBytes(seen, root)) throw new BadProof("the inclusion proof does not lead to the root");
}

/**
 * Whether the newer tree begins with all leaves of the older one; `BadProof` where that is not
 * shown. The algorithm of RFC 9162 section 2.1.4.2.
 */
export function verifyConsistency(
  oldSize: number,
  newSize: number,
  proof: readonly Bytes[],
  oldRoot: Bytes,
  newRoot: Bytes,
): void {
  checkHashes(oldRoot, newRoot, ...proof);
  if (!isCount(oldSize) || !isCount(newSize) || oldSize > newSize) {
    throw new BadProof("the newer tree is smaller than the older one");
  }
  if (oldSize === 0 || oldSize === newSize) {
    checkNothingGrew(oldSize, newSize, proof, oldRoot, newRoot);
    return;
  }
  let at = oldSize - 1;
  let last = newSize - 1;
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  // After the halving, nothing is left where the old tree is a subtree of the new one.
  const path = at === 0 ? [oldRoot, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined) throw new BadProof("the proof is too short");
  let oldSeen = first;
  let newSeen = first;
  for (const { sibling, onLeft } of siblings(at, last, rest)) {
    if (onLeft) oldSeen = nodeHash(sibling, oldSeen);
    newSeen = onLeft ? nodeHash(sibling, newSeen) : nodeHash(newSeen, sibling);
  }
  if (!sameBytes(oldSeen, oldRoot) || !sameBytes(newSeen, newRoot)) {
    throw new BadProof("the consistency proof does not lead to both roots");
  }
}

/** Where there is nothing to prove, the proof is empty and the roots are what they must be. */
function checkNothingGrew(
  oldSize: number,
  newSize: number,
  proof: readonly Bytes[],
  oldRoot: Bytes,
  newRoot: Bytes,
): void {
  if (proof.length > 0) throw new BadProof("the proof is too long");
  if (oldSize === newSize && !sameBytes(oldRoot, newRoot)) {
    throw new BadProof("the roots of one tree differ");
  }
  if (oldSize === 0 && !sameBytes(oldRoot, EMPTY_ROOT)) {
    throw new BadProof("the empty tree has another root");
  }
}

/** The hashes on the way up, each with whether it is the left one of its pair. */
function* siblings(
  start: number,
  end: number,
  proof: readonly Bytes[],
): Generator<{ sibling: Bytes; onLeft: boolean }> {
  let at = start;
  let last = end;
  for (const sibling of proof) {
    if (last === 0) throw new BadProof("the proof is too long");
    const onLeft = at % 2 === 1 || at === last;
    yield { sibling, onLeft };
    // The last node of a level may stand alone.
    while (onLeft && at % 2 === 0 && at > 0) [at, last] = [half(at), half(last)];
    [at, last] = [half(at), half(last)];
  }
  if (last > 0) throw new BadProof("the proof is too short");
}

// Not `>>`, which knows 32 bits only.
const half = (value: number): number => Math.floor(value / 2);
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function checkHashes(...hashes: readonly Bytes[]): void {
  if (hashes.length > MAX_PROOF_HASHES + 2) throw new BadProof("the proof is too long");
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw new BadProof("a hash has 32 bytes");
  }
}
