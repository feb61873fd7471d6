/** PDQ gives the bits that the Python client gives, which are those of the reference. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesToHex } from "@noble/hashes/utils.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashOrientations, hashSamples, sample, samplingSpans } from "../../src/fingerprints/pdq";
import { type Picture, pictureOf } from "../../src/fingerprints/pictures";
import { hasPython, runPython } from "../support/python";

interface Told {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly quality: number;
  readonly hashes: readonly string[];
  readonly reference: readonly string[] | null;
}

function fromRgb(rgb: Uint8Array, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 4);
  for (let at = 0; at < width * height; at++) data.set(rgb.subarray(3 * at, 3 * at + 3), 4 * at);
  return pictureOf({ width, height, data });
}

describe.skipIf(!hasPython)("against the Python client", () => {
  let folder = "";
  let told: Told[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "pictures-"));
    runPython("clients/web/tests/fingerprints/dump_pictures.py", [folder]);
    told = JSON.parse(readFileSync(join(folder, "pictures.json"), "utf-8"));
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  test("all eight hashes and the quality of every picture, to the bit", () => {
    expect(told.length).toBeGreaterThan(40);
    told.forEach((expected, number) => {
      const rgb = readFileSync(join(folder, `${number}.rgb`));
      const samples = sample(fromRgb(rgb, expected.width, expected.height));
      const found = hashOrientations(samples);
      const hashes = found.map(({ bits }) => bytesToHex(bits));
      expect(hashes, expected.name).toEqual(expected.hashes);
      if (expected.reference !== null) expect(hashes, expected.name).toEqual(expected.reference);
      for (const { quality } of found) expect(quality, expected.name).toBe(expected.quality);
      expect(hashSamples(samples), expected.name).toEqual(found[0]);
    });
  }, 60_000);
});

test.each([5, 6, 63, 64, 65, 127, 128, 129, 1000, 4096, 9001])(
  "sampling %i pixels is two passes of the box, as the reference runs it",
  (length) => {
    const line = Array.from({ length }, (_, at) => (at * 7919) % 256);
    const window = Math.floor((length + 127) / 128);
    const half = Math.floor((window + 2) / 2);
    const blur = (values: readonly number[]): number[] =>
      values.map((_, at) => {
        const seen = values.slice(Math.max(at + half - window, 0), Math.min(at + half, length));
        return seen.reduce((sum, value) => sum + value, 0) / seen.length;
      });
    const blurred = blur(blur(line));
    samplingSpans(length).forEach(({ start, weights }, sampled) => {
      const centre = Math.floor(((2 * sampled + 1) * length) / 128);
      const seen = weights.reduce((sum, weight, at) => sum + weight * (line[start + at] ?? 0), 0);
      expect(seen).toBeCloseTo(blurred[centre] ?? Number.NaN, 9);
    });
  },
);
