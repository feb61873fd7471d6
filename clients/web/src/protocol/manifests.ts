/**
 * Manifests: the rows a committed screening is about, and their tree (FORMATS §6).
 *
 * A row is `image_sha256 ‖ F`, 64 bytes, and rows strictly increase by image_sha256 alone: an image
 * stands in a manifest once. Their tree is RFC 6962's, a row being a leaf's data.
 */

import { BadManifest } from "../errors";
import { sha256 } from "./digests";
import { type Bytes, compareBytes, concat, Reader, sameBytes, u64, utf8 } from "./encoding";
import { Frontier, HASH_BYTES, leafHash, rootOf, verifyInclusion } from "./merkle";

/** An image's SHA-256, by which rows are ordered. */
export const IMAGE_BYTES = 32;
export const ROW_BYTES = 64;
/** Rows in one block of a screening; a power of two, so that blocks are subtrees. */
export const BLOCK_ROWS = 2 ** 13;
/** Fewer could single an image out: a session about one image says what was said of it. */
export const MIN_CERTIFIED_ROWS = 1_000;

const SALT_BYTES = 32;
const COMMITMENT_DOMAIN = utf8("consent-registry/manifest/v1\0");
const FILE_MAGIC = utf8("consent-registry/manifest-file/v1\0");

/** The same rows, checked as they pass; `BadManifest` for one that does not follow that before. */
export function* ascending(rows: Iterable<Bytes>): Generator<Bytes> {
  let last: Bytes = new Uint8Array(0);
  for (const row of rows) {
    if (row.length !== ROW_BYTES) throw new BadManifest("a row has 64 bytes");
    const image = row.subarray(0, IMAGE_BYTES);
    if (compareBytes(image, last) <= 0) {
      throw new BadManifest("rows must strictly increase by the image's digest");
    }
    last = image;
    yield row;
  }
}

/**
 * The root over a manifest's rows, and how many there are; `BadManifest` as `ascending`. It is long
 * work: after each block of rows it yields how many are done.
 */
export function* rootingRows(rows: Iterable<Bytes>): Generator<number, Rooted> {
  const tree = new Frontier();
  for (const row of ascending(rows)) {
    tree.append(leafHash(row));
    if (tree.size % BLOCK_ROWS === 0) yield tree.size;
  }
  return { root: tree.root(), count: tree.size };
}

export interface Rooted {
  readonly root: Bytes;
  readonly count: number;
}

/** What a SESSION entry says of a manifest: H(domain ‖ salt ‖ root ‖ u64 n). */
export function manifestCommitment(salt: Bytes, root: Bytes, count: number): Bytes {
  if (salt.length !== SALT_BYTES || root.length !== HASH_BYTES || count < 1) {
    throw new BadManifest("a commitment is to a root and at least one row, under a salt of 32");
  }
  return sha256(COMMITMENT_DOMAIN, salt, root, u64(count));
}

/** The rows of a manifest in a file, `MAGIC ‖ u64 n ‖ n rows`; their order is not looked at. */
export function rowsOfFile(data: Bytes): Iterable<Bytes> & { readonly count: number } {
  const start = FILE_MAGIC.length + 8;
  if (!isManifestFile(data) || data.length < start) {
    throw new BadManifest("not a manifest in a file");
  }
  const count = Math.floor((data.length - start) / ROW_BYTES);
  if (!sameBytes(data.subarray(0, start), concat(FILE_MAGIC, u64(count)))) {
    throw new BadManifest("a manifest that is not as long as it says");
  }
  if (data.length !== start + count * ROW_BYTES) {
    throw new BadManifest("a manifest that is not as long as it says");
  }
  return {
    count,
    *[Symbol.iterator]() {
      for (let at = start; at < data.length; at += ROW_BYTES) {
        yield data.subarray(at, at + ROW_BYTES);
      }
    },
  };
}

export const isManifestFile = (data: Bytes): boolean =>
  sameBytes(data.subarray(0, FILE_MAGIC.length), FILE_MAGIC);

/** How many blocks a manifest of `count` rows has. */
export const blocksIn = (count: number): number => Math.ceil(count / BLOCK_ROWS);

/** Whether rows are block `number` of a manifest; `BadManifest` or `BadProof` where not. */
export function verifyBlock(
  block: Bytes,
  number: number,
  count: number,
  path: readonly Bytes[],
  root: Bytes,
): void {
  const wanted = Math.min(BLOCK_ROWS, count - number * BLOCK_ROWS);
  if (number < 0 || wanted < 1 || block.length !== wanted * ROW_BYTES) {
    throw new BadManifest("a block with another number of rows than stand at its place");
  }
  const reader = new Reader(block);
  const rows = Array.from({ length: wanted }, () => reader.take(ROW_BYTES));
  const blockRoot = rootOf([...ascending(rows)].map(leafHash));
  verifyInclusion(blockRoot, number, blocksIn(count), path, root);
}
