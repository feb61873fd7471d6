/** The registrant's flow against a real registry, with the Python client looking on. */

import { bytesToHex } from "@noble/hashes/utils.js";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  LogShortened,
  NoPhrase,
  RecordsLost,
  RegistryKeyChanged,
  RegistryProblem,
  StateError,
  Unreachable,
  WrongAnswer,
} from "../../src/errors";
import { solve } from "../../src/proof-of-work/solve";
import {
  type Bytes,
  buildRegistration,
  deriveOwner,
  encodeBase64,
  encodeVector,
  type Fingerprints,
  NoteSigner,
  newPhrase,
  parsePolicy,
  RegistrationRequest,
  refusal,
  Statement,
  verifyReceipt,
} from "../../src/protocol";
import {
  MemoryStore,
  Registrant,
  type RegistrantOptions,
  type SavedRecord,
  SignedWithdrawal,
} from "../../src/registrant";
import { toJson } from "../../src/registrant/saved-records";
import { hasPython } from "../support/python";
import { Registry } from "../support/registry";

type Answered = Record<string, unknown>;

const SOLVE = (challenge: string, recordId: Bytes) => solve(challenge, recordId);

/** Fingerprints of a picture that nobody else has. */
function picture(): Fingerprints {
  const random = (size: number): Bytes => crypto.getRandomValues(new Uint8Array(size));
  const vector = Float32Array.from(random(512), (byte) => byte - 127.5);
  return new Map([
    ["pdq-1", [random(32)]],
    ["sha256", [random(32)]],
    ["sscd-1", [encodeVector(vector)]],
  ]);
}

const asHex = (fingerprints: Fingerprints): object =>
  Object.fromEntries([...fingerprints].map(([id, values]) => [id, values.map(bytesToHex)]));

describe.skipIf(!hasPython)("with a registry", { timeout: 60_000 }, () => {
  let registry: Registry;
  let store: MemoryStore;
  let registrant: Registrant;

  const opened = (kept: MemoryStore, options: RegistrantOptions = {}): Registrant =>
    new Registrant(registry.url, kept, { solve: SOLVE, ...options });

  /** The same person on another device. */
  async function elsewhere(): Promise<Registrant> {
    const other = opened(new MemoryStore());
    await other.state.createPhrase(await registrant.state.phrase());
    return other;
  }

  const verdict = (fingerprints: Fingerprints): Promise<unknown> =>
    registry.ask("screen", { fingerprints: asHex(fingerprints) });

  const protect = (fingerprints: Fingerprints): Promise<SavedRecord> =>
    registrant.protect({ fingerprints, statement: refusal() });

  beforeAll(async () => {
    registry = await Registry.start();
    return () => registry.stop();
  }, 60_000);

  beforeEach(async () => {
    store = new MemoryStore();
    registrant = opened(store);
    await registrant.ensurePhrase();
  });

  test("what is protected is excluded, and what is withdrawn is not", async () => {
    const fingerprints = picture();
    expect(await verdict(fingerprints)).toBe("CLEAR");
    const record = await protect(fingerprints);
    expect(record.stage).toBe("registered");
    expect(record.status).toBe("ACTIVE");
    expect(record.keptList).toBeNull();
    expect(record.protection).toContainEqual({ space: "sscd-1", reach: "EDITED_COPIES" });
    expect(await verdict(fingerprints)).toBe("EXCLUDE");
    const ended = await registrant.withdraw(record);
    expect(ended.status).toBe("WITHDRAWN");
    expect(await verdict(fingerprints)).toBe("CLEAR");
    expect(await registrant.withdraw(record)).toEqual(ended);
  });

  test.each([1, 2] as const)("what is sealed under suite %i is opened", async (suite) => {
    const fingerprints = picture();
    const record = await registrant.save({ fingerprints, statement: refusal() });
    const { sealingKeys } = await registrant.meet();
    const key = sealingKeys.find((each) => each.suite === suite);
    if (key === undefined) throw new Error("the registry has no such key");
    const owner = deriveOwner(await registrant.state.seed(), record.origin, record.index);
    const request = await buildRegistration(owner, record.origin, refusal(), fingerprints, key);
    await registrant.state.saveRecord({ ...record, request });
    expect((await registrant.send(record)).request?.fields.sealingKeyId).toEqual(key.keyId);
    expect(await verdict(fingerprints)).toBe("EXCLUDE");
  });

  test("the receipt is verified, kept, and read by the Python client", async () => {
    const record = await protect(picture());
    const receipt = await registrant.receipt(record);
    const { verifier } = await registrant.meet();
    const policy = parsePolicy(`log ${verifier.vkey}\nquorum none\n`);
    expect(verifyReceipt(receipt, policy).checkpoint.origin).toBe(record.origin);
    const withdrawal = (await registrant.signedWithdrawal(record)).toText();
    const read = await registry.ask("read", {
      record: toJson(record),
      receipt: receipt.encode(),
      withdrawal,
    });
    expect(read).toBe(true);
    await registrant.state.saveRecord({ ...record, receipt: null });
    const anew = await registrant.receipt(record);
    expect(anew.register).toEqual(receipt.register);
    expect((await registrant.records())[0]?.receipt).toBe(anew.encode());
  });

  test("the same picture and statement is registered once", async () => {
    const fingerprints = picture();
    const first = await protect(fingerprints);
    expect(await protect(fingerprints)).toEqual(first);
    const statement = new Statement({ stances: { ai_training: "notAllowed" } });
    const other = await registrant.protect({ fingerprints, statement });
    expect(other.index).toBe(first.index + 1);
  });

  test("one that was withdrawn elsewhere is registered anew", async () => {
    const fingerprints = picture();
    const first = await protect(fingerprints);
    await registry.ask("withdraw", { phrase: await registrant.state.phrase(), index: 0 });
    const again = await protect(fingerprints);
    expect(again.index).toBe(first.index + 1);
    expect(await verdict(fingerprints)).toBe("EXCLUDE");
  });

  test("everything is kept before it is sent, and the same bytes are sent again", async () => {
    const bodies: string[] = [];
    let broken = true;
    const flaky: typeof fetch = async (address, request) => {
      const body = String(request?.body);
      if (!body.includes("mutation Register")) return fetch(address, request);
      bodies.push(JSON.stringify(RegistrationRequest.fromJson(inputOf(body)).toJson()));
      const kept = (await registrant.records()).at(-1);
      expect(JSON.stringify(kept?.request?.toJson())).toBe(bodies[0]);
      expect(kept?.stage).toBe("sent");
      const answer = await fetch(address, request); // it arrives, and the answer is lost
      if (broken) throw new TypeError("network");
      return answer;
    };
    registrant = opened(store, { fetch: flaky, patience: { tries: 1, throttledSeconds: 0 } });
    const saved = await registrant.save({ fingerprints: picture(), statement: refusal() });
    expect(saved.stage).toBe("waiting");
    await expect(registrant.send(saved)).rejects.toThrow(Unreachable);
    expect((await registrant.pending()).map(({ index }) => index)).toEqual([saved.index]);
    broken = false;
    const again = opened(store, { fetch: flaky }); // the page was closed and opened again
    const sent = await again.send(saved);
    expect(sent.stage).toBe("registered");
    expect(bodies.length).toBe(2);
    expect(bodies[1]).toBe(bodies[0]);
    expect(await again.pending()).toEqual([]);
  });

  test("a sealing key that is not known is replaced, for the same commitment", async () => {
    const record = await registrant.save({ fingerprints: picture(), statement: refusal() });
    const fields = record.request?.fields;
    if (fields === undefined) throw new Error("nothing to send");
    const request = new RegistrationRequest({ ...fields, sealingKeyId: new Uint8Array(8) });
    await registrant.state.saveRecord({ ...record, request });
    const sent = await registrant.send(record);
    expect(sent.stage).toBe("registered");
    expect(sent.commitment).toEqual(record.commitment);
    expect(sent.request?.fields.sealingKeyId).toEqual(fields.sealingKeyId);
    expect((await registrant.check(sent)).commitment).toEqual(record.commitment);
  });

  test("a number taken on another device is passed over", async () => {
    const phrase = await registrant.state.phrase();
    const statement = bytesToHex(refusal().encode());
    for (const expected of [0, 1]) {
      const given = { phrase, statement, fingerprints: asHex(picture()) };
      // The Python client's second device passes over the first one's number likewise.
      expect(await registry.ask("protect", given)).toBe(expected);
    }
    const fingerprints = picture();
    const record = await registrant.protect({ fingerprints, statement: refusal(), label: "mine" });
    expect(record.index).toBe(2);
    expect(record.label).toBe("mine");
    expect(record.stage).toBe("registered");
    const dropped = await registrant.state.record(record.origin, 0);
    expect(dropped?.stage).toBe("dropped");
    expect(dropped?.keptList).toBeNull();
    expect(dropped?.movedTo).toBe(2);
  });

  test("recovery from the phrase, here and in the Python client", async () => {
    const pictures = [picture(), picture(), picture()] as const;
    const made = [];
    for (const each of pictures) made.push(await protect(each));
    const [, second] = made;
    if (second === undefined) throw new Error("nothing was made");
    await registrant.withdraw(second);
    const phrase = await registrant.state.phrase();
    const found = await (await elsewhere()).recover();
    const told = found.map(({ index, commitment, status }) => ({
      index,
      commitment: bytesToHex(commitment),
      status,
    }));
    expect(told.map(({ status }) => status)).toEqual(["ACTIVE", "WITHDRAWN", "ACTIVE"]);
    expect(told.map(({ commitment }) => commitment)).toEqual(
      made.map(({ commitment }) => bytesToHex(commitment)),
    );
    expect(await registry.ask("recover", { phrase })).toEqual(told);
    expect(found[0]?.statement).toEqual(refusal());
    expect(found[0]?.imageDigest).toEqual(made[0]?.imageDigest);
    expect(found[1]?.statement).toBeNull();
    const other = await elsewhere();
    const [first] = await other.recover();
    if (first === undefined) throw new Error("nothing was found");
    expect((await other.withdraw(first)).status).toBe("WITHDRAWN");
    expect(await verdict(pictures[0])).toBe("CLEAR");
    const fresh = await other.protect({ fingerprints: picture(), statement: refusal() });
    expect(fresh.index).toBe(3);
  });

  test("another phrase finds nothing", async () => {
    await protect(picture());
    const other = opened(new MemoryStore());
    await other.ensurePhrase();
    expect(await other.recover()).toEqual([]);
  });

  test("what became of records is read from the log", async () => {
    const kept = await protect(picture());
    const gone = await protect(picture());
    const erased = await protect(picture());
    const other = await elsewhere();
    const found = await other.recover();
    await other.withdraw(found[1] ?? gone);
    await registry.ask("erase", { index: erased.registerIndex });
    const followed = await registrant.follow();
    expect(followed.map(({ status }) => status)).toEqual(["ACTIVE", "WITHDRAWN", "ERASED"]);
    expect(followed[0]).toEqual(kept);
    expect(followed[1]?.terminalIndex).not.toBeNull();
  });

  test("a log that lost our record is noticed, once", async () => {
    const record = await protect(picture());
    const stays = await protect(picture());
    await registrant.state.saveRecord({ ...record, registerIndex: 1_000_000, receipt: null });
    const pinned = await registrant.state.pinned(record.origin);
    await registrant.state.saveRegistry({ ...pinned, seen: 0 });
    await expect(registrant.follow()).rejects.toThrow(RecordsLost);
    const [lost, other] = await registrant.follow();
    expect(lost?.stage).toBe("lost");
    expect(other?.stage).toBe(stays.stage);
  });

  test("a log that is shorter than it was is noticed", async () => {
    const record = await protect(picture());
    const pinned = await registrant.state.pinned(record.origin);
    await registrant.state.saveRegistry({ ...pinned, seen: 1_000_000 });
    await expect(registrant.follow()).rejects.toThrow(LogShortened);
    expect((await registrant.follow())[0]?.stage).toBe("registered");
  });

  test("one that was never sent is dropped, and one whose answer was lost is withdrawn", async () => {
    const fingerprints = picture();
    const waiting = await registrant.save({ fingerprints: picture(), statement: refusal() });
    expect((await registrant.withdraw(waiting)).stage).toBe("dropped");
    const sent = await registrant.save({ fingerprints, statement: refusal() });
    await registrant.state.saveRecord({ ...sent, stage: "sent" }); // and nothing was heard of it
    const ended = await registrant.withdraw(sent);
    expect([ended.stage, ended.status]).toEqual(["registered", "WITHDRAWN"]);
    expect(await registrant.withdrawing()).toEqual([]);
    expect(await verdict(fingerprints)).toBe("CLEAR");
  });

  test("a withdrawal that was kept is sent without the phrase", async () => {
    const fingerprints = picture();
    const text = (await registrant.signedWithdrawal(await protect(fingerprints))).toText();
    const stranger = opened(new MemoryStore());
    const signed = SignedWithdrawal.fromText(`printed\n${text}`);
    expect(await stranger.sendWithdrawal(signed)).toBe("WITHDRAWN");
    expect(await verdict(fingerprints)).toBe("CLEAR");
  });

  test("spaces can be left out", async () => {
    const fingerprints = picture();
    const record = await registrant.save({ fingerprints, statement: refusal() });
    const less = await registrant.leaveOut(record, ["sscd-1"]);
    expect(less.index).toBe(record.index);
    expect(less.leftOut).toEqual(["sscd-1"]);
    expect((await registrant.send(less)).stage).toBe("registered");
    expect((await protect(fingerprints)).index).toBe(record.index); // it is known again
  });

  test("another key than the one pinned or given is refused, and nothing is sent", async () => {
    await registrant.meet();
    const pinned = await registrant.state.pinned(await registrant.origin());
    const { verifier } = new NoteSigner(pinned.origin, crypto.getRandomValues(new Uint8Array(32)));
    await registrant.state.saveRegistry({ ...pinned, verifierKey: verifier.vkey });
    await expect(opened(store).meet()).rejects.toThrow(RegistryKeyChanged);
    const given = opened(new MemoryStore(), { registryKey: verifier.vkey });
    await expect(given.meet()).rejects.toThrow(RegistryKeyChanged);
    const announced = opened(store, { registryKey: pinned.verifierKey });
    expect((await announced.meet()).firstTime).toBe(false);
  });

  test("an address that was another registry is refused", async () => {
    await registrant.meet();
    const pinned = await registrant.state.pinned(await registrant.origin());
    const other = new MemoryStore();
    const { verifier } = new NoteSigner("other.example", new Uint8Array(32).fill(7));
    const moved = { ...pinned, origin: "other.example", verifierKey: verifier.vkey };
    const stranger = opened(other);
    await stranger.state.saveRegistry(moved);
    await expect(stranger.meet()).rejects.toThrow(RegistryKeyChanged);
  });

  describe("a registry that lies", () => {
    /** The registrant with answers to an operation changed on their way. */
    function lyingAbout(operation: string, change: (answer: Answered) => void): Registrant {
      const lie: typeof fetch = async (address, request) => {
        const answer = await fetch(address, request);
        if (!String(request?.body).includes(`${operation}(input`)) return answer;
        const { data } = (await answer.json()) as { data: Record<string, Answered> };
        change(data[operation] ?? {});
        return Response.json({ data });
      };
      return opened(store, { fetch: lie });
    }

    const wish = () => ({ fingerprints: picture(), statement: refusal() });

    async function isRefused(liar: Registrant): Promise<void> {
      const record = await liar.save(wish());
      await expect(liar.send(record)).rejects.toThrow(WrongAnswer);
      const [kept] = await liar.records();
      expect([kept?.stage, kept?.receipt]).toEqual(["sent", null]);
      expect((await registrant.send(record)).stage).toBe("registered"); // the truth is taken
    }

    test("a receipt of another log, of another entry, or none", async () => {
      const other = (await protect(picture())).receipt ?? "";
      const bare = other.replace(/^extra .*\n/m, "");
      for (const change of [
        (answer: Answered) => {
          answer.proof = bare;
        },
        (answer: Answered) => {
          answer.proof = String(answer.proof).replace("registry.example", "registry.exampl3");
        },
        (answer: Answered) => {
          answer.proof = "";
        },
        (answer: Answered) => {
          answer.registerIndex = Number(answer.registerIndex) + 1;
        },
        (answer: Answered) => {
          answer.recordId = "AAAAAAAAAAAAAAAAAAAAAA==";
        },
      ]) {
        store = new MemoryStore();
        registrant = opened(store);
        await registrant.ensurePhrase();
        await isRefused(lyingAbout("register", change));
      }
    });

    test("another statement, commitment or record than ours", async () => {
      const record = await protect(picture());
      const changes: Partial<Answered>[] = [
        {
          statement: encodeBase64(new Statement({ stances: { ai_training: "allowed" } }).encode()),
        },
        { imageDigest: encodeBase64(new Uint8Array(32)) },
        { commitment: encodeBase64(new Uint8Array(32)) },
        { recordId: encodeBase64(new Uint8Array(16)) },
      ];
      for (const change of changes) {
        const liar = lyingAbout("record", (answer) => Object.assign(answer, change));
        await expect(liar.check(record), Object.keys(change)[0]).rejects.toThrow(WrongAnswer);
      }
      await registrant.check(record);
    });
  });

  test("what is not ours to read is a problem with a code", async () => {
    const record = await registrant.save({ fingerprints: picture(), statement: refusal() });
    const caught = await registrant.check(record).catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(RegistryProblem);
    expect((caught as RegistryProblem).problemCode).toBe("NOT_YOURS");
  });

  test("without a phrase nothing is saved, and a phrase is not replaced", async () => {
    const nobody = opened(new MemoryStore());
    const wish = { fingerprints: picture(), statement: refusal() };
    await expect(nobody.save(wish)).rejects.toThrow(NoPhrase);
    await expect(registrant.state.createPhrase(newPhrase())).rejects.toThrow(StateError);
    const phrase = await registrant.state.phrase();
    expect(await registrant.state.createPhrase(`  ${phrase.toUpperCase()} `)).toBe(phrase);
  });
});

function inputOf(body: string): unknown {
  const { input } = JSON.parse(body).variables;
  delete input.proofOfWork;
  return input;
}
