/** Words that the registry and the records kept here share. */

import type { Bytes, Use } from "../protocol";

/** What has become of a record. Nothing returns to ACTIVE. */
export const STATUSES = ["ACTIVE", "WITHDRAWN", "ERASED", "EXPIRED"] as const;
export type RecordStatus = (typeof STATUSES)[number];

export const isStatus = (text: string): text is RecordStatus =>
  (STATUSES as readonly string[]).includes(text);

/**
 * How different a copy may be and still be found in one space. EDITED_COPIES: crops, bars, captions
 * and screenshots too. NEAR_COPIES: only what hardly differs.
 */
export const REACHES = ["EDITED_COPIES", "NEAR_COPIES"] as const;
export type Reach = (typeof REACHES)[number];

/** How far a record reaches in one space in which likeness counts. */
export interface SpaceProtection {
  readonly space: string;
  readonly reach: Reach;
}

/** A screening that left images out because of a record. */
export interface Exclusion {
  /** The data set's name, as its builder gave it. */
  readonly dataset: string;
  /** The builder, as the registry's operator named it. */
  readonly organisation: string;
  readonly use: Use;
  /** UTC day on which the newest was left out. */
  readonly day: number;
  readonly images: number;
  /** Of the SESSION entry, where the screening was committed to. */
  readonly sessionIndex: number | null;
  /** The newest certificate of it, where one was logged: its CERTIFY entry and its digest. */
  readonly certificate: { readonly index: number; readonly digest: Bytes } | null;
}

/** What an operator can decide about an exclusion that a builder disputed. */
export const DISPUTE_OUTCOMES = ["STANDS", "MISTAKEN", "ERASED"] as const;

/** A builder disputed that a record excluded an image, and the operator decided. */
export interface OwnDispute {
  /** Of its DISPUTE entry. */
  readonly index: number;
  readonly outcome: (typeof DISPUTE_OUTCOMES)[number];
}
