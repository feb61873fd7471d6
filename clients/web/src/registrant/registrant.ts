/**
 * The registrant's side: state something about a picture, see what became of it, take it back.
 *
 *     const registrant = new Registrant(location.origin, await BrowserStore.open());
 *     await registrant.ensurePhrase();      // show it: without it nothing can be withdrawn
 *     const { fingerprints } = await registrationFingerprints(file);
 *     const record = await registrant.protect({ fingerprints, statement: refusal() });
 *     await registrant.withdraw(record);
 *
 * Everything is written to the store before it is sent. Call any method again after a crash: what
 * was sent is sent again byte for byte, and the registry answers as it did. All methods throw
 * `RegistryProblem`, `TransportError` and `StateError`, and what is told of each.
 */

import { type Solver, solveInWorker } from "../proof-of-work";
import type { Receipt } from "../protocol";
import { Connection, type ConnectionOptions } from "./connection";
import { type Context, originOf } from "./context";
import { followRecords } from "./following";
import { type Meeting, meet } from "./meeting";
import type { OwnRecord } from "./operations";
import { receipt } from "./proven";
import type { RecordStatus } from "./records";
import { check, recover } from "./recovering";
import { leaveOut, pending, save, send, type Wish } from "./registering";
import type { SavedRecord } from "./saved-records";
import { State } from "./state";
import type { Store } from "./stores";
import type { SignedWithdrawal } from "./withdrawals";
import { sendWithdrawal, signedWithdrawal, withdrawing, withdrawRecord } from "./withdrawing";

export interface RegistrantOptions extends ConnectionOptions {
  /** Note vkey the registry must show; else the one pinned, or at first use whatever it shows. */
  readonly registryKey?: string;
  /** What solves proofs of work; a worker where nothing is said. */
  readonly solve?: Solver;
  /** Told the attempts made so far at a proof of work. */
  readonly onWork?: (attempts: number) => void;
  /** Seconds since 1970. */
  readonly now?: () => number;
}

/** One person's dealings with one registry, from this device. */
export class Registrant {
  readonly state: State;
  readonly #context: Context;

  /** Throws `TransportError` for an address that is none, `InsecureRegistry` for plain http. */
  constructor(address: string, store: Store, options: RegistrantOptions = {}) {
    const { registryKey = null, onWork } = options;
    const connection = new Connection(address, options);
    const state = new State(store);
    let met: Promise<Meeting> | null = null;
    const asked = async (): Promise<Meeting> => {
      try {
        return await meet(connection, state, registryKey);
      } catch (error) {
        met = null; // it may be asked again
        throw error;
      }
    };
    this.state = state;
    this.#context = {
      connection,
      state,
      solve: options.solve ?? solveInWorker,
      ...(onWork && { onWork }),
      now: options.now ?? (() => Date.now() / 1000),
      meet: (again = false) => {
        if (again || met === null) met = asked();
        return met;
      },
    };
  }

  /**
   * Asks the registry who it is, once, and pins its key at first use.
   *
   * Throws `RegistryKeyChanged`: another key or name than the one pinned or given. `BadNote`: its
   * sealing keys are not signed by that key.
   */
  meet(): Promise<Meeting> {
    return this.#context.meet();
  }

  /** The registry's name. */
  origin(): Promise<string> {
    return originOf(this.#context);
  }

  /** Makes a recovery phrase where there is none; whether it did. */
  async ensurePhrase(): Promise<boolean> {
    if (await this.state.hasPhrase()) {
      await this.state.seed();
      return false;
    }
    await this.state.createPhrase();
    return true;
  }

  /** All records kept here, as they were written down last. */
  async records(): Promise<SavedRecord[]> {
    return this.state.records(await this.origin());
  }

  /** Seals a record and writes it down, or finds it: see `registering.save`. Nothing is sent. */
  save(wish: Wish): Promise<SavedRecord> {
    return save(this.#context, wish);
  }

  /** Sends a saved record until it is registered: see `registering.send`. */
  send(record: SavedRecord): Promise<SavedRecord> {
    return send(this.#context, record);
  }

  /** `save` and `send`. */
  async protect(wish: Wish): Promise<SavedRecord> {
    return this.send(await this.save(wish));
  }

  /** Seals a record anew without some spaces: see `registering.leaveOut`. Nothing is sent. */
  leaveOut(record: SavedRecord, spaces: readonly string[]): Promise<SavedRecord> {
    return leaveOut(this.#context, record, spaces);
  }

  /** Saved records that the registry has not answered for, the next due first. */
  pending(): Promise<SavedRecord[]> {
    return pending(this.#context);
  }

  /** All records here, with what became of them: see `following.followRecords`. */
  follow(): Promise<SavedRecord[]> {
    return followRecords(this.#context);
  }

  /** Reads a record back from the registry and checks it: see `recovering.check`. */
  check(record: SavedRecord): Promise<OwnRecord> {
    return check(this.#context, record);
  }

  /**
   * The receipt of a registered record. It goes on to show, without the registry, that the
   * statement was made by then. Whoever has it can test whether a picture is the one it is for.
   */
  receipt(record: SavedRecord): Promise<Receipt> {
    return receipt(this.#context, record);
  }

  /** What withdraws a record, to be printed or kept; nothing is sent. */
  signedWithdrawal(record: SavedRecord): Promise<SignedWithdrawal> {
    return signedWithdrawal(this.#context, record);
  }

  /** Takes a record back: see `withdrawing.withdrawRecord`. */
  withdraw(record: SavedRecord): Promise<SavedRecord> {
    return withdrawRecord(this.#context, record);
  }

  /** Records taken back of which the registry has not confirmed it: withdraw them again. */
  withdrawing(): Promise<SavedRecord[]> {
    return withdrawing(this.#context);
  }

  /** Sends a withdrawal that was kept; needs no phrase. */
  sendWithdrawal(signed: SignedWithdrawal): Promise<RecordStatus> {
    return sendWithdrawal(this.#context, signed);
  }

  /** Finds the phrase's records in the log: see `recovering.recover`. */
  recover(): Promise<SavedRecord[]> {
    return recover(this.#context);
  }
}
