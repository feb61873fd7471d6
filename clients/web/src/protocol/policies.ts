/**
 * Whose word is enough for a checkpoint: policy files (https://c2sp.org/tlog-policy).
 *
 *     log <verifier key> [<URL>]
 *     witness <name> <verifier key> [<URL>]
 *     group <name> <any|all|k> <name>…
 *     quorum <name|none>
 *
 * A checkpoint is valid when one of the logs signed it and the quorum cosigned it. Names serve
 * within the file only; a witness is told to the outside by the name of its key.
 */

import { BadNote, BadPolicy } from "../errors";
import { type Checkpoint, openCheckpoint } from "./checkpoints";
import { type Cosignature, verifyCosignatures, WitnessVerifier } from "./cosignatures";
import { sameBytes, utf8 } from "./encoding";
import { NoteVerifier, splitNote } from "./notes";

export const MAX_POLICY_BYTES = 65_536;
export const NO_QUORUM = "none";

const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const THRESHOLD = /^[1-9][0-9]{0,4}$/;

export interface PolicyLog {
  readonly verifier: NoteVerifier;
  /** Where it is, as the file says; empty where it does not. */
  readonly url: string;
}

export interface PolicyWitness {
  readonly verifier: WitnessVerifier;
  readonly url: string;
}

/** Witnesses and groups of which `threshold` are enough. */
export interface Group {
  readonly threshold: number;
  readonly members: readonly string[];
}

/** A policy file, read. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  /** By their name in the file, in its order. */
  readonly witnesses: ReadonlyMap<string, PolicyWitness>;
  /** By name; each names only what stands before it. */
  readonly groups: ReadonlyMap<string, Group>;
  /** Name of the witness or group that must have cosigned, or `none`. */
  readonly quorum: string;
}

/** A checkpoint that a log of the policy signed, and who else did. */
export interface Vouched {
  readonly checkpoint: Checkpoint;
  /** Whether the policy's quorum is there; it always is where the policy wants none. */
  readonly satisfied: boolean;
  /** Of the policy's witnesses that cosigned, in the policy's order. */
  readonly cosignatures: readonly Cosignature[];
  /** Whether others than the log vouch for it: a quorum is asked for and is there. */
  readonly witnessed: boolean;
}

/** The policy that takes this log's own word. */
export function trusting(log: NoteVerifier): Policy {
  return {
    logs: [{ verifier: log, url: "" }],
    witnesses: new Map(),
    groups: new Map(),
    quorum: NO_QUORUM,
  };
}

/** Whether these witnesses, by their names in the file, are a quorum. */
export function satisfies(policy: Policy, cosigned: ReadonlySet<string>): boolean {
  if (policy.quorum === NO_QUORUM) return true;
  const met = new Set([...policy.witnesses.keys()].filter((name) => cosigned.has(name)));
  for (const [name, group] of policy.groups) {
    if (group.members.filter((member) => met.has(member)).length >= group.threshold) met.add(name);
  }
  return met.has(policy.quorum);
}

/**
 * Who of a policy stands behind a checkpoint; without the quorum it is told, not refused.
 *
 * Throws `BadNote`: not a note, none of the policy's logs signed it, or a log or witness of the
 * policy is there with a signature that is wrong, or twice. `BadCheckpoint`: the text is none.
 */
export function vouch(policy: Policy, note: string): Vouched {
  const { signatures } = splitNote(note);
  const [checkpoint] = policy.logs
    .map(({ verifier }) => verifier)
    .filter((log) => signatures.some((line) => line.by(log.name, log.keyHash)))
    .map((log) => openCheckpoint(note, log));
  if (checkpoint === undefined) throw new BadNote("no log of the policy signed the checkpoint");
  const names = new Map([...policy.witnesses].map(([name, { verifier }]) => [verifier, name]));
  const cosignatures = verifyCosignatures(note, [...names.keys()]);
  const cosigned = new Set(cosignatures.map(({ witness }) => names.get(witness) ?? ""));
  const satisfied = satisfies(policy, cosigned);
  return {
    checkpoint,
    satisfied,
    cosignatures,
    witnessed: satisfied && policy.quorum !== NO_QUORUM,
  };
}

/** The policy behind a file's text; `BadPolicy` for anything the specification does not allow. */
export function parsePolicy(text: string): Policy {
  if (utf8(text).length > MAX_POLICY_BYTES) throw new BadPolicy("the policy is too long");
  const lines = text.split("\n");
  if (lines.pop() !== "") {
    throw new BadPolicy("the last line has no newline: is this the whole file?", lines.length + 1);
  }
  const draft = new Draft();
  lines.forEach((line, at) => {
    if (FORBIDDEN.test(line)) throw new BadPolicy("a control character", at + 1);
    const [keyword, ...fields] = line.split(/[ \t]+/).filter((field) => field !== "");
    if (keyword === undefined || keyword.startsWith("#")) return;
    try {
      draft.add(keyword, fields);
    } catch (error) {
      if (error instanceof BadNote) throw new BadPolicy(`the key: ${error.message}`, at + 1);
      throw error instanceof BadPolicy ? new BadPolicy(error.message, at + 1) : error;
    }
  });
  return draft.finished();
}

/** A policy as far as it was read. */
class Draft {
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses = new Map<string, PolicyWitness>();
  readonly #groups = new Map<string, Group>();
  readonly #grouped = new Set<string>();
  #quorum: string | null = null;

  add(keyword: string, fields: readonly string[]): void {
    const [first = "", second = "", ...rest] = fields;
    switch (keyword) {
      case "log":
        checkParts(keyword, fields, 1, 2);
        this.#log(NoteVerifier.parse(first), second);
        break;
      case "witness":
        checkParts(keyword, fields, 2, 3);
        this.#witness(first, WitnessVerifier.parse(second), rest[0] ?? "");
        break;
      case "group":
        checkParts(keyword, fields, 3, Number.POSITIVE_INFINITY);
        this.#group(first, second, rest);
        break;
      case "quorum":
        checkParts(keyword, fields, 1, 1);
        this.#setQuorum(first);
        break;
      default:
        throw new BadPolicy("neither log, witness, group nor quorum");
    }
  }

  finished(): Policy {
    if (this.#quorum === null) throw new BadPolicy("there is no quorum line");
    return {
      logs: this.#logs,
      witnesses: this.#witnesses,
      groups: this.#groups,
      quorum: this.#quorum,
    };
  }

  #log(verifier: NoteVerifier, url: string): void {
    if (this.#logs.some((other) => sameBytes(other.verifier.publicKey, verifier.publicKey))) {
      throw new BadPolicy("a log's key is listed twice");
    }
    this.#logs.push({ verifier, url });
  }

  #witness(name: string, verifier: WitnessVerifier, url: string): void {
    this.#checkNew(name);
    for (const other of this.#witnesses.values()) {
      if (sameBytes(other.verifier.publicKey, verifier.publicKey)) {
        throw new BadPolicy("a witness's key is listed twice");
      }
    }
    this.#witnesses.set(name, { verifier, url });
  }

  #group(name: string, threshold: string, members: readonly string[]): void {
    this.#checkNew(name);
    for (const member of members) {
      this.#checkKnown(member);
      if (this.#grouped.has(member)) throw new BadPolicy("a member of two groups, or twice of one");
      this.#grouped.add(member);
    }
    const least = thresholdOf(threshold, members.length);
    if (least < 1 || least > members.length) {
      throw new BadPolicy("a group's threshold is any, all, or a number from 1 to its members");
    }
    this.#groups.set(name, { threshold: least, members });
  }

  #setQuorum(name: string): void {
    if (this.#quorum !== null) throw new BadPolicy("a second quorum line");
    if (name !== NO_QUORUM) this.#checkKnown(name);
    this.#quorum = name;
  }

  #checkNew(name: string): void {
    if (name === NO_QUORUM || this.#witnesses.has(name) || this.#groups.has(name)) {
      throw new BadPolicy("a name that is taken");
    }
  }

  #checkKnown(name: string): void {
    if (!this.#witnesses.has(name) && !this.#groups.has(name)) {
      throw new BadPolicy("a name that no line before it defines");
    }
  }
}

function thresholdOf(text: string, members: number): number {
  if (text === "any") return 1;
  if (text === "all") return members;
  return THRESHOLD.test(text) ? Number(text) : 0;
}

function checkParts(keyword: string, fields: readonly string[], least: number, most: number): void {
  if (fields.length < least || fields.length > most) {
    throw new BadPolicy(`a ${keyword} line with too few or too many parts`);
  }
}
