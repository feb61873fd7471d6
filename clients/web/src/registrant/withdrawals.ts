/** A signed withdrawal as text: it can be printed, kept, and sent later without the phrase. */

import { Malformed, ProtocolError } from "../errors";
import {
  type Bytes,
  checkOrigin,
  decodeBase64,
  encodeBase64,
  type OwnerKey,
  verify,
  withdrawMessage,
} from "../protocol";

export const TITLE = "consent-registry/v1/withdrawal";
const MAX_CHARACTERS = 4_096;

/** What withdraws one record, now or at any time; `ProtocolError` where it is not the owner's. */
export class SignedWithdrawal {
  /** The registry's name. */
  readonly origin: string;
  readonly ownerPublicKey: Bytes;
  /** C, 32 bytes. */
  readonly commitment: Bytes;
  /** Of `withdrawMessage`, 64 bytes. */
  readonly signature: Bytes;

  constructor(origin: string, ownerPublicKey: Bytes, commitment: Bytes, signature: Bytes) {
    verify(ownerPublicKey, signature, withdrawMessage(checkOrigin(origin), commitment));
    this.origin = origin;
    this.ownerPublicKey = ownerPublicKey;
    this.commitment = commitment;
    this.signature = signature;
  }

  /** Signs one, to be kept or sent; nothing is sent here. */
  static by(owner: OwnerKey, origin: string, commitment: Bytes): SignedWithdrawal {
    const signature = owner.sign(withdrawMessage(origin, commitment));
    return new SignedWithdrawal(origin, owner.publicKey, commitment, signature);
  }

  /** Five lines, to print or to keep, as the Python client writes and reads them. */
  toText(): string {
    const lines = [
      TITLE,
      `origin: ${this.origin}`,
      `owner: ${encodeBase64(this.ownerPublicKey)}`,
      `commitment: ${encodeBase64(this.commitment)}`,
      `signature: ${encodeBase64(this.signature)}`,
      "",
    ];
    return lines.join("\n");
  }

  /** The withdrawal in a text; what stands before its title is left aside. */
  static fromText(text: string): SignedWithdrawal {
    const at = text.slice(0, MAX_CHARACTERS).indexOf(TITLE);
    const words = text
      .slice(at + TITLE.length, MAX_CHARACTERS)
      .trim()
      .split(/\s+/);
    const [
      originName,
      origin,
      ownerName,
      owner,
      commitmentName,
      commitment,
      signatureName,
      signature,
    ] = words;
    const names = [originName, ownerName, commitmentName, signatureName].join(" ");
    if (at < 0 || names !== "origin: owner: commitment: signature:") throw notOne();
    try {
      return new SignedWithdrawal(
        origin ?? "",
        decodeBase64(owner ?? ""),
        decodeBase64(commitment ?? ""),
        decodeBase64(signature ?? ""),
      );
    } catch (error) {
      throw error instanceof ProtocolError ? notOne() : error;
    }
  }
}

function notOne(): Malformed {
  return new Malformed("not a signed withdrawal, or not signed by the owner it names");
}
