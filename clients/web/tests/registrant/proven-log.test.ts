/** Entries are believed once they lead, with the tiles before them, to the root that was signed. */

import { beforeAll, describe, expect, test } from "vitest";
import { BadProof, Malformed, WrongAnswer } from "../../src/errors";
import {
  type Bytes,
  Checkpoint,
  encodeEntry,
  type Entry,
  leafHash,
  rootOf,
} from "../../src/protocol";
import type { Placed } from "../../src/registrant/own-log";
import { provenEntries, type ReadFile } from "../../src/registrant/proven-log";
import { tile } from "../support/tiles";

/** More than a tile of tiles, so that three levels of them are read. */
const SIZE = 65_536 + 300;

describe("a log from some entry on", { timeout: 60_000 }, () => {
  let log: Entry[];
  let leaves: Bytes[];
  let checkpoint: Checkpoint;

  beforeAll(() => {
    log = Array.from({ length: SIZE }, (_, day) => ({ type: "DAY", day }));
    leaves = log.map((entry) => leafHash(encodeEntry(entry)));
    checkpoint = new Checkpoint("registry.example", SIZE, rootOf(leaves));
  });

  async function* from(start: number, entries = log): AsyncGenerator<Placed> {
    for (let at = start; at < entries.length; at++) yield [at, entries[at] as Entry];
  }

  const published: ReadFile = async (path) => tile(leaves, path);

  async function read(start: number, entries = log, files = published): Promise<number> {
    let count = 0;
    for await (const [index] of provenEntries(checkpoint, from(start, entries), files)) {
      expect(index).toBe(start + count++);
    }
    return count;
  }

  test.each([0, 255, 4_096, 61_441, 65_535, 65_536, SIZE - 1])("from %i", async (start) => {
    expect(await read(start)).toBe(SIZE - start);
  });

  test("another entry, one fewer, or none", async () => {
    const other = log.with(SIZE - 5, { type: "DAY", day: 1 });
    await expect(read(65_536, other)).rejects.toThrow(BadProof);
    await expect(read(65_536, log.slice(0, -1))).rejects.toThrow(BadProof);
    await expect(read(SIZE)).rejects.toThrow(BadProof);
  });

  test("tiles of another log, missing, or no tiles", async () => {
    const others: ReadFile = async (path) => tile(leaves.toReversed(), path);
    await expect(read(65_536, log, others)).rejects.toThrow(BadProof);
    await expect(read(65_536, log, async () => null)).rejects.toThrow(WrongAnswer);
    await expect(read(65_536, log, async () => new Uint8Array(5))).rejects.toThrow(Malformed);
  });

  test("a partial tile that has grown since is cut out of the full one", async () => {
    const grown: Bytes[] = [...leaves, ...leaves.slice(0, 512)];
    const later: ReadFile = async (path) => (path.includes(".p/") ? null : tile(grown, path));
    expect(await read(SIZE - 40, log, later)).toBe(40);
  });
});
