/** What became of the records kept here, as the public log says. */

import { LogShortened, RecordsLost } from "../errors";
import { type Context, originOf } from "./context";
import { type Followed, follow, logEntries } from "./own-log";
import type { SavedRecord } from "./saved-records";

/**
 * All records here, with what became of them.
 *
 * The log is read from where it was read last; the registry is not asked for single records, and
 * does not learn which belong together.
 *
 * Throws `RecordsLost`: the log does not hold some of them any more, or something else in their
 * place; they are marked as lost, everything else is up to date, and the next call does not throw
 * it again. `LogShortened`: likewise entries are gone, but none of ours. `WrongAnswer`: the log can
 * not be read.
 */
export async function followRecords(context: Context): Promise<SavedRecord[]> {
  const { state } = context;
  const origin = await originOf(context);
  const pinned = await state.pinned(origin);
  const records = new Map<number, SavedRecord>();
  for (const record of await state.records(origin)) {
    const { stage, registerIndex } = record;
    if (stage === "registered" && registerIndex !== null) records.set(registerIndex, record);
  }
  if (records.size > 0) await settleAll(context, origin, pinned.seen, records);
  return state.records(origin);
}

async function settleAll(
  context: Context,
  origin: string,
  seen: number,
  records: ReadonlyMap<number, SavedRecord>,
): Promise<void> {
  const { state } = context;
  const { found, shortened } = await readLog(context, seen, records);
  await state.locked(async () => {
    for (const record of records.values()) await settle(context, record, found);
    const now = await state.pinned(origin);
    const anew = shortened !== null || found.lost.size > 0;
    // Where another page has moved the mark meanwhile, the log is to be read again from there.
    if (anew || now.seen === seen) {
      await state.saveRegistry({ ...now, seen: anew ? found.size : Math.max(found.size, seen) });
    }
  });
  if (found.lost.size > 0) {
    const numbers = [...found.lost].map((at) => records.get(at)?.index ?? 0);
    throw lostError(numbers.sort((left, right) => left - right));
  }
  if (shortened !== null) throw shortened;
}

async function readLog(
  context: Context,
  seen: number,
  records: ReadonlyMap<number, SavedRecord>,
): Promise<{ found: Followed; shortened: LogShortened | null }> {
  const { info } = await context.meet();
  const from = (start: number): Promise<Followed> =>
    follow(info.origin, logEntries(context.connection, info, start), records);
  try {
    return { found: await from(seen), shortened: null };
  } catch (error) {
    if (!(error instanceof LogShortened)) throw error;
    return { found: await from(0), shortened: error };
  }
}

async function settle({ state }: Context, record: SavedRecord, found: Followed): Promise<void> {
  const current = await state.record(record.origin, record.index);
  const at = record.registerIndex;
  if (current === null || at === null || current.stage !== "registered") return;
  const ending = found.ended.get(at);
  if (found.lost.has(at)) {
    await state.saveRecord({ ...current, stage: "lost" });
  } else if (ending !== undefined && current.terminalIndex === null) {
    // The first ending stays.
    await state.saveRecord({ ...current, status: ending.status, terminalIndex: ending.index });
  }
}

function lostError(numbers: readonly number[]): RecordsLost {
  const named = numbers.map((number) => `#${number}`).join(", ");
  return new RecordsLost(
    `the registry's log does not hold ${named} any more, which the registry had acknowledged. ` +
      "These records protect nothing now: protect their pictures again. Keep your receipts: they " +
      "show what was promised.",
    numbers,
  );
}
