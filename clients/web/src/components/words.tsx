/** The recovery phrase: shown, printed, saved, and typed in. */

import type { JSX } from "preact";
import { saveFile } from "../app/saving";
import { useTexts } from "../i18n";
import { Button, Field } from "./parts";

/** The twelve words, numbered, with ways to take them away. */
export function Words(props: { readonly phrase: string; readonly origin: string }): JSX.Element {
  const { t, fill } = useTexts();
  const { phrase, origin } = props;
  const text = (): string => fill(t.protect.phraseFileText, { origin, words: phrase });
  return (
    <>
      <ol class="words" translate={false} lang="en">
        {phrase.split(" ").map((word, at) => (
          <li key={at}>{word}</li>
        ))}
      </ol>
      <p class="buttons no-print">
        <Button onClick={() => print()}>{t.protect.print}</Button>
        <Button onClick={() => saveFile(t.protect.phraseFile, text(), "text/plain")}>
          {t.protect.savePhrase}
        </Button>
      </p>
    </>
  );
}

/** A field for all twelve words. */
export function WordsField(props: {
  readonly value: string;
  readonly wrong: string | undefined;
  readonly onInput: (value: string) => void;
}): JSX.Element {
  const { t } = useTexts();
  return (
    <Field label={t.records.words} hint={t.records.wordsHint} wrong={props.wrong}>
      {(attributes) => (
        <textarea
          {...attributes}
          rows={3}
          value={props.value}
          lang="en"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          onInput={({ currentTarget }) => props.onInput(currentTarget.value)}
        />
      )}
    </Field>
  );
}
