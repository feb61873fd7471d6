/**
 * What the public log says about one's own records.
 *
 * Read from the log, and not asked for record by record, so that the registry does not learn which
 * records belong together. Pages start at multiples of their size for the same reason: where a
 * reader stopped last time would recognise it.
 */

import { LogShortened, ProtocolError, WrongAnswer } from "../errors";
import {
  type Bytes,
  checkWithdrawal,
  decodeBundle,
  decodeEntry,
  type Entry,
  encodeBase64,
  ownerTag,
  type Register,
  sameBytes,
  deriveOwnerTag as tagOf,
  type Withdraw,
} from "../protocol";
import type { Connection } from "./connection";
import { entries, type RegistryInfo } from "./operations";
import type { RecordStatus } from "./records";
import type { SavedRecord } from "./saved-records";

/** Recovery stops where so many numbers in a row are missing from the log (FORMATS §2). */
export const GAP = 20;
/** Numbers looked for in the first pass; another pass doubles them. */
export const FIRST_WINDOW = 1_024;
/** Entries asked for at once, where the registry's limit allows. */
export const PAGE = 4_096;

/** An entry and its index. */
export type Placed = readonly [number, Entry];

/**
 * The log from (about) `start` to its present end.
 *
 * Throws `LogShortened`: it ends before `start`. `WrongAnswer`: a page was not asked for, ends
 * early, or holds what is no entry. `RegistryProblem`, `TransportError`.
 */
export async function* logEntries(
  connection: Connection,
  info: RegistryInfo,
  start = 0,
): AsyncGenerator<Placed> {
  const page = Math.max(1, Math.min(PAGE, info.entriesPage));
  const before = Math.max(0, start - 1); // at least one is read: it shows that the log goes so far
  let position = before - (before % page);
  let size: number | null = null;
  while (size === null || position < size) {
    const bundle = await connection.run(entries(position, page));
    size ??= bundle.logSize;
    if (size < start) {
      throw new LogShortened("the registry's log is shorter than it was: entries are gone");
    }
    const decoded = decode(bundle.data);
    const wanted = Math.max(0, Math.min(page, size - position));
    if (bundle.start !== position || decoded.length < wanted || bundle.logSize < size) {
      throw new WrongAnswer("the registry's log has gaps, or has become shorter");
    }
    for (const entry of decoded.slice(0, wanted)) yield [position++, entry];
  }
}

function decode(data: Bytes): Entry[] {
  try {
    return decodeBundle(data).map(decodeEntry);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new WrongAnswer(`the registry's log can not be read: ${error.message}`);
  }
}

/** A record of ours in the log. */
export interface Owned {
  /** i, its number in the derivation. */
  readonly index: number;
  /** Its REGISTER entry. */
  readonly register: Register;
  /** Where that stands. */
  readonly registerIndex: number;
}

/** Our records among the log's entries, numbers 0 to `window` - 1, by number. */
export async function findOwned(
  seed: Bytes,
  origin: string,
  log: AsyncIterable<Placed>,
  window: number,
): Promise<Owned[]> {
  const tags = new Map<string, number>();
  for (let i = 0; i < window; i++) tags.set(encodeBase64(tagOf(seed, origin, i)), i);
  const found = new Map<number, Owned>();
  for await (const [registerIndex, register] of log) {
    if (register.type !== "REGISTER") continue;
    const index = tags.get(encodeBase64(register.ownerTag));
    if (index !== undefined && !found.has(index)) {
      found.set(index, { index, register, registerIndex });
    }
  }
  return [...found.values()].sort((left, right) => left.index - right.index);
}

/** Whether at least `GAP` numbers after the last one found were looked for too. */
export function windowSuffices(owned: readonly Owned[], window: number): boolean {
  const last = owned.at(-1);
  return last === undefined || last.index + GAP < window;
}

/** How a record ended, and the index of the entry that ended it. */
export interface Ending {
  readonly status: RecordStatus;
  readonly index: number;
}

/** What a stretch of the log says of our records. */
export interface Followed {
  /** REGISTER index → its ending, the first one, for those that have ended. */
  readonly ended: ReadonlyMap<number, Ending>;
  /** REGISTER indexes at which the log does not hold our record, or not any more. */
  readonly lost: ReadonlySet<number>;
  /** Of the log up to which that is known. */
  readonly size: number;
}

/** What became of our registered records, which are given by the index of their REGISTER entry. */
export async function follow(
  origin: string,
  log: AsyncIterable<Placed>,
  records: ReadonlyMap<number, SavedRecord>,
): Promise<Followed> {
  const ended = new Map<number, Ending>();
  const lost = new Set<number>();
  let size = 0;
  for await (const [index, entry] of log) {
    size = index + 1;
    const here = records.get(index);
    if (here !== undefined && !isRegistrationOf(here, entry)) lost.add(index);
    for (const [at, status] of endedBy(index, entry, records)) {
      const record = records.get(at);
      const forged =
        entry.type === "WITHDRAW" && record !== undefined && !signedByUs(origin, record, entry);
      if (forged)
        lost.add(at); // whatever is withdrawn there is not ours
      else if (!lost.has(at) && !ended.has(at)) ended.set(at, { status, index });
    }
  }
  for (const at of records.keys()) if (at >= size) lost.add(at);
  for (const at of lost) ended.delete(at);
  return { ended, lost, size };
}

/** REGISTER indexes of our records that one entry ends, and how. */
function* endedBy(
  index: number,
  entry: Entry,
  records: ReadonlyMap<number, SavedRecord>,
): Generator<readonly [number, RecordStatus]> {
  if (entry.type === "WITHDRAW" && records.has(entry.registerIndex)) {
    yield [entry.registerIndex, "WITHDRAWN"];
  } else if (entry.type === "ERASE" && records.has(entry.registerIndex)) {
    yield [entry.registerIndex, "ERASED"];
  } else if (entry.type === "DAY") {
    for (const [at, { statement }] of records) {
      if (at < index && statement?.expired(entry.day)) yield [at, "EXPIRED"];
    }
  }
}

function registerOf(record: SavedRecord): Register {
  const { commitment, ownerPublicKey } = record;
  return { type: "REGISTER", commitment, ownerTag: ownerTag(ownerPublicKey) };
}

function isRegistrationOf(record: SavedRecord, entry: Entry): boolean {
  const ours = registerOf(record);
  return (
    entry.type === "REGISTER" &&
    sameBytes(entry.commitment, ours.commitment) &&
    sameBytes(entry.ownerTag, ours.ownerTag)
  );
}

function signedByUs(origin: string, record: SavedRecord, entry: Withdraw): boolean {
  try {
    checkWithdrawal(origin, entry, registerOf(record));
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
