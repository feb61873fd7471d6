/** What a dropped file is, and whether it holds; pure. */

import { ProtocolError } from "../errors";
import {
  Checkpoint,
  type NoteVerifier,
  Receipt,
  splitNote,
  trusting,
  verifyReceipt,
  vouch,
} from "../protocol";
import type { SavedRecord } from "../registrant";
import { follow, type Placed } from "../registrant/own-log";
import { SignedWithdrawal, TITLE } from "../registrant/withdrawals";

const PROOF_TITLE = "c2sp.org/tlog-proof@v1";
/** Receipts have some kilobytes; what is longer is something else. */
export const MAX_CHARACTERS = 1 << 20;

/** What came of a text. */
export type Finding =
  /** `others`: names of further signatures on the checkpoint, not checked. */
  | {
      readonly kind: "receipt";
      readonly receipt: Receipt;
      readonly checkpoint: Checkpoint;
      readonly others: readonly string[];
    }
  | { readonly kind: "withdrawal"; readonly signed: SignedWithdrawal }
  | {
      readonly kind: "checkpoint";
      readonly checkpoint: Checkpoint;
      readonly others: readonly string[];
    }
  /** Of a registry whose key is not known here. */
  | { readonly kind: "foreign"; readonly origin: string }
  /** It is of a kind that is known, and does not hold. */
  | { readonly kind: "wrong"; readonly error: ProtocolError }
  | { readonly kind: "unknown" };

/** Looks at a text, by the keys of registries that are trusted. */
export function examine(text: string, verifiers: readonly NoteVerifier[]): Finding {
  if (text.length > MAX_CHARACTERS) return { kind: "unknown" };
  const plain = `${text.replaceAll("\r\n", "\n").trim()}\n`;
  try {
    if (plain.startsWith(PROOF_TITLE)) return receiptIn(plain, verifiers);
    if (plain.includes(TITLE)) {
      return { kind: "withdrawal", signed: SignedWithdrawal.fromText(plain) };
    }
    if (isCheckpoint(plain)) return checkpointIn(plain, verifiers);
  } catch (error) {
    if (error instanceof ProtocolError) return { kind: "wrong", error };
    throw error;
  }
  return { kind: "unknown" };
}

function receiptIn(text: string, verifiers: readonly NoteVerifier[]): Finding {
  const receipt = Receipt.parse(text);
  const note = receipt.fields.proof.checkpoint;
  const { origin } = Checkpoint.parse(splitNote(note).text);
  const verifier = verifiers.find(({ name }) => name === origin);
  if (verifier === undefined) return { kind: "foreign", origin };
  const { checkpoint } = verifyReceipt(receipt, trusting(verifier));
  return { kind: "receipt", receipt, checkpoint, others: othersOn(note, verifier) };
}

function checkpointIn(note: string, verifiers: readonly NoteVerifier[]): Finding {
  const { origin } = Checkpoint.parse(splitNote(note).text);
  const verifier = verifiers.find(({ name }) => name === origin);
  if (verifier === undefined) return { kind: "foreign", origin };
  const { checkpoint } = vouch(trusting(verifier), note);
  return { kind: "checkpoint", checkpoint, others: othersOn(note, verifier) };
}

function isCheckpoint(text: string): boolean {
  try {
    Checkpoint.parse(splitNote(text).text);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** Names of the signatures on a note that are not this key's; nobody has checked them. */
export function othersOn(note: string, verifier: NoteVerifier): string[] {
  const others = splitNote(note).signatures.filter(
    (line) => !line.by(verifier.name, verifier.keyHash),
  );
  return others.map(({ name }) => name);
}

/** What the log says of a receipt's record by now. */
export type Since =
  | { readonly kind: "active"; readonly size: number }
  | {
      readonly kind: "ended";
      readonly status: "WITHDRAWN" | "ERASED" | "EXPIRED";
      readonly index: number;
    }
  | { readonly kind: "lost" };

/** Follows the record of a verified receipt through the log; throws what `log` throws. */
export async function sinceThen(
  receipt: Receipt,
  origin: string,
  log: AsyncIterable<Placed>,
): Promise<Since> {
  const { proof } = receipt.fields;
  const record = recordOf(receipt, origin);
  const { ended, lost, size } = await follow(origin, log, new Map([[proof.index, record]]));
  const ending = ended.get(proof.index);
  if (lost.has(proof.index)) return { kind: "lost" };
  if (ending === undefined || ending.status === "ACTIVE") return { kind: "active", size };
  return { kind: "ended", status: ending.status, index: ending.index };
}

/** A record as its owner would keep it, as far as a receipt tells. */
function recordOf({ fields, register }: Receipt, origin: string): SavedRecord {
  return {
    origin,
    index: 0,
    label: "",
    opening: fields.opening,
    imageDigest: fields.imageDigest,
    statement: fields.statement,
    ownerPublicKey: fields.ownerPublicKey,
    commitment: register.commitment,
    stage: "registered",
    request: null,
    keptList: null,
    sendAfter: 0,
    registerIndex: fields.proof.index,
    status: null,
    terminalIndex: null,
    askedDigest: null,
    leftOut: [],
    movedTo: null,
    protection: null,
    receipt: null,
  };
}
