/** The page's languages: one file of messages each, the same shape for all. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Messages } from "./en";

export type { Messages } from "./en";

/** The languages by their own names. */
export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français" } as const;
export type Language = keyof typeof LANGUAGES;

const MESSAGES: Readonly<Record<Language, () => Promise<Messages>>> = {
  en: async () => (await import("./en")).en,
  de: async () => (await import("./de")).de,
  fr: async () => (await import("./fr")).fr,
};

export const isLanguage = (text: string): text is Language => Object.hasOwn(LANGUAGES, text);

/** The first of the languages wished for that there is; English otherwise. */
export function languageOf(wished: readonly string[]): Language {
  return wished.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

/** All texts of a language, fetched when it is first wanted; dates as the wished tags write them. */
export async function textsIn(language: Language, wished: readonly string[] = []): Promise<Texts> {
  const own = wished.find((tag) => tag.startsWith(`${language}-`));
  return textsOf(language, await MESSAGES[language](), own ?? language);
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
export function counted(language: Language, forms: Forms, count: number): string {
  const form = new Intl.PluralRules(language).select(count) === "one" ? forms.one : forms.other;
  return fill(language, form, { count });
}

/** A message for one, and for more. */
export interface Forms {
  readonly one: string;
  readonly other: string;
}

export interface Texts {
  readonly language: Language;
  readonly t: Messages;
  readonly fill: (message: string, values: Values) => string;
  readonly counted: (forms: Forms, count: number) => string;
  /** A UTC day number (days since 1970-01-01), written out. */
  readonly day: (day: number) => string;
}

function textsOf(language: Language, t: Messages, tag: string): Texts {
  const days = new Intl.DateTimeFormat(tag, { dateStyle: "long", timeZone: "UTC" });
  return {
    language,
    t,
    fill: (message, values) => fill(language, message, values),
    counted: (forms, count) => counted(language, forms, count),
    day: (day) => days.format(day * 86_400_000),
  };
}

export const TextsContext = createContext<Texts | null>(null);

/** The messages of the language chosen. */
export function useTexts(): Texts {
  const texts = useContext(TextsContext);
  if (texts === null) throw new Error("outside of a page with texts");
  return texts;
}
