/** One value has one text, and it is Python's. */

import { describe, expect, test } from "vitest";
import { Malformed } from "../../src/errors";
import { canonical, type Json, readCanonical, utf8 } from "../../src/protocol";
import { hasPython, runPython } from "../support/python";

const VALUES: readonly Json[] = [
  null,
  true,
  0,
  -1,
  2 ** 53 - 1,
  0.5,
  -0.0001,
  123456789.25,
  "",
  'é " \\ / \u0000 \u001f \u007f \u2028 😀',
  [],
  {},
  [1, [2, { b: 1, a: [null], "": false }]],
  { "\ufb33": 1, "😀": 2, "€": 3, "\r": 4, "1": 5, A: 6 }, // by UTF-16, not by code point
];

const text = (value: Json): string => new TextDecoder().decode(canonical(value));

test("what is written is read again", () => {
  for (const value of VALUES) expect(readCanonical(canonical(value))).toEqual(value);
});

test.skipIf(!hasPython)("Python writes the same", () => {
  const [texts, told] = [
    VALUES.map(text),
    runPython("clients/web/tests/protocol/write_canonical.py", [], JSON.stringify(VALUES)),
  ];
  expect(JSON.parse(told)).toEqual(texts);
});

describe("refused", () => {
  test.each([
    ["a space", '{"a": 1}'],
    ["another order", '{"b":1,"a":2}'],
    ["a name twice", '{"a":1,"a":1}'],
    ["an escape that is not needed", '"\\u0041"'],
    ["a lone surrogate", '"\\ud800"'],
    ["a fraction that is whole", "1.0"],
    ["an exponent", "1e3"],
    ["minus zero", "-0"],
    ["a number too large", "9007199254740992"],
    ["a fraction too small", "0.00001"],
    ["no number", "NaN"],
    ["nothing", ""],
    ["two values", "1 2"],
    ["a byte-order mark", "\ufeff1"],
    ["brackets without end", `${"[".repeat(20_000)}${"]".repeat(20_000)}`],
  ])("%s", (_, written) => {
    expect(() => readCanonical(utf8(written))).toThrow(Malformed);
  });

  test("bytes that are no UTF-8", () => {
    expect(() => readCanonical(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(Malformed);
  });
});
