/** The client agrees with the reference in every committed vector. */

import { bytesToHex } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { BadCheckpoint, Malformed } from "../../src/errors";
import * as protocol from "../../src/protocol";
import { sha256 } from "../../src/protocol/digests";
import { openSealed, sealingPublicKey } from "../support/opening";
import { drained, hex, read } from "../support/vectors";

/** Sizes of trees that JavaScript's numbers do not hold; FORMATS ends a log of ours before them. */
const BEYOND = Number.MAX_SAFE_INTEGER;

test("encoding", () => {
  const vectors = read("encoding.json");
  for (const vector of vectors.lp) {
    const parts = vector.parts.map(hex);
    expect(bytesToHex(protocol.lp(...parts))).toBe(vector.bytes);
    const reader = new protocol.Reader(hex(vector.bytes));
    expect(parts.map(() => reader.lp())).toEqual(parts);
    reader.end();
  }
  for (const vector of vectors.bitmap) {
    const bits = vector.bits.map(Boolean);
    expect(bytesToHex(protocol.packBitmap(bits))).toBe(vector.bytes);
    expect(protocol.unpackBitmap(hex(vector.bytes), bits.length)).toEqual(bits);
  }
  for (const vector of vectors.base64) {
    expect(protocol.encodeBase64(hex(vector.bytes))).toBe(vector.text);
    expect(bytesToHex(protocol.decodeBase64(vector.text))).toBe(vector.bytes);
  }
});

describe("fingerprints", () => {
  test.each<{ description: string; list: string; image_digest: string; fingerprints: object }>(
    read("fingerprints.json").lists,
  )("$description", ({ list, image_digest, fingerprints }) => {
    const expected = new Map(
      Object.entries(fingerprints).map(([id, values]) => [id, values.map(hex)]),
    );
    expect(bytesToHex(protocol.encodeList(expected))).toBe(list);
    expect(protocol.decodeList(hex(list))).toEqual(expected);
    expect(bytesToHex(protocol.imageDigest(expected))).toBe(image_digest);
    protocol.checkFingerprints(expected);
  });

  test("vectors near the edge of norm one are accepted", () => {
    for (const vector of read("fingerprints.json").norms) {
      const decoded = protocol.decodeVector(hex(vector.bytes), protocol.spaceOf(vector.space));
      const norm = Math.hypot(...decoded);
      expect(Math.abs(norm - 1)).toBeLessThan(1e-6);
    }
  });
});

test("keys", () => {
  const vectors = read("keys.json");
  for (const vector of vectors.phrases) {
    expect(bytesToHex(protocol.seedOf(vector.phrase))).toBe(vector.seed);
  }
  for (const vector of vectors.owners) {
    const seed = hex(vector.seed);
    const owner = protocol.deriveOwner(seed, vector.origin, vector.i);
    expect(bytesToHex(owner.publicKey)).toBe(vector.public);
    expect(bytesToHex(owner.opening)).toBe(vector.opening);
    expect(bytesToHex(owner.recordId)).toBe(vector.record_id);
    expect(bytesToHex(owner.ownerTag)).toBe(vector.owner_tag);
    const domain = "consent-registry/v1/owner";
    expect(bytesToHex(protocol.derive(seed, domain, vector.origin, vector.i))).toBe(vector.private);
  }
  for (const vector of vectors.signatures) {
    protocol.verify(hex(vector.public), hex(vector.signature), hex(vector.message));
  }
});

test("statements", () => {
  for (const vector of read("statements.json")) {
    const stances = protocol.USES.map((use, at) => [use, protocol.STANCES[vector.uses[at]]]);
    const statement = new protocol.Statement({
      stances: Object.fromEntries(stances),
      basis: protocol.BASES[vector.basis] ?? "agent",
      givenFor: vector.given_for,
      validUntil: vector.valid_until,
    });
    expect(bytesToHex(statement.encode())).toBe(vector.bytes);
    expect(protocol.Statement.decode(hex(vector.bytes))).toEqual(statement);
  }
});

test("records", () => {
  const vector = read("records.json");
  const content = new protocol.RecordContent(
    hex(vector.opening),
    protocol.Statement.decode(hex(vector.statement)),
    protocol.decodeList(hex(vector.list)),
  );
  expect(protocol.encodeBase64(content.encode())).toBe(vector.content);
  expect(protocol.RecordContent.decode(protocol.decodeBase64(vector.content))).toEqual(content);
  expect(bytesToHex(content.imageDigest)).toBe(vector.image_digest);
  expect(bytesToHex(content.commitment)).toBe(vector.commitment);
});

test("signed messages", () => {
  const { origin, commitment, record_id, nonce, owner_private_key, messages } =
    read("records.json");
  const made = {
    register: protocol.registerMessage(origin, hex(record_id), hex(commitment)),
    withdraw: protocol.withdrawMessage(origin, hex(commitment)),
    read: protocol.readMessage(origin, hex(record_id), hex(nonce)),
  };
  for (const [verb, message] of Object.entries(made)) {
    expect(bytesToHex(message)).toBe(messages[verb].bytes);
    const signature = protocol.sign(hex(owner_private_key), message);
    expect(bytesToHex(signature)).toBe(messages[verb].signature);
  }
});

test("a registration", () => {
  const { registration, origin } = read("records.json");
  const request = protocol.RegistrationRequest.fromJson(registration);
  expect(request.toJson()).toEqual(registration);
  const { recordId, commitment, ownerPublicKey, signature } = request.fields;
  protocol.verify(
    ownerPublicKey,
    signature,
    protocol.registerMessage(origin, recordId, commitment),
  );
});

describe("sealing", () => {
  const vector = read("sealing.json");

  test.each<{
    description: string;
    suite: protocol.Suite;
    private_key: string;
    public_key: string;
    key_id: string;
    sealed: string;
  }>(vector.samples)("a blob opens: $description", async (sample) => {
    const secret = hex(sample.private_key);
    const publicKey = await sealingPublicKey(sample.suite, secret);
    expect(protocol.encodeBase64(publicKey)).toBe(sample.public_key);
    expect(bytesToHex(protocol.sealingKeyId(sample.suite, publicKey))).toBe(sample.key_id);
    const opened = await openSealed(protocol.decodeBase64(sample.sealed), sample.suite, secret, [
      vector.origin,
      hex(sample.key_id),
      hex(vector.record_id),
      hex(vector.owner_public_key),
    ]);
    expect(protocol.encodeBase64(opened)).toBe(vector.plaintext);
  });

  test("the note with sealing keys", () => {
    const { note, verifier_key, keys } = vector.note;
    const verifier = protocol.NoteVerifier.parse(verifier_key);
    const listed = protocol.decodeSealingKeys(note, vector.origin, verifier);
    const told = listed.map((key) => ({
      suite: key.suite,
      public_key: protocol.encodeBase64(key.publicKey),
      issue_day: key.issueDay,
      expiry_day: key.expiryDay,
    }));
    const byKey = (left: { public_key: string }, right: { public_key: string }) =>
      left.public_key < right.public_key ? -1 : 1;
    expect(told.sort(byKey)).toEqual(keys.sort(byKey));
    const { signer_name, signer_private_key } = read("notes.json");
    const signer = new protocol.NoteSigner(signer_name, hex(signer_private_key));
    const again = protocol.encodeSealingKeys(vector.origin, [...listed].reverse(), signer);
    expect(again).toBe(note);
  });
});

test("notes", () => {
  const vectors = read("notes.json");
  const signer = new protocol.NoteSigner(vectors.signer_name, hex(vectors.signer_private_key));
  expect(signer.verifier.vkey).toBe(vectors.verifier_key);
  for (const { note, text } of vectors.notes) {
    expect(protocol.verifyNote(note, signer.verifier)).toBe(text);
    expect(note.startsWith(signer.note(text))).toBe(true);
  }
});

test("verdicts", () => {
  for (const { stances, missing, verdict } of read("verdicts.json")) {
    const said = stances.map((stance: number) => protocol.STANCES[stance]);
    expect(protocol.combine(said, missing)).toBe(protocol.VERDICTS[verdict]);
  }
});

test("screening", () => {
  const vector = read("screening.json");
  const columns: protocol.Column[] = vector.columns.map(columnOf);
  columns.forEach((column, at) => {
    expect(column.present).toEqual(vector.columns[at].bits.map(Boolean));
    expect(protocol.encodeBase64(protocol.packBitmap(column.present))).toBe(
      vector.columns[at].present,
    );
  });
  for (const order of [columns, [...columns].reverse()]) {
    expect(bytesToHex(sha256(protocol.blockContent(order)))).toBe(vector.block_digest);
  }

  function columnOf(item: Record<string, string>): protocol.Column {
    return protocol.Column.decode(
      item.space ?? "",
      vector.count,
      protocol.decodeBase64(item.present ?? ""),
      protocol.decodeBase64(item.fingerprints ?? ""),
      item.counts ? protocol.decodeBase64(item.counts) : null,
    );
  }
});

test("log entries", () => {
  const vectors = read("log.json");
  const encoded = vectors.entries.map((each: { bytes: string }) => hex(each.bytes));
  vectors.entries.forEach((vector: { type: number; fields: object; bytes: string }) => {
    const entry = protocol.decodeEntry(hex(vector.bytes));
    expect(bytesToHex(protocol.encodeEntry(entry))).toBe(vector.bytes);
    const { type, ...fields } = entry;
    expect(Object.keys(vector.fields).length).toBe(Object.keys(fields).length);
    for (const [name, value] of Object.entries(vector.fields)) {
      const found = (fields as Record<string, unknown>)[camel(name)];
      expect(found instanceof Uint8Array ? bytesToHex(found) : found, name).toBe(value);
    }
    expect(type).toBe(protocol.ENTRY_TYPES[vector.type]);
  });
  expect(bytesToHex(protocol.encodeBundle(encoded))).toBe(vectors.bundle);
  expect(protocol.decodeBundle(hex(vectors.bundle))).toEqual(encoded);
});

describe("tiles", () => {
  const vectors = read("tiles.json");

  test("paths and growth", () => {
    for (const { level, index, width, path } of vectors.paths) {
      if ((index + 1) * 256 ** (Number(level) || 0) > BEYOND) {
        expect(() => protocol.parseTilePath(path)).toThrow(Malformed);
        continue;
      }
      expect(protocol.tilePath({ level, index, width })).toBe(path);
      expect(protocol.parseTilePath(path)).toEqual({ level, index, width });
    }
    for (const { old, new: size, tiles } of vectors.growths) {
      expect(protocol.newTiles(old, size).map(protocol.tilePath)).toEqual(tiles);
    }
  });

  test("contents", () => {
    const { size, root, tiles_sha256, bundles_sha256 } = vectors.contents;
    const entries = Array.from({ length: size }, (_, at) => protocol.utf8(`entry ${at}`));
    const leaves = entries.map(protocol.leafHash);
    expect(bytesToHex(protocol.rootOf(leaves))).toBe(root);
    const hashesOf = ({ level, index, width }: protocol.Tile): protocol.Bytes[] => {
      const across = 256 ** Number(level);
      return Array.from({ length: width }, (_, at) => {
        const first = (index * 256 + at) * across;
        return protocol.rootOf(leaves.slice(first, first + across));
      });
    };
    const tiles = protocol.newTiles(0, size).map((tile) => {
      const data = protocol.concat(...hashesOf(tile));
      expect(protocol.decodeTile(data, tile.width)).toEqual(hashesOf(tile));
      return [protocol.tilePath(tile), bytesToHex(sha256(data))];
    });
    expect(Object.fromEntries(tiles)).toEqual(tiles_sha256);
    const bundles = protocol.newBundles(0, size).map((tile) => {
      const first = tile.index * 256;
      const data = protocol.encodeBundle(entries.slice(first, first + tile.width));
      return [protocol.tilePath(tile), bytesToHex(sha256(data))];
    });
    expect(Object.fromEntries(bundles)).toEqual(bundles_sha256);
    const nodes = protocol.tileNodes(hashesOf, size);
    expect(bytesToHex(protocol.rootAt(nodes, size))).toBe(root);
  });
});

describe("checkpoints", () => {
  const vectors = read("checkpoints.json");
  const log = protocol.NoteVerifier.parse(vectors.log);
  const witnesses = new Map<string, protocol.WitnessVerifier>();
  for (const [name, { vkey }] of Object.entries<{ vkey: string }>(vectors.witnesses)) {
    witnesses.set(name, protocol.WitnessVerifier.parse(vkey));
  }

  function cosigned(note: string, said: readonly (readonly [string, number])[]): string {
    const { text } = protocol.splitNote(note);
    const lines = said.map(([name, time]) => {
      const { private_key } = vectors.witnesses[name];
      const message = protocol.utf8(`cosignature/v1\ntime ${time}\n${text}`);
      const signature = protocol.concat(
        protocol.u64(time),
        protocol.sign(hex(private_key), message),
      );
      const witness = witnesses.get(name);
      if (witness === undefined) throw new Error(name);
      return new protocol.NoteSignature(witness.name, witness.keyHash, signature).line;
    });
    return note + lines.join("");
  }

  test("checkpoints", () => {
    const signer = new protocol.NoteSigner(vectors.origin, hex(vectors.log_private_key));
    expect(signer.verifier.vkey).toBe(vectors.log);
    for (const { size, root, extensions, text, note } of vectors.checkpoints) {
      if (size > BEYOND) {
        expect(() => protocol.openCheckpoint(note, log)).toThrow(BadCheckpoint);
        continue;
      }
      const checkpoint = new protocol.Checkpoint(vectors.origin, size, hex(root), extensions);
      expect(checkpoint.encode()).toBe(text);
      expect(protocol.Checkpoint.parse(text)).toEqual(checkpoint);
      expect(protocol.signCheckpoint(checkpoint, signer)).toBe(note);
      expect(protocol.openCheckpoint(note, log)).toEqual(checkpoint);
    }
  });

  test("cosignatures", () => {
    for (const [name, { vkey }] of Object.entries<{ vkey: string }>(vectors.witnesses)) {
      expect(witnesses.get(name)?.vkey).toBe(vkey);
    }
    for (const { cosignatures, note } of vectors.cosigned) {
      const said = cosignatures.map((each: { witness: string; time: number }) => [
        each.witness,
        each.time,
      ]);
      expect(cosigned(vectors.checkpoints[1].note, said)).toBe(note);
      const found = protocol.verifyCosignatures(note, [...witnesses.values()]);
      const named = found.map(({ witness, time }) => [witness.name, time]);
      const expected = said.map(([name, time]: [string, number]) => [
        witnesses.get(name)?.name,
        time,
      ]);
      expect(named.sort()).toEqual(expected.sort());
    }
  });

  test.each<{
    description: string;
    policy: string;
    cases: { cosigned: string[]; known: string[]; satisfied: boolean; standing: string }[];
  }>(read("policies.json"))("a policy: $description", ({ policy, cases }) => {
    for (const expected of cases) {
      const said = expected.cosigned.map((name) => [name, 1] as const);
      const note = cosigned(vectors.checkpoints[1].note, said);
      const vouched = protocol.vouch(protocol.parsePolicy(policy), note);
      expect(vouched.satisfied).toBe(expected.satisfied);
      expect(vouched.witnessed ? "witnessed" : "unwitnessed").toBe(expected.standing);
      expect(vouched.cosignatures.map(({ witness }) => witness)).toEqual(
        expected.known.map((name) => witnesses.get(name)),
      );
    }
  });

  test.each<{
    description: string;
    proof: string;
    index: number;
    extra: string;
    hashes: string[];
    size: number;
    entry: string;
  }>(read("tlog-proofs.json"))("a proof: $description", (vector) => {
    const proof = protocol.TlogProof.parse(vector.proof);
    expect(proof.encode()).toBe(vector.proof);
    expect(proof.index).toBe(vector.index);
    expect(bytesToHex(proof.extra)).toBe(vector.extra);
    expect(proof.hashes.map(bytesToHex)).toEqual(vector.hashes);
    const opened = protocol.openCheckpoint(proof.checkpoint, log);
    expect(opened.size).toBe(vector.size);
    proof.verify(protocol.leafHash(hex(vector.entry)), opened);
  });

  test("receipts", () => {
    const shared = read("receipts.json");
    const policy = protocol.parsePolicy(shared.policy);
    for (const { receipt: text, standing, witnesses: by } of shared.receipts) {
      const receipt = protocol.Receipt.parse(text);
      expect(receipt.encode()).toBe(text);
      const { opening, statement, imageDigest, ownerPublicKey } = receipt.fields;
      expect(bytesToHex(opening)).toBe(shared.opening);
      expect(bytesToHex(statement.encode())).toBe(shared.statement);
      expect(bytesToHex(imageDigest)).toBe(shared.image_digest);
      expect(bytesToHex(ownerPublicKey)).toBe(shared.owner_public_key);
      expect(bytesToHex(protocol.encodeEntry(receipt.register))).toBe(shared.register_entry);
      const vouched = protocol.verifyReceipt(receipt, policy);
      expect(vouched.witnessed ? "witnessed" : "unwitnessed").toBe(standing);
      expect(vouched.cosignatures.length).toBe(by.length);
    }
  });
});

const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

test("manifests", () => {
  const { rows, root, salt, commitment, file, many } = read("manifests.json");
  const made = drained(protocol.rootingRows(rows.map(hex)));
  expect([bytesToHex(made.root), made.count]).toEqual([root, rows.length]);
  const committed = protocol.manifestCommitment(hex(salt), made.root, made.count);
  expect(bytesToHex(committed)).toBe(commitment);
  expect([...protocol.rowsOfFile(hex(file))].map(bytesToHex)).toEqual(rows);
  expect(protocol.blocksIn(many.count)).toBe(many.paths.length);
});

test("blocks of a manifest", () => {
  const { count, root, paths } = read("manifests.json").many;
  const rows = Array.from({ length: count }, (_, at) =>
    protocol.concat(new Uint8Array(24), protocol.u64(at + 1), sha256(protocol.utf8(String(at)))),
  );
  expect(bytesToHex(drained(protocol.rootingRows(rows)).root)).toBe(root);
  for (const [number, path] of paths.entries()) {
    const first = number * protocol.BLOCK_ROWS;
    const block = protocol.concat(...rows.slice(first, first + protocol.BLOCK_ROWS));
    protocol.verifyBlock(block, number, count, path.map(hex), hex(root));
  }
});

test("results", () => {
  const vector = read("results.json");
  const rows: protocol.Bytes[] = vector.rows.map(hex);
  for (const [at, { leaf, log_size, verdict }] of vector.answers.entries()) {
    const made = protocol.resultLeaf(
      hex(leaf).slice(0, 16),
      at,
      rows[at] ?? new Uint8Array(0),
      log_size,
      verdict,
    );
    expect(bytesToHex(made)).toBe(leaf);
  }
  const leaves = vector.answers.map(({ leaf }: { leaf: string }) => protocol.leafHash(hex(leaf)));
  expect(bytesToHex(protocol.rootOf(leaves))).toBe(vector.results_root);
  const found = drained(
    protocol.verifyingEvidence(
      hex(vector.evidence),
      vector.shipped.map(hex),
      rows.length,
      {
        type: "CLOSE",
        sessionIndex: 1,
        leastLogSize: vector.least_log_size,
        resultsRoot: hex(vector.results_root),
      },
      vector.close_index,
    ),
  );
  expect(bytesToHex(found.shippedRoot)).toBe(vector.shipped_root);
  expect(found.verdicts).toEqual(vector.verdicts);
});

test("certificates", () => {
  const vector = read("certificates.json");
  const data = protocol.utf8(vector.certificate);
  const certificate = protocol.verifyCertificate(data);
  expect(bytesToHex(certificate.builder)).toBe(vector.builder);
  expect(new TextDecoder().decode(protocol.canonical(certificate.terms))).toBe(vector.terms);
  const payload = protocol.canonical(vector.statement);
  expect(protocol.encodeBase64(protocol.preAuthentication(payload))).toBe(vector.pae);
  expect(bytesToHex(protocol.certifyDigest(data))).toBe(vector.digest);
  const { predicate, subject } = vector.statement;
  expect(certificate).toMatchObject({
    registry: predicate.registry,
    sessionIndex: predicate.session.open,
    closeIndex: predicate.session.close,
    verdicts: predicate.screened.verdicts,
    spaces: predicate.screened.spaces,
    count: predicate.screened.count,
    shippedCount: predicate.shipped.count,
    tool: predicate.tool,
  });
  expect(bytesToHex(certificate.resultsRoot)).toBe(predicate.resultsRoot);
  expect(bytesToHex(certificate.shippedRoot)).toBe(subject[0].digest.rfc6962Sha256);
  expect(bytesToHex(certificate.supersedes ?? new Uint8Array(0))).toBe(predicate.supersedes);
});
