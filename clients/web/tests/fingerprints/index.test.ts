/** What a picture is registered with, and what is refused. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ImageTooLarge, NotAnImage } from "../../src/errors";
import {
  checkFile,
  MAX_FILE_BYTES,
  type Picture,
  pictureOf,
  registrationFingerprints,
} from "../../src/fingerprints";
import { checkFingerprints, encodeList } from "../../src/protocol";

const FILE = new Blob([Uint8Array.of(0xff, 0xd8, 0xff, 1, 2, 3)]);

/** A picture of this size with pixels that are told by their place. */
function drawn(width: number, height: number, pixel: (x: number, y: number) => number): Picture {
  const data = new Uint8Array(width * height * 4).map((_, at) => {
    const place = Math.floor(at / 4);
    return pixel(place % width, Math.floor(place / width));
  });
  return pictureOf({ width, height, data });
}

const detailed = drawn(200, 150, (x, y) => 127 + 120 * Math.sin(x * 0.3) * Math.cos(y * 0.2));

test("a file, its eight orientations, and the vectors of a model", async () => {
  const model = {
    space: "sscd-1",
    registrationVectors: async () => [new Float32Array(512).fill(3), new Float32Array(512).fill(1)],
  };
  const made = await registrationFingerprints(FILE, [model], async () => detailed);
  expect([...made.fingerprints.keys()]).toEqual(["pdq-1", "sha256", "sscd-1"]);
  expect(made.fingerprints.get("pdq-1")?.length).toBe(8);
  expect(made.fingerprints.get("sscd-1")?.length).toBe(2);
  const digest = createHash("sha256")
    .update(new Uint8Array(await FILE.arrayBuffer()))
    .digest();
  expect(made.fingerprints.get("sha256")).toEqual([new Uint8Array(digest)]);
  expect(made.missing.size).toBe(0);
  checkFingerprints(made.fingerprints);
  encodeList(made.fingerprints);
});

test.each([
  ["too plain", drawn(64, 64, () => 200)],
  ["too small", drawn(64, 4, (x) => x)],
])("a picture that is %s is registered without its hash", async (why, picture) => {
  const made = await registrationFingerprints(FILE, [], async () => picture);
  expect([...made.fingerprints.keys()]).toEqual(["sha256"]);
  expect(made.missing.get("pdq-1")).toBe(why);
});

test.each([
  ["text", "hello, world"],
  ["nothing", ""],
  ["a vector drawing", "<svg xmlns='http://www.w3.org/2000/svg'/>"],
  ["half a signature", "\x89PN"],
])("%s is no picture", async (_, text) => {
  await expect(checkFile(new Blob([text]))).rejects.toThrow(NotAnImage);
});

test("files beyond the limit are not even read", async () => {
  const file = { size: MAX_FILE_BYTES + 1 } as Blob;
  await expect(checkFile(file)).rejects.toThrow(ImageTooLarge);
});
