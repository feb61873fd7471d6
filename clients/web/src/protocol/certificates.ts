/**
 * Certificates: what a builder says of a data set, so that the log can bear it out (FORMATS §6).
 *
 * An in-toto Statement v1 in a DSSE envelope, signed by the builder's Ed25519 key. Envelope and
 * statement are canonical JSON, so a certificate has one text; whatever else stands in it is
 * refused, for a reader would not know what it promises.
 */

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { BadCertificate, Malformed } from "../errors";
import { canonical, type Json, type JsonObject, readCanonical } from "./canonical-json";
import { sha256 } from "./digests";
import { checkPublicKey, PUBLIC_KEY_BYTES, verify } from "./ed25519";
import { type Bytes, concat, decodeBase64, sameBytes, utf8 } from "./encoding";
import { type Close, MAX_INDEX, type Session } from "./log";
import { MIN_CERTIFIED_ROWS } from "./manifests";
import { HASH_BYTES } from "./merkle";
import { checkOrigin } from "./origins";
import type { Evidence } from "./results";
import { SPACES } from "./spaces";
import { VERDICTS, type Verdict } from "./verdicts";

/** Terms are its longest part, a few kB. */
export const MAX_CERTIFICATE_BYTES = 2 ** 16;

const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE = "tag:consent-registry,2026:/exclusion/v1";
const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const DIGEST = "rfc6962Sha256";
const SUBJECT = "shipped-manifest";
const HEX_DIGEST = /^[0-9a-f]{64}$/;
// As Python's `isprintable`: no controls, no separators but the space; counted in code points.
const NAME = /^(?: |[^\p{C}\p{Z}]){1,100}$/u;

/** What a certificate says. */
export interface Certificate {
  /** The builder's Ed25519 public key. */
  readonly builder: Bytes;
  /** The registry's origin. */
  readonly registry: string;
  /** Index of the SESSION entry. */
  readonly sessionIndex: number;
  /** Index of its CLOSE entry. */
  readonly closeIndex: number;
  /** Of the session, as in the CLOSE entry. */
  readonly resultsRoot: Bytes;
  /** The session's. */
  readonly terms: JsonObject;
  /** For each verdict, how many rows of the session were answered so. */
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** For each space that was asked about, how many rows had a fingerprint there. */
  readonly spaces: Readonly<Record<string, number>>;
  /** Rows of the session. */
  readonly count: number;
  readonly shippedRoot: Bytes;
  readonly shippedCount: number;
  /** What made the data set. */
  readonly tool: { readonly name: string; readonly version: string };
  /** Digest of the certificate that this one takes the place of. */
  readonly supersedes: Bytes | null;
}

interface Envelope {
  readonly payload: Bytes;
  readonly keyId: string;
  readonly signature: Bytes;
}

/**
 * What a certificate says, if the builder it names signed it; that this builder opened the session
 * is shown by `checkLogged`.
 *
 * Throws `BadCertificate`: none of this version; `BadSignature`, `WeakKey`: not signed by that key.
 */
export function verifyCertificate(data: Bytes): Certificate {
  const { payload, keyId, signature } = openEnvelope(data);
  const certificate = certificateOf(payload);
  if (keyId !== builderKeyId(certificate.builder)) {
    throw new BadCertificate("signed by another key than the builder's");
  }
  verify(certificate.builder, signature, preAuthentication(payload));
  return certificate;
}

/** How a certificate names the key it is signed by: H(public key) in hex, as in SESSION. */
export const builderKeyId = (publicKey: Bytes): string => bytesToHex(sha256(publicKey));

/** H(pre-authentication encoding) of an envelope, as its CERTIFY entry has it. */
export const certifyDigest = (data: Bytes): Bytes =>
  sha256(preAuthentication(openEnvelope(data).payload));

/** The pre-authentication encoding of DSSE v1: what is signed. */
export const preAuthentication = (payload: Bytes): Bytes =>
  concat(utf8(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload);

/** Whether the log's entries, at the indices that it names, bear it out; `BadCertificate`. */
export function checkLogged(certificate: Certificate, session: Session, close: Close): void {
  const { builder, terms, count, sessionIndex, resultsRoot } = certificate;
  if (!sameBytes(sha256(builder), session.builder)) {
    throw new BadCertificate("the session was opened by another builder");
  }
  if (!sameBytes(sha256(canonical(terms)), session.terms)) {
    throw new BadCertificate("the session was opened on other terms");
  }
  if (count !== session.count) throw new BadCertificate("the session has another number of rows");
  if (close.sessionIndex !== sessionIndex) {
    throw new BadCertificate("the CLOSE entry is of another session");
  }
  if (!sameBytes(close.resultsRoot, resultsRoot)) {
    throw new BadCertificate("the session was closed with other results");
  }
}

/** Whether verified evidence is of what it says was shipped; `BadCertificate`. */
export function checkEvidence(certificate: Certificate, evidence: Evidence): void {
  const { shippedRoot, shippedCount, resultsRoot, count, verdicts } = certificate;
  if (evidence.shippedCount !== shippedCount || !sameBytes(evidence.shippedRoot, shippedRoot)) {
    throw new BadCertificate("the evidence is of another shipped manifest");
  }
  if (evidence.count !== count || !sameBytes(evidence.resultsRoot, resultsRoot)) {
    throw new BadCertificate("the evidence is of another session");
  }
  if (VERDICTS.some((each) => (evidence.verdicts[each] ?? 0) > verdicts[each])) {
    throw new BadCertificate("more rows of a verdict were shipped than were answered so");
  }
}

// Reading

/** Whether a text could be a certificate: canonical JSON with an envelope's fields. */
export const looksLikeCertificate = (text: string): boolean => text.startsWith('{"payload":"');

function openEnvelope(data: Bytes): Envelope {
  if (data.length > MAX_CERTIFICATE_BYTES) throw new BadCertificate("too long for a certificate");
  return reading("not an envelope of a certificate", () => {
    const { payload, payloadType, signatures } = fields(readCanonical(data), [
      "payload",
      "payloadType",
      "signatures",
    ]);
    const [signed, ...more] = list(signatures);
    const { keyid, sig } = fields(signed, ["keyid", "sig"]);
    if (more.length > 0 || payloadType !== PAYLOAD_TYPE) throw new Malformed("another envelope");
    return {
      payload: decodeBase64(text(payload)),
      keyId: text(keyid),
      signature: decodeBase64(text(sig)),
    };
  });
}

function certificateOf(payload: Bytes): Certificate {
  const certificate = reading("not a certificate of this version", () =>
    fromStatement(readCanonical(payload)),
  );
  check(certificate);
  return certificate;
}

/** What could not be read is of one kind to a reader. */
function reading<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Malformed) throw new BadCertificate(message);
    throw error;
  }
}

function fromStatement(value: Json): Certificate {
  const statement = fields(value, ["_type", "predicateType", "subject", "predicate"]);
  const [subject, ...more] = list(statement["subject"]);
  const { digest, name } = fields(subject, ["digest", "name"]);
  const { _type, predicateType } = statement;
  const isOurs = _type === STATEMENT_TYPE && predicateType === PREDICATE_TYPE && name === SUBJECT;
  if (!isOurs || more.length > 0) throw new Malformed("a statement of another kind");
  const predicate = fields(statement["predicate"], [
    "builder",
    "registry",
    "resultsRoot",
    "screened",
    "session",
    "shipped",
    "supersedes",
    "terms",
    "tool",
  ]);
  const screened = fields(predicate["screened"], ["count", "spaces", "verdicts"]);
  const session = fields(predicate["session"], ["close", "open"]);
  const tool = fields(predicate["tool"], ["name", "version"]);
  const verdicts = fields(screened["verdicts"], VERDICTS);
  const builder = decodeBase64(text(predicate["builder"]));
  if (builder.length !== PUBLIC_KEY_BYTES) throw new Malformed("a key of another length");
  const count = integer(screened["count"]);
  const numbered = {
    CLEAR: integer(verdicts["CLEAR"]),
    EXCLUDE: integer(verdicts["EXCLUDE"]),
    PERMIT: integer(verdicts["PERMIT"]),
    UNKNOWN: integer(verdicts["UNKNOWN"]),
  };
  if (count !== VERDICTS.reduce((sum, each) => sum + numbered[each], 0)) {
    throw new Malformed("the verdicts are of another number of rows");
  }
  const spaces = Object.entries(object(screened["spaces"]));
  return {
    builder,
    registry: checkOrigin(text(predicate["registry"])),
    sessionIndex: integer(session["open"]),
    closeIndex: integer(session["close"]),
    resultsRoot: hash(predicate["resultsRoot"]),
    terms: object(predicate["terms"]),
    verdicts: numbered,
    spaces: Object.fromEntries(spaces.map(([id, rows]) => [id, integer(rows)])),
    count,
    shippedRoot: hash(fields(digest, [DIGEST])[DIGEST]),
    shippedCount: integer(fields(predicate["shipped"], ["count"])["count"]),
    tool: { name: text(tool["name"]), version: text(tool["version"]) },
    supersedes: predicate["supersedes"] === null ? null : hash(predicate["supersedes"]),
  };
}

/** What no certificate says though it is written like one; `BadCertificate` or `WeakKey`. */
function check(certificate: Certificate): void {
  const { builder, sessionIndex, closeIndex, verdicts, spaces, count, shippedCount, tool } =
    certificate;
  checkPublicKey(builder);
  const numbers = [sessionIndex, closeIndex, shippedCount, count, ...Object.values(spaces)];
  if (![...numbers, ...Object.values(verdicts)].every((each) => each >= 0 && each <= MAX_INDEX)) {
    throw new BadCertificate("a number out of range");
  }
  if (sessionIndex >= closeIndex) {
    throw new BadCertificate("a session is closed after it is opened");
  }
  if (count < MIN_CERTIFIED_ROWS) {
    throw new BadCertificate(`a certificate is about at least ${MIN_CERTIFIED_ROWS} rows`);
  }
  if (shippedCount < 1 || shippedCount > verdicts.CLEAR + verdicts.PERMIT) {
    throw new BadCertificate("what is shipped is a part of what was cleared");
  }
  const ids = Object.keys(spaces);
  if (ids.length === 0 || !ids.every((id) => SPACES.has(id))) {
    throw new BadCertificate("it was screened in at least one space, and known ones only");
  }
  if (Math.max(...Object.values(spaces)) > count) {
    throw new BadCertificate("more rows in a space than there are");
  }
  if (!Object.values(tool).every((each) => NAME.test(each))) {
    throw new BadCertificate("a tool has a name and a version of up to 100 characters");
  }
}

function object(value: Json | undefined): JsonObject {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Malformed("a field of another type");
  }
  return value as JsonObject;
}

/** An object with exactly these fields. */
function fields(value: Json | undefined, names: readonly string[]): JsonObject {
  const found = object(value);
  const isExact = names.every((name) => Object.hasOwn(found, name));
  if (!isExact || Object.keys(found).length !== names.length) {
    throw new Malformed("other fields than a certificate has");
  }
  return found;
}

function list(value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw new Malformed("a field of another type");
  return value as readonly Json[];
}

function text(value: Json | undefined): string {
  if (typeof value !== "string") throw new Malformed("a field of another type");
  return value;
}

function integer(value: Json | undefined): number {
  if (!Number.isSafeInteger(value)) throw new Malformed("a field of another type");
  return value as number;
}

function hash(value: Json | undefined): Bytes {
  const digest = text(value);
  if (!HEX_DIGEST.test(digest) || digest.length !== 2 * HASH_BYTES) {
    throw new Malformed("a digest that is not 32 bytes in hex");
  }
  return hexToBytes(digest);
}
