/** Words that the registry and the records kept here share. */

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
