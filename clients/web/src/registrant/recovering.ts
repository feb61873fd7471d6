/** Finding a phrase's records in the log, and reading them back. */

import { ProtocolError, WrongAnswer } from "../errors";
import {
  type Bytes,
  commitment,
  deriveOwner,
  readMessage,
  Statement,
  sameBytes,
} from "../protocol";
import { type Context, originOf } from "./context";
import { challenge, type OwnRecord, ownRecord } from "./operations";
import { FIRST_WINDOW, findOwned, logEntries, type Owned, windowSuffices } from "./own-log";
import { isUnanswered, type SavedRecord } from "./saved-records";

/** This phrase's records in the log, by number. */
export async function ownedRecords(context: Context, seed: Bytes): Promise<Owned[]> {
  const { info } = await context.meet();
  for (let window = FIRST_WINDOW; ; window *= 2) {
    const log = logEntries(context.connection, info);
    const owned = await findOwned(seed, info.origin, log, window);
    if (windowSuffices(owned, window)) return owned;
  }
}

/** The number after the last of these; 0 where there is none. */
export const beyond = (owned: readonly Owned[]): number => (owned.at(-1)?.index ?? -1) + 1;

/** Reads a record of ours from the registry, by signature; `WrongAnswer` for another than it is. */
export async function readBack(context: Context, index: number): Promise<OwnRecord> {
  const { connection, state } = context;
  const origin = await originOf(context);
  const owner = deriveOwner(await state.seed(), origin, index);
  const { recordId, publicKey: ownerPublicKey } = owner;
  const { nonce } = await connection.run(challenge(recordId));
  const signature = owner.sign(readMessage(origin, recordId, nonce));
  const held = await connection.run(ownRecord({ recordId, ownerPublicKey, nonce, signature }));
  if (!sameBytes(held.recordId, recordId)) {
    throw new WrongAnswer("the registry answered for another record");
  }
  if (held.statement !== null && held.imageDigest !== null) {
    const made = commitment(owner.opening, held.statement, held.imageDigest);
    if (!sameBytes(made, held.commitment)) {
      throw new WrongAnswer(`what the registry holds as record ${index} was not signed so`);
    }
  }
  return held;
}

/** Reads a record back and checks it against what is kept here; `WrongAnswer` where it differs. */
export async function check(context: Context, record: SavedRecord): Promise<OwnRecord> {
  const { state } = context;
  await state.current(record);
  const held = await readBack(context, record.index);
  if (!sameBytes(held.commitment, record.commitment)) {
    throw new WrongAnswer(`the registry holds something else as record ${record.index}`);
  }
  if (held.statement !== null) {
    await state.locked(async () => {
      const current = await state.current(record);
      await state.saveRecord({ ...current, protection: held.protection });
    });
  }
  return held;
}

/**
 * Finds this phrase's records in the log and writes down those that are missing here.
 *
 * Reads the whole log; then reads each own record by signature, separately, and checks that it is
 * what was committed to. Returns all that were found.
 */
export async function recover(context: Context): Promise<SavedRecord[]> {
  const { state } = context;
  const origin = await originOf(context);
  const seed = await state.seed();
  const owned = await ownedRecords(context, seed);
  const found: SavedRecord[] = [];
  for (const each of owned) found.push(await recovered(context, seed, origin, each));
  await state.locked(async () => {
    const pinned = await state.pinned(origin);
    const nextIndex = Math.max(beyond(owned), pinned.nextIndex);
    await state.saveRegistry({ ...pinned, nextIndex, seen: 0 });
  });
  return found;
}

async function recovered(
  context: Context,
  seed: Bytes,
  origin: string,
  owned: Owned,
): Promise<SavedRecord> {
  const { state } = context;
  const { index, register, registerIndex } = owned;
  const held = await readBack(context, index);
  const agreed =
    sameBytes(held.commitment, register.commitment) && held.registerIndex === registerIndex;
  if (!agreed) throw new WrongAnswer(`the registry and its log disagree about record ${index}`);
  return state.locked(async () => {
    const kept = await state.record(origin, index);
    const ours = kept !== null && sameBytes(kept.commitment, held.commitment);
    // One that is not sent yet takes the next free number when it is.
    if (kept !== null && !ours && isUnanswered(kept)) return kept;
    const before = ours ? kept : blank(seed, origin, index, held);
    return state.saveRecord({
      ...before,
      stage: "registered",
      keptList: null,
      registerIndex: held.registerIndex,
      status: held.status,
      terminalIndex: held.terminalIndex,
      protection: held.statement === null ? null : held.protection,
    });
  });
}

/** What is known of a record that this device did not make. */
function blank(seed: Bytes, origin: string, index: number, held: OwnRecord): SavedRecord {
  const { opening, publicKey: ownerPublicKey } = deriveOwner(seed, origin, index);
  return {
    origin,
    index,
    label: "",
    opening,
    imageDigest: held.imageDigest,
    statement: held.statement && statementOf(held.statement),
    ownerPublicKey,
    commitment: held.commitment,
    stage: "registered",
    request: null,
    keptList: null,
    sendAfter: 0,
    registerIndex: held.registerIndex,
    status: held.status,
    terminalIndex: held.terminalIndex,
    askedDigest: null,
    leftOut: [],
    movedTo: null,
    protection: null,
    receipt: null,
  };
}

function statementOf(data: Bytes): Statement {
  try {
    return Statement.decode(data);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new WrongAnswer(`the registry holds a statement that is none: ${error.message}`);
  }
}
