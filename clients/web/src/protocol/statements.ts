/**
 * What a person states about an image: 10 bytes (FORMATS §3).
 *
 * `u8 version 1 ‖ u8 vocabulary ‖ u8 uses ‖ u8 basis ‖ u16 given_for ‖ u32 valid_until`, where use
 * i takes bits 2i and 2i + 1 of the uses byte, counted from the least significant.
 */

import { BadStatement } from "../errors";
import { type Bytes, concat, Reader, u8, u16, u32 } from "./encoding";
import { PURPOSE_TERMS, VOCABULARY } from "./purposes";

export const STATEMENT_BYTES = 10;

/** The four uses of the CAWG training and data mining assertion, in the order of their codes. */
export const USES = [
  "data_mining",
  "ai_inference",
  "ai_training",
  "ai_generative_training",
] as const;
export type Use = (typeof USES)[number];

/** What is stated about one use, in the order of the codes, as CAWG writes it. */
export const STANCES = ["unsaid", "allowed", "notAllowed"] as const;
export type Stance = (typeof STANCES)[number];

/** As what a person speaks; the code is the place in this list. It is a claim: nobody checks it. */
export const BASES = [null, "data_subject", "rightsholder", "guardian", "agent"] as const;
export type Basis = NonNullable<(typeof BASES)[number]>;

const VERSION = 1;
const STANCE_BITS = 2;
const STANCE_MASK = 3;
const DAY_MAX = 2 ** 32 - 1;
const SECONDS_PER_DAY = 86_400;

export interface StatementFields {
  /** What is stated, by use; what is not named is unsaid. */
  readonly stances: Readonly<Partial<Record<Use, Stance>>>;
  readonly basis?: Basis;
  /** Code of the only purpose the image was given for, a place in `PURPOSE_TERMS`; 0: unsaid. */
  readonly givenFor?: number;
  /** The last UTC day (days since 1970-01-01) it holds; 0: no end. */
  readonly validUntil?: number;
}

/** What a person states about one image; `BadStatement` where it says nothing, or out of range. */
export class Statement {
  readonly stances: Readonly<Record<Use, Stance>>;
  readonly basis: Basis;
  readonly givenFor: number;
  readonly validUntil: number;

  constructor({ stances, basis, givenFor, validUntil }: StatementFields) {
    const said = (use: Use): Stance => stances[use] ?? "unsaid";
    this.stances = {
      data_mining: said("data_mining"),
      ai_inference: said("ai_inference"),
      ai_training: said("ai_training"),
      ai_generative_training: said("ai_generative_training"),
    };
    this.basis = basis ?? "data_subject";
    this.givenFor = givenFor ?? 0;
    this.validUntil = validUntil ?? 0;
    this.#check();
  }

  #check(): void {
    const said = Object.values(this.stances);
    if (!said.every((stance) => STANCES.includes(stance))) {
      throw new BadStatement("a stance that does not exist");
    }
    if (said.every((stance) => stance === "unsaid")) {
      throw new BadStatement("a statement says something about at least one use");
    }
    if (!BASES.includes(this.basis) || PURPOSE_TERMS[this.givenFor] === undefined) {
      throw new BadStatement("unknown basis or purpose");
    }
    const day = this.validUntil;
    if (!Number.isInteger(day) || day < 0 || day > DAY_MAX) {
      throw new BadStatement("the last day is out of range");
    }
  }

  /** Whether it no longer holds on this UTC day: its last day is behind. */
  expired(day: number): boolean {
    return this.validUntil > 0 && this.validUntil < day;
  }

  /** Its 10 bytes. */
  encode(): Bytes {
    const uses = USES.reduce(
      (byte, use, at) => byte | (STANCES.indexOf(this.stances[use]) << (STANCE_BITS * at)),
      0,
    );
    return concat(
      Uint8Array.of(VERSION, VOCABULARY, uses),
      u8(BASES.indexOf(this.basis)),
      u16(this.givenFor),
      u32(this.validUntil),
    );
  }

  /** The statement behind 10 bytes; `BadStatement` for anything `encode` would not have written. */
  static decode(data: Bytes): Statement {
    if (data.length !== STATEMENT_BYTES) {
      throw new BadStatement(`a statement has ${STATEMENT_BYTES} bytes`);
    }
    const reader = new Reader(data);
    if (reader.u8() !== VERSION || reader.u8() !== VOCABULARY) {
      throw new BadStatement("a statement of another version or vocabulary");
    }
    const uses = reader.u8();
    const stances: Partial<Record<Use, Stance>> = {};
    USES.forEach((use, at) => {
      const stance = STANCES[(uses >> (STANCE_BITS * at)) & STANCE_MASK];
      if (stance === undefined) throw new BadStatement("a stance that does not exist");
      stances[use] = stance;
    });
    const basis = BASES[reader.u8()];
    if (!basis) throw new BadStatement("unknown basis or purpose");
    return new Statement({ stances, basis, givenFor: reader.u16(), validUntil: reader.u32() });
  }
}

/** The default statement: none of the four uses is allowed, by the person in the picture. */
export function refusal(): Statement {
  return new Statement({
    stances: {
      data_mining: "notAllowed",
      ai_inference: "notAllowed",
      ai_training: "notAllowed",
      ai_generative_training: "notAllowed",
    },
  });
}

/** UTC day number (days since 1970-01-01) of a Unix time in seconds. */
export const dayOf = (seconds: number): number => Math.floor(seconds / SECONDS_PER_DAY);
