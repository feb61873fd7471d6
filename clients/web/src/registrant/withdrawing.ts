/** Taking records back. */

import { RegistryProblem, WrongAnswer } from "../errors";
import { deriveOwner, sameBytes } from "../protocol";
import { type Context, originOf } from "./context";
import { type Withdrawal, withdraw } from "./operations";
import type { RecordStatus } from "./records";
import { arrives } from "./registering";
import type { SavedRecord } from "./saved-records";
import { SignedWithdrawal } from "./withdrawals";

/** The statement that withdraws a record, to be kept; nothing is sent, no network is needed. */
export async function signedWithdrawal(
  { state }: Pick<Context, "state">,
  record: SavedRecord,
): Promise<SignedWithdrawal> {
  const { origin, index, commitment } = await state.current(record);
  const owner = deriveOwner(await state.seed(), origin, index);
  return SignedWithdrawal.by(owner, origin, commitment);
}

/**
 * Takes a record back; one that was never sent is just dropped.
 *
 * Where no answer to its registration was heard, the wish is written down before anything is sent:
 * from then on it is only ever sent to be withdrawn. Call it again after a failure.
 */
export async function withdrawRecord(context: Context, asked: SavedRecord): Promise<SavedRecord> {
  const { state } = context;
  await originOf(context);
  const record = await state.locked(async () => {
    const current = await state.current(asked);
    if (current.stage === "waiting") return drop(context, current);
    if (current.stage === "sent") return state.saveRecord({ ...current, stage: "withdrawing" });
    return current;
  });
  if (record.stage === "dropped") return record;
  const signed = await signedWithdrawal(context, record);
  const owner = deriveOwner(await state.seed(), record.origin, record.index);
  const answer = await withdrawn(context, record, signed);
  if (answer !== null && !sameBytes(answer.recordId, owner.recordId)) {
    throw new WrongAnswer("the registry answered for another record");
  }
  return state.locked(async () => {
    const current = await state.current(record);
    if (answer === null) return drop(context, current);
    return state.saveRecord({
      ...current,
      stage: "registered",
      keptList: null,
      registerIndex: answer.registerIndex,
      status: answer.status,
      terminalIndex: answer.terminalIndex,
    });
  });
}

/** The answer; null where the registry does not have it and never will. */
async function withdrawn(
  context: Context,
  record: SavedRecord,
  signed: SignedWithdrawal,
): Promise<Withdrawal | null> {
  const { connection } = context;
  try {
    return await connection.run(withdraw(signed));
  } catch (error) {
    const unknown = error instanceof RegistryProblem && error.problemCode === "NOT_YOURS";
    if (!unknown || record.stage === "registered") throw error;
  }
  if (record.stage === "lost" || !(await arrives(context, record))) return null;
  return connection.run(withdraw(signed));
}

/** Records taken back of which the registry has not confirmed it. */
export async function withdrawing(context: Context): Promise<SavedRecord[]> {
  const records = await context.state.records(await originOf(context));
  return records.filter(({ stage }) => stage === "withdrawing");
}

/** Sends a withdrawal that was kept; needs no phrase. `WrongAnswer`: for another registry. */
export async function sendWithdrawal(
  context: Context,
  signed: SignedWithdrawal,
): Promise<RecordStatus> {
  const origin = await originOf(context);
  if (signed.origin !== origin) {
    throw new WrongAnswer(`this withdrawal is for the registry "${signed.origin}"`);
  }
  return (await context.connection.run(withdraw(signed))).status;
}

async function drop({ state }: Context, record: SavedRecord): Promise<SavedRecord> {
  return state.saveRecord({ ...record, stage: "dropped", keptList: null });
}
