/**
 * What a registrant keeps on this device: the recovery phrase, pinned registries, records.
 *
 * Nothing is kept in memory: every call reads and writes the store. No picture is kept, and the
 * label a person gives a record stays here.
 */

import { NoPhrase, ProtocolError, StateError } from "../errors";
import {
  type Bytes,
  checkOrigin,
  deriveOwner,
  NoteVerifier,
  newPhrase,
  plainPhrase,
  sameBytes,
  seedOf,
} from "../protocol";
import { fromJson, type SavedRecord, toJson } from "./saved-records";
import type { Store } from "./stores";

const PHRASE = "phrase";
const REGISTRY_KIND = "consent-client/registry/v1";
const NUMBER_DIGITS = 10;
/** Mirrors and ports of one registry that are remembered. */
const MAX_ADDRESSES = 16;

/** A registry this device has met. */
export interface PinnedRegistry {
  /** Its name. */
  readonly origin: string;
  /** Note vkey of its sealing keys and checkpoints, pinned. */
  readonly verifierKey: string;
  /** Where it was reached, the newest last. */
  readonly addresses: readonly string[];
  /** Number of the next record. */
  readonly nextIndex: number;
  /** Entries of the log that were looked at for what became of our records. */
  readonly seen: number;
}

/** The same, reached at this address now. */
export function reachedAt(pinned: PinnedRegistry, address: string): PinnedRegistry {
  const others = pinned.addresses.filter((each) => each !== address);
  return { ...pinned, addresses: [...others, address].slice(-MAX_ADDRESSES) };
}

/** All of it, in a store. Every method throws `StateError` for what is damaged or can not be. */
export class State {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Does this work while nobody else writes here; not to be nested. */
  locked<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#store.exclusively(work);
  }

  // The phrase

  async hasPhrase(): Promise<boolean> {
    return (await this.#store.get(PHRASE)) !== null;
  }

  /** The recovery phrase; `NoPhrase` where there is none yet. */
  async phrase(): Promise<string> {
    const phrase = await this.#store.get(PHRASE);
    if (phrase === null) throw new NoPhrase("there is no recovery phrase here yet");
    try {
      seedOf(phrase);
    } catch {
      throw new StateError("what is kept as the recovery phrase is none; it is left as it is");
    }
    return phrase;
  }

  /** The 16 bytes behind the phrase. */
  async seed(): Promise<Bytes> {
    return seedOf(await this.phrase());
  }

  /**
   * Keeps a phrase, a fresh one unless given; one that is kept already is not replaced.
   *
   * Throws `BadPhrase`: the one given is none. `StateError`: there is another.
   */
  async createPhrase(given?: string): Promise<string> {
    const phrase = given === undefined ? newPhrase() : plainPhrase(given);
    seedOf(phrase);
    await this.locked(async () => {
      const kept = await this.#store.get(PHRASE);
      if (kept !== null && kept !== phrase) {
        throw new StateError("another recovery phrase is kept here already");
      }
      await this.#store.set(PHRASE, phrase);
    });
    return phrase;
  }

  // Registries

  async registries(): Promise<PinnedRegistry[]> {
    const keys = await this.#store.keys("registry ");
    return Promise.all(keys.map(async (key) => readRegistry((await this.#store.get(key)) ?? "")));
  }

  async registry(origin: string): Promise<PinnedRegistry | null> {
    const text = await this.#store.get(`registry ${origin}`);
    return text === null ? null : readRegistry(text);
  }

  /** As `registry`, of one that was met; `StateError` where it is not there. */
  async pinned(origin: string): Promise<PinnedRegistry> {
    const pinned = await this.registry(origin);
    if (pinned === null) throw new StateError("this registry has not been met yet");
    return pinned;
  }

  async saveRegistry(pinned: PinnedRegistry): Promise<void> {
    const text = JSON.stringify({ kind: REGISTRY_KIND, ...pinned });
    await this.#store.set(`registry ${pinned.origin}`, text);
  }

  /** The number for a new record; the counter is written down before it is used. */
  async takeIndex(origin: string): Promise<number> {
    const pinned = await this.pinned(origin);
    const used = (await this.records(origin)).map((record) => record.index + 1);
    const index = Math.max(pinned.nextIndex, ...used, 0);
    await this.saveRegistry({ ...pinned, nextIndex: index + 1 });
    return index;
  }

  // Records

  /** All records at one registry, in order of their number. */
  async records(origin: string): Promise<SavedRecord[]> {
    const keys = await this.#store.keys(`record ${origin} `);
    return Promise.all(keys.map(async (key) => this.#read(key, await this.#store.get(key))));
  }

  async record(origin: string, index: number): Promise<SavedRecord | null> {
    const key = recordKey(origin, index);
    const text = await this.#store.get(key);
    return text === null ? null : this.#read(key, text);
  }

  #read(key: string, text: string | null): SavedRecord {
    const record = fromJson(text ?? "");
    if (recordKey(record.origin, record.index) !== key) {
      throw new StateError("a record is kept under another's name");
    }
    return record;
  }

  /** Writes it down, replacing an earlier version of the same record. */
  async saveRecord(record: SavedRecord): Promise<SavedRecord> {
    const { origin, index } = record;
    await this.record(origin, index); // never over something that is not a record of ours
    await this.#store.set(recordKey(origin, index), toJson(record));
    return record;
  }

  /** What is kept of a record by now; `StateError` where it is gone, or of another phrase. */
  async current({ origin, index }: SavedRecord): Promise<SavedRecord> {
    const record = await this.record(origin, index);
    if (record === null) throw new StateError(`record ${index} is no longer kept here`);
    const owner = deriveOwner(await this.seed(), origin, index);
    const same =
      sameBytes(owner.opening, record.opening) && sameBytes(owner.publicKey, record.ownerPublicKey);
    if (!same) throw new StateError(`record ${index} was made with another recovery phrase`);
    return record;
  }
}

// An origin has no space, so that no key is the beginning of another registry's.
const recordKey = (origin: string, index: number): string =>
  `record ${origin} ${String(index).padStart(NUMBER_DIGITS, "0")}`;

function readRegistry(text: string): PinnedRegistry {
  try {
    const { kind, origin, verifierKey, addresses, nextIndex, seen } = JSON.parse(text) as Json;
    if (kind === REGISTRY_KIND && Array.isArray(addresses) && isCount(nextIndex) && isCount(seen)) {
      return {
        origin: checkOrigin(String(origin)),
        verifierKey: NoteVerifier.parse(String(verifierKey)).vkey,
        addresses: addresses.map(String),
        nextIndex,
        seen,
      };
    }
  } catch (error) {
    const unread =
      error instanceof ProtocolError || error instanceof SyntaxError || error instanceof TypeError;
    if (!unread) throw error;
  }
  throw new StateError("what is kept of a registry is damaged; it is left as it is");
}

type Json = Readonly<Record<string, unknown>>;

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
