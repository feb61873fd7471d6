/** The same words as Python's exports, for every statement there is. */

import { bytesToHex } from "@noble/hashes/utils.js";
import { expect, test } from "vitest";
import {
  aiprefHeader,
  cawgAssertion,
  STANCES,
  Statement,
  type StatementFields,
  USES,
} from "../../src/protocol";
import { hasPython, runPython } from "../support/python";

/** Each of the 3⁴ ways to speak of four uses, but that which says nothing. */
const STATEMENTS = Array.from({ length: 3 ** USES.length }, (_, number) => {
  const stances: StatementFields["stances"] = Object.fromEntries(
    USES.map((use, at) => [use, STANCES[Math.floor(number / 3 ** at) % 3]]),
  );
  return stances;
})
  .filter((stances) => Object.values(stances).some((stance) => stance !== "unsaid"))
  .map((stances) => new Statement({ stances }));

test.skipIf(!hasPython)("as Python exports them", () => {
  const ours = STATEMENTS.map((each) => [cawgAssertion(each), aiprefHeader(each)]);
  const given = JSON.stringify(STATEMENTS.map((each) => bytesToHex(each.encode())));
  const told = runPython("clients/web/tests/protocol/export_statements.py", [], given);
  expect(ours).toHaveLength(80);
  expect(JSON.parse(told)).toEqual(ours);
});
