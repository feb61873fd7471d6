/**
 * The registrant's keys: a recovery phrase, and for each record unrelated keys derived from it
 * (FORMATS §2).
 */

import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { BadPhrase, Malformed } from "../errors";
import { hkdf256, sha256 } from "./digests";
import { publicKeyOf, sign } from "./ed25519";
import { type Bytes, lp, u32, utf8 } from "./encoding";
import { originBytes } from "./origins";

/** Entropy behind a phrase: 128 bit, 12 words (BIP-39). */
export const SEED_BYTES = 16;
export const PHRASE_WORDS = 12;
export const RECORD_ID_BYTES = 16;
export const OPENING_BYTES = 32;

const MAX_PHRASE_CHARACTERS = 1_000; // 12 words of at most 8 letters, and generous room for spaces
const WORDS: ReadonlySet<string> = new Set(wordlist);
const OWNER_KEYS = "consent-registry/v1/owner";
const ID_DOMAIN = utf8("consent-registry/id/v1\0");
const OWNER_DOMAIN = utf8("consent-registry/owner/v1\0");

/** A fresh recovery phrase: 12 English words, 128 bits from the browser's random source. */
export function newPhrase(): string {
  return entropyToMnemonic(crypto.getRandomValues(new Uint8Array(SEED_BYTES)), wordlist);
}

/** The words of a phrase as they are written down: lower case, one space between. */
export function plainPhrase(phrase: string): string {
  return wordsOf(phrase).join(" ");
}

/**
 * The 16 bytes of entropy behind a phrase; case, spacing and full-width letters do not matter.
 *
 * Throws `BadPhrase`: not 12 words, a word that is not in the English BIP-39 list (its position is
 * said, the word is not), or a wrong checksum.
 */
export function seedOf(phrase: string): Bytes {
  if (phrase.length > MAX_PHRASE_CHARACTERS) throw new BadPhrase("too long for a recovery phrase");
  const words = wordsOf(phrase);
  if (words.length !== PHRASE_WORDS) {
    throw new BadPhrase(`a recovery phrase has ${PHRASE_WORDS} words, this has ${words.length}`);
  }
  const unknown = words.findIndex((word) => !WORDS.has(word));
  if (unknown >= 0) {
    throw new BadPhrase(`word ${unknown + 1} of the recovery phrase is not in the word list`);
  }
  try {
    return mnemonicToEntropy(words.join(" "), wordlist);
  } catch {
    throw new BadPhrase("the words do not belong together: one is wrong, or the order is");
  }
}

function wordsOf(phrase: string): string[] {
  return phrase
    .normalize("NFKD")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
}

/** What controls one record at one registry. */
export class OwnerKey {
  /** Ed25519 private key, 32 bytes. */
  readonly #privateKey: Bytes;
  /** Ed25519 public key, 32 bytes. */
  readonly publicKey: Bytes;
  /** r, 32 bytes: hides the statement and F inside the commitment. */
  readonly opening: Bytes;

  constructor(privateKey: Bytes, opening: Bytes) {
    this.#privateKey = privateKey;
    this.publicKey = publicKeyOf(privateKey);
    this.opening = opening;
  }

  /** The record's id, 16 bytes. */
  get recordId(): Bytes {
    return recordId(this.publicKey);
  }

  /** W, 32 bytes: what stands for the owner in the log. */
  get ownerTag(): Bytes {
    return ownerTag(this.publicKey);
  }

  /** Ed25519 signature, 64 bytes. */
  sign(message: Bytes): Bytes {
    return sign(this.#privateKey, message);
  }
}

/** W of the i-th record's owner, without the rest of `deriveOwner`: many of them are looked for. */
export const deriveOwnerTag = (seed: Bytes, origin: string, i: number): Bytes =>
  ownerTag(publicKeyOf(derive(seed, OWNER_KEYS, origin, i)));

/** The keys of the i-th record of this seed at this registry, 0 ≤ i < 2³²; else `Malformed`. */
export function deriveOwner(seed: Bytes, origin: string, i: number): OwnerKey {
  return new OwnerKey(
    derive(seed, OWNER_KEYS, origin, i),
    derive(seed, "consent-registry/v1/opening", origin, i),
  );
}

/** 32 bytes for one use of one record's number; different uses give unrelated bytes. */
export function derive(seed: Bytes, domain: string, origin: string, i: number): Bytes {
  if (seed.length !== SEED_BYTES) throw new Malformed(`a seed has ${SEED_BYTES} bytes`);
  return hkdf256(seed, lp(domain, originBytes(origin), u32(i)));
}

/** The id of the record that this public key controls, 16 bytes. */
export function recordId(publicKey: Bytes): Bytes {
  return sha256(ID_DOMAIN, publicKey).slice(0, RECORD_ID_BYTES);
}

/** W, 32 bytes: what stands for this public key in the log. */
export function ownerTag(publicKey: Bytes): Bytes {
  return sha256(OWNER_DOMAIN, publicKey);
}
