/** Where a registrant's texts are kept on this device. */

import { StateError } from "../errors";

/** Texts by key. Every method may throw `StateError`. */
export interface Store {
  get(key: string): Promise<string | null>;
  /** Writes; once it resolves, a crash of the browser does not undo it. */
  set(key: string, value: string): Promise<void>;
  /** All keys that begin like this, ascending. */
  keys(prefix: string): Promise<string[]>;
  /** Does this work while no other page, worker or call does any; not to be nested. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A store that lives as long as its page. */
export class MemoryStore implements Store {
  readonly #values = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  async get(key: string): Promise<string | null> {
    return this.#values.get(key) ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    this.#values.set(key, value);
  }

  async keys(prefix: string): Promise<string[]> {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

const DATABASE = "consent";
const TABLE = "texts";

/** A store in the browser's IndexedDB, shared by all pages of one origin. */
export class BrowserStore implements Store {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** Opens it, and makes it at first use; `StateError` where the browser does not let us. */
  static async open(name = DATABASE): Promise<BrowserStore> {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
    return new BrowserStore(await settled(opening));
  }

  async get(key: string): Promise<string | null> {
    const found: unknown = await settled(this.#table("readonly").get(key));
    return typeof found === "string" ? found : null;
  }

  async set(key: string, value: string): Promise<void> {
    const table = this.#table("readwrite");
    const { transaction } = table;
    table.put(value, key);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(refused());
    });
  }

  async keys(prefix: string): Promise<string[]> {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const found = await settled(this.#table("readonly").getAllKeys(range));
    return found.map(String);
  }

  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    return navigator.locks.request(`${this.#database.name} registrant`, work);
  }

  #table(mode: IDBTransactionMode): IDBObjectStore {
    // Strict: a receipt is a promise, and what was sent must be found again.
    return this.#database.transaction(TABLE, mode, { durability: "strict" }).objectStore(TABLE);
  }
}

function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(refused());
  });
}

function refused(): StateError {
  return new StateError("this browser does not let anything be kept here; is it a private window?");
}
