/** Every named corruption gives exactly its typed error. */

import { describe, expect, test } from "vitest";
import { BadNote, ProtocolError } from "../../src/errors";
import * as protocol from "../../src/protocol";
import { openSealed } from "../support/opening";
import { corruption, corruptions, drained, hex, read } from "../support/vectors";

const notes = read("notes.json");
const sealing = read("sealing.json");
const checkpoints = read("checkpoints.json");
const receipts = read("receipts.json");
const log = protocol.NoteVerifier.parse(checkpoints.log);

function verifySignature(value: Record<"public" | "signature" | "message", string>): void {
  protocol.verify(hex(value.public), hex(value.signature), hex(value.message));
}

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
  "tile-path": protocol.parseTilePath,
  tile: (value) => protocol.decodeTile(hex(value.bytes), value.width),
  "sized-bundle": (value) => protocol.readBundle(hex(value.bytes), value.width),
  checkpoint: (value) => protocol.openCheckpoint(value, log),
  cosignature: (value) => {
    const witness = protocol.WitnessVerifier.parse(checkpoints.witnesses.X1.vkey);
    if (protocol.verifyCosignatures(value, [witness]).length === 0) throw new BadNote("none");
  },
  policy: protocol.parsePolicy,
  "tlog-proof": (value) => {
    const proof = protocol.TlogProof.parse(value);
    const entry = hex(receipts.register_entry);
    proof.verify(protocol.leafHash(entry), protocol.openCheckpoint(proof.checkpoint, log));
  },
  manifest: (value) => drained(protocol.rootingRows(value.map(hex))),
  "manifest-file": (value) => [...protocol.ascending(protocol.rowsOfFile(hex(value)))],
  "manifest-block": ({ block, number, count, path, root }) =>
    protocol.verifyBlock(hex(block), number, count, path.map(hex), hex(root)),
  evidence: (value) =>
    drained(
      protocol.verifyingEvidence(
        hex(value.evidence),
        value.shipped.map(hex),
        value.count,
        {
          type: "CLOSE",
          sessionIndex: 1,
          leastLogSize: value.least_log_size,
          resultsRoot: hex(value.results_root),
        },
        value.close_index,
      ),
    ),
  certificate: (value) => protocol.verifyCertificate(protocol.utf8(value)),
  receipt: (value) =>
    protocol.verifyReceipt(protocol.Receipt.parse(value), protocol.parsePolicy(receipts.policy)),
};

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
