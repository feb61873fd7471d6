/** Counting a log, and noticing one that was not signed so. */

import { expect, test } from "vitest";
import { countLog } from "../../src/app/counting";
import {
  type Bytes,
  Checkpoint,
  deriveOwner,
  type Entry,
  encodeEntry,
  leafHash,
  type OwnerKey,
  rootOf,
  withdrawMessage,
} from "../../src/protocol";
import type { Placed } from "../../src/registrant/own-log";

const ORIGIN = "registry.example/test";
const owner = (i: number): OwnerKey => deriveOwner(new Uint8Array(16), ORIGIN, i);
const filled = (value: number): Bytes => new Uint8Array(32).fill(value);

const register = (i: number): Entry => ({
  type: "REGISTER",
  commitment: filled(i),
  ownerTag: owner(i).ownerTag,
});
const withdraw = (registerIndex: number, i: number, by = i): Entry => ({
  type: "WITHDRAW",
  registerIndex,
  ownerPublicKey: owner(by).publicKey,
  signature: owner(by).sign(withdrawMessage(ORIGIN, filled(i))),
});

const LOG: readonly Entry[] = [
  { type: "DAY", day: 20_000 },
  register(1),
  register(2),
  register(3),
  withdraw(1, 1),
  { type: "ERASE", registerIndex: 2, reason: 4 },
  { type: "ERASE", registerIndex: 1, reason: 1 }, // had ended before
  {
    type: "SESSION",
    builder: filled(8),
    commitment: filled(9),
    count: 5,
    terms: filled(7),
  },
  { type: "CLOSE", sessionIndex: 7, leastLogSize: 4, resultsRoot: filled(6) },
  { type: "CERTIFY", sessionIndex: 7, digest: filled(5) },
  { type: "DAY", day: 20_001 },
];

const OTHER_DAY: Entry = { type: "DAY", day: 20_002 };

async function* placed(entries: readonly Entry[]): AsyncGenerator<Placed> {
  for (const [index, entry] of entries.entries()) yield [index, entry];
}

const checkpointOf = (entries: readonly Entry[]): Checkpoint =>
  new Checkpoint(
    ORIGIN,
    entries.length,
    rootOf(entries.map((each) => leafHash(encodeEntry(each)))),
  );

test("records are counted by their first ending, and the root is computed", async () => {
  const counts = await countLog(checkpointOf(LOG), placed(LOG));
  expect(counts).toMatchObject({
    size: LOG.length,
    registered: 3,
    withdrawn: 1,
    erased: 1,
    sessions: 1,
    closed: 1,
    certificates: 1,
    snapshots: 0,
    lastDay: 20_001,
    wrongWithdrawals: 0,
    isConsistent: true,
  });
  expect([...counts.reasons]).toEqual([[4, 1]]);
});

test("what is newer than the checkpoint is left aside", async () => {
  const counts = await countLog(checkpointOf(LOG.slice(0, 4)), placed(LOG));
  expect(counts).toMatchObject({ size: 4, registered: 3, withdrawn: 0, isConsistent: true });
});

test.each([
  ["an entry is another", [...LOG.slice(0, -1), OTHER_DAY]],
  ["an entry is missing", LOG.slice(0, -1)],
  ["two are exchanged", [...LOG.slice(0, 1), ...LOG.slice(1, 3).reverse(), ...LOG.slice(3)]],
])("it is noticed that %s", async (_, entries) => {
  expect((await countLog(checkpointOf(LOG), placed(entries))).isConsistent).toBe(false);
});

test.each([
  ["by another key", withdraw(1, 1, 2)],
  ["of another record", withdraw(3, 1)],
  ["of what is no record", withdraw(0, 1)],
])("a withdrawal %s is noticed", async (_, entry) => {
  const entries = [...LOG.slice(0, 4), entry];
  const counts = await countLog(checkpointOf(entries), placed(entries));
  expect(counts.wrongWithdrawals).toBe(1);
});
