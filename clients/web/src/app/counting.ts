/** What a log holds, counted and checked entry by entry. */

import { ProtocolError } from "../errors";
import {
  type Bytes,
  type Checkpoint,
  checkWithdrawal,
  encodeEntry,
  leafHash,
  type Register,
  rootOf,
  sameBytes,
} from "../protocol";
import type { Placed } from "../registrant/own-log";

/** Entries by what they are. */
export interface Counts {
  readonly size: number;
  readonly registered: number;
  /** Records that an owner or the operator ended; the first ending counts. */
  readonly withdrawn: number;
  readonly erased: number;
  /** Erased records by the code of the reason. */
  readonly reasons: ReadonlyMap<number, number>;
  readonly sessions: number;
  readonly closed: number;
  readonly certificates: number;
  readonly snapshots: number;
  readonly disputes: number;
  /** UTC day number; null: no day has begun. */
  readonly lastDay: number | null;
  /** Withdrawals that the record's key did not sign, or of what is no record. */
  readonly wrongWithdrawals: number;
  /** Whether the entries have the root that the checkpoint states. */
  readonly isConsistent: boolean;
}

/** Entries between two reports of how far it is. */
const REPORT_EVERY = 1_024;

/** Counts the entries under a checkpoint, and computes their root; throws what `log` throws. */
export async function countLog(
  checkpoint: Checkpoint,
  log: AsyncIterable<Placed>,
  onProgress: (done: number) => void = () => undefined,
): Promise<Counts> {
  const leaves: Bytes[] = [];
  const registers = new Map<number, Register>();
  const ended = new Set<number>();
  const reasons = new Map<number, number>();
  const of = { WITHDRAW: 0, ERASE: 0, SESSION: 0, CLOSE: 0, CERTIFY: 0, SNAPSHOT: 0, DISPUTE: 0 };
  let wrongWithdrawals = 0;
  let lastDay: number | null = null;
  for await (const [index, entry] of log) {
    if (index >= checkpoint.size) break; // newer than what the checkpoint vouches for
    leaves.push(leafHash(encodeEntry(entry)));
    if (leaves.length % REPORT_EVERY === 0) onProgress(leaves.length);
    if (entry.type === "REGISTER") registers.set(index, entry);
    else if (entry.type === "DAY") lastDay = entry.day;
    else if (entry.type === "WITHDRAW" || entry.type === "ERASE") {
      if (entry.type === "WITHDRAW" && !isSigned(entry)) wrongWithdrawals += 1;
      if (ended.has(entry.registerIndex)) continue;
      ended.add(entry.registerIndex);
      of[entry.type] += 1;
      if (entry.type === "ERASE") {
        reasons.set(entry.reason, (reasons.get(entry.reason) ?? 0) + 1);
      }
    } else of[entry.type] += 1;
  }
  return {
    size: leaves.length,
    registered: registers.size,
    withdrawn: of.WITHDRAW,
    erased: of.ERASE,
    reasons,
    sessions: of.SESSION,
    closed: of.CLOSE,
    certificates: of.CERTIFY,
    snapshots: of.SNAPSHOT,
    disputes: of.DISPUTE,
    lastDay,
    wrongWithdrawals,
    isConsistent: leaves.length === checkpoint.size && sameBytes(rootOf(leaves), checkpoint.root),
  };

  function isSigned(entry: Parameters<typeof checkWithdrawal>[1]): boolean {
    const register = registers.get(entry.registerIndex);
    if (register === undefined) return false;
    try {
      checkWithdrawal(checkpoint.origin, entry, register);
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }
}
