/**
 * C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note).
 *
 * A note is UTF-8 text ending in a newline, an empty line, and signature lines
 * `— <key name> <base64(u32 key hash ‖ signature)>`. A verifier key is written
 * `<key name>+<hex key hash>+<base64(algorithm ‖ public key)>`; the algorithm is 0x01 here and 0x04
 * for the cosignatures of witnesses. A note may carry signatures of several keys, known or not.
 */

import { bytesToHex } from "@noble/hashes/utils.js";
import { BadNote, BadSignature, Malformed, WeakKey } from "../errors";
import { sha256 } from "./digests";
import {
  checkPublicKey,
  PRIVATE_KEY_BYTES,
  PUBLIC_KEY_BYTES,
  publicKeyOf,
  sign,
  verify,
} from "./ed25519";
import { type Bytes, concat, decodeBase64, encodeBase64, sameBytes, u8, utf8 } from "./encoding";
import { checkOrigin } from "./origins";

/** Sixteen X-Wing sealing keys take 26 KB; a checkpoint with its witnesses far less. */
export const MAX_NOTE_BYTES = 65_536;
/** What the reference implementation in Go allows. */
export const MAX_SIGNATURES = 100;

const ED25519 = 1; // signed-note's identifier of the algorithm
const HASH_BYTES = 4;
const NAME = /^[^\s+]+$/;
const SIGNATURE_LINE = /^— (\S+) (\S+)$/;
const CONTROL = /[\u0000-\u001f]/;

/** Four bytes that tell keys of one name apart (signed-note's key ID). */
export function keyHash(name: string, algorithm: number, publicKey: Bytes): Bytes {
  return sha256(utf8(`${name}\n`), u8(algorithm), publicKey).slice(0, HASH_BYTES);
}

/** Refuse a name that breaks the rule of origins, and a weak key; `BadNote` for both. */
export function checkVerifierKey(name: string, publicKey: Bytes): void {
  asNote("not a verifier key", () => {
    checkOrigin(name);
    checkPublicKey(publicKey);
  });
}

/** The text of a verifier key. */
export function encodeVkey(name: string, algorithm: number, publicKey: Bytes): string {
  const digest = bytesToHex(keyHash(name, algorithm, publicKey));
  return `${name}+${digest}+${encodeBase64(concat(u8(algorithm), publicKey))}`;
}

/** Name and key behind a verifier key; `BadNote` where it is not exactly what is written for it. */
export function parseVkey(vkey: string, algorithm: number): { name: string; publicKey: Bytes } {
  const [name, , ...rest] = vkey.split("+"); // base64 may hold further plus signs
  if (name === undefined || rest.length === 0) throw new BadNote("not a verifier key");
  const key = asNote("not a verifier key", () => decodeBase64(rest.join("+")));
  const publicKey = key.slice(1);
  if (publicKey.length !== PUBLIC_KEY_BYTES || key[0] !== algorithm) {
    throw new BadNote("not a verifier key of the kind expected");
  }
  checkVerifierKey(name, publicKey);
  if (encodeVkey(name, algorithm, publicKey) !== vkey) {
    throw new BadNote("a verifier key whose hash is wrong");
  }
  return { name, publicKey };
}

/** A named public key whose signature on a note is believed. */
export class NoteVerifier {
  readonly name: string;
  readonly publicKey: Bytes;

  constructor(name: string, publicKey: Bytes) {
    checkVerifierKey(name, publicKey);
    this.name = name;
    this.publicKey = publicKey;
  }

  get keyHash(): Bytes {
    return keyHash(this.name, ED25519, this.publicKey);
  }

  /** The key as text, as the registry's API and settings write it. */
  get vkey(): string {
    return encodeVkey(this.name, ED25519, this.publicKey);
  }

  static parse(vkey: string): NoteVerifier {
    const { name, publicKey } = parseVkey(vkey, ED25519);
    return new NoteVerifier(name, publicKey);
  }
}

/** A named private key that signs notes. */
export class NoteSigner {
  readonly name: string;
  readonly #privateKey: Bytes;

  constructor(name: string, privateKey: Bytes) {
    asNote("not a signing key", () => checkOrigin(name));
    if (privateKey.length !== PRIVATE_KEY_BYTES) throw new BadNote("not a signing key");
    this.name = name;
    this.#privateKey = privateKey;
  }

  get verifier(): NoteVerifier {
    return new NoteVerifier(this.name, publicKeyOf(this.#privateKey));
  }

  /** The signed note of a text; `BadNote` for a text that is none or makes too long a note. */
  note(text: string): string {
    checkText(text);
    const signature = sign(this.#privateKey, utf8(text));
    const line = new NoteSignature(this.name, this.verifier.keyHash, signature).line;
    const note = `${text}\n${line}`;
    checkLength(note);
    return note;
  }
}

/** One signature line of a note; that it verifies is not said. */
export class NoteSignature {
  readonly name: string;
  readonly keyHash: Bytes;
  readonly signature: Bytes;

  constructor(name: string, keyHash: Bytes, signature: Bytes) {
    checkLetters(name);
    if (!NAME.test(name)) throw new BadNote("a key's name has no space and no plus sign");
    if (keyHash.length !== HASH_BYTES || signature.length === 0) {
      throw new BadNote("a signature line without a signature");
    }
    this.name = name;
    this.keyHash = keyHash;
    this.signature = signature;
  }

  /** The line, with the newline that ends it. */
  get line(): string {
    return `— ${this.name} ${encodeBase64(concat(this.keyHash, this.signature))}\n`;
  }

  /** The signature on a line without its newline; `BadNote` where it is not one. */
  static parse(line: string): NoteSignature {
    const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
    if (name === undefined || encoded === undefined) {
      throw new BadNote("a signature line that is not one");
    }
    const data = asNote("a signature line that is not one", () => decodeBase64(encoded));
    return new NoteSignature(name, data.slice(0, HASH_BYTES), data.slice(HASH_BYTES));
  }

  /** Whether it says to be of this key. */
  by(name: string, keyHash: Bytes): boolean {
    return this.name === name && sameBytes(this.keyHash, keyHash);
  }
}

/** The text of a note that this key signed; signatures by other keys are left aside. */
export function verifyNote(note: string, verifier: NoteVerifier): string {
  const { text, signatures } = splitNote(note);
  const own = signatureBy(signatures, verifier.name, verifier.keyHash);
  asNote("the note's signature does not verify", () => verify(verifier.publicKey, own, utf8(text)));
  return text;
}

/** What a key left on a note; `BadNote` unless it is there exactly once. */
export function signatureBy(
  signatures: readonly NoteSignature[],
  name: string,
  keyHash: Bytes,
): Bytes {
  const [own, second] = signatures.filter((line) => line.by(name, keyHash));
  if (own === undefined || second !== undefined) {
    throw new BadNote("the note does not carry exactly one signature of the key expected");
  }
  return own.signature;
}

/** Text and signatures of a note, none of them verified: nothing in it is to be believed yet. */
export function splitNote(note: string): { text: string; signatures: NoteSignature[] } {
  checkLength(note);
  const at = note.lastIndexOf("\n\n");
  const tail = note.slice(at + 2);
  if (at < 0 || !tail.endsWith("\n")) throw new BadNote("the note has no signatures");
  const text = note.slice(0, at + 1);
  checkText(text);
  const lines = tail.slice(0, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw new BadNote("the note has too many signatures");
  return { text, signatures: lines.map((line) => NoteSignature.parse(line)) };
}

/** What `make` gives; `BadNote` with this message for what it refuses. */
export function asNote<Made>(message: string, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    const refused =
      error instanceof Malformed || error instanceof WeakKey || error instanceof BadSignature;
    throw refused ? new BadNote(message) : error;
  }
}

function checkLength(note: string): void {
  const bytes = asNote("the note is not UTF-8", () => utf8(note));
  if (bytes.length > MAX_NOTE_BYTES) throw new BadNote("the note is too long");
}

function checkText(text: string): void {
  if (!text.endsWith("\n") || text === "\n") {
    throw new BadNote("a note's text is lines, each ended by a newline");
  }
  checkLetters(text.replaceAll("\n", ""));
}

function checkLetters(text: string): void {
  if (CONTROL.test(text)) throw new BadNote("a note has no control characters");
  asNote("the note is not UTF-8", () => utf8(text));
}
