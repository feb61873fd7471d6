/**
 * A proof that an entry is in a log, to be checked without the log (https://c2sp.org/tlog-proof).
 *
 *     c2sp.org/tlog-proof@v1
 *     extra <base64>              only where there is extra data
 *     index <decimal>
 *     <base64>                    the hashes of the inclusion proof, from the leaf up, none or more
 *                                 an empty line, then the checkpoint, a signed note, as it is
 */

import { Malformed } from "../errors";
import { Checkpoint, decimal } from "./checkpoints";
import { type Bytes, decodeBase64, encodeBase64 } from "./encoding";
import { HASH_BYTES, MAX_PROOF_HASHES, MAX_SIZE, verifyInclusion } from "./merkle";
import { splitNote } from "./notes";

/** Of data that nothing about the format vouches for; a receipt has 106. */
export const MAX_EXTRA_BYTES = 16_384;

const TITLE = "c2sp.org/tlog-proof@v1";
const EXTRA = "extra ";
const INDEX = "index ";
const MAX_EXTRA_TEXT = Math.ceil(MAX_EXTRA_BYTES / 3) * 4;
const NO_EXTRA = new Uint8Array(0);

/** A proof as it was read: well-formed, and nothing of it verified. */
export class TlogProof {
  /** Of the entry, from 0. */
  readonly index: number;
  /** Of the inclusion proof, 32 bytes each. */
  readonly hashes: readonly Bytes[];
  /** The signed note, as it is. */
  readonly checkpoint: string;
  /** Opaque and not vouched for; empty where there is none. */
  readonly extra: Bytes;

  constructor(
    index: number,
    hashes: readonly Bytes[],
    checkpoint: string,
    extra: Bytes = NO_EXTRA,
  ) {
    if (!(index >= 0 && index < MAX_SIZE)) throw new Malformed("a proof's index is out of range");
    if (hashes.length > MAX_PROOF_HASHES || hashes.some((each) => each.length !== HASH_BYTES)) {
      throw new Malformed("a proof has at most 63 hashes of 32 bytes");
    }
    if (extra.length > MAX_EXTRA_BYTES) throw new Malformed("a proof's extra data is too long");
    Checkpoint.parse(splitNote(checkpoint).text);
    this.index = index;
    this.hashes = hashes;
    this.checkpoint = checkpoint;
    this.extra = extra;
  }

  /** The proof's text. */
  encode(): string {
    const lines = [TITLE];
    if (this.extra.length > 0) lines.push(EXTRA + encodeBase64(this.extra));
    lines.push(`${INDEX}${this.index}`, ...this.hashes.map(encodeBase64));
    return `${lines.join("\n")}\n\n${this.checkpoint}`;
  }

  /** The proof behind its text; `ProtocolError` for anything `encode` would not have written. */
  static parse(text: string): TlogProof {
    const at = text.indexOf("\n\n");
    const [title, ...lines] = text.slice(0, Math.max(at, 0)).split("\n", MAX_PROOF_HASHES + 4);
    if (at < 0 || title !== TITLE) throw new Malformed("not a proof of a log");
    const extra = lines[0]?.startsWith(EXTRA) ? decodeExtra(lines.shift() ?? "") : NO_EXTRA;
    const index = lines.shift();
    if (!index?.startsWith(INDEX)) throw new Malformed("a proof without an index");
    return new TlogProof(
      decimal(index.slice(INDEX.length)),
      lines.map(decodeBase64),
      text.slice(at + 2),
      extra,
    );
  }

  /** Whether a leaf hash is at this index of the tree of this proof's own, verified checkpoint. */
  verify(leaf: Bytes, checkpoint: Checkpoint): void {
    verifyInclusion(leaf, this.index, checkpoint.size, this.hashes, checkpoint.root);
  }
}

function decodeExtra(line: string): Bytes {
  const text = line.slice(EXTRA.length);
  if (text === "" || text.length > MAX_EXTRA_TEXT) {
    throw new Malformed("extra data that is empty or too long");
  }
  return decodeBase64(text);
}
