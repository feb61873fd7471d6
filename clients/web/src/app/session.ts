/** What lasts as long as the page: the vault, the registrant, and the worker that fingerprints. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { expectedAttempts, solveInWorker } from "../proof-of-work";
import { Registrant, type Waiting } from "../registrant";
import { Fingerprinter } from "../workers/fingerprinting";
import { browserPlace } from "./place";
import { Vault } from "./vault";

/** What a record being sent is at; `share` of the proof of work, as far as chance lets it be said. */
export type Sending =
  { readonly stage: "working"; readonly share: number } | { readonly stage: "sending" };

export class Session {
  readonly vault = new Vault(browserPlace);
  readonly registrant: Registrant;
  readonly fingerprinter = new Fingerprinter();
  /** Told how far a record being sent is, and of waits that the registry asks for. */
  onSending: (sending: Sending) => void = () => undefined;
  onWait: (waiting: Waiting) => void = () => undefined;

  constructor(address: string) {
    let expected = 1;
    this.registrant = new Registrant(address, this.vault, {
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

  get state(): Registrant["state"] {
    return this.registrant.state;
  }
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("outside of a session");
  return session;
}
