/**
 * A registry's answers, read strictly: whatever does not fit becomes a `TransportError`, a Problem
 * becomes a `RegistryProblem`.
 */

import { Malformed, RegistryProblem, TransportError } from "../errors";
import { type Bytes, decodeBase64, SPACES, type Use, USES } from "../protocol";
import { MAX_INDEX } from "../protocol/log";
import {
  DISPUTE_OUTCOMES,
  type Exclusion,
  isStatus,
  type OwnDispute,
  REACHES,
  type RecordStatus,
  type SpaceProtection,
} from "./records";

/** A registry's message is shown to people: a line or two, not a page. */
export const MAX_MESSAGE_CHARACTERS = 500;

type Json = Record<string, unknown>;

/** An object of a response, read by field name. */
export class Answer {
  readonly #object: Json;

  constructor(value: unknown) {
    if (!isObject(value)) throw notUnderstood();
    this.#object = value;
  }

  #has(name: string): boolean {
    return (this.#object[name] ?? null) !== null;
  }

  text(name: string): string {
    const value = this.#object[name];
    if (typeof value !== "string") throw notUnderstood();
    return value;
  }

  flag(name: string): boolean {
    const value = this.#object[name];
    if (typeof value !== "boolean") throw notUnderstood();
    return value;
  }

  /** An integer from 0 to 2⁵³-1. */
  number(name: string): number {
    const value = this.#object[name];
    if (!isIndex(value)) throw notUnderstood();
    return value;
  }

  optionalNumber(name: string): number | null {
    return this.#has(name) ? this.number(name) : null;
  }

  /** Bytes, in base64. */
  octets(name: string): Bytes {
    try {
      return decodeBase64(this.text(name));
    } catch (error) {
      throw error instanceof Malformed ? notUnderstood() : error;
    }
  }

  optionalOctets(name: string): Bytes | null {
    return this.#has(name) ? this.octets(name) : null;
  }

  inner(name: string): Answer {
    return new Answer(this.#object[name]);
  }

  optionalInner(name: string): Answer | null {
    return this.#has(name) ? this.inner(name) : null;
  }

  each(name: string): Answer[] {
    const value = this.#object[name];
    if (!Array.isArray(value)) throw notUnderstood();
    return value.map((item) => new Answer(item));
  }

  /** The field `status`. */
  status(): RecordStatus {
    const status = this.text("status");
    if (!isStatus(status)) throw notUnderstood();
    return status;
  }

  /** The field `protection`. */
  protection(): SpaceProtection[] {
    return this.each("protection").map((each) => {
      const space = each.text("space");
      const reach = REACHES.find((known) => known === each.text("reach"));
      if (!SPACES.has(space) || reach === undefined) throw notUnderstood();
      return { space, reach };
    });
  }

  /** The field `use`, which GraphQL writes in capitals. */
  use(): Use {
    const written = this.text("use");
    const use = USES.find((each) => each.toUpperCase() === written);
    if (use === undefined) throw notUnderstood();
    return use;
  }

  /** The field `disputes`. */
  disputes(): OwnDispute[] {
    return this.each("disputes").map((each) => {
      const outcome = DISPUTE_OUTCOMES.find((known) => known === each.text("outcome"));
      if (outcome === undefined) throw notUnderstood();
      return { index: each.number("index"), outcome };
    });
  }

  /** The field `exclusions`; names that others gave are made fit to be shown. */
  exclusions(): Exclusion[] {
    return this.each("exclusions").map((each) => {
      const certificate = each.optionalInner("certificate");
      return {
        dataset: plain(each.text("dataset")),
        organisation: plain(each.text("organisation")),
        use: each.use(),
        day: each.number("day"),
        images: each.number("images"),
        sessionIndex: each.optionalNumber("sessionIndex"),
        certificate: certificate && {
          index: certificate.number("index"),
          digest: certificate.octets("digest"),
        },
      };
    });
  }
}

/** The object that answers the field `name` of a GraphQL response. */
export function answerOf(name: string, body: string): Answer {
  let response: unknown;
  try {
    response = JSON.parse(body);
  } catch {
    response = null;
  }
  if (!isObject(response)) throw notUnderstood();
  const { errors, data } = response;
  if (Array.isArray(errors) && errors.length > 0) throw topLevel(errors[0]);
  const value = isObject(data) ? data[name] : null;
  if (isObject(value) && typeof value.code === "string" && "message" in value) {
    throw problemOf(value, value.code, value);
  }
  return new Answer(value);
}

function topLevel(error: unknown): TransportError | RegistryProblem {
  if (!isObject(error)) return notUnderstood();
  const { extensions, message } = error;
  if (!isObject(extensions) || typeof extensions.code !== "string") {
    return new TransportError(`the registry refused the request: ${plain(message)}`);
  }
  return problemOf(error, extensions.code, extensions);
}

function problemOf({ message }: Json, code: string, details: Json): RegistryProblem {
  const { retryAfterSeconds, spaces } = details;
  return new RegistryProblem(
    plain(message),
    plain(code),
    isIndex(retryAfterSeconds) ? retryAfterSeconds : null,
    Array.isArray(spaces) ? spaces.map(plain) : [],
  );
}

/** What a registry wrote, fit to be shown: no control characters, not too long. */
export function plain(text: unknown): string {
  if (typeof text !== "string") return "(no message)";
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, " ").slice(0, MAX_MESSAGE_CHARACTERS);
}

export function notUnderstood(): TransportError {
  return new TransportError("the registry's answer could not be understood");
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isIndex = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_INDEX;
