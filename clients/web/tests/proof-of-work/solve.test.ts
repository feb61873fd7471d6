/** Work is solved as altcha verifies it, and no more of it than is reasonable. */

import { describe, expect, test } from "vitest";
import { TransportError, WorkTooHard } from "../../src/errors";
import { expectedAttempts, solve } from "../../src/proof-of-work/solve";
import { hasPython, runPython } from "../support/python";

const SCRIPT = "clients/web/tests/proof-of-work/check_work.py";
const RECORD_ID = new Uint8Array(16).fill(15, 15);
const PARAMETERS = {
  algorithm: "SHA-256",
  cost: 1,
  keyLength: 32,
  keyPrefix: "0",
  nonce: "00".repeat(16),
  salt: "11".repeat(16),
  expiresAt: 2 ** 31,
  data: { recordId: `${"00".repeat(15)}0f` },
};

const challenge = (changed: object): string =>
  JSON.stringify({ parameters: { ...PARAMETERS, ...changed }, signature: "00" });

test.skipIf(!hasPython)("altcha verifies what is solved, in every algorithm", async () => {
  const challenges: string[] = JSON.parse(runPython(SCRIPT, ["issue"]));
  const payloads = [];
  for (const each of challenges) {
    const attempts: number[] = [];
    payloads.push(await solve(each, RECORD_ID, { onAttempts: (made) => attempts.push(made) }));
    expect(attempts).toEqual(attempts.map((_, at) => at + 1));
  }
  const verified: boolean[] = JSON.parse(runPython(SCRIPT, ["check"], JSON.stringify(payloads)));
  expect(verified).toEqual(challenges.map(() => true));
  expect(challenges.length).toBe(12);
});

test("the attempts to expect", () => {
  expect(expectedAttempts(challenge({ keyPrefix: "000" }), RECORD_ID)).toBe(4096);
});

describe("what is not done", () => {
  test.each([
    ["memory-hard", { algorithm: "ARGON2ID", memoryCost: 2 ** 30 }],
    ["another hash", { algorithm: "PBKDF2/SHA-1" }],
    ["a costly attempt", { cost: 100_001 }],
  ])("%s", async (_, changed) => {
    await expect(solve(challenge(changed), RECORD_ID)).rejects.toThrow(WorkTooHard);
  });

  test("what expires before it is solved, and what would take for ever", async () => {
    let seconds = 0;
    const now = (): number => seconds++;
    const endless = { keyPrefix: "0".repeat(16) };
    const soon = challenge({ ...endless, expiresAt: 20 });
    await expect(solve(soon, RECORD_ID, { now })).rejects.toThrow(WorkTooHard);
    expect(seconds).toBeLessThan(30);
    seconds = 0;
    await expect(solve(challenge(endless), RECORD_ID, { now })).rejects.toThrow(WorkTooHard);
    expect(seconds).toBeLessThan(1_000);
  });

  test.each([
    ["no JSON", "{"],
    ["another shape", "[]"],
    ["null", "null"],
    ["no parameters", "{}"],
    ["a cost that is none", challenge({ cost: -1 })],
    ["a cost that is text", challenge({ cost: "1" })],
    ["a key too long", challenge({ keyLength: 65 })],
    ["a prefix too long", challenge({ keyPrefix: "0".repeat(17) })],
    ["a prefix that is not hexadecimal", challenge({ keyPrefix: "zz" })],
    ["half a byte of nonce", challenge({ nonce: "0" })],
    ["no salt", challenge({ salt: null })],
    ["another record", challenge({ data: { recordId: "00".repeat(16) } })],
    ["more data", challenge({ data: { ...PARAMETERS.data, more: 1 } })],
    ["no record", challenge({ data: null })],
    ["too long", challenge({ more: "x".repeat(4096) })],
  ])("%s", async (_, text) => {
    await expect(solve(text, RECORD_ID)).rejects.toThrow(TransportError);
    await expect(solve(text, RECORD_ID)).rejects.not.toThrow(WorkTooHard);
  });
});
