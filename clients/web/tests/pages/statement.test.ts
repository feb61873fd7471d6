/** From choices to the statement: nothing is allowed unless somebody chose so. */

import { expect, test } from "vitest";
import { reasonOf } from "../../src/app/reasons";
import { routeOf } from "../../src/app/routes";
import { inWords } from "../../src/components/statements";
import { BadPhrase, RegistryProblem, Unreachable } from "../../src/errors";
import { textsIn } from "../../src/i18n";
import {
  type Choices,
  dayOfDate,
  FIRST_CHOICES,
  statementOf,
  wrongWith,
} from "../../src/pages/protect/statement";
import { refusal, sameBytes } from "../../src/protocol";

const TODAY = 20_000; // 2024-10-04
const chosen = (choices: Partial<Choices>): Choices => ({ ...FIRST_CHOICES, ...choices });
const UNSAID = {
  data_mining: "unsaid",
  ai_inference: "unsaid",
  ai_training: "unsaid",
  ai_generative_training: "unsaid",
} as const;

test("who chooses nothing refuses all four uses, as the person in the picture", () => {
  expect(sameBytes(statementOf(FIRST_CHOICES).encode(), refusal().encode())).toBe(true);
});

test("uses that were decided singly count only while that is chosen", () => {
  const stances = { ...UNSAID, ai_training: "allowed" } as const;
  expect(statementOf(chosen({ perUse: true, stances })).stances).toEqual(stances);
  expect(statementOf(chosen({ stances })).stances).toEqual(refusal().stances);
});

test("a statement that says nothing, or has ended, is not made", () => {
  expect(wrongWith(FIRST_CHOICES, TODAY)).toBeNull();
  expect(wrongWith(chosen({ perUse: true, stances: UNSAID }), TODAY)).toBe("saySomething");
  expect(wrongWith(chosen({ stances: UNSAID }), TODAY)).toBeNull();
  expect(wrongWith(chosen({ until: "2024-10-03" }), TODAY)).toBe("untilPast");
  expect(wrongWith(chosen({ until: "2024-10-04" }), TODAY)).toBeNull();
  expect(wrongWith(chosen({ until: "nonsense" }), TODAY)).toBe("untilPast");
  expect(dayOfDate("2024-10-04")).toBe(TODAY);
});

test("a statement in words names what it says, and nothing else", async () => {
  const texts = await textsIn("en", ["en-GB"]);
  expect(inWords(texts, refusal())).toBe(texts.t.records.allRefused);
  const stances = { ...UNSAID, data_mining: "allowed" } as const;
  const said = statementOf(chosen({ perUse: true, stances, until: "2030-01-02", givenFor: 2 }));
  expect(inWords(texts, said)).toBe(
    "Being analysed by machine in large collections, to find patterns: Allowed · " +
      "The photographs were given for one purpose only: A medical diagnosis · until 2 January 2030",
  );
});

test("errors are told in the person's language, and unknown ones in their own words", async () => {
  const texts = await textsIn("de");
  expect(reasonOf(texts, new BadPhrase("x"))).toBe(texts.t.errors.BAD_PHRASE);
  expect(reasonOf(texts, new Unreachable("x"))).toBe(texts.t.errors.UNREACHABLE);
  expect(reasonOf(texts, new RegistryProblem("x", "REGISTRY_FULL"))).toBe(
    texts.t.errors.REGISTRY_FULL,
  );
  expect(reasonOf(texts, new RegistryProblem("its own words", "NEW_ONE"))).toBe("its own words");
});

test("an unknown address is the first page", () => {
  expect([routeOf("#/log"), routeOf("#/nowhere"), routeOf("")]).toEqual([
    "log",
    "protect",
    "protect",
  ]);
});
