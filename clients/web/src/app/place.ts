/** The one place in this browser where something is kept, and only if the person asks for it. */

import { StateError } from "../errors";
import type { Place } from "./vault";

const DATABASE = "consent";
const TABLE = "texts";
const KEY = "vault";

/** A text in IndexedDB; the database is there only while something is kept. */
export const browserPlace: Place = {
  async read() {
    // Opening would make the database: whoever kept nothing has none.
    const names = (await indexedDB.databases()).map(({ name }) => name);
    if (!names.includes(DATABASE)) return null;
    const found = await transacted("readonly", (table) => table.get(KEY));
    return typeof found === "string" ? found : null;
  },
  async write(text) {
    await transacted("readwrite", (table) => table.put(text, KEY));
  },
  async remove() {
    const removing = indexedDB.deleteDatabase(DATABASE);
    await new Promise<void>((resolve, reject) => {
      removing.onsuccess = () => resolve();
      removing.onerror = () => reject(refused());
    });
  },
};

/** One request, done once the browser has it on disk. */
async function transacted(
  mode: IDBTransactionMode,
  ask: (table: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const database = await open();
  try {
    const transaction = database.transaction(TABLE, mode, { durability: "strict" });
    const request = ask(transaction.objectStore(TABLE));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(refused());
    });
    return request.result;
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  return new Promise((resolve, reject) => {
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(refused());
  });
}

function refused(): StateError {
  return new StateError("this browser does not let anything be kept here; is it a private window?");
}
