/**
 * Registering: everything is written down before it is sent, and what was sent is sent again byte
 * for byte until the registry has answered.
 */

import { LogShortened, RecordsLost, RegistryProblem, StateError, WrongAnswer } from "../errors";
import {
  type Bytes,
  buildRegistration,
  dayOf,
  deriveOwner,
  type Fingerprints,
  imageDigest,
  type RegistrationRequest,
  type SealingKey,
  type Statement,
  sameBytes,
  usableKey,
} from "../protocol";
import { type Context, originOf } from "./context";
import { followRecords } from "./following";
import { challenge, type Registration, register } from "./operations";
import { receiptOf } from "./proven";
import { beyond, ownedRecords } from "./recovering";
import {
  isActive,
  isUnanswered,
  keepList,
  keptFingerprints,
  MAX_LABEL_CHARACTERS,
  type SavedRecord,
} from "./saved-records";

/**
 * How often one record is sealed anew, given another number or another proof of work in one send.
 * Each happens once at most with an honest registry.
 */
export const MAX_ATTEMPTS = 5;

const SEAL_AGAIN: ReadonlySet<string> = new Set(["SEALING_KEY_EXPIRED", "SEALING_KEY_UNKNOWN"]);
/** Refusals of a registration that hold for its bytes for ever. */
const NEVER_TAKEN: ReadonlySet<string> = new Set([
  ...SEAL_AGAIN,
  "CONFLICT",
  "INVALID_INPUT",
  "SEAL_REJECTED",
  "SIGNATURE_REJECTED",
  "TOO_GENERIC",
]);

/** What is to be registered. */
export interface Wish {
  readonly fingerprints: Fingerprints;
  readonly statement: Statement;
  /** What the person calls it; it stays on this device. */
  readonly label?: string;
  /** Seconds since 1970 before which it should not be sent. */
  readonly sendAfter?: number;
}

/**
 * Seals a record and writes it down; nothing of it is sent. An active record of the same picture
 * with the same statement is returned instead.
 */
export async function save(context: Context, wish: Wish): Promise<SavedRecord> {
  const { state } = context;
  const origin = await originOf(context);
  const seed = await state.seed();
  const digest = imageDigest(wish.fingerprints);
  const same = async (): Promise<SavedRecord | undefined> =>
    (await state.records(origin)).find((record) => isSame(record, digest, wish));
  // It may have ended since, or have been lost: what was asked for is then registered anew.
  if ((await same())?.stage === "registered") await followQuietly(context);
  const key = await currentKey(context);
  return state.locked(async () => {
    const kept = await same();
    if (kept !== undefined) return kept;
    const index = await state.takeIndex(origin);
    return saveAs(context, seed, origin, index, wish, key);
  });
}

async function followQuietly(context: Context): Promise<void> {
  try {
    await followRecords(context);
  } catch (error) {
    // Lost records are marked as such, and shown by who follows the log.
    if (!(error instanceof RecordsLost || error instanceof LogShortened)) throw error;
  }
}

/** The sealing key of today. Not to be asked for under the lock: meeting takes it too. */
async function currentKey(context: Context, again = false): Promise<SealingKey> {
  const { sealingKeys } = await context.meet(again);
  return usableKey(sealingKeys, dayOf(context.now()));
}

function isSame(record: SavedRecord, digest: Bytes, { statement }: Wish): boolean {
  const digests = [record.imageDigest, record.askedDigest];
  return (
    isActive(record) &&
    record.statement !== null &&
    sameBytes(record.statement.encode(), statement.encode()) &&
    digests.some((each) => each !== null && sameBytes(each, digest))
  );
}

async function saveAs(
  context: Context,
  seed: Bytes,
  origin: string,
  index: number,
  { fingerprints, statement, label = "", sendAfter = 0 }: Wish,
  key: SealingKey,
): Promise<SavedRecord> {
  const owner = deriveOwner(seed, origin, index);
  const request = await buildRegistration(owner, origin, statement, fingerprints, key);
  const { opening, publicKey: ownerPublicKey } = owner;
  return context.state.saveRecord({
    origin,
    index,
    label: label.slice(0, MAX_LABEL_CHARACTERS),
    opening,
    imageDigest: imageDigest(fingerprints),
    statement,
    ownerPublicKey,
    commitment: request.fields.commitment,
    stage: "waiting",
    request,
    keptList: await keepList(seed, origin, index, fingerprints),
    sendAfter,
    registerIndex: null,
    status: null,
    terminalIndex: null,
    askedDigest: null,
    leftOut: [],
    movedTo: null,
    protection: null,
    receipt: null,
  });
}

/**
 * Sends a saved record until it is registered; one that is already is returned as it is.
 *
 * Returns the record as it is now, maybe under another number: where another device with the same
 * phrase had taken its number, it gets the next free one.
 *
 * Throws `RegistryProblem`: the registry refuses it; where the code is `TOO_GENERIC`, it takes what
 * `leaveOut` leaves.
 */
export async function send(context: Context, record: SavedRecord): Promise<SavedRecord> {
  await originOf(context);
  let current = record;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    current = await context.state.current(current);
    if (!isUnanswered(current)) return current;
    current = await sendOnce(context, current);
  }
  throw new WrongAnswer("the registry keeps asking for the record in another form");
}

/** One try. Without the lock while it waits: what else this person wants can not wait. */
async function sendOnce(context: Context, record: SavedRecord): Promise<SavedRecord> {
  const { state } = context;
  const request = requestOf(record);
  const proof = await proofFor(context, request);
  const marked = await state.locked(async () => {
    const current = await state.current(record);
    if (!isStill(current, request)) return null;
    return state.saveRecord({ ...current, stage: "sent" });
  });
  if (marked === null) return state.current(record);
  let answer: Registration;
  try {
    answer = await registered(context, request, proof);
  } catch (error) {
    if (!(error instanceof RegistryProblem)) throw error;
    return afterRefusal(context, record, request, error);
  }
  const { verifier } = await context.meet();
  const receipt = receiptOf(record, answer.proof, verifier, answer.registerIndex);
  return state.locked(async () => {
    const current = await state.current(record);
    // It may have been withdrawn meanwhile, by another page.
    if (current.stage !== "sent" || !isStill(current, request)) return current;
    await seeAgainFrom(context, current.origin, answer.registerIndex);
    return state.saveRecord({
      ...current,
      stage: "registered",
      keptList: null,
      registerIndex: answer.registerIndex,
      status: answer.status,
      protection: answer.protection,
      receipt: receipt.encode(),
    });
  });
}

async function proofFor(context: Context, request: RegistrationRequest): Promise<string> {
  const { recordId } = request.fields;
  const { proofOfWork } = await context.connection.run(challenge(recordId));
  return context.solve(proofOfWork, recordId, context.onWork);
}

async function registered(
  context: Context,
  request: RegistrationRequest,
  proof: string,
): Promise<Registration> {
  const answer = await context.connection.run(register(request, proof));
  if (!sameBytes(answer.recordId, request.fields.recordId)) {
    throw new WrongAnswer("the registry answered for another record");
  }
  return answer;
}

/** An answer lost to a crash may be older than where the log was read to since. */
async function seeAgainFrom({ state }: Context, origin: string, index: number): Promise<void> {
  const pinned = await state.pinned(origin);
  if (index < pinned.seen) await state.saveRegistry({ ...pinned, seen: index });
}

async function afterRefusal(
  context: Context,
  record: SavedRecord,
  request: RegistrationRequest,
  problem: RegistryProblem,
): Promise<SavedRecord> {
  const { state } = context;
  const current = await state.current(record);
  if (!isStill(current, request)) return current;
  if (SEAL_AGAIN.has(problem.problemCode)) return sealAgain(context, current, request);
  if (problem.problemCode === "CONFLICT") return renumber(context, current);
  // It expired on the way: another is solved.
  if (problem.problemCode === "PROOF_OF_WORK_REJECTED") return current;
  throw problem;
}

/** The same r, statement and F, sealed to a current key: the same C. */
async function sealAgain(
  context: Context,
  record: SavedRecord,
  request: RegistrationRequest,
): Promise<SavedRecord> {
  const { state } = context;
  const { origin, index, statement } = record;
  const key = await currentKey(context, true);
  const seed = await state.seed();
  const made = await keptFingerprints(seed, record);
  const owner = deriveOwner(seed, origin, index);
  const said = statementOf(record, statement);
  const again = await buildRegistration(owner, origin, said, made, key);
  if (!sameBytes(again.fields.commitment, record.commitment)) {
    throw new StateError(`the kept fingerprints of record ${index} are damaged`);
  }
  return state.locked(async () => {
    const current = await state.current(record);
    if (!isStill(current, request)) return current;
    return state.saveRecord({ ...current, request: again });
  });
}

/**
 * Its number is in use, from another device with this phrase: take the next free one.
 *
 * Which one is written down first: after a crash the picture is not registered twice.
 */
async function renumber(context: Context, record: SavedRecord): Promise<SavedRecord> {
  const { state } = context;
  const { origin } = record;
  const seed = await state.seed();
  const taken = record.movedTo === null ? beyond(await ownedRecords(context, seed)) : 0;
  const key = await currentKey(context);
  return state.locked(async () => {
    const current = await state.current(record);
    if (!isUnanswered(current)) return current;
    const number = current.movedTo ?? (await nextFree(context, origin, taken));
    await state.saveRecord({ ...current, movedTo: number });
    const moved =
      (await state.record(origin, number)) ?? (await movedAs(context, seed, current, number, key));
    await state.saveRecord({ ...current, stage: "dropped", keptList: null, movedTo: number });
    return moved;
  });
}

async function nextFree({ state }: Context, origin: string, taken: number): Promise<number> {
  const pinned = await state.pinned(origin);
  const nextIndex = Math.max(taken, pinned.nextIndex);
  await state.saveRegistry({ ...pinned, nextIndex });
  return state.takeIndex(origin);
}

async function movedAs(
  context: Context,
  seed: Bytes,
  record: SavedRecord,
  number: number,
  key: SealingKey,
): Promise<SavedRecord> {
  const { origin, label, sendAfter, askedDigest, leftOut } = record;
  const fingerprints = await keptFingerprints(seed, record);
  const statement = statementOf(record, record.statement);
  const wish = { fingerprints, statement, label, sendAfter };
  const moved = await saveAs(context, seed, origin, number, wish, key);
  return context.state.saveRecord({ ...moved, askedDigest, leftOut });
}

/**
 * Seals a record, refused as `TOO_GENERIC`, anew without the spaces that refusal names; nothing is
 * sent. It keeps its number: nothing was stored of what the registry refused.
 *
 * Throws `WrongAnswer`: they are not the record's, or nothing would be left of it.
 */
export async function leaveOut(
  context: Context,
  record: SavedRecord,
  spaces: readonly string[],
): Promise<SavedRecord> {
  const { state } = context;
  const key = await currentKey(context);
  const seed = await state.seed();
  return state.locked(async () => {
    const current = await state.current(record);
    if (!isUnanswered(current)) return current;
    const { origin, index } = current;
    const owner = deriveOwner(seed, origin, index);
    const made = await keptFingerprints(seed, current);
    const rest = new Map([...made].filter(([space]) => !spaces.includes(space)));
    if (rest.size === 0 || spaces.length === 0 || !spaces.every((space) => made.has(space))) {
      throw new WrongAnswer("without these spaces nothing of the picture can be registered");
    }
    const statement = statementOf(current, current.statement);
    const request = await buildRegistration(owner, origin, statement, rest, key);
    return state.saveRecord({
      ...current,
      imageDigest: imageDigest(rest),
      commitment: request.fields.commitment,
      request,
      keptList: await keepList(seed, origin, index, rest),
      stage: "waiting",
      askedDigest: current.askedDigest ?? current.imageDigest,
      leftOut: [...new Set([...current.leftOut, ...spaces])].sort(),
    });
  });
}

/** Saved records that the registry has not answered for, the next due first. */
export async function pending(context: Context): Promise<SavedRecord[]> {
  const records = await context.state.records(await originOf(context));
  return records
    .filter(isUnanswered)
    .sort((left, right) => left.sendAfter - right.sendAfter || left.index - right.index);
}

/**
 * Sends a registration of which no answer was heard to its end: it is under way no longer.
 *
 * Returns whether the registry has it now.
 */
export async function arrives(context: Context, record: SavedRecord): Promise<boolean> {
  const request = requestOf(record);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      await registered(context, request, await proofFor(context, request));
      return true;
    } catch (error) {
      if (!(error instanceof RegistryProblem)) throw error;
      if (NEVER_TAKEN.has(error.problemCode)) return false;
      if (error.problemCode !== "PROOF_OF_WORK_REJECTED") throw error;
    }
  }
  throw new WrongAnswer("the registry keeps asking for another proof of work");
}

/** Whether a record is still to be answered for, in these very bytes. */
function isStill(record: SavedRecord, request: RegistrationRequest): boolean {
  const same = record.request && sameBytes(record.request.fields.sealed, request.fields.sealed);
  return isUnanswered(record) && same === true;
}

function requestOf({ index, request }: SavedRecord): RegistrationRequest {
  if (request === null) throw new StateError(`record ${index} holds nothing to send`);
  return request;
}

function statementOf({ index }: SavedRecord, statement: Statement | null): Statement {
  if (statement === null) throw new StateError(`record ${index} holds no statement`);
  return statement;
}
