/** The languages say the same things: no message is missing, and each names the same values. */

import { describe, expect, test } from "vitest";
import { counted, fill, LANGUAGES, type Language, languageOf, textsIn } from "../../src/i18n";

type Tree = string | readonly Tree[] | { readonly [name: string]: Tree };

/** Every message by its path. */
function flat(tree: Tree, path = ""): [string, string][] {
  if (typeof tree === "string") return [[path, tree]];
  return Object.entries(tree).flatMap(([name, each]) => flat(each, `${path}/${name}`));
}

const names = (message: string): string[] =>
  [...message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "").sort();

describe.each(["de", "fr"] satisfies Language[])("%s", (language) => {
  test("has every message, with the same values in it", async () => {
    const english = flat((await textsIn("en")).t);
    const translated = new Map(flat((await textsIn(language)).t));
    expect([...translated.keys()]).toEqual(english.map(([path]) => path));
    for (const [path, message] of english) {
      expect(names(translated.get(path) ?? ""), path).toEqual(names(message));
    }
  });

  test("is translated, but for words that are the same", async () => {
    const translated = new Map(flat((await textsIn(language)).t));
    const same = flat((await textsIn("en")).t).filter(
      ([path, message]) => message.length > 25 && translated.get(path) === message,
    );
    expect(same).toEqual([]);
  });
});

test("numbers and dates are written as the language does", async () => {
  expect(fill("de", "{count} Nummern", { count: 12_345 })).toBe("12.345 Nummern");
  expect((await textsIn("en", ["de-CH", "en-GB"])).day(20_000)).toBe("4 October 2024");
  expect((await textsIn("de")).day(20_000)).toBe("4. Oktober 2024");
});

test("a value that is not given leaves its place visible", () => {
  expect(fill("en", "{a} and {b}", { a: "one" })).toBe("one and {b}");
});

test("one is told from many, in each language's own way", () => {
  const forms = { one: "{count} thing", other: "{count} things" };
  expect([0, 1, 2].map((count) => counted("en", forms, count))).toEqual([
    "0 things",
    "1 thing",
    "2 things",
  ]);
  expect(counted("fr", forms, 0)).toBe("0 thing");
});

test("the first language that there is, is taken", () => {
  expect(languageOf(["pt-BR", "fr-CA", "en"])).toBe("fr");
  expect(languageOf(["pt"])).toBe("en");
  expect(Object.keys(LANGUAGES)).toEqual(["en", "de", "fr"]);
});
