/** Third step: the twelve words, shown, then asked for two of them. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../../app/session";
import { Failure } from "../../components/failure";
import { Button, Field, FocusHeading } from "../../components/parts";
import { Words, WordsField } from "../../components/words";
import { useTexts } from "../../i18n";
import { newPhrase, PHRASE_WORDS } from "../../protocol";

type Shown = "words" | "confirm" | "enter";

export function PhraseStep(props: {
  readonly origin: string;
  readonly onBack: () => void;
  readonly onDone: () => void;
}): JSX.Element {
  const { state } = useSession();
  const [phrase] = useState(newPhrase);
  const [shown, setShown] = useState<Shown>("words");
  if (shown === "words") {
    return (
      <ShowWords
        {...props}
        phrase={phrase}
        onKept={() => setShown("confirm")}
        onEnter={() => setShown("enter")}
      />
    );
  }
  if (shown === "confirm") {
    const keep = async (): Promise<void> => {
      await state.createPhrase(phrase);
      props.onDone();
    };
    return (
      <Confirm phrase={phrase} onAgain={() => setShown("words")} onRight={() => void keep()} />
    );
  }
  return <Enter onNew={() => setShown("words")} onDone={props.onDone} />;
}

function ShowWords(props: {
  readonly phrase: string;
  readonly origin: string;
  readonly onBack: () => void;
  readonly onKept: () => void;
  readonly onEnter: () => void;
}): JSX.Element {
  const { t } = useTexts();
  const { protect } = t;
  return (
    <section class="printed">
      <FocusHeading>{protect.phraseTitle}</FocusHeading>
      <p>{protect.phraseLead}</p>
      <Words phrase={props.phrase} origin={props.origin} />
      <p class="note">{protect.phraseWarn}</p>
      <p class="buttons no-print">
        <Button onClick={props.onBack}>{t.back}</Button>
        <Button kind="main" onClick={props.onKept}>
          {protect.kept}
        </Button>
      </p>
      <p class="no-print">
        <button type="button" class="link" onClick={props.onEnter}>
          {protect.haveWords}
        </button>
      </p>
    </section>
  );
}

/** Two different places of twelve, by chance, in order. */
function twoPlaces(): readonly number[] {
  const [first = 0, second = 1] = crypto.getRandomValues(new Uint32Array(2));
  const one = first % PHRASE_WORDS;
  const other = (one + 1 + (second % (PHRASE_WORDS - 1))) % PHRASE_WORDS;
  return [one, other].sort((left, right) => left - right);
}

function Confirm(props: {
  readonly phrase: string;
  readonly onAgain: () => void;
  readonly onRight: () => void;
}): JSX.Element {
  const { t, fill } = useTexts();
  const { protect } = t;
  const [places] = useState(twoPlaces);
  const [typed, setTyped] = useState<Readonly<Record<number, string>>>({});
  const [isChecked, setChecked] = useState(false);
  const words = props.phrase.split(" ");
  const isRight = (place: number): boolean =>
    (typed[place] ?? "").trim().toLowerCase() === words[place];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setChecked(true);
        if (places.every(isRight)) props.onRight();
      }}
    >
      <FocusHeading>{protect.confirmTitle}</FocusHeading>
      <p>{protect.confirmLead}</p>
      {places.map((place) => {
        const number = place + 1;
        return (
          <Field
            key={place}
            label={fill(protect.wordNumber, { number })}
            wrong={isChecked && !isRight(place) ? fill(protect.wrongWord, { number }) : undefined}
          >
            {(attributes) => (
              <input
                {...attributes}
                type="text"
                lang="en"
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                value={typed[place] ?? ""}
                onInput={({ currentTarget: { value } }) => {
                  setChecked(false);
                  setTyped({ ...typed, [place]: value });
                }}
              />
            )}
          </Field>
        );
      })}
      <p class="buttons">
        <Button onClick={props.onAgain}>{protect.showAgain}</Button>
        <Button kind="main" submit>
          {t.next}
        </Button>
      </p>
    </form>
  );
}

function Enter(props: { readonly onNew: () => void; readonly onDone: () => void }): JSX.Element {
  const texts = useTexts();
  const { protect, working } = texts.t;
  const session = useSession();
  const [words, setWords] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const use = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await session.state.createPhrase(words);
      await session.registrant.recover();
      props.onDone();
    } catch (reason) {
      session.forget();
      setError(reason);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void use();
      }}
    >
      <FocusHeading>{protect.haveWords}</FocusHeading>
      <p>{protect.enterWords}</p>
      <WordsField value={words} wrong={undefined} onInput={setWords} />
      {error !== null && <Failure error={error} />}
      <p class="buttons">
        <Button onClick={props.onNew}>{protect.newWords}</Button>
        <Button kind="main" submit disabled={isBusy}>
          {isBusy ? working : protect.useWords}
        </Button>
      </p>
    </form>
  );
}
