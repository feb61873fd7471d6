/**
 * Checkpoints: what a log says its tree is (https://c2sp.org/tlog-checkpoint).
 *
 * The text of a signed note: the log's origin, the tree's size in decimal, the root in base64, each
 * on a line, and further lines that are opaque. The log's key has the origin as its name. Sizes
 * beyond 2⁵³-1 are refused: no log of ours comes there.
 */

import { BadCheckpoint, Malformed } from "../errors";
import { type Bytes, decodeBase64, encodeBase64, sameBytes, utf8 } from "./encoding";
import { EMPTY_ROOT, HASH_BYTES, MAX_SIZE } from "./merkle";
import { type NoteSigner, type NoteVerifier, verifyNote } from "./notes";
import { checkOrigin } from "./origins";

const DECIMAL = /^(?:0|[1-9][0-9]{0,18})$/;
const CONTROL = /[\u0000-\u001f]/;

/** The number that ASCII digits without leading zeros write; `Malformed` beyond `MAX_SIZE`. */
export function decimal(text: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!(value <= MAX_SIZE)) throw new Malformed("not a decimal number in range");
  return value;
}

/** A log's tree at one size; `BadCheckpoint` for values that no log of ours has. */
export class Checkpoint {
  readonly origin: string;
  /** Leaves. */
  readonly size: number;
  /** Of the tree, 32 bytes. */
  readonly root: Bytes;
  /** Further lines, opaque and not empty. */
  readonly extensions: readonly string[];

  constructor(origin: string, size: number, root: Bytes, extensions: readonly string[] = []) {
    asCheckpoint("a checkpoint whose origin or extension is not one", () => {
      checkOrigin(origin);
      extensions.forEach(utf8);
    });
    if (!Number.isSafeInteger(size) || size < 0 || root.length !== HASH_BYTES) {
      throw new BadCheckpoint("a checkpoint whose size or root is out of range");
    }
    if (size === 0 && !sameBytes(root, EMPTY_ROOT)) {
      throw new BadCheckpoint("the empty tree has another root");
    }
    if (extensions.some((line) => line === "" || CONTROL.test(line))) {
      throw new BadCheckpoint("a checkpoint's extension is a line that is not empty");
    }
    this.origin = origin;
    this.size = size;
    this.root = root;
    this.extensions = extensions;
  }

  /** The note's text. */
  encode(): string {
    const lines = [this.origin, String(this.size), encodeBase64(this.root), ...this.extensions];
    return lines.map((line) => `${line}\n`).join("");
  }

  /** The checkpoint behind a note's text; whoever signed it is not looked at. */
  static parse(text: string): Checkpoint {
    const lines = text.split("\n");
    const end = lines.pop();
    const [origin, size, root, ...extensions] = lines;
    if (end !== "" || origin === undefined || size === undefined || root === undefined) {
      throw new BadCheckpoint("a checkpoint has an origin, a size and a root, each on a line");
    }
    return asCheckpoint(
      "a checkpoint whose size or root is not canonical",
      () => new Checkpoint(origin, decimal(size), decodeBase64(root), extensions),
    );
  }
}

function asCheckpoint<Made>(message: string, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    throw error instanceof Malformed ? new BadCheckpoint(message) : error;
  }
}

/** The signed note of a checkpoint; a log signs under its origin. */
export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): string {
  if (signer.name !== checkpoint.origin) throw new BadCheckpoint("a log signs under its origin");
  return signer.note(checkpoint.encode());
}

/** The checkpoint of a note that this log signed; `BadNote` or `BadCheckpoint` otherwise. */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  const checkpoint = Checkpoint.parse(verifyNote(note, verifier));
  if (checkpoint.origin !== verifier.name) throw new BadCheckpoint("a checkpoint of another log");
  return checkpoint;
}
