/**
 * The registry's GraphQL operations as values: document, variables, and how to read the answer.
 * Nothing here does input or output.
 */

import { type Bytes, encodeBase64, type RegistrationRequest } from "../protocol";
import { type Answer, answerOf } from "./answers";
import type { Exclusion, OwnDispute, RecordStatus, SpaceProtection } from "./records";

/** One request and how its answer is read. */
export class Operation<Result> {
  /** The field asked for. */
  readonly name: string;
  readonly #document: string;
  readonly #variables: object;
  readonly #read: (answer: Answer) => Result;

  constructor(name: string, document: string, variables: object, read: (answer: Answer) => Result) {
    this.name = name;
    this.#document = document;
    this.#variables = variables;
    this.#read = read;
  }

  /** The request's body, JSON. */
  body(): string {
    return JSON.stringify({ query: this.#document, variables: this.#variables });
  }

  /** The typed result in a response's body; `RegistryProblem` or `TransportError` otherwise. */
  result(body: string): Result {
    return this.#read(answerOf(this.name, body));
  }
}

/** What a registry says about itself. */
export interface RegistryInfo {
  /** Its name, bound into keys, seals and signatures. */
  readonly origin: string;
  readonly software: string;
  readonly ready: boolean;
  readonly logSize: number;
  /** Note vkey that signs its sealing keys and its checkpoints. */
  readonly verifierKey: string;
  /** Signed note with its sealing keys. */
  readonly sealingKeys: string;
  /** Ids of the fingerprint spaces it matches in. */
  readonly spaces: readonly string[];
  /** Most log entries in one answer. */
  readonly entriesPage: number;
}

export function registryInfo(): Operation<RegistryInfo> {
  const document = `query Registry {
    registry {
      origin software ready logSize verifierKey sealingKeys spaces { id } limits { entriesPage }
    }
  }`;
  return new Operation("registry", document, {}, (answer) => ({
    origin: answer.text("origin"),
    software: answer.text("software"),
    ready: answer.flag("ready"),
    logSize: answer.number("logSize"),
    verifierKey: answer.text("verifierKey"),
    sealingKeys: answer.text("sealingKeys"),
    spaces: answer.each("spaces").map((space) => space.text("id")),
    entriesPage: answer.inner("limits").number("entriesPage"),
  }));
}

/** Work to be done, and a nonce to sign, for one record id. */
export interface Challenge {
  /** altcha version 2 challenge, JSON. */
  readonly proofOfWork: string;
  /** What to sign to read one's own record. */
  readonly nonce: Bytes;
}

export function challenge(recordId: Bytes): Operation<Challenge> {
  const document = `query Challenge($recordId: Base64!) {
    challenge(recordId: $recordId) {
      ... on Challenge { proofOfWork nonce }
      ... on Problem { code message }
    }
  }`;
  const variables = { recordId: encodeBase64(recordId) };
  return new Operation("challenge", document, variables, (answer) => ({
    proofOfWork: answer.text("proofOfWork"),
    nonce: answer.octets("nonce"),
  }));
}

/** A record is in the log. */
export interface Registration {
  readonly recordId: Bytes;
  readonly registerIndex: number;
  readonly logSize: number;
  readonly status: RecordStatus;
  /** That its REGISTER entry is in the log, a tlog-proof; not verified yet. */
  readonly proof: string;
  readonly protection: readonly SpaceProtection[];
}

/** Registers a record; the same request again gets the same answer. */
export function register(
  request: RegistrationRequest,
  proofOfWork: string,
): Operation<Registration> {
  const document = `mutation Register($input: RegisterInput!) {
    register(input: $input) {
      ... on Registration {
        recordId registerIndex logSize status proof protection { space reach }
      }
      ... on Problem { code message }
      ... on TooGeneric { spaces }
      ... on RetriableProblem { retryAfterSeconds }
    }
  }`;
  const input = { ...request.toJson(), proofOfWork };
  return new Operation("register", document, { input }, (answer) => ({
    recordId: answer.octets("recordId"),
    registerIndex: answer.number("registerIndex"),
    logSize: answer.number("logSize"),
    status: answer.status(),
    proof: answer.text("proof"),
    protection: answer.protection(),
  }));
}

/** A record is withdrawn, or has ended before: `status` says which. */
export interface Withdrawal {
  readonly recordId: Bytes;
  readonly status: RecordStatus;
  readonly registerIndex: number;
  readonly terminalIndex: number;
}

/** Withdraws a record; again gets the same answer. */
export function withdraw(signed: {
  readonly ownerPublicKey: Bytes;
  readonly commitment: Bytes;
  readonly signature: Bytes;
}): Operation<Withdrawal> {
  const document = `mutation Withdraw($input: WithdrawInput!) {
    withdraw(input: $input) {
      ... on Withdrawal { recordId status registerIndex terminalIndex }
      ... on Problem { code message }
      ... on RetriableProblem { retryAfterSeconds }
    }
  }`;
  const input = {
    ownerPublicKey: encodeBase64(signed.ownerPublicKey),
    commitment: encodeBase64(signed.commitment),
    signature: encodeBase64(signed.signature),
  };
  return new Operation("withdraw", document, { input }, (answer) => ({
    recordId: answer.octets("recordId"),
    status: answer.status(),
    registerIndex: answer.number("registerIndex"),
    terminalIndex: answer.number("terminalIndex"),
  }));
}

/** One's own record as the registry holds it. */
export interface OwnRecord {
  readonly recordId: Bytes;
  readonly status: RecordStatus;
  readonly registerIndex: number;
  readonly terminalIndex: number | null;
  readonly commitment: Bytes;
  /** Its bytes; null once unreadable. */
  readonly statement: Bytes | null;
  /** F; null once unreadable. */
  readonly imageDigest: Bytes | null;
  /** As it was told at registration; empty once unreadable. */
  readonly protection: readonly SpaceProtection[];
  /** Screenings that left images out because of it, newest first, as far as they are told yet. */
  readonly exclusions: readonly Exclusion[];
  /** What was decided where a builder disputed one of them. */
  readonly disputes: readonly OwnDispute[];
}

/** Reads one's own record. */
export function ownRecord(asked: {
  readonly recordId: Bytes;
  readonly ownerPublicKey: Bytes;
  readonly nonce: Bytes;
  readonly signature: Bytes;
}): Operation<OwnRecord> {
  const document = `query Record($input: ReadRecordInput!) {
    record(input: $input) {
      ... on OwnRecord {
        recordId status registerIndex terminalIndex commitment statement imageDigest
        protection { space reach }
        exclusions {
          dataset organisation use day images sessionIndex certificate { index digest }
        }
        disputes { index outcome }
      }
      ... on Problem { code message }
    }
  }`;
  const input = {
    recordId: encodeBase64(asked.recordId),
    ownerPublicKey: encodeBase64(asked.ownerPublicKey),
    nonce: encodeBase64(asked.nonce),
    signature: encodeBase64(asked.signature),
  };
  return new Operation("record", document, { input }, (answer) => ({
    recordId: answer.octets("recordId"),
    status: answer.status(),
    registerIndex: answer.number("registerIndex"),
    terminalIndex: answer.optionalNumber("terminalIndex"),
    commitment: answer.octets("commitment"),
    statement: answer.optionalOctets("statement"),
    imageDigest: answer.optionalOctets("imageDigest"),
    protection: answer.protection(),
    exclusions: answer.exclusions(),
    disputes: answer.disputes(),
  }));
}

/** Consecutive entries of the log. */
export interface EntryPage {
  /** Index of the first. */
  readonly start: number;
  readonly logSize: number;
  /** Bundle that `decodeBundle` reads. */
  readonly data: Bytes;
}

/** A page of the log; at most `entriesPage` of `RegistryInfo`. */
export function entries(start: number, count: number): Operation<EntryPage> {
  const document = `query Entries($start: LogIndex!, $count: Int!) {
    entries(start: $start, count: $count) {
      ... on EntryBundle { start logSize data }
      ... on Problem { code message }
    }
  }`;
  return new Operation("entries", document, { start, count }, (answer) => ({
    start: answer.number("start"),
    logSize: answer.number("logSize"),
    data: answer.octets("data"),
  }));
}

/** A proof of an entry under the newest checkpoint: a tlog-proof, not verified yet. */
export function inclusionProof(index: number): Operation<string> {
  const document = `query InclusionProof($index: LogIndex!) {
    inclusionProof(index: $index) {
      ... on InclusionProof { text }
      ... on Problem { code message }
    }
  }`;
  return new Operation("inclusionProof", document, { index }, (answer) => answer.text("text"));
}
