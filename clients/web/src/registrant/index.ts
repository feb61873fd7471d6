/** What a registrant does, without a page. */

export type { ConnectionOptions, Patience, Waiting } from "./connection";
export type { Meeting } from "./meeting";
export type { OwnRecord, RegistryInfo } from "./operations";
export * from "./records";
export type { Wish } from "./registering";
export { Registrant, type RegistrantOptions } from "./registrant";
export { isActive, isUnanswered, type SavedRecord, type Stage } from "./saved-records";
export { type PinnedRegistry, State } from "./state";
export { BrowserStore, MemoryStore, type Store } from "./stores";
export { SignedWithdrawal } from "./withdrawals";
