/** Records as they are kept: everything comes back, and nothing that is damaged is believed. */

import { beforeAll, describe, expect, test } from "vitest";
import { BadPhrase, Malformed, StateError } from "../../src/errors";
import {
  type Bytes,
  buildRegistration,
  deriveOwner,
  encodeBase64,
  type Fingerprints,
  refusal,
  SealingKey,
} from "../../src/protocol";
import {
  fromJson,
  keepList,
  keptFingerprints,
  type SavedRecord,
  toJson,
} from "../../src/registrant/saved-records";
import { State } from "../../src/registrant/state";
import { MemoryStore } from "../../src/registrant/stores";
import { SignedWithdrawal } from "../../src/registrant/withdrawals";

const ORIGIN = "registry.example/2026";
const SEED = new Uint8Array(16).fill(5);
const OWNER = deriveOwner(SEED, ORIGIN, 7);
const FINGERPRINTS: Fingerprints = new Map([["sha256", [new Uint8Array(32).fill(1)]]]);
const KEY = new SealingKey(2, new Uint8Array(32).fill(9), 1, 2);

let record: SavedRecord;

beforeAll(async () => {
  const request = await buildRegistration(OWNER, ORIGIN, refusal(), FINGERPRINTS, KEY);
  record = {
    origin: ORIGIN,
    index: 7,
    label: "me ☺",
    opening: OWNER.opening,
    imageDigest: null,
    statement: refusal(),
    ownerPublicKey: OWNER.publicKey,
    commitment: request.fields.commitment,
    stage: "sent",
    request,
    keptList: await keepList(SEED, ORIGIN, 7, FINGERPRINTS),
    sendAfter: 1.5,
    registerIndex: 12,
    status: "ACTIVE",
    terminalIndex: null,
    askedDigest: new Uint8Array(32).fill(2),
    leftOut: ["sscd-1"],
    movedTo: 3,
    protection: [{ space: "sscd-1", reach: "NEAR_COPIES" }],
    receipt: null,
  };
});

const damages: [string, object][] = [
  ["another kind", { kind: "consent-client/record/v2" }],
  ["no origin", { origin: undefined }],
  ["an origin that is none", { origin: "a b" }],
  ["a negative number", { index: -1 }],
  ["a number that is text", { index: "7" }],
  ["a number too large", { index: 2 ** 32 }],
  ["half a number", { index: 0.5 }],
  ["a label that is none", { label: 3 }],
  ["an opening too short", { opening: encodeBase64(new Uint8Array(31)) }],
  ["base64 that is none", { commitment: "*" }],
  ["another commitment than the request's", { commitment: encodeBase64(new Uint8Array(32)) }],
  ["another owner than the request's", { ownerPublicKey: encodeBase64(new Uint8Array(32)) }],
  ["F that does not belong to C", { imageDigest: encodeBase64(new Uint8Array(32)) }],
  ["a statement that is none", { statement: encodeBase64(new Uint8Array(10)) }],
  ["another stage", { stage: "unknown" }],
  ["nothing to send", { request: null }],
  ["no fingerprints to send again", { keptList: null }],
  ["half a request", { request: { recordId: "" } }],
  ["registered nowhere", { stage: "registered", registerIndex: null }],
  ["nothing to withdraw", { stage: "withdrawing", request: null }],
  ["another status", { status: "GONE" }],
  ["a time that is none", { sendAfter: null }],
  ["a time that never comes", { sendAfter: 1e300 }],
  ["a space that is none", { leftOut: ["other"] }],
  ["spaces that are no list", { leftOut: "sscd-1" }],
  ["another reach", { protection: { "sscd-1": "FAR" } }],
  ["a receipt that is none", { receipt: "receipt" }],
];

describe("a record", () => {
  test("comes back as it was", () => {
    expect(fromJson(toJson(record))).toEqual(record);
    expect(toJson(fromJson(toJson(record)))).toBe(toJson(record));
  });

  test("holds the opening, and neither the phrase nor a fingerprint in plain", () => {
    const text = toJson(record);
    expect(text).toContain(encodeBase64(OWNER.opening));
    expect(text).not.toContain(encodeBase64(SEED));
    for (const [fingerprint] of FINGERPRINTS.values()) {
      expect(text).not.toContain(encodeBase64(fingerprint ?? new Uint8Array(0)).slice(0, 20));
    }
  });

  test.each(damages)("%s is damage", (_, change) => {
    const text = JSON.stringify({ ...JSON.parse(toJson(record)), ...change });
    expect(() => fromJson(text)).toThrow(StateError);
  });

  test.each(["", "{", "null", "[]", '"record"', "1"])("%j is none", (text) => {
    expect(() => fromJson(text)).toThrow(StateError);
  });
});

describe("fingerprints that are kept", () => {
  test("come back with the phrase, and only with it", async () => {
    expect(await keptFingerprints(SEED, record)).toEqual(FINGERPRINTS);
    const stranger = new Uint8Array(16).fill(6);
    await expect(keptFingerprints(stranger, record)).rejects.toThrow(StateError);
    const other = { ...record, index: 8 };
    await expect(keptFingerprints(SEED, other)).rejects.toThrow(StateError);
  });

  test("are noticed to be damaged or missing", async () => {
    const keptList = Uint8Array.from(record.keptList ?? []);
    keptList[20] = (keptList[20] ?? 0) ^ 1;
    await expect(keptFingerprints(SEED, { ...record, keptList })).rejects.toThrow(StateError);
    const gone = { ...record, keptList: null };
    await expect(keptFingerprints(SEED, gone)).rejects.toThrow(StateError);
  });
});

describe("the state", () => {
  test("never writes over what is no record of ours", async () => {
    const store = new MemoryStore();
    const state = new State(store);
    await state.saveRecord(record);
    const [key = ""] = await store.keys("record ");
    await store.set(key, "something else");
    await expect(state.saveRecord(record)).rejects.toThrow(StateError);
    expect(await store.get(key)).toBe("something else");
  });

  test("does not mix registries whose names begin alike", async () => {
    const state = new State(new MemoryStore());
    await state.saveRecord(record);
    expect(await state.records("registry.example")).toEqual([]);
    expect((await state.records(ORIGIN)).length).toBe(1);
  });

  test("notices that the phrase is another", async () => {
    const state = new State(new MemoryStore());
    await state.createPhrase();
    await state.saveRecord(record);
    await expect(state.current(record)).rejects.toThrow(StateError);
  });

  test("takes no phrase that is none", async () => {
    const state = new State(new MemoryStore());
    await expect(state.createPhrase("twelve words")).rejects.toThrow(BadPhrase);
    expect(await state.hasPhrase()).toBe(false);
  });

  test("lets one after the other, also where one fails", async () => {
    const store = new MemoryStore();
    const seen: number[] = [];
    const slow = (number: number) => async () => {
      seen.push(number);
      await new Promise((done) => setTimeout(done, 1));
      seen.push(number);
      if (number === 1) throw new Error("one");
    };
    const works = [0, 1, 2].map((number) => store.exclusively(slow(number)));
    await Promise.allSettled(works);
    expect(seen).toEqual([0, 0, 1, 1, 2, 2]);
  });
});

describe("a signed withdrawal", () => {
  const signed = (): SignedWithdrawal => SignedWithdrawal.by(OWNER, ORIGIN, record.commitment);

  test("comes back from its text, with something written above", () => {
    const text = signed().toText();
    expect(SignedWithdrawal.fromText(text)).toEqual(signed());
    expect(SignedWithdrawal.fromText(`Keep this.\n\n${text}`)).toEqual(signed());
  });

  test.each<[string, (text: string) => string]>([
    ["no title", (text) => text.slice(5)],
    ["another registry", (text) => text.replace("2026", "2027")],
    [
      "another commitment",
      (text) => text.replace(/commitment: .*/, `commitment: ${encodeBase64(zeros())}`),
    ],
    ["no signature", (text) => text.replace(/signature: .*/, "")],
    ["lines in another order", (text) => text.split("\n").reverse().join("\n")],
    ["nothing", () => ""],
  ])("%s makes it none", (_, change) => {
    expect(() => SignedWithdrawal.fromText(change(signed().toText()))).toThrow(Malformed);
  });
});

const zeros = (): Bytes => new Uint8Array(32);
