/**
 * Bytes and rules of the consent registry, pure: values in, values out, no input or output. It
 * mirrors the Python client's `consent_client.protocol` module by module, and agrees with it in
 * every vector of `tests/vectors`.
 */

export * from "./canonical-json";
export * from "./certificates";
export * from "./checkpoints";
export * from "./cosignatures";
export * from "./ed25519";
export * from "./encoding";
export * from "./exports";
export * from "./fingerprints";
export * from "./keys";
export * from "./log";
export * from "./manifests";
export * from "./merkle";
export * from "./notes";
export * from "./origins";
export * from "./policies";
export * from "./purposes";
export * from "./receipts";
export * from "./records";
export * from "./results";
export * from "./screening";
export * from "./sealing";
export * from "./sealing-keys";
export * from "./spaces";
export * from "./statements";
export * from "./tiles";
export * from "./tlog-proofs";
export * from "./vectors";
export * from "./verdicts";
