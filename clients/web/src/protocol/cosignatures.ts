/**
 * Cosignatures: what witnesses say about a checkpoint (https://c2sp.org/tlog-cosignature).
 *
 * A witness signs that at a time a checkpoint's tree was the largest it had seen of that log, and
 * that it grew out of all it had seen before. Its line on the note holds `u64 time ‖ signature`;
 * what is signed is a line `cosignature/v1`, a line `time <time>`, and the note's text. Its
 * verifier key has algorithm 0x04.
 */

import { Checkpoint } from "./checkpoints";
import { SIGNATURE_BYTES, verify } from "./ed25519";
import { type Bytes, Reader, utf8 } from "./encoding";
import {
  asNote,
  checkVerifierKey,
  encodeVkey,
  keyHash,
  type NoteSignature,
  parseVkey,
  signatureBy,
  splitNote,
} from "./notes";

const COSIGNATURE = 4; // signed-note's identifier of the algorithm

/** A named public key whose cosignature is believed. */
export class WitnessVerifier {
  readonly name: string;
  readonly publicKey: Bytes;

  constructor(name: string, publicKey: Bytes) {
    checkVerifierKey(name, publicKey);
    this.name = name;
    this.publicKey = publicKey;
  }

  get keyHash(): Bytes {
    return keyHash(this.name, COSIGNATURE, this.publicKey);
  }

  /** The key as text, for policies. */
  get vkey(): string {
    return encodeVkey(this.name, COSIGNATURE, this.publicKey);
  }

  static parse(vkey: string): WitnessVerifier {
    const { name, publicKey } = parseVkey(vkey, COSIGNATURE);
    return new WitnessVerifier(name, publicKey);
  }
}

/** What one witness said about a checkpoint, and when (seconds since 1970-01-01). */
export interface Cosignature {
  readonly witness: WitnessVerifier;
  readonly time: number;
}

/** What those of the witnesses said that cosigned; `BadNote` where one is wrong, or there twice. */
export function verifyCosignatures(
  note: string,
  witnesses: readonly WitnessVerifier[],
): Cosignature[] {
  const { text, signatures } = splitNote(note);
  Checkpoint.parse(text);
  return witnesses
    .filter((witness) => signatures.some((line) => line.by(witness.name, witness.keyHash)))
    .map((witness) => verified(text, signatures, witness));
}

function verified(
  text: string,
  signatures: readonly NoteSignature[],
  witness: WitnessVerifier,
): Cosignature {
  const reader = new Reader(signatureBy(signatures, witness.name, witness.keyHash));
  const time = asNote("a cosignature does not verify", () => {
    const said = reader.u64();
    const signature = reader.take(SIGNATURE_BYTES);
    reader.end();
    verify(witness.publicKey, signature, utf8(`cosignature/v1\ntime ${said}\n${text}`));
    return said;
  });
  return { witness, time };
}
