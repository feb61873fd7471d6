/** Runs in the browser: does what only a browser can, and posts what came of it. */

import { decodePicture, fileFingerprint, registrationFingerprints } from "../../src/fingerprints";
import { solveInWorker } from "../../src/proof-of-work";
import { BrowserStore } from "../../src/registrant";

const hex = (data: Uint8Array | undefined): string =>
  [...(data ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    return { code, message };
  }
};

async function pictures(): Promise<object> {
  const told: Record<string, unknown> = {};
  for (const name of await (await fetch("/files")).json()) {
    told[name] = await outcome(() => picture(name));
  }
  return told;
}

async function picture(name: string): Promise<object> {
  const file = await (await fetch(`/files/${name}`)).blob();
  const { width, height, rows } = await decodePicture(file);
  const sums = [0, 0, 0];
  rows(0, height).forEach((value, at) => {
    if (at % 4 < 3) sums[at % 4] = (sums[at % 4] ?? 0) + value;
  });
  const { fingerprints, missing } = await registrationFingerprints(file);
  return {
    width,
    height,
    hash: hex(fingerprints.get("pdq-1")?.[0]),
    mean: sums.map((sum) => sum / width / height),
    sha256: hex(await fileFingerprint(file)),
    missing: [...missing],
  };
}

async function store(): Promise<object> {
  const name = `test ${crypto.randomUUID()}`;
  const first = await BrowserStore.open(name);
  await first.set("record a 1", "one");
  await first.set("record a 2", "two");
  await first.set("record a/b 1", "other");
  await first.set("record a 2", "two again");
  const second = await BrowserStore.open(name);
  const seen: string[] = [];
  const slow = (who: BrowserStore, label: string) =>
    who.exclusively(async () => {
      seen.push(label);
      await new Promise((done) => setTimeout(done, 5));
      seen.push(label);
      return label;
    });
  const answers = await Promise.all([slow(first, "x"), slow(second, "y"), slow(first, "z")]);
  return {
    keys: await second.keys("record a "),
    value: await second.get("record a 2"),
    none: await second.get("phrase"),
    seen,
    answers,
  };
}

async function work(): Promise<object> {
  const { challenge, recordId } = await (await fetch("/challenge")).json();
  let attempts = 0;
  const payload = await solveInWorker(challenge, Uint8Array.from(recordId), (made) => {
    attempts = made;
  });
  const hard = JSON.parse(challenge);
  hard.parameters.algorithm = "SCRYPT";
  const refused = await outcome(() =>
    solveInWorker(JSON.stringify(hard), Uint8Array.from(recordId)),
  );
  return { payload, attempts, refused };
}

const told = {
  pictures: await outcome(pictures),
  store: await outcome(store),
  work: await outcome(work),
};
await fetch("/told", { method: "POST", body: JSON.stringify(told) });
