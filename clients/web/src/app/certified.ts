/** A builder's certificate, and whether log, manifest and evidence bear it out; pure but for time. */

import { BadCertificate, ConsentError, ProtocolError } from "../errors";
import {
  type Bytes,
  type Certificate,
  certifyDigest,
  checkEvidence,
  type Checkpoint,
  checkLogged,
  type Close,
  compareBytes,
  encodeEntry,
  IMAGE_BYTES,
  isEvidence,
  isManifestFile,
  leafHash,
  looksLikeCertificate,
  type NoteVerifier,
  rootingRows,
  rowsOfFile,
  sameBytes,
  type Session as SessionEntry,
  TlogProof,
  trusting,
  verifyingEvidence,
  type Verdict,
  vouch,
} from "../protocol";
import type { Placed } from "../registrant/own-log";

/** Of a manifest or evidence: some four million pictures. More is for the command line. */
export const MAX_FILE_BYTES = 2 ** 28;

const PROOF_TITLE = "c2sp.org/tlog-proof@v1\nindex ";

/** What a builder hands out, by what it is; all of one data set. */
export interface Papers {
  readonly certificate?: Bytes | undefined;
  readonly manifest?: Bytes | undefined;
  readonly evidence?: Bytes | undefined;
  /** That the certificate is in the log: for where the log cannot be asked. */
  readonly proof?: string | undefined;
}

/** Which of a builder's papers a file is; null: none of them. */
export function paperOf(data: Bytes): Papers | null {
  if (isManifestFile(data)) return { manifest: data };
  if (isEvidence(data)) return { evidence: data };
  const text = new TextDecoder().decode(data.subarray(0, 2 ** 16 + 1));
  if (looksLikeCertificate(text)) return { certificate: data };
  // A receipt is a proof with extra data; a proof without any is of something else in the log.
  return text.startsWith(PROOF_TITLE) ? { proof: text } : null;
}

/** Where the log says that a certificate's session was opened, closed and certified. */
export interface Logged {
  readonly close: Close;
  readonly certifiedAt: number;
  /** Of the log that it was found in. */
  readonly size: number;
}

/** One thing that is to be shown. `K` is what is known once it is. */
export type Check<K> =
  | { readonly is: "working"; readonly done: number }
  | { readonly is: "holds"; readonly known: K }
  | { readonly is: "wrong"; readonly error: ConsentError }
  | { readonly is: "open"; readonly why: "noManifest" | "noEvidence" | "noLog" | "noClose" }
  | { readonly is: "failed"; readonly error: unknown };

export interface Checks {
  readonly logged: Check<Logged | number>;
  readonly shipped: Check<number>;
  readonly cleared: Check<Readonly<Partial<Record<Verdict, number>>>>;
}

/** What is known of the registry that a certificate names. */
export interface Registry {
  /** Its key; null: it is not known here. */
  readonly verifier: NoteVerifier | null;
  /** Its newest checkpoint, verified; null: it cannot be asked here, or has published none. */
  readonly checkpoint: () => Promise<Checkpoint | null>;
  /** The entries from (about) `start` up to the checkpoint, proven once all were read. */
  readonly entries: (checkpoint: Checkpoint, start: number) => AsyncIterable<Placed>;
}

/** Checks what can be checked of a builder's papers, and tells each step. */
export async function check(
  certificate: Certificate,
  papers: Papers & { readonly certificate: Bytes },
  registry: Registry,
  tell: (checks: Checks) => void,
): Promise<Checks> {
  const working = { is: "working", done: 0 } as const;
  let checks: Checks = { logged: working, shipped: working, cleared: working };
  const found = (part: Partial<Checks>): void => {
    checks = { ...checks, ...part };
    tell(checks);
  };
  found({ logged: await attempt(() => logged(certificate, papers, registry)) });
  found({
    shipped: await attempt(() =>
      shipped(certificate, papers, (done) => found({ shipped: { is: "working", done } })),
    ),
  });
  found({
    cleared: await attempt(() =>
      cleared(certificate, papers, checks, (done) => found({ cleared: { is: "working", done } })),
    ),
  });
  return checks;
}

/** Whether nothing is wrong, and nothing was left out. */
export const isWhole = (checks: Checks): boolean =>
  Object.values(checks).every(({ is }: Check<unknown>) => is === "holds");

export const isWrong = (checks: Checks): boolean =>
  Object.values(checks).some(({ is }: Check<unknown>) => is === "wrong");

async function attempt<K>(work: () => Promise<Check<K>>): Promise<Check<K>> {
  try {
    return await work();
  } catch (error) {
    return error instanceof ProtocolError ? { is: "wrong", error } : { is: "failed", error };
  }
}

async function logged(
  certificate: Certificate,
  papers: Papers & { readonly certificate: Bytes },
  registry: Registry,
): Promise<Checks["logged"]> {
  const digest = certifyDigest(papers.certificate);
  const checkpoint = await registry.checkpoint();
  if (checkpoint !== null) {
    const log = registry.entries(checkpoint, certificate.sessionIndex);
    return { is: "holds", known: await findLogged(certificate, digest, log) };
  }
  if (papers.proof === undefined || registry.verifier === null) {
    return { is: "open", why: "noLog" };
  }
  return { is: "holds", known: provenAt(certificate, digest, papers.proof, registry.verifier) };
}

/** The entry of a certificate, by the proof that came with it; throws as `vouch` and proofs do. */
export function provenAt(
  certificate: Certificate,
  digest: Bytes,
  text: string,
  verifier: NoteVerifier,
): number {
  const proof = TlogProof.parse(text);
  const { checkpoint } = vouch(trusting(verifier), proof.checkpoint);
  const entry = { type: "CERTIFY", sessionIndex: certificate.sessionIndex, digest } as const;
  proof.verify(leafHash(encodeEntry(entry)), checkpoint);
  return proof.index;
}

/** Its entries in the log; `BadCertificate` where the log does not bear it out. */
export async function findLogged(
  certificate: Certificate,
  digest: Bytes,
  log: AsyncIterable<Placed>,
): Promise<Logged> {
  const { sessionIndex, closeIndex } = certificate;
  let session: SessionEntry | null = null;
  let close: Close | null = null;
  let closings = 0;
  let certifiedAt: number | null = null;
  let isLast = false;
  let size = 0;
  for await (const [index, entry] of log) {
    size = index + 1;
    if (entry.type === "SESSION" && index === sessionIndex) session = entry;
    else if (entry.type === "CLOSE" && entry.sessionIndex === sessionIndex) {
      closings += 1;
      if (index === closeIndex) close = entry;
    } else if (entry.type === "CERTIFY" && entry.sessionIndex === sessionIndex) {
      isLast = sameBytes(entry.digest, digest);
      if (isLast) certifiedAt ??= index;
    }
  }
  if (session === null || close === null) {
    throw new BadCertificate("there is no such session in the log");
  }
  checkLogged(certificate, session, close);
  if (closings > 1) throw new BadCertificate("the session was closed twice");
  if (certifiedAt === null) {
    throw new BadCertificate("it is not in the log: no CERTIFY entry has its digest");
  }
  if (certifiedAt < closeIndex) {
    throw new BadCertificate("it was logged before its session was closed");
  }
  if (!isLast) {
    throw new BadCertificate("the builder logged another certificate of this session since");
  }
  return { close, certifiedAt, size };
}

async function shipped(
  certificate: Certificate,
  { manifest }: Papers,
  tell: (done: number) => void,
): Promise<Checks["shipped"]> {
  if (manifest === undefined) return { is: "open", why: "noManifest" };
  const { root, count } = await inPieces(rootingRows(rowsOfFile(manifest)), tell);
  if (count !== certificate.shippedCount || !sameBytes(root, certificate.shippedRoot)) {
    throw new BadCertificate(`its ${count} rows are not what the certificate says is shipped`);
  }
  return { is: "holds", known: count };
}

async function cleared(
  certificate: Certificate,
  { manifest, evidence }: Papers,
  checks: Checks,
  tell: (done: number) => void,
): Promise<Checks["cleared"]> {
  if (manifest === undefined || evidence === undefined) return { is: "open", why: "noEvidence" };
  const { logged } = checks;
  // What the evidence leads to stands in the CLOSE entry, and nowhere else.
  if (logged.is !== "holds" || typeof logged.known === "number") {
    return { is: "open", why: "noClose" };
  }
  const shown = await inPieces(
    verifyingEvidence(
      evidence,
      rowsOfFile(manifest),
      certificate.count,
      logged.known.close,
      certificate.closeIndex,
    ),
    tell,
  );
  checkEvidence(certificate, shown);
  return { is: "holds", known: shown.verdicts };
}

/** Whether a file with this SHA-256 is in a manifest. Rows are in order, so few are looked at. */
export function isIn(manifest: Bytes, image: Bytes): boolean {
  const rows = [...rowsOfFile(manifest)];
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareBytes(rows[middle]?.subarray(0, IMAGE_BYTES) ?? image, image);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Long work a piece at a time, so that the page goes on meanwhile. */
async function inPieces<T>(work: Generator<number, T>, tell: (done: number) => void): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    tell(value);
    await new Promise((go) => setTimeout(go));
  }
}
