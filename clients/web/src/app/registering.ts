/** Registering one picture to its end: a receipt that this page has verified itself. */

import { RegistryProblem, WrongAnswer } from "../errors";
import {
  type Fingerprints,
  imageDigest,
  Receipt,
  type Statement,
  sameBytes,
  trusting,
  type Vouched,
  verifyReceipt,
} from "../protocol";
import { isActive, type Registrant, type SavedRecord } from "../registrant";

/** What is to be registered. */
export interface Wanted {
  readonly fingerprints: Fingerprints;
  readonly statement: Statement;
  readonly label: string;
}

/** A picture that is registered, as this page has checked. */
export interface Registered {
  readonly record: SavedRecord;
  /** Text of its receipt. */
  readonly receipt: string;
  readonly vouched: Vouched;
}

/**
 * Registers a picture; what the registry finds too generic is left out, once.
 *
 * Throws what `Registrant.send` throws. `WrongAnswer`: the receipt does not show what was wanted.
 */
export async function registerPicture(
  registrant: Registrant,
  wanted: Wanted,
  onChecking: () => void = () => undefined,
): Promise<Registered> {
  const saved = await registrant.save(wanted);
  const record = await sentWithout(registrant, saved);
  onChecking();
  const { verifier } = await registrant.meet();
  const receipt = await registrant.receipt(record);
  const vouched = verifyReceipt(receipt, trusting(verifier));
  checkShows(receipt, record, wanted);
  return { record, receipt: receipt.encode(), vouched };
}

async function sentWithout(registrant: Registrant, saved: SavedRecord): Promise<SavedRecord> {
  try {
    return await registrant.send(saved);
  } catch (error) {
    if (!(error instanceof RegistryProblem) || error.problemCode !== "TOO_GENERIC") throw error;
    const rest = [...error.spaces];
    try {
      return await registrant.send(await registrant.leaveOut(saved, rest));
    } catch (again) {
      // Nothing would be left: the registry's own words say it better.
      throw again instanceof WrongAnswer ? error : again;
    }
  }
}

/** The receipt is of this picture, this statement and this record; `WrongAnswer` otherwise. */
export function checkShows(receipt: Receipt, record: SavedRecord, wanted: Wanted): void {
  const kept = [...wanted.fingerprints].filter(([space]) => !record.leftOut.includes(space));
  const { fields } = Receipt.parse(receipt.encode());
  const shown =
    isActive(record) &&
    record.stage === "registered" &&
    fields.proof.index === record.registerIndex &&
    sameBytes(fields.imageDigest, imageDigest(new Map(kept))) &&
    sameBytes(fields.statement.encode(), wanted.statement.encode()) &&
    sameBytes(fields.ownerPublicKey, record.ownerPublicKey);
  if (!shown) throw new WrongAnswer("the receipt is not of what was registered");
}
