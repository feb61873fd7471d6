/** What a log says of our records, and what of it is not believed. */

import { describe, expect, test } from "vitest";
import {
  type Bytes,
  deriveOwner,
  type Entry,
  type OwnerKey,
  type Register,
  refusal,
  Statement,
  withdrawMessage,
} from "../../src/protocol";
import { findOwned, follow, type Placed, windowSuffices } from "../../src/registrant/own-log";
import type { SavedRecord } from "../../src/registrant/saved-records";

const ORIGIN = "registry.example";
const SEED = new Uint8Array(16).fill(3);
const STRANGER = deriveOwner(new Uint8Array(16).fill(4), ORIGIN, 0);

const committed = (i: number): Bytes => new Uint8Array(32).fill(i + 1);
const owner = (i: number): OwnerKey => deriveOwner(SEED, ORIGIN, i);

const registration = (i: number): Register => ({
  type: "REGISTER",
  commitment: committed(i),
  ownerTag: owner(i).ownerTag,
});

function withdrawal(registerIndex: number, by: OwnerKey, commitment: Bytes): Entry {
  const signature = by.sign(withdrawMessage(ORIGIN, commitment));
  return { type: "WITHDRAW", registerIndex, ownerPublicKey: by.publicKey, signature };
}

function record(i: number, registerIndex: number, statement = refusal()): SavedRecord {
  const { opening, publicKey } = owner(i);
  return {
    origin: ORIGIN,
    index: i,
    label: "",
    opening,
    imageDigest: null,
    statement,
    ownerPublicKey: publicKey,
    commitment: committed(i),
    stage: "registered",
    request: null,
    keptList: null,
    sendAfter: 0,
    registerIndex,
    status: "ACTIVE",
    terminalIndex: null,
    askedDigest: null,
    leftOut: [],
    movedTo: null,
    protection: null,
    receipt: null,
  };
}

async function* placed(entries: readonly Entry[], start = 0): AsyncGenerator<Placed> {
  for (const [at, entry] of entries.entries()) yield [start + at, entry];
}

const followed = (entries: readonly Entry[], records: readonly SavedRecord[]) =>
  follow(ORIGIN, placed(entries), new Map(records.map((each) => [each.registerIndex ?? -1, each])));

describe("endings", () => {
  test("by our own signature, by the operator, and by a day", async () => {
    const until = new Statement({ stances: { ai_training: "notAllowed" }, validUntil: 100 });
    const found = await followed(
      [
        registration(0),
        registration(1),
        registration(2),
        { type: "DAY", day: 100 },
        withdrawal(0, owner(0), committed(0)),
        { type: "ERASE", registerIndex: 1, reason: 1 },
        { type: "DAY", day: 101 },
        { type: "DAY", day: 102 },
      ],
      [record(0, 0), record(1, 1), record(2, 2, until)],
    );
    expect([...found.ended].sort()).toEqual([
      [0, { status: "WITHDRAWN", index: 4 }],
      [1, { status: "ERASED", index: 5 }],
      [2, { status: "EXPIRED", index: 6 }],
    ]);
    expect(found.lost.size).toBe(0);
    expect(found.size).toBe(8);
  });

  test("only the first counts", async () => {
    const erased: Entry = { type: "ERASE", registerIndex: 0, reason: 1 };
    const entries = [registration(0), erased, withdrawal(0, owner(0), committed(0))];
    const found = await followed(entries, [record(0, 0)]);
    expect(found.ended.get(0)).toEqual({ status: "ERASED", index: 1 });
  });
});

test.each<[string, Entry[]]>([
  ["another's record in its place", [{ ...registration(0), ownerTag: STRANGER.ownerTag }]],
  ["another commitment in its place", [{ ...registration(0), commitment: committed(9) }]],
  ["another entry in its place", [{ type: "DAY", day: 1 }]],
  ["a log that ends before it", []],
  ["a withdrawal by a stranger", [registration(0), withdrawal(0, STRANGER, committed(0))]],
  ["a withdrawal of something else", [registration(0), withdrawal(0, owner(0), committed(9))]],
])("%s means that ours is lost", async (_, entries) => {
  const found = await followed(entries, [record(0, 0)]);
  expect([...found.lost]).toEqual([0]);
  expect(found.ended.size).toBe(0);
});

test("our records among the entries, by number; the first of each counts", async () => {
  const entries: Entry[] = [
    registration(3),
    { ...registration(0), ownerTag: STRANGER.ownerTag },
    registration(0),
    registration(0),
  ];
  const found = await findOwned(SEED, ORIGIN, placed(entries), 8);
  expect(found.map(({ index, registerIndex }) => [index, registerIndex])).toEqual([
    [0, 2],
    [3, 0],
  ]);
  expect(windowSuffices(found, 24)).toBe(true);
  expect(windowSuffices(found, 23)).toBe(false);
  expect(windowSuffices([], 1)).toBe(true);
});
