/** Proofs of the tree: the vectors of transparency-dev/merkle, where they are at hand. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BadProof } from "../../src/errors";
import {
  type Bytes,
  concat,
  decodeBase64,
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  rootAt,
  rootOf,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from "../../src/protocol";
import { PROJECT } from "../support/vectors";

const SHARED = `${PROJECT}../shared/data/vectors/merkle/`;

// Its roots have 12 bytes, and yet it is said to be right.
const DUMMY_ROOTS = "sizes-are-equal-one-and-proof-is-empty.json";

function cases(kind: string): [string, any][] {
  if (!existsSync(SHARED + kind)) return [];
  return readdirSync(SHARED + kind, { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(`${SHARED}${kind}/${name}`, "utf-8"))]);
}

const bytes = (text: string | null): Bytes => decodeBase64(text ?? "");

function holds(verify: () => void): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(BadProof);
    return false;
  }
}

describe.skipIf(!existsSync(SHARED))("vectors", () => {
  test("inclusion", () => {
    for (const [name, { leafHash, leafIdx, treeSize, proof, root, wantErr }] of cases(
      "inclusion",
    )) {
      const path = (proof ?? []).map(bytes);
      const held = holds(() =>
        verifyInclusion(bytes(leafHash), leafIdx, treeSize, path, bytes(root)),
      );
      expect(held, name).toBe(!wantErr);
    }
  });

  test("consistency", () => {
    for (const [name, { size1, size2, proof, root1, root2, wantErr }] of cases("consistency")) {
      const path = (proof ?? []).map(bytes);
      const held = holds(() => verifyConsistency(size1, size2, path, bytes(root1), bytes(root2)));
      expect(held, name).toBe(!wantErr && !name.endsWith(DUMMY_ROOTS));
    }
  });
});

/** MTH of RFC 6962 section 2.1, as it is written there. */
function defined(leaves: readonly Bytes[]): Bytes {
  const [only] = leaves;
  if (only === undefined) return EMPTY_ROOT;
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(defined(leaves.slice(0, split)), defined(leaves.slice(split)));
}

test("roots are what RFC 6962 defines, at once and from subtrees", () => {
  const leaves = Array.from({ length: 40 }, (_, at) =>
    leafHash(concat(utf8("leaf"), utf8(`${at}`))),
  );
  for (let size = 0; size <= leaves.length; size++) {
    const first = leaves.slice(0, size);
    expect(rootOf(first)).toEqual(defined(first));
    const nodes = (level: number, index: number): Bytes =>
      defined(first.slice(index * 2 ** level, (index + 1) * 2 ** level));
    expect(rootAt(nodes, size)).toEqual(defined(first));
  }
});
