/** What only a browser can do, done in one: decoding, keeping, and working beside the page. */

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, toldBy } from "../support/browser";
import { hasPython, runPython } from "../support/python";

const WORK = "clients/web/tests/proof-of-work/check_work.py";
/** Bits that a decoder which differs by a unit here and there may change. */
const MOST_DIFFERENT_BITS = 2;

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly hash: string;
  readonly mean: readonly number[];
}

interface Told {
  readonly pictures: Record<
    string,
    Picture & { sha256: string; missing: unknown[]; code?: string }
  >;
  readonly store: object;
  readonly work: { payload: string; attempts: number; refused: { code: string } };
}

function differentBits(left: string, right: string): number {
  const difference = BigInt(`0x${left}`) ^ BigInt(`0x${right}`);
  return difference.toString(2).replaceAll("0", "").length;
}

describe.skipIf(!hasBrowser || !hasPython)("in a browser", () => {
  let folder = "";
  let expected: Record<string, Picture> = {};
  let told: Told;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pictures-"));
    runPython("clients/web/tests/browser/make_pictures.py", [folder]);
    expected = JSON.parse(readFileSync(join(folder, "pictures.json"), "utf-8"));
    const [, challenge] = JSON.parse(runPython(WORK, ["issue"]));
    told = (await toldBy("tests/browser/page.html", {
      "/files": () => JSON.stringify([...Object.keys(expected), "pictures.json"]),
      "/files/": (name) => readFileSync(join(folder, name)),
      "/challenge": () => JSON.stringify({ challenge, recordId: [...Array(15).fill(0), 15] }),
    })) as Told;
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("pictures of every kind are the Python client's, upright and on white", () => {
    expect(Object.keys(expected).length).toBe(17);
    for (const [name, picture] of Object.entries(expected)) {
      const found = told.pictures[name];
      expect(found, name).toMatchObject({ width: picture.width, height: picture.height });
      expect(differentBits(found?.hash ?? "", picture.hash), name).toBeLessThanOrEqual(
        MOST_DIFFERENT_BITS,
      );
      picture.mean.forEach((value, at) => {
        expect(Math.abs((found?.mean[at] ?? 0) - value), name).toBeLessThan(1.5);
      });
      const data = readFileSync(join(folder, name));
      expect(found?.sha256, name).toBe(createHash("sha256").update(data).digest("hex"));
      expect(found?.missing, name).toEqual([]);
    }
  });

  test("pictures without loss are the very same", () => {
    for (const name of ["plain.png", "grey.png", "palette.png", "profile.png", "lossless.webp"]) {
      expect(told.pictures[name]?.hash, name).toBe(expected[name]?.hash);
      expect(told.pictures[name]?.mean, name).toEqual(
        expected[name]?.mean.map((value) => expect.closeTo(value, 6)),
      );
    }
  });

  test("what is no picture is refused", () => {
    expect(told.pictures["pictures.json"]?.code).toBe("NOT_AN_IMAGE");
  });

  test("what is kept is there for the next page, one page after the other", () => {
    const { seen, ...rest } = told.store as { seen: string[] };
    expect(rest).toEqual({
      keys: ["record a 1", "record a 2"],
      value: "two again",
      none: null,
      answers: ["x", "y", "z"],
    });
    expect(seen.length).toBe(6);
    for (let at = 0; at < 6; at += 2) expect(seen[at]).toBe(seen[at + 1]);
  });

  test("work is done beside the page, and errors come back as what they are", () => {
    const verified = runPython(WORK, ["check"], JSON.stringify([told.work.payload]));
    expect(JSON.parse(verified)).toEqual([true]);
    expect(told.work.attempts % 16).toBe(0);
    expect(told.work.refused.code).toBe("WORK_TOO_HARD");
  });
});
