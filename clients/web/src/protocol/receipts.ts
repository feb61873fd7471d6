/**
 * A receipt: the owner's proof that a statement about an image was registered (FORMATS §5).
 *
 * A tlog-proof whose extra data is `r 32 ‖ statement 10 ‖ F 32 ‖ owner public key 32`: what the
 * REGISTER entry is computed from. It holds r, so whoever has it can test a guess: it is its
 * owner's to show. The owner assembles it; the registry's own proofs carry no extra data.
 */

import { Malformed } from "../errors";
import { checkPublicKey, PUBLIC_KEY_BYTES } from "./ed25519";
import { type Bytes, concat, Reader } from "./encoding";
import { OPENING_BYTES, ownerTag } from "./keys";
import { encodeEntry, type Register } from "./log";
import { leafHash } from "./merkle";
import { type Policy, type Vouched, vouch } from "./policies";
import { commitment } from "./records";
import { STATEMENT_BYTES, Statement } from "./statements";
import { TlogProof } from "./tlog-proofs";

export const IMAGE_DIGEST_BYTES = 32;

export interface ReceiptFields {
  /** r, 32 bytes. */
  readonly opening: Bytes;
  readonly statement: Statement;
  /** F, 32 bytes. */
  readonly imageDigest: Bytes;
  /** Ed25519, 32 bytes. */
  readonly ownerPublicKey: Bytes;
  /** Of the REGISTER entry, without extra data. */
  readonly proof: TlogProof;
}

/** What an owner keeps and shows; `Malformed` or `WeakKey` for fields that make none. */
export class Receipt {
  readonly fields: ReceiptFields;

  constructor(fields: ReceiptFields) {
    const { opening, imageDigest, ownerPublicKey, proof } = fields;
    if (opening.length !== OPENING_BYTES || imageDigest.length !== IMAGE_DIGEST_BYTES) {
      throw new Malformed("a receipt's r and F have 32 bytes");
    }
    checkPublicKey(ownerPublicKey);
    if (proof.extra.length > 0) {
      throw new Malformed("a receipt's proof is one of our log, without extra data");
    }
    this.fields = fields;
  }

  /** The REGISTER entry that this is a receipt for. */
  get register(): Register {
    const { opening, statement, imageDigest, ownerPublicKey } = this.fields;
    return {
      type: "REGISTER",
      commitment: commitment(opening, statement.encode(), imageDigest),
      ownerTag: ownerTag(ownerPublicKey),
    };
  }

  /** The receipt's text, a tlog-proof. */
  encode(): string {
    const { opening, statement, imageDigest, ownerPublicKey, proof } = this.fields;
    const extra = concat(opening, statement.encode(), imageDigest, ownerPublicKey);
    return new TlogProof(proof.index, proof.hashes, proof.checkpoint, extra).encode();
  }

  /** The receipt behind its text: well-formed, and nothing of it verified. */
  static parse(text: string): Receipt {
    const proof = TlogProof.parse(text);
    const reader = new Reader(proof.extra);
    const opening = reader.take(OPENING_BYTES);
    const statement = Statement.decode(reader.take(STATEMENT_BYTES));
    const imageDigest = reader.take(IMAGE_DIGEST_BYTES);
    const ownerPublicKey = reader.take(PUBLIC_KEY_BYTES);
    reader.end();
    return new Receipt({
      opening,
      statement,
      imageDigest,
      ownerPublicKey,
      proof: new TlogProof(proof.index, proof.hashes, proof.checkpoint),
    });
  }
}

/**
 * Whether the statement was in the log, and who says so.
 *
 * It is about the log at the checkpoint's size: that the record was withdrawn later, it can not
 * say, nor that the statement did not expire. That the presenter is the owner takes a signature of
 * the owner's key.
 *
 * Throws `BadNote` and `BadCheckpoint` as `vouch`; `BadProof`: the entry is not shown to be there.
 */
export function verifyReceipt(receipt: Receipt, policy: Policy): Vouched {
  const { proof } = receipt.fields;
  const vouched = vouch(policy, proof.checkpoint);
  proof.verify(leafHash(encodeEntry(receipt.register)), vouched.checkpoint);
  return vouched;
}
