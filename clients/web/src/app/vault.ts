/**
 * What a person keeps in this browser: nothing, or one encrypted text.
 *
 * Without being asked, everything lives in memory and ends with the page. Who asks for it gets one
 * blob in IndexedDB: a phrase, records and labels, encrypted under a passphrase. How many records
 * there are shows in its length, nothing else of them does.
 */

import { Malformed, StateError } from "../errors";
import { type Bytes, concat, decodeBase64, encodeBase64, utf8 } from "../protocol";
import type { Store } from "../registrant";

/** OWASP's Password Storage Cheat Sheet (2023) for PBKDF2 with SHA-256. */
export const ITERATIONS = 600_000;
/** Shorter ones are guessed offline by whoever copies the browser's profile. */
export const LEAST_PASSPHRASE = 10;

const KIND = "consent-web/vault/v1";
const SALT_BYTES = 16;
const NONCE_BYTES = 12;

/** Where the one text is kept. */
export interface Place {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
  remove(): Promise<void>;
}

/** The passphrase does not open what is kept, or what is kept is damaged: they look the same. */
export class WrongPassphrase extends StateError {
  constructor() {
    super("this passphrase does not open what is kept here, or what is kept is damaged");
  }
}

interface Lock {
  readonly key: CryptoKey;
  readonly salt: Bytes;
}

/** A registrant's store that lives in memory and, once asked, encrypted in a place. */
export class Vault implements Store {
  readonly #place: Place;
  #values = new Map<string, string>();
  #lock: Lock | null = null;
  #written: string | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(place: Place) {
    this.#place = place;
  }

  /** Whether what is here is also kept in this browser. */
  get isKept(): boolean {
    return this.#lock !== null;
  }

  /** Whether something is kept that could be unlocked. */
  async isThere(): Promise<boolean> {
    return (await this.#place.read()) !== null;
  }

  /** From now on keeps everything under this passphrase; replaces what was kept before. */
  async keep(passphrase: string): Promise<void> {
    const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
    this.#lock = { key: await keyOf(passphrase, salt), salt };
    await this.#write();
  }

  /** Opens what is kept; `WrongPassphrase`. What is in memory is replaced. */
  async unlock(passphrase: string): Promise<void> {
    const text = await this.#place.read();
    if (text === null) throw new StateError("nothing is kept in this browser");
    const { salt } = parsed(text);
    const lock = { key: await keyOf(passphrase, salt), salt };
    this.#values = await opened(text, lock.key);
    this.#lock = lock;
    this.#written = text;
  }

  /** Removes what is kept in this browser; what is in memory stays until the page is closed. */
  async removeKept(): Promise<void> {
    this.#lock = null;
    this.#written = null;
    await this.#place.remove();
  }

  /** Forgets what is in memory; what is kept stays as it is, locked. */
  close(): void {
    this.#lock = null;
    this.#written = null;
    this.#values = new Map();
  }

  async get(key: string): Promise<string | null> {
    return this.#values.get(key) ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    this.#values.set(key, value);
    if (this.#lock !== null) await this.#write();
  }

  async keys(prefix: string): Promise<string[]> {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const fresh = async (): Promise<Result> => {
      await this.#readAgain();
      return work();
    };
    if (this.#lock !== null && typeof navigator !== "undefined" && "locks" in navigator) {
      return navigator.locks.request("consent vault", fresh);
    }
    const done = this.#last.then(fresh, fresh);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Another page of this browser may have written since. */
  async #readAgain(): Promise<void> {
    if (this.#lock === null) return;
    const text = await this.#place.read();
    if (text === null || text === this.#written) return;
    this.#values = await opened(text, this.#lock.key);
    this.#written = text;
  }

  async #write(): Promise<void> {
    if (this.#lock === null) return;
    const text = await sealed(this.#values, this.#lock);
    await this.#place.write(text);
    this.#written = text;
  }
}

async function keyOf(passphrase: string, salt: Bytes): Promise<CryptoKey> {
  const secret = utf8(passphrase.normalize("NFKC"));
  const material = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt, iterations: ITERATIONS },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

/** `{"kind", "salt", "sealed": nonce12 ‖ AES-256-GCM(JSON of all pairs, aad = kind ‖ salt)}`. */
async function sealed(values: ReadonlyMap<string, string>, { key, salt }: Lock): Promise<string> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const how = { name: "AES-GCM", iv: nonce, additionalData: concat(utf8(KIND), salt) };
  const data = await crypto.subtle.encrypt(how, key, utf8(JSON.stringify([...values])));
  const box = encodeBase64(concat(nonce, new Uint8Array(data)));
  return JSON.stringify({ kind: KIND, salt: encodeBase64(salt), sealed: box });
}

function parsed(text: string): { salt: Bytes; box: Bytes } {
  try {
    const { kind, salt, sealed: box } = JSON.parse(text) as Record<string, unknown>;
    if (kind === KIND) return { salt: decodeBase64(String(salt)), box: decodeBase64(String(box)) };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof Malformed)) throw error;
  }
  throw new WrongPassphrase();
}

async function opened(text: string, key: CryptoKey): Promise<Map<string, string>> {
  const { salt, box } = parsed(text);
  const additionalData = concat(utf8(KIND), salt);
  const how = { name: "AES-GCM", iv: box.slice(0, NONCE_BYTES), additionalData };
  try {
    const data = await crypto.subtle.decrypt(how, key, box.slice(NONCE_BYTES));
    return new Map(JSON.parse(new TextDecoder().decode(data)) as [string, string][]);
  } catch {
    throw new WrongPassphrase();
  }
}
