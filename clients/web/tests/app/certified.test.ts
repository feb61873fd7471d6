/** A certificate that Python made is checked with all that belongs to it; damage is noticed. */

import { beforeAll, describe, expect, test } from "vitest";
import {
  check,
  type Checks,
  isIn,
  isWhole,
  isWrong,
  type Papers,
  paperOf,
  provenAt,
} from "../../src/app/certified";
import { BadCertificate, BadEvidence, BadProof, ConsentError } from "../../src/errors";
import {
  type Bytes,
  Checkpoint,
  certifyDigest,
  decodeBase64,
  decodeEntry,
  type Entry,
  encodeEntry,
  leafHash,
  NoteVerifier,
  rootOf,
  verifyCertificate,
} from "../../src/protocol";
import type { Placed } from "../../src/registrant/own-log";
import { provenEntries } from "../../src/registrant/proven-log";
import { hasPython, runPython } from "../support/python";
import { tile } from "../support/tiles";
import { hex } from "../support/vectors";

/** Entries of others before the session: more than a page and a tile. */
const BEFORE = 5_000;
/** Where reading begins, as the registry's pages do. */
const PAGE = 4_096;
const AT = BEFORE + 77;

interface Made {
  readonly certificate: string;
  readonly another: string;
  readonly manifest: string;
  readonly evidence: string;
  readonly proof: string;
  readonly entries: readonly string[];
  readonly superseding: string;
  readonly image: string;
  readonly excluded: string;
  readonly key: string;
}

describe.skipIf(!hasPython)("a certificate", () => {
  let made: Made;
  let papers: Papers & { readonly certificate: Bytes };
  let log: Entry[];
  let days: Bytes[];
  let verifier: NoteVerifier;

  beforeAll(() => {
    made = JSON.parse(runPython("clients/web/tests/app/certify.py", [String(AT)])) as Made;
    papers = {
      certificate: decodeBase64(made.certificate),
      manifest: decodeBase64(made.manifest),
      evidence: decodeBase64(made.evidence),
    };
    verifier = NoteVerifier.parse(made.key);
    const before: Entry[] = Array.from({ length: AT }, (_, day) => ({ type: "DAY", day }));
    days = before.map(hashOf);
    log = [...before, ...made.entries.map((each) => decodeEntry(hex(each)))];
  });

  async function* from(entries: readonly Entry[], start: number): AsyncGenerator<Placed> {
    const first = start - (start % PAGE);
    for (const [at, entry] of entries.slice(first).entries()) yield [first + at, entry];
  }

  /** Checks papers against a log, which is `shown` in place of the one that was signed. */
  async function checked(given: Partial<Papers> = {}, entries = log, shown = entries) {
    const leaves = entries.map((each, at) => (at < AT ? days[at] : null) ?? hashOf(each));
    const checkpoint = new Checkpoint(verifier.name, leaves.length, rootOf(leaves));
    const all = { ...papers, ...given, certificate: papers.certificate };
    const told: Checks[] = [];
    const checks = await check(
      verifyCertificate(all.certificate),
      all,
      {
        verifier,
        checkpoint: async () => checkpoint,
        entries: (signed, start) =>
          provenEntries(signed, from(shown, start), async (path) => tile(leaves, path)),
      },
      (each) => told.push(each),
    );
    expect(told.at(-1)).toEqual(checks);
    return checks;
  }

  const errorOf = (one: Checks[keyof Checks]): ConsentError | null =>
    one.is === "wrong" ? one.error : null;

  test("with all its papers it holds", async () => {
    const checks = await checked();
    expect(checks).toMatchObject({
      logged: { is: "holds", known: { certifiedAt: AT + 2, size: AT + 3 } },
      shipped: { is: "holds", known: 1_089 },
      cleared: { is: "holds", known: { CLEAR: 1_089, PERMIT: 0 } },
    });
    expect(isWhole(checks)).toBe(true);
  });

  test("what is missing is left open, and nothing is said of it", async () => {
    expect(await checked({ evidence: undefined })).toMatchObject({
      shipped: { is: "holds" },
      cleared: { is: "open", why: "noEvidence" },
    });
    const bare = await checked({ manifest: undefined });
    expect(bare).toMatchObject({ shipped: { is: "open" }, cleared: { is: "open" } });
    expect(isWhole(bare)).toBe(false);
    expect(isWrong(bare)).toBe(false);
  });

  test("another's manifest, and evidence that was changed", async () => {
    const manifest = (papers.manifest ?? new Uint8Array(0)).slice();
    manifest[manifest.length - 1] = (manifest.at(-1) ?? 0) ^ 1;
    const other = await checked({ manifest });
    expect(errorOf(other.shipped)).toBeInstanceOf(BadCertificate);
    expect(errorOf(other.cleared)).toBeInstanceOf(BadEvidence);
    const evidence = (papers.evidence ?? new Uint8Array(0)).slice();
    evidence[60] = (evidence[60] ?? 0) ^ 1;
    const changed = await checked({ evidence });
    expect(errorOf(changed.cleared)).toBeInstanceOf(BadEvidence);
    expect(isWrong(changed)).toBe(true);
  });

  test.each<[string, (entries: Entry[]) => Entry[]]>([
    ["never certified", (entries) => entries.slice(0, -1)],
    ["never opened", (entries) => entries.toSpliced(AT, 1, { type: "DAY", day: AT })],
    ["never closed", (entries) => entries.toSpliced(AT + 1, 1, { type: "DAY", day: AT })],
    ["closed twice", (entries) => [...entries, entries[AT + 1] as Entry]],
    [
      "certified before it was closed",
      (entries) => [
        ...entries.slice(0, AT + 1),
        entries[AT + 2] as Entry,
        entries[AT + 1] as Entry,
      ],
    ],
    ["superseded", (entries) => [...entries, decodeEntry(hex(made.superseding))]],
  ])("a log in which its session was %s", async (_, changed) => {
    const checks = await checked({}, changed(log));
    expect(errorOf(checks.logged)).toBeInstanceOf(BadCertificate);
    expect(checks.cleared).toEqual({ is: "open", why: "noClose" });
  });

  test("entries that were not signed so", async () => {
    const shown = log.toSpliced(AT + 1, 1, {
      ...(log[AT + 1] as Extract<Entry, { type: "CLOSE" }>),
      leastLogSize: 1,
    });
    expect(errorOf((await checked({}, log, shown)).logged)).toBeInstanceOf(BadProof);
    const cut = log.slice(0, -1);
    expect(errorOf((await checked({}, log, cut)).logged)).toBeInstanceOf(BadProof);
  });

  test("newer entries than what was signed are not looked at", async () => {
    const more = [...log, decodeEntry(hex(made.superseding))];
    expect((await checked({}, log, more)).logged.is).toBe("holds");
  });

  test("of another registry, and without a log, by the proof that came with it", async () => {
    const data = papers.certificate;
    const certificate = verifyCertificate(data);
    const never = async function* (): AsyncGenerator<Placed> {};
    const registry = { verifier, checkpoint: async () => null, entries: never };
    const tell = (): void => undefined;
    const alone = await check(certificate, papers, registry, tell);
    expect(alone.logged).toEqual({ is: "open", why: "noLog" });
    const proven = await check(certificate, { ...papers, proof: made.proof }, registry, tell);
    expect(proven.logged).toEqual({ is: "holds", known: AT + 2 });
    expect(proven.cleared).toEqual({ is: "open", why: "noClose" });
    const digest = certifyDigest(decodeBase64(made.another));
    expect(() => provenAt(certificate, digest, made.proof, verifier)).toThrow(BadProof);
    const unknown = { ...registry, verifier: null };
    const foreign = await check(certificate, { ...papers, proof: made.proof }, unknown, tell);
    expect(foreign.logged).toEqual({ is: "open", why: "noLog" });
  });

  test("a picture is found in what is shipped, and one that was left out is not", () => {
    const manifest = papers.manifest ?? new Uint8Array(0);
    expect(isIn(manifest, hex(made.image))).toBe(true);
    expect(isIn(manifest, hex(made.excluded))).toBe(false);
  });

  test("each file is known by what it holds", () => {
    const { certificate, manifest = certificate, evidence = certificate } = papers;
    expect(Object.keys(paperOf(certificate) ?? {})).toEqual(["certificate"]);
    expect(Object.keys(paperOf(manifest) ?? {})).toEqual(["manifest"]);
    expect(Object.keys(paperOf(evidence) ?? {})).toEqual(["evidence"]);
    const text = new TextEncoder();
    expect(Object.keys(paperOf(text.encode(made.proof)) ?? {})).toEqual(["proof"]);
    expect(paperOf(text.encode("anything"))).toBe(null);
    expect(paperOf(text.encode("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 1\n"))).toBe(null);
  });
});

const hashOf = (entry: Entry): Bytes => leafHash(encodeEntry(entry));
