/** The page's languages: one file of messages each, the same shape for all. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { de } from "./de";
import { en, type Messages } from "./en";
import { fr } from "./fr";

export type { Messages } from "./en";

export const LANGUAGES = { en, de, fr } as const satisfies Record<string, Messages>;
export type Language = keyof typeof LANGUAGES;

export const isLanguage = (text: string): text is Language => Object.hasOwn(LANGUAGES, text);

/** The first of the languages wished for that there is; English otherwise. */
export function languageOf(wished: readonly string[]): Language {
  return wished.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

export type Values = Readonly<Record<string, string | number>>;

/** A message with its `{names}` filled in; numbers as the language writes them. */
export function fill(language: Language, message: string, values: Values): string {
  return message.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? value.toLocaleString(language) : value;
  });
}

/** The form of a message that a count takes in the language. */
export function counted(
  language: Language,
  forms: { readonly one: string; readonly other: string },
  count: number,
): string {
  const form = new Intl.PluralRules(language).select(count) === "one" ? forms.one : forms.other;
  return fill(language, form, { count });
}

export interface Texts {
  readonly language: Language;
  readonly t: Messages;
  fill(message: string, values: Values): string;
  counted(forms: { readonly one: string; readonly other: string }, count: number): string;
  /** A UTC day number (days since 1970-01-01), written out. */
  day(day: number): string;
}

export function textsIn(language: Language): Texts {
  const days = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" });
  return {
    language,
    t: LANGUAGES[language],
    fill: (message, values) => fill(language, message, values),
    counted: (forms, count) => counted(language, forms, count),
    day: (day) => days.format(day * 86_400_000),
  };
}

export const TextsContext = createContext<Texts>(textsIn("en"));

/** The messages of the language chosen. */
export const useTexts = (): Texts => useContext(TextsContext);
