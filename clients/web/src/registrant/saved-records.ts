/**
 * A record as it is kept on this device, and its JSON form, which the Python client reads too.
 *
 * Everything needed to send, prove and withdraw a record is written down before anything is sent:
 * after a crash the same bytes are sent again. Until the registry has answered, the fingerprints
 * are kept too, encrypted under a key derived from the recovery phrase, for the case that the
 * registry's sealing key expires in between and they have to be sealed anew.
 */

import { Malformed, ProtocolError, StateError } from "../errors";
import {
  type Bytes,
  checkOrigin,
  commitment,
  concat,
  decodeBase64,
  decodeList,
  derive,
  encodeBase64,
  encodeList,
  type Fingerprints,
  Receipt,
  RegistrationRequest,
  Statement,
  sameBytes,
  spaceOf,
} from "../protocol";
import { MAX_INDEX } from "../protocol/log";
import { isStatus, REACHES, type RecordStatus, type SpaceProtection } from "./records";

export const FILE_KIND = "consent-client/record/v1";
export const MAX_LABEL_CHARACTERS = 1_000;

const NONCE_BYTES = 12;
const MAX_NUMBER = 2 ** 32 - 1;
/** Seconds: no time that is meant lies beyond. */
const FAR = 2 ** 40;

/** How far a record has come, as this device knows. */
export const STAGES = [
  /** Saved, and never sent. */
  "waiting",
  /** Sent at least once; no answer was written down. */
  "sent",
  /** The registry answered. */
  "registered",
  /** Sent, never answered, and taken back: it is never sent again but to be withdrawn. */
  "withdrawing",
  /** The registry answered, and its log no longer holds it: it protects nothing any more. */
  "lost",
  /** Given up before the registry had it, or its number was taken from another device. */
  "dropped",
] as const;
export type Stage = (typeof STAGES)[number];

/** One record of this device. */
export interface SavedRecord {
  /** The registry's name. */
  readonly origin: string;
  /** i, its number in the derivation of keys. */
  readonly index: number;
  /** What the person calls it; never sent. */
  readonly label: string;
  /** r, 32 bytes. */
  readonly opening: Bytes;
  /** F, 32 bytes; null where only the ending of a recovered record is known. */
  readonly imageDigest: Bytes | null;
  /** Null likewise. */
  readonly statement: Statement | null;
  readonly ownerPublicKey: Bytes;
  /** C, 32 bytes. */
  readonly commitment: Bytes;
  readonly stage: Stage;
  /** What is sent, byte for byte; null for a record recovered from the log. */
  readonly request: RegistrationRequest | null;
  /** The fingerprints, encrypted; null once the registry has answered. */
  readonly keptList: Bytes | null;
  /** Seconds since 1970 before which it is not sent; 0: at once. */
  readonly sendAfter: number;
  /** Of its REGISTER entry. */
  readonly registerIndex: number | null;
  /** As the registry or the log said last. */
  readonly status: RecordStatus | null;
  /** Of the entry that ended it. */
  readonly terminalIndex: number | null;
  /** F of the picture as it was made first, where some of its spaces had to be left out. */
  readonly askedDigest: Bytes | null;
  /** Ids of those spaces. */
  readonly leftOut: readonly string[];
  /** The number under which it is registered instead, where its own was taken. */
  readonly movedTo: number | null;
  /** How far from the picture it is still found; null where the registry has not said. */
  readonly protection: readonly SpaceProtection[] | null;
  /** Proof that it is in the log, verified; null where there is none yet. */
  readonly receipt: string | null;
}

/** Whether it still has to be sent, or sent again. */
export const isUnanswered = ({ stage }: SavedRecord): boolean =>
  stage === "waiting" || stage === "sent";

/** Whether it counts, or will once it is sent. */
export const isActive = (record: SavedRecord): boolean =>
  record.stage === "registered"
    ? record.status === null || record.status === "ACTIVE"
    : isUnanswered(record);

export function toJson(record: SavedRecord): string {
  const { opening, ownerPublicKey, protection } = record;
  return JSON.stringify({
    kind: FILE_KIND,
    ...record,
    opening: encodeBase64(opening),
    imageDigest: optionalBase64(record.imageDigest),
    statement: optionalBase64(record.statement?.encode() ?? null),
    ownerPublicKey: encodeBase64(ownerPublicKey),
    commitment: encodeBase64(record.commitment),
    request: record.request?.toJson() ?? null,
    keptList: optionalBase64(record.keptList),
    askedDigest: optionalBase64(record.askedDigest),
    protection:
      protection && Object.fromEntries(protection.map((each) => [each.space, each.reach])),
  });
}

/** The record in a text; `StateError` where it is damaged or of another kind. */
export function fromJson(text: string): SavedRecord {
  let record: SavedRecord;
  try {
    record = fromFields(JSON.parse(text));
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof SyntaxError) throw damaged();
    throw error;
  }
  return record;
}

function damaged(): StateError {
  return new StateError(
    "a record kept here is damaged, or is none of this program; it is left as it is",
  );
}

function fromFields(value: unknown): SavedRecord {
  if (typeof value !== "object" || value === null) throw new Malformed("no record");
  const given = value as Record<string, unknown>;
  if (given.kind !== FILE_KIND) throw new Malformed("of another kind");
  const statement = optional(octets, given.statement);
  const record: SavedRecord = {
    origin: checkOrigin(string(given.origin)),
    index: integer(given.index, MAX_NUMBER),
    label: string(given.label),
    opening: octets(given.opening, 32),
    imageDigest: optional(octets, given.imageDigest),
    statement: statement && Statement.decode(statement),
    ownerPublicKey: octets(given.ownerPublicKey, 32),
    commitment: octets(given.commitment, 32),
    stage: oneOf(STAGES, given.stage),
    request: optional(RegistrationRequest.fromJson, given.request),
    keptList: optional(octets, given.keptList),
    sendAfter: seconds(given.sendAfter),
    registerIndex: optional((each) => integer(each, MAX_INDEX), given.registerIndex),
    status: optional(statusOf, given.status),
    terminalIndex: optional((each) => integer(each, MAX_INDEX), given.terminalIndex),
    askedDigest: optional(octets, given.askedDigest),
    leftOut: list(given.leftOut ?? []).map((id) => spaceOf(string(id)).id),
    movedTo: optional((each) => integer(each, MAX_NUMBER), given.movedTo),
    protection: optional(protectionOf, given.protection),
    receipt: optional(string, given.receipt),
  };
  check(record);
  return record;
}

/** Contents that contradict each other; `Malformed`. */
function check(record: SavedRecord): void {
  const { statement, imageDigest, request, stage } = record;
  if (statement && imageDigest) {
    const made = commitment(record.opening, statement.encode(), imageDigest);
    if (!sameBytes(made, record.commitment)) throw new Malformed("the commitment does not fit");
  }
  if (
    request &&
    !(
      sameBytes(request.fields.commitment, record.commitment) &&
      sameBytes(request.fields.ownerPublicKey, record.ownerPublicKey)
    )
  ) {
    throw new Malformed("the request does not fit");
  }
  if (record.receipt !== null) {
    const { register } = Receipt.parse(record.receipt);
    if (!sameBytes(register.commitment, record.commitment)) {
      throw new Malformed("the receipt is another record's");
    }
  }
  if (isUnanswered(record) && !(request && record.keptList)) throw new Malformed("nothing to send");
  if (stage === "withdrawing" && !request) throw new Malformed("nothing to withdraw");
  if ((stage === "registered" || stage === "lost") && record.registerIndex === null) {
    throw new Malformed("no index");
  }
}

/** Fingerprints, encrypted for this device: nonce12 ‖ AES-256-GCM of the list as in F. */
export async function keepList(
  seed: Bytes,
  origin: string,
  index: number,
  fingerprints: Fingerprints,
): Promise<Bytes> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const key = await localKey(seed, origin, index);
  const list = encodeList(fingerprints);
  const kept = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, list);
  return concat(nonce, new Uint8Array(kept));
}

/** The fingerprints that `keepList` kept; `StateError` where they are damaged or not there. */
export async function keptFingerprints(seed: Bytes, record: SavedRecord): Promise<Fingerprints> {
  const kept = record.keptList ?? new Uint8Array(0);
  const key = await localKey(seed, record.origin, record.index);
  const how = { name: "AES-GCM", iv: kept.slice(0, NONCE_BYTES) };
  try {
    const list = await crypto.subtle.decrypt(how, key, kept.slice(NONCE_BYTES));
    return decodeList(new Uint8Array(list));
  } catch {
    throw new StateError("the kept fingerprints of a record are damaged, or of another phrase");
  }
}

function localKey(seed: Bytes, origin: string, index: number): Promise<CryptoKey> {
  const key = derive(seed, "consent-registry/v1/kept-list", origin, index);
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
}

const optionalBase64 = (data: Bytes | null): string | null => data && encodeBase64(data);

function optional<Value>(read: (value: unknown) => Value, value: unknown): Value | null {
  return value === null || value === undefined ? null : read(value);
}

function string(value: unknown): string {
  if (typeof value !== "string") throw new Malformed("not text");
  return value;
}

function octets(value: unknown, size?: number): Bytes {
  const data = decodeBase64(string(value));
  if (typeof size === "number" && data.length !== size) throw new Malformed("a wrong length");
  return data;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Malformed("not a list");
  return value;
}

function integer(value: unknown, greatest: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > greatest) {
    throw new Malformed("not a number in its range");
  }
  return value;
}

function seconds(value: unknown): number {
  if (typeof value !== "number" || !(value >= 0 && value < FAR)) throw new Malformed("not a time");
  return value;
}

function oneOf<Word extends string>(words: readonly Word[], value: unknown): Word {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new Malformed("not one of the words known");
  return found;
}

function statusOf(value: unknown): RecordStatus {
  const status = string(value);
  if (!isStatus(status)) throw new Malformed("not a status");
  return status;
}

function protectionOf(value: unknown): SpaceProtection[] {
  if (typeof value !== "object" || value === null) throw new Malformed("not a protection");
  return Object.entries(value).map(([space, reach]) => ({
    space: spaceOf(space).id,
    reach: oneOf(REACHES, reach),
  }));
}
