/** What lasts as long as the page: the vault, the registrant, and the worker that fingerprints. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { Unreachable } from "../errors";
import { expectedAttempts, solveInWorker } from "../proof-of-work";
import type { Bytes, Checkpoint } from "../protocol";
import { Registrant, type Waiting } from "../registrant";
import { Connection } from "../registrant/connection";
import { registryInfo, type RegistryInfo } from "../registrant/operations";
import { logEntries, type Placed } from "../registrant/own-log";
import { provenEntries } from "../registrant/proven-log";
import { Fingerprinter } from "../workers/fingerprinting";
import { browserPlace } from "./place";
import { Vault } from "./vault";

/** What a record being sent is at; `share` of the proof of work, as far as chance lets it be said. */
export type Sending =
  { readonly stage: "working"; readonly share: number } | { readonly stage: "sending" };

export class Session {
  readonly vault = new Vault(browserPlace);
  readonly fingerprinter = new Fingerprinter();
  readonly #address: string;
  readonly #connection: Connection;
  #registrant: Registrant;
  /** Told how far a record being sent is, and of waits that the registry asks for. */
  onSending: (sending: Sending) => void = () => undefined;
  onWait: (waiting: Waiting) => void = () => undefined;

  constructor(address: string) {
    this.#address = address;
    this.#connection = new Connection(address);
    this.#registrant = this.#met();
  }

  /** One that has yet to meet the registry, and to check it against the key that is kept. */
  #met(): Registrant {
    let expected = 1;
    return new Registrant(this.#address, this.vault, {
      solve: async (challenge, recordId, onAttempts) => {
        expected = expectedAttempts(challenge, recordId);
        this.onSending({ stage: "working", share: 0 });
        const solved = await solveInWorker(challenge, recordId, onAttempts);
        this.onSending({ stage: "sending" });
        return solved;
      },
      onWork: (attempts) => {
        // After so many attempts, this is the chance that it had been solved by now.
        this.onSending({ stage: "working", share: 1 - Math.exp(-attempts / expected) });
      },
      onWait: (waiting) => this.onWait(waiting),
    });
  }

  get registrant(): Registrant {
    return this.#registrant;
  }

  /** Opens what is kept in this browser, and meets the registry anew by the key kept there. */
  async unlock(passphrase: string): Promise<void> {
    await this.vault.unlock(passphrase);
    this.#registrant = this.#met();
  }

  /** Forgets the words and records on this page; what is kept in the browser stays, locked. */
  forget(): void {
    this.vault.close();
    this.#registrant = this.#met();
  }

  get state(): Registrant["state"] {
    return this.registrant.state;
  }

  /** The registry as it is now. */
  info(): Promise<RegistryInfo> {
    return this.#connection.run(registryInfo());
  }

  /** The public log from (about) `start` on, with what `logEntries` throws. */
  async *log(start = 0): AsyncGenerator<Placed> {
    yield* logEntries(this.#connection, await this.info(), start);
  }

  /** The log from (about) `start` on as it was signed: proven once all was read. */
  signedLog(checkpoint: Checkpoint, start: number): AsyncGenerator<Placed> {
    return provenEntries(checkpoint, this.log(start), logFile);
  }

  /** The newest checkpoint, a signed note that is not verified yet; null: nothing is published. */
  async checkpoint(): Promise<string | null> {
    const data = await logFile("checkpoint");
    return data === null ? null : new TextDecoder().decode(data);
  }
}

/** A file of the published log; null where there is none. */
async function logFile(path: string): Promise<Bytes | null> {
  try {
    const response = await fetch(`/log/${path}`, { cache: "no-store", credentials: "omit" });
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
  } catch {
    throw new Unreachable("the registry can not be reached");
  }
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("outside of a session");
  return session;
}
