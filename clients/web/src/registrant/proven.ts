/**
 * Receipts of one's own records: assembled here, and verified before anything is believed.
 *
 * The registry proves that an entry is in its log; only the owner can say what the entry stands for.
 */

import { ProtocolError, StateError, WrongAnswer } from "../errors";
import { type NoteVerifier, Receipt, TlogProof, trusting, verifyReceipt } from "../protocol";
import { type Context, originOf } from "./context";
import { inclusionProof } from "./operations";
import type { SavedRecord } from "./saved-records";

/**
 * The receipt of a record, from the registry's proof of its REGISTER entry.
 *
 * Throws `WrongAnswer`: the proof is none, or does not show this record in the log of this registry
 * at this index.
 */
export function receiptOf(
  record: SavedRecord,
  proof: string,
  verifier: NoteVerifier,
  registerIndex: number,
): Receipt {
  const { opening, statement, imageDigest, ownerPublicKey } = record;
  if (statement === null || imageDigest === null) {
    throw new WrongAnswer("what this record states is not known here, so there is no receipt");
  }
  let receipt: Receipt;
  try {
    const parsed = TlogProof.parse(proof);
    receipt = new Receipt({ opening, statement, imageDigest, ownerPublicKey, proof: parsed });
    verifyReceipt(receipt, trusting(verifier));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new WrongAnswer(`the registry's proof does not hold: ${error.message}`);
  }
  if (receipt.fields.proof.index !== registerIndex) {
    throw new WrongAnswer("the registry's proof is of another entry");
  }
  return receipt;
}

/** The receipt of a registered record: the one kept here, or else proved by the registry anew. */
export async function receipt(context: Context, asked: SavedRecord): Promise<Receipt> {
  const { connection, state } = context;
  await originOf(context);
  const record = await state.current(asked);
  if (record.receipt !== null) return Receipt.parse(record.receipt);
  const { registerIndex, statement } = record;
  if (registerIndex === null || statement === null) {
    throw new StateError(`there is no receipt for record ${record.index}`);
  }
  const proof = await connection.run(inclusionProof(registerIndex));
  const { verifier } = await context.meet();
  const made = receiptOf(record, proof, verifier, registerIndex);
  await state.locked(async () => {
    await state.saveRecord({ ...(await state.current(asked)), receipt: made.encode() });
  });
  return made;
}
