import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { archive, crc32 } from "../../src/app/archive";
import { hasPython, PYTHON } from "../support/python";

test("CRC-32 of the check value", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});

test.skipIf(!hasPython)("Python reads the archive, names and texts", () => {
  const folder = mkdtempSync(join(tmpdir(), "archive-"));
  const files = [
    ["quittung-1.txt", "one\n"],
    ["reçu-2.txt", "zwei – deux\n".repeat(2_000)],
    ["empty.txt", ""],
  ] as const;
  try {
    writeFileSync(join(folder, "it.zip"), archive(files));
    const script =
      "import json, sys, zipfile\n" +
      "z = zipfile.ZipFile(sys.argv[1])\n" +
      "assert z.testzip() is None\n" +
      "print(json.dumps([[n, z.read(n).decode()] for n in z.namelist()]))";
    const read = execFileSync(PYTHON, ["-c", script, join(folder, "it.zip")], {
      encoding: "utf-8",
    });
    expect(JSON.parse(read)).toEqual(files);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
