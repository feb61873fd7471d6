/**
 * Everything the client throws on purpose. The same tree and the same codes as the Python client's,
 * as far as a browser has a use for them:
 *
 *     ConsentError
 *     ├── ProtocolError        bytes or values that do not follow FORMATS
 *     │   ├── Malformed, UnknownSpace, BadFingerprint, BadPhrase, WeakKey, BadSignature, SealError,
 *     │   │   NoUsableKey, BadStatement, BadUrl, BadNote, BadProof, BadCheckpoint, BadManifest,
 *     │   │   BadEvidence, BadCertificate
 *     │   └── BadPolicy        `.line` says where
 *     ├── ImageError           this picture can not be fingerprinted
 *     │   ├── NotAnImage       the bytes are no picture that this browser decodes
 *     │   ├── ImageTooLarge    more bytes or pixels than the limit
 *     │   └── MissingModel     a space whose model is not loaded
 *     ├── RegistryProblem      a Problem in answer; `.problemCode`, `.retryAfter`, `.spaces`
 *     ├── TransportError       the registry could not be reached, or answered nonsense
 *     │   ├── Unreachable      a fault that may pass
 *     │   ├── InsecureRegistry, RegistryKeyChanged, WorkTooHard
 *     │   └── WrongAnswer      an answer that contradicts what was asked, or the log
 *     │       ├── LogShortened
 *     │       └── RecordsLost  `.numbers` says which
 *     └── StateError           what is kept on this device can not be read or written
 *         └── NoPhrase         there is no recovery phrase here yet
 *
 * Codes are stable: programs decide by them. Messages are for people, and never hold a fingerprint,
 * a phrase, a key or a signature.
 */

export class ConsentError extends Error {
  /** Stable; decide by it. */
  readonly code: string = "CONSENT_ERROR";

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

// Protocol

export class ProtocolError extends ConsentError {
  override readonly code: string = "PROTOCOL_ERROR";
}

/** The shape is wrong: lengths, order, padding, base64, JSON. */
export class Malformed extends ProtocolError {
  override readonly code = "MALFORMED";
}

/** No fingerprint space has this id. */
export class UnknownSpace extends ProtocolError {
  override readonly code = "UNKNOWN_SPACE";
}

/** A fingerprint of the wrong size, or a vector that is not a finite unit vector. */
export class BadFingerprint extends ProtocolError {
  override readonly code = "BAD_FINGERPRINT";
}

/** Not a recovery phrase of 12 English BIP-39 words with a right checksum. */
export class BadPhrase extends ProtocolError {
  override readonly code = "BAD_PHRASE";
}

/** A public key that proves nothing: wrong length, small order, or non-canonical. */
export class WeakKey extends ProtocolError {
  override readonly code = "WEAK_KEY";
}

/** The signature is not by this key over this message. */
export class BadSignature extends ProtocolError {
  override readonly code = "BAD_SIGNATURE";
}

/** The content can not be sealed, or the sealed blob does not open. */
export class SealError extends ProtocolError {
  override readonly code = "SEAL_ERROR";
}

/** None of the registry's sealing keys can be used on this day. */
export class NoUsableKey extends ProtocolError {
  override readonly code = "NO_USABLE_KEY";
}

/** A statement that says nothing, or something this version does not know. */
export class BadStatement extends ProtocolError {
  override readonly code = "BAD_STATEMENT";
}

/** An address that has no canonical form: not http or https, a user name in it, no host. */
export class BadUrl extends ProtocolError {
  override readonly code = "BAD_URL";
}

/** A signed note that is not well-formed, or is not signed by the key expected. */
export class BadNote extends ProtocolError {
  override readonly code = "BAD_NOTE";
}

/** A Merkle proof that does not show what it is said to show. */
export class BadProof extends ProtocolError {
  override readonly code = "BAD_PROOF";
}

/** A text that is not a checkpoint, or a checkpoint of another log than the one expected. */
export class BadCheckpoint extends ProtocolError {
  override readonly code = "BAD_CHECKPOINT";
}

/** Rows that are no manifest, or not those of the manifest expected. */
export class BadManifest extends ProtocolError {
  override readonly code = "BAD_MANIFEST";
}

/** Evidence that does not show that what is shipped was cleared. */
export class BadEvidence extends ProtocolError {
  override readonly code = "BAD_EVIDENCE";
}

/** Not a certificate, or one that the log, a manifest or evidence does not bear out. */
export class BadCertificate extends ProtocolError {
  override readonly code = "BAD_CERTIFICATE";
}

/** A policy file that can not be read, or that contradicts itself. */
export class BadPolicy extends ProtocolError {
  override readonly code = "BAD_POLICY";
  /** Number of the line that is wrong, from 1; 0 for the file as a whole. */
  readonly line: number;

  constructor(message: string, line = 0) {
    super(line ? `line ${line}: ${message}` : message);
    this.line = line;
  }
}

// Images

export class ImageError extends ConsentError {
  override readonly code: string = "IMAGE_ERROR";
}

/** The bytes are no picture that this browser decodes. */
export class NotAnImage extends ImageError {
  override readonly code = "NOT_AN_IMAGE";
}

/** More bytes or pixels than the limit: decoding it could take all memory. */
export class ImageTooLarge extends ImageError {
  override readonly code = "IMAGE_TOO_LARGE";
}

/** A space whose model is not loaded. */
export class MissingModel extends ImageError {
  override readonly code = "MISSING_MODEL";
}

// Talking to a registry

/** The registry answered with a Problem. */
export class RegistryProblem extends ConsentError {
  override readonly code = "REGISTRY_PROBLEM";
  /** The registry's stable code, for example `CONFLICT`. */
  readonly problemCode: string;
  /** Seconds to wait before the same request may be sent again; null: do not. */
  readonly retryAfter: number | null;
  /** Of `TOO_GENERIC`: ids of the spaces without which it can be registered. */
  readonly spaces: readonly string[];

  constructor(
    message: string,
    problemCode: string,
    retryAfter: number | null = null,
    spaces: readonly string[] = [],
  ) {
    super(message);
    this.problemCode = problemCode;
    this.retryAfter = retryAfter;
    this.spaces = spaces;
  }
}

/** The registry could not be reached, or what came back was not an answer. */
export class TransportError extends ConsentError {
  override readonly code: string = "TRANSPORT_ERROR";
}

/** A fault that may pass: no connection, no answer in time, HTTP status 5xx or 429. */
export class Unreachable extends TransportError {
  override readonly code = "UNREACHABLE";
  /** Seconds the server asked to wait; null where it did not say. */
  readonly retryAfter: number | null;

  constructor(message: string, retryAfter: number | null = null) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Plain http to anything but this machine: what is sent would be readable on the way. */
export class InsecureRegistry extends TransportError {
  override readonly code = "INSECURE_REGISTRY";
}

/** The registry shows another key or name than the one pinned at first use, or given. */
export class RegistryKeyChanged extends TransportError {
  override readonly code = "REGISTRY_KEY_CHANGED";
}

/** An answer that contradicts what was asked, what was answered before, or the log. */
export class WrongAnswer extends TransportError {
  override readonly code: string = "WRONG_ANSWER";
}

/** The registry's log is shorter than it was when it was read last. */
export class LogShortened extends WrongAnswer {
  override readonly code = "LOG_SHORTENED";
}

/** The registry's log no longer holds records that it acknowledged. */
export class RecordsLost extends WrongAnswer {
  override readonly code = "RECORDS_LOST";
  /** Of those records, ascending. */
  readonly numbers: readonly number[];

  constructor(message: string, numbers: readonly number[]) {
    super(message);
    this.numbers = numbers;
  }
}

/** The registry asks for more proof of work than a client does. */
export class WorkTooHard extends TransportError {
  override readonly code = "WORK_TOO_HARD";
}

// This device

/** What is kept on this device can not be read or written. */
export class StateError extends ConsentError {
  override readonly code: string = "STATE_ERROR";
}

/** There is no recovery phrase on this device yet. */
export class NoPhrase extends StateError {
  override readonly code = "NO_PHRASE";
}
