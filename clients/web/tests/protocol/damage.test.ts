/** Whatever is done to well-formed input, a parser gives its typed error and nothing else. */

import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/errors";
import * as protocol from "../../src/protocol";
import { hex, read } from "../support/vectors";

const ROUNDS = 300;

/** Numbers that are the same in every run (Numerical Recipes' linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function damagedBytes(data: protocol.Bytes, below: (limit: number) => number): protocol.Bytes {
  const at = below(data.length + 1);
  const noise = Uint8Array.from({ length: below(6) }, () => below(256));
  const skipped = below(2) * below(data.length - at + 1);
  return protocol.concat(data.slice(0, at), noise, data.slice(at + skipped));
}

function damagedText(text: string, below: (limit: number) => number): string {
  const at = below(text.length + 1);
  const signs = ["\n", " ", "=", "+", "0", "—", "\ud800", "\u0000", "é", text.slice(0, below(9))];
  const noise = Array.from({ length: below(4) }, () => signs[below(signs.length)]).join("");
  return text.slice(0, at) + noise + text.slice(at + below(2) * below(20));
}

function onlyTyped(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
  }
}

const log = read("log.json");
const records = read("records.json");
const checkpoints = read("checkpoints.json");

describe("bytes", () => {
  test.each<[string, protocol.Bytes, (data: protocol.Bytes) => unknown]>([
    ["a list", hex(records.list), protocol.decodeList],
    ["a statement", hex(records.statement), protocol.Statement.decode],
    ["a content", protocol.decodeBase64(records.content), protocol.RecordContent.decode],
    ["an entry", hex(log.entries[1].bytes), protocol.decodeEntry],
    ["a bundle", hex(log.bundle), (data) => protocol.decodeBundle(data).map(protocol.decodeEntry)],
    ["a signature", hex(read("keys.json").signatures[0].signature), verifySignature],
    ["a key", hex(read("keys.json").signatures[0].public), verifyKey],
  ])("%s", (_, data, parse) => {
    parse(data);
    const below = numbers(data.length);
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = damagedBytes(data, below);
      onlyTyped(() => parse(damaged));
    }
  });
});

describe("texts", () => {
  const { note, verifier_key } = read("sealing.json").note;
  const verifier = protocol.NoteVerifier.parse(verifier_key);
  const logVerifier = protocol.NoteVerifier.parse(checkpoints.log);
  const receipts = read("receipts.json");

  test.each<[string, string, (text: string) => unknown]>([
    ["base64", records.content.slice(0, 40), protocol.decodeBase64],
    ["an origin", records.origin, protocol.checkOrigin],
    ["a phrase", read("keys.json").phrases[2].phrase, protocol.seedOf],
    ["a verifier key", verifier_key, protocol.NoteVerifier.parse],
    ["sealing keys", note, (text) => protocol.decodeSealingKeys(text, records.origin, verifier)],
    ["a checkpoint", checkpoints.checkpoints[1].note, openCheckpoint],
    ["a policy", receipts.policy, protocol.parsePolicy],
    ["a receipt", receipts.receipts[0].receipt, protocol.Receipt.parse],
    ["a tile's path", "tile/0/x001/234.p/5", protocol.parseTilePath],
  ])("%s", (_, text, parse) => {
    parse(text);
    const below = numbers(text.length);
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = damagedText(text, below);
      onlyTyped(() => parse(damaged));
    }
  });

  function openCheckpoint(text: string): unknown {
    return protocol.openCheckpoint(text, logVerifier);
  }
});

function verifySignature(signature: protocol.Bytes): void {
  const { public: key, message } = read("keys.json").signatures[0];
  protocol.verify(hex(key), signature, hex(message));
}

function verifyKey(key: protocol.Bytes): void {
  const { signature, message } = read("keys.json").signatures[0];
  protocol.verify(key, hex(signature), hex(message));
}
