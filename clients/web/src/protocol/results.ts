/**
 * Evidence that what is shipped was cleared (FORMATS §6).
 *
 * Each row of a committed screening has a result leaf: `salt16 ‖ u64 row ‖ row of the manifest ‖
 * u64 log size ‖ verdict`. The root over all stands in the CLOSE entry. Evidence opens the leaf of
 * every row that is shipped, and shows all others as hashes of subtrees; it is read beside the
 * shipped manifest, which has the rows themselves in the same order.
 */

import { BadEvidence } from "../errors";
import { type Bytes, concat, Reader, sameBytes, u64, u8, utf8 } from "./encoding";
import type { Close } from "./log";
import { ascending } from "./manifests";
import { Frontier, HASH_BYTES, leafHash } from "./merkle";
import { VERDICTS, type Verdict } from "./verdicts";

const SALT_BYTES = 16;
const MAGIC = utf8("consent-registry/evidence/v1\0");
const OPENED: readonly number[] = [VERDICTS.indexOf("CLEAR"), VERDICTS.indexOf("PERMIT")];
const LOG_SIZE = 0x10;
const HIDDEN = 0x40;
/** Level of the greatest subtree that fits into a session of fewer than 2⁵³ rows. */
const MAX_LEVEL = 52;
/** Between two reports, some milliseconds. */
const STEPS = 4_096;

/** What evidence shows. */
export interface Evidence {
  readonly shippedRoot: Bytes;
  readonly shippedCount: number;
  /** How many shipped rows were answered so. */
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  readonly resultsRoot: Bytes;
  /** Rows of the session. */
  readonly count: number;
}

/** A result leaf's 97 bytes, of values that are of the right lengths. */
export const resultLeaf = (
  salt: Bytes,
  number: number,
  row: Bytes,
  logSize: number,
  verdict: number,
): Bytes => concat(salt, u64(number), row, u64(logSize), u8(verdict));

export const isEvidence = (data: Bytes): boolean =>
  sameBytes(data.subarray(0, MAGIC.length), MAGIC);

/**
 * Whether every row of the shipped manifest was answered CLEAR or PERMIT in a session.
 *
 * `count` is the session's rows; `close` its CLOSE entry, which stands at `closeIndex`. It is long
 * work: now and then it yields how many shipped rows are done. Throws `BadEvidence` where it does
 * not show that, `BadManifest` where what is shipped is no manifest.
 */
export function* verifyingEvidence(
  data: Bytes,
  shipped: Iterable<Bytes>,
  count: number,
  close: Close,
  closeIndex: number,
): Generator<number, Evidence> {
  if (!isEvidence(data)) throw new BadEvidence("not evidence of this version");
  const reading = new Reading(data, ascending(shipped), close.leastLogSize, closeIndex);
  reading.count(count);
  for (let steps = 1; reading.tree.size < count; steps++) {
    reading.step(count);
    if (steps % STEPS === 0) yield reading.shippedTree.size;
  }
  reading.end();
  if (!sameBytes(reading.tree.root(), close.resultsRoot)) {
    throw new BadEvidence("the results are not those that the session was closed with");
  }
  return {
    shippedRoot: reading.shippedTree.root(),
    shippedCount: reading.shippedTree.size,
    verdicts: reading.verdicts,
    resultsRoot: close.resultsRoot,
    count,
  };
}

/** Reads evidence beside the shipped rows, one step after the other. */
class Reading {
  readonly tree = new Frontier();
  readonly shippedTree = new Frontier();
  readonly verdicts: Partial<Record<Verdict, number>> = { CLEAR: 0, PERMIT: 0 };
  readonly #reader: Reader;
  readonly #shipped: Iterator<Bytes>;
  readonly #least: number;
  readonly #greatest: number;
  #logSize = -1;
  #isNew = false;
  /** Level and end of what was hidden just before. */
  #hidden: readonly [number, number] | null = null;

  constructor(data: Bytes, shipped: Iterator<Bytes>, least: number, greatest: number) {
    this.#reader = new Reader(data);
    this.#reader.take(MAGIC.length);
    this.#shipped = shipped;
    this.#least = least;
    this.#greatest = greatest;
  }

  count(wanted: number): void {
    if (!sameBytes(this.#take(8), u64(wanted))) {
      throw new BadEvidence("evidence of a session with another number of rows");
    }
  }

  step(count: number): void {
    const [kind = 0] = this.#take(1);
    const level = kind - HIDDEN;
    if (OPENED.includes(kind)) this.#open(kind, this.#take(SALT_BYTES));
    else if (kind === LOG_SIZE) this.#setLogSize(this.#number());
    else if (level >= 0 && level <= MAX_LEVEL) this.#hide(level, this.#take(HASH_BYTES), count);
    else if (VERDICTS[kind] !== undefined) {
      throw new BadEvidence(`a shipped row was answered ${VERDICTS[kind]}`);
    } else throw new BadEvidence("neither an opened nor a hidden row");
  }

  end(): void {
    if (this.#isNew) throw new BadEvidence("a log size for no row");
    if (this.#reader.left > 0) throw new BadEvidence("something follows the evidence");
    if (this.#shipped.next().done !== true) {
      throw new BadEvidence(`only ${this.shippedTree.size} shipped rows are opened`);
    }
  }

  #open(kind: number, salt: Bytes): void {
    if (this.#logSize < 0) throw new BadEvidence("opened without a log size");
    const { value: row } = this.#shipped.next() as IteratorResult<Bytes, undefined>;
    if (row === undefined) throw new BadEvidence("opened, but not shipped");
    this.tree.append(leafHash(resultLeaf(salt, this.tree.size, row, this.#logSize, kind)));
    this.shippedTree.append(leafHash(row));
    const verdict = VERDICTS[kind] ?? "UNKNOWN";
    this.verdicts[verdict] = (this.verdicts[verdict] ?? 0) + 1;
    this.#isNew = false;
    this.#hidden = null;
  }

  #setLogSize(size: number): void {
    if (this.#isNew || size === this.#logSize) {
      throw new BadEvidence("a log size that says nothing new");
    }
    if (size < this.#logSize) {
      throw new BadEvidence("answered for an earlier log than a row before");
    }
    if (size < this.#least) {
      throw new BadEvidence("answered for an earlier log than the session says");
    }
    if (size > this.#greatest) {
      throw new BadEvidence("answered for a log that was not there before the session was closed");
    }
    this.#logSize = size;
    this.#isNew = true;
  }

  #hide(level: number, node: Bytes, count: number): void {
    const start = this.tree.size;
    const size = 2 ** level;
    if (start % size !== 0 || start + size > count) {
      throw new BadEvidence("a hidden subtree that does not fit here");
    }
    if (this.#isNew) throw new BadEvidence("a log size for a hidden row");
    const [levelBefore, endBefore] = this.#hidden ?? [-1, -1];
    if (levelBefore === level && endBefore === start && (start + size) % (2 * size) === 0) {
      throw new BadEvidence("hidden rows that are not folded");
    }
    this.tree.appendSubtree(level, node);
    this.#hidden = [level, start + size];
  }

  #take(size: number): Bytes {
    if (this.#reader.left < size) throw new BadEvidence("the evidence ends early");
    return this.#reader.take(size);
  }

  /** Beyond 2⁵³-1 every number is as wrong as the next: no log is so large. */
  #number(): number {
    return this.#take(8).reduce((sum, byte) => sum * 256 + byte, 0);
  }
}
