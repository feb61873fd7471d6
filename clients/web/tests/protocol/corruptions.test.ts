/** Every named corruption gives exactly its typed error. */

import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../src/errors";
import * as protocol from "../../src/protocol";
import { openSealed } from "../support/opening";
import { corruption, corruptions, hex, read } from "../support/vectors";

const notes = read("notes.json");
const sealing = read("sealing.json");

function verifySignature(value: Record<"public" | "signature" | "message", string>): void {
  protocol.verify(hex(value.public), hex(value.signature), hex(value.message));
}

// biome-ignore lint/suspicious/noExplicitAny: shapes are told in tests/vectors/README.md
const PARSERS: Record<string, (value: any) => unknown> = {
  "fingerprint-list": (value) => protocol.checkFingerprints(protocol.decodeList(hex(value))),
  statement: (value) => protocol.Statement.decode(hex(value)),
  "record-content": (value) => protocol.RecordContent.decode(hex(value)),
  "sealed-blob": (value) =>
    openSealed(protocol.decodeBase64(value.sealed), value.suite, hex(value.private_key), [
      value.origin,
      hex(value.key_id),
      hex(value.record_id),
      hex(value.owner_public_key),
    ]),
  "sealing-keys-note": (value) =>
    protocol.decodeSealingKeys(
      value,
      sealing.origin,
      protocol.NoteVerifier.parse(sealing.note.verifier_key),
    ),
  "signed-note": (value) =>
    protocol.verifyNote(value, protocol.NoteVerifier.parse(notes.verifier_key)),
  "verifier-key": protocol.NoteVerifier.parse,
  "owner-key": verifySignature,
  signature: verifySignature,
  "log-entry": (value) => protocol.decodeEntry(hex(value)),
  "entry-bundle": (value) => protocol.decodeBundle(hex(value)),
  withdrawal: (value) => {
    const withdraw = protocol.decodeEntry(hex(value.withdraw));
    const register = protocol.decodeEntry(hex(value.register));
    if (withdraw.type !== "WITHDRAW" || register.type !== "REGISTER") return;
    protocol.checkWithdrawal(value.origin, withdraw, register);
  },
  column: (value) =>
    protocol.Column.decode(
      value.space,
      value.count,
      protocol.decodeBase64(value.present),
      protocol.decodeBase64(value.fingerprints),
      value.counts === null ? null : protocol.decodeBase64(value.counts),
    ).vectors(),
  bitmap: (value) => protocol.unpackBitmap(hex(value.bytes), value.count),
  base64: protocol.decodeBase64,
  origin: protocol.checkOrigin,
  phrase: protocol.seedOf,
  registration: protocol.RegistrationRequest.fromJson,
};

/** What only the registry ever parses: what is stored there. */
const OF_THE_REGISTRY = ["at-rest", "stored-content"];

test("every format is read here, or by the registry alone", () => {
  const read = [...Object.keys(PARSERS), ...OF_THE_REGISTRY];
  expect(corruptions(".")).toEqual(expect.arrayContaining(read));
});

describe.each(Object.entries(PARSERS))("%s", (format, parse) => {
  test.each(corruptions(format))("%s", async (name) => {
    const { input, error, description } = corruption(format, name);
    const caught: unknown = await Promise.resolve(input)
      .then(parse)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    expect(caught, description).toBeInstanceOf(ProtocolError);
    expect((caught as ProtocolError).code, description).toBe(error);
  });
});
