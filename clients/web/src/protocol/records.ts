/**
 * A record: its commitment, what its owner signs, its content, and the request that registers it.
 *
 * FORMATS §3. Content, before sealing: `u8 1 ‖ r 32 ‖ u32 length ‖ statement 10 ‖ list as in F ‖
 * zeros` to 8,192 bytes, where `length` counts statement and list.
 */

import { Malformed } from "../errors";
import { sha256 } from "./digests";
import { checkPublicKey, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./ed25519";
import {
  type Bytes,
  concat,
  decodeBase64,
  encodeBase64,
  lp,
  Reader,
  sameBytes,
  u32,
  utf8,
} from "./encoding";
import {
  checkFingerprints,
  decodeList,
  encodeList,
  type Fingerprints,
  imageDigest,
} from "./fingerprints";
import { OPENING_BYTES, type OwnerKey, RECORD_ID_BYTES, recordId } from "./keys";
import { originBytes } from "./origins";
import { PLAINTEXT_BYTES, SEALED_BYTES, seal } from "./sealing";
import { KEY_ID_BYTES, type SealingKey } from "./sealing-keys";
import { STATEMENT_BYTES, Statement } from "./statements";

export const COMMITMENT_BYTES = 32;
/** Longest nonce a registry may ask a reader to sign. */
export const MAX_NONCE_BYTES = 64;

const CONTENT_VERSION = 1;
const BODY_AT = 1 + OPENING_BYTES + 4;
const COMMITMENT_DOMAIN = utf8("consent-registry/record/v1\0");

/** C, 32 bytes: binds the encoded statement and F, and hides them behind r. */
export function commitment(opening: Bytes, statement: Bytes, imageDigest: Bytes): Bytes {
  return sha256(COMMITMENT_DOMAIN, opening, lp(statement, imageDigest));
}

/** What an owner signs to register. */
export function registerMessage(origin: string, recordId: Bytes, commitment: Bytes): Bytes {
  return lp("consent-registry/v1/register", originBytes(origin), recordId, commitment);
}

/** What an owner signs to withdraw: good for the API and the log, now or later. */
export function withdrawMessage(origin: string, commitment: Bytes): Bytes {
  return lp("consent-registry/v1/withdraw", originBytes(origin), commitment);
}

/** What an owner signs to read the own record; the nonce is the registry's. */
export function readMessage(origin: string, recordId: Bytes, nonce: Bytes): Bytes {
  if (nonce.length < 1 || nonce.length > MAX_NONCE_BYTES) {
    throw new Malformed("a nonce that is empty or too long");
  }
  return lp("consent-registry/v1/read", originBytes(origin), recordId, nonce);
}

/** What a record holds: sealed on its way, encrypted at rest, plain only in memory. */
export class RecordContent {
  readonly opening: Bytes;
  readonly statement: Statement;
  readonly fingerprints: Fingerprints;

  constructor(opening: Bytes, statement: Statement, fingerprints: Fingerprints) {
    this.opening = opening;
    this.statement = statement;
    this.fingerprints = fingerprints;
  }

  /** F, 32 bytes. */
  get imageDigest(): Bytes {
    return imageDigest(this.fingerprints);
  }

  /** C, 32 bytes. */
  get commitment(): Bytes {
    return commitment(this.opening, this.statement.encode(), this.imageDigest);
  }

  /** Its `PLAINTEXT_BYTES` bytes, padded; `ProtocolError` where something in it is amiss. */
  encode(): Bytes {
    if (this.opening.length !== OPENING_BYTES) {
      throw new Malformed(`an opening has ${OPENING_BYTES} bytes`);
    }
    checkFingerprints(this.fingerprints);
    const body = concat(this.statement.encode(), encodeList(this.fingerprints));
    const out = new Uint8Array(PLAINTEXT_BYTES);
    out.set(concat(Uint8Array.of(CONTENT_VERSION), this.opening, u32(body.length), body));
    return out;
  }

  /** The content behind its bytes; `ProtocolError` for what `encode` would not have written. */
  static decode(data: Bytes): RecordContent {
    if (data.length !== PLAINTEXT_BYTES)
      throw new Malformed("a record's content of another length");
    const reader = new Reader(data);
    if (reader.u8() !== CONTENT_VERSION) {
      throw new Malformed("a record's content of another version");
    }
    const opening = reader.take(OPENING_BYTES);
    const length = reader.u32();
    if (length < STATEMENT_BYTES || BODY_AT + length > PLAINTEXT_BYTES) {
      throw new Malformed("a record's content whose length is wrong");
    }
    const statement = Statement.decode(reader.take(STATEMENT_BYTES));
    const fingerprints = decodeList(reader.take(length - STATEMENT_BYTES));
    if (reader.take(reader.left).some((byte) => byte !== 0)) {
      throw new Malformed("a record's content is padded with zeros");
    }
    checkFingerprints(fingerprints);
    return new RecordContent(opening, statement, fingerprints);
  }
}

/** The fields of a request, by the names that the API's input has. */
export interface RequestFields {
  /** 16 bytes. */
  readonly recordId: Bytes;
  /** Ed25519, 32 bytes. */
  readonly ownerPublicKey: Bytes;
  /** C, 32 bytes. */
  readonly commitment: Bytes;
  /** Of `registerMessage`, 64 bytes. */
  readonly signature: Bytes;
  /** Which sealing key, 8 bytes. */
  readonly sealingKeyId: Bytes;
  /** The blob, one of `SEALED_BYTES` long. */
  readonly sealed: Bytes;
}

const FIELD_SIZES: Readonly<Record<keyof RequestFields, readonly number[]>> = {
  recordId: [RECORD_ID_BYTES],
  ownerPublicKey: [PUBLIC_KEY_BYTES],
  commitment: [COMMITMENT_BYTES],
  signature: [SIGNATURE_BYTES],
  sealingKeyId: [KEY_ID_BYTES],
  sealed: Object.values(SEALED_BYTES),
};
const FIELD_NAMES = Object.keys(FIELD_SIZES) as (keyof RequestFields)[];

export type RequestJson = Readonly<Record<keyof RequestFields, string>>;

/** All that registers a record but the proof of work; kept, and sent again byte for byte. */
export class RegistrationRequest {
  readonly fields: RequestFields;

  constructor(fields: RequestFields) {
    for (const name of FIELD_NAMES) {
      if (!FIELD_SIZES[name].includes(fields[name].length)) {
        throw new Malformed(`${name} has the wrong length`);
      }
    }
    checkPublicKey(fields.ownerPublicKey);
    if (!sameBytes(fields.recordId, recordId(fields.ownerPublicKey))) {
      throw new Malformed("recordId does not belong to ownerPublicKey");
    }
    this.fields = fields;
  }

  /** Its fields in base64, under the names that the API's input has. */
  toJson(): RequestJson {
    const json = FIELD_NAMES.map((name) => [name, encodeBase64(this.fields[name])]);
    return Object.fromEntries(json) as RequestJson;
  }

  /** The request behind `toJson`; `Malformed` for further, missing or other fields. */
  static fromJson(value: unknown): RegistrationRequest {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw notARequest();
    const given = value as Record<string, unknown>;
    if (Object.keys(given).sort().join() !== [...FIELD_NAMES].sort().join()) throw notARequest();
    const fields = FIELD_NAMES.map((name) => {
      const text = given[name];
      if (typeof text !== "string") throw notARequest();
      return [name, decodeBase64(text)];
    });
    return new RegistrationRequest(Object.fromEntries(fields) as RequestFields);
  }
}

function notARequest(): Malformed {
  return new Malformed("not a registration request");
}

/** Seal and sign one record. */
export async function buildRegistration(
  owner: OwnerKey,
  origin: string,
  statement: Statement,
  fingerprints: Fingerprints,
  sealingKey: SealingKey,
): Promise<RegistrationRequest> {
  const content = new RecordContent(owner.opening, statement, fingerprints);
  const { recordId, publicKey } = owner;
  const committed = content.commitment;
  return new RegistrationRequest({
    recordId,
    ownerPublicKey: publicKey,
    commitment: committed,
    signature: owner.sign(registerMessage(origin, recordId, committed)),
    sealingKeyId: sealingKey.keyId,
    sealed: await seal(content.encode(), sealingKey, origin, recordId, publicKey),
  });
}
