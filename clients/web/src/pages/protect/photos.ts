/** The photographs chosen, and how far each is. */

import type { PictureFingerprints } from "../../fingerprints";
import type { Registered } from "../../app/registering";

/** One photograph on its way. */
export interface Photo {
  readonly number: number;
  readonly file: File;
  /** Of the browser's own copy, for a small view of it. */
  readonly address: string;
  readonly made: PictureFingerprints | null;
  readonly error: unknown;
  readonly sending: PhotoSending;
}

export type PhotoSending =
  | { readonly stage: "waiting" | "sealing" | "sending" | "checking" }
  | { readonly stage: "working"; readonly share: number }
  | { readonly stage: "registered"; readonly registered: Registered }
  | { readonly stage: "failed"; readonly error: unknown };

export type Photos = readonly Photo[];

/** The same photographs, one of them changed. */
export function changed(photos: Photos, number: number, change: Partial<Photo>): Photos {
  return photos.map((photo) => (photo.number === number ? { ...photo, ...change } : photo));
}

export const usable = (photos: Photos): Photos => photos.filter(({ made }) => made !== null);

export const isComputing = (photos: Photos): boolean =>
  photos.some(({ made, error }) => made === null && error === null);

export const registeredOf = (photos: Photos): readonly Registered[] =>
  photos.flatMap(({ sending }) => (sending.stage === "registered" ? [sending.registered] : []));
