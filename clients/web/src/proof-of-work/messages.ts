/** What a page and its worker tell each other. */

import type { Bytes } from "../protocol/encoding";

/** To the worker: one challenge to be solved; it ends after its answer. */
export interface Ask {
  readonly challenge: string;
  readonly recordId: Bytes;
}

/** From the worker: how far it is, and at last one of the other two. */
export type Told =
  | { readonly attempts: number }
  | { readonly payload: string }
  | { readonly code: string; readonly message: string };
