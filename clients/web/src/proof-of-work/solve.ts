/**
 * The work a registration brings instead of an identity: an altcha version 2 puzzle.
 *
 * What a registry may ask for is bounded, as in the Python client, so that a hostile one can not
 * keep a device busy for hours.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { TransportError, WorkTooHard } from "../errors";
import { type Bytes, concat, encodeBase64, u32, utf8 } from "../protocol/encoding";

/** They need no memory to speak of: scrypt or Argon2id could ask for all of it. */
const PBKDF2_HASHES: ReadonlyMap<string, string> = new Map([
  ["PBKDF2/SHA-256", "SHA-256"],
  ["PBKDF2/SHA-384", "SHA-384"],
  ["PBKDF2/SHA-512", "SHA-512"],
]);
const ITERATED = "SHA-256";

/** Iterations per attempt: some 30 ms, so that progress is shown and aborts are noticed. */
export const MAX_COST = 100_000;
/** What asks for more than a quarter of an hour asks too much; 3 digits take seconds. */
export const MAX_SECONDS = 900;
export const MAX_CHALLENGE_CHARACTERS = 4_096;

const MAX_DERIVED_BYTES = 64;
const MAX_PREFIX_CHARACTERS = 16;
const DEFAULT_DERIVED_BYTES = 32;
const DEFAULT_PREFIX = "00";
const HEX = /^(?:[0-9a-f]{2})*$/i;
const HALF_HEX = /^[0-9a-f]*$/i;

export interface SolveOptions {
  /** Told the number of attempts made so far, after each. */
  readonly onAttempts?: (attempts: number) => void;
  /** Seconds since 1970. */
  readonly now?: () => number;
}

interface Parameters {
  readonly algorithm: string;
  readonly cost: number;
  readonly nonce: Bytes;
  readonly salt: Bytes;
  readonly keyLength: number;
  readonly keyPrefix: string;
  readonly expiresAt: number | null;
}

type Derive = (password: Bytes) => Promise<Uint8Array>;

/**
 * The payload that answers a challenge, base64 of JSON.
 *
 * Throws `TransportError`: not such a challenge, or one for another record. `WorkTooHard`: beyond
 * the bounds, or not solved before it expires or `MAX_SECONDS` are over.
 */
export async function solve(
  challenge: string,
  recordId: Bytes,
  { onAttempts, now = () => Date.now() / 1000 }: SolveOptions = {},
): Promise<string> {
  const { parsed, parameters } = parse(challenge, recordId);
  const derive = derivation(parameters);
  const began = now();
  const least = Math.max(1, (parameters.expiresAt ?? Number.POSITIVE_INFINITY) - began);
  const end = began + Math.min(MAX_SECONDS, least);
  for (let counter = 0; now() <= end; counter++) {
    const derivedKey = bytesToHex(await derive(concat(parameters.nonce, u32(counter))));
    onAttempts?.(counter + 1);
    if (derivedKey.startsWith(parameters.keyPrefix)) {
      const time = Math.round((now() - began) * 1000);
      const payload = { challenge: parsed, solution: { counter, derivedKey, time } };
      return encodeBase64(utf8(JSON.stringify(payload)));
    }
  }
  throw new WorkTooHard("the registry's proof of work was not solved in time");
}

/** How many attempts a challenge takes on average; for a progress bar. */
export function expectedAttempts(challenge: string, recordId: Bytes): number {
  return 16 ** parse(challenge, recordId).parameters.keyPrefix.length;
}

function derivation(parameters: Parameters): Derive {
  const { algorithm, cost, salt, keyLength } = parameters;
  const hash = PBKDF2_HASHES.get(algorithm);
  if (cost > MAX_COST || (hash === undefined && algorithm !== ITERATED)) {
    throw new WorkTooHard("the registry asks for a proof of work that this client does not do");
  }
  if (hash === undefined) return async (password) => iterated(concat(salt, password), parameters);
  const asked = { name: "PBKDF2", hash, salt, iterations: cost };
  return async (password) => {
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    return new Uint8Array(await crypto.subtle.deriveBits(asked, key, keyLength * 8));
  };
}

function iterated(start: Bytes, { cost, keyLength }: Parameters): Uint8Array {
  let derived: Uint8Array = start;
  for (let done = 0; done < cost; done++) derived = sha256(derived);
  return derived.slice(0, keyLength);
}

function parse(text: string, recordId: Bytes): { parsed: unknown; parameters: Parameters } {
  let parsed: unknown;
  try {
    parsed = text.length <= MAX_CHALLENGE_CHARACTERS ? JSON.parse(text) : null;
  } catch {
    parsed = null;
  }
  const given = objectIn(parsed, "parameters");
  const parameters = given === null ? null : parametersOf(given);
  if (given === null || parameters === null) {
    throw new TransportError("the registry's proof of work could not be understood");
  }
  const data = objectIn(given, "data") ?? {};
  if (Object.keys(data).length !== 1 || data.recordId !== bytesToHex(recordId)) {
    throw new TransportError("the registry's proof of work is for another record");
  }
  return { parsed, parameters };
}

function parametersOf(given: Record<string, unknown>): Parameters | null {
  const { algorithm, cost, nonce, salt, expiresAt } = given;
  const { keyLength = DEFAULT_DERIVED_BYTES, keyPrefix = DEFAULT_PREFIX } = given;
  const sound =
    typeof algorithm === "string" &&
    isWhole(cost) &&
    isWhole(keyLength) &&
    keyLength <= MAX_DERIVED_BYTES &&
    isHex(keyPrefix, HALF_HEX) &&
    keyPrefix.length <= MAX_PREFIX_CHARACTERS &&
    isHex(nonce, HEX) &&
    isHex(salt, HEX);
  if (!sound) return null;
  return {
    algorithm,
    cost,
    nonce: hexToBytes(nonce),
    salt: hexToBytes(salt),
    keyLength,
    keyPrefix: keyPrefix.toLowerCase(),
    expiresAt: isWhole(expiresAt) ? expiresAt : null,
  };
}

function objectIn(value: unknown, name: string): Record<string, unknown> | null {
  if (typeof value !== "object" || value === null) return null;
  const found = (value as Record<string, unknown>)[name];
  const isObject = typeof found === "object" && found !== null && !Array.isArray(found);
  return isObject ? (found as Record<string, unknown>) : null;
}

const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;
const isHex = (value: unknown, form: RegExp): value is string =>
  typeof value === "string" && form.test(value);
