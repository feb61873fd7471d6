/** Second step: what is stated, in plain words and with good defaults. */

import type { JSX } from "preact";
import { Field, FocusHeading, More } from "../../components/parts";
import { useTexts } from "../../i18n";
import {
  BASES,
  type Basis,
  dayOf,
  PURPOSE_TERMS,
  type Stance,
  Statement,
  USES,
  type Use,
} from "../../protocol";

/** What the person has chosen so far. */
export interface Choices {
  /** Whether each use is decided by itself; otherwise none is allowed. */
  readonly perUse: boolean;
  readonly stances: Readonly<Record<Use, Stance>>;
  readonly basis: Basis;
  /** A place in `PURPOSE_TERMS`. */
  readonly givenFor: number;
  /** A date as HTML writes it; empty: no end. */
  readonly until: string;
}

const REFUSED: Readonly<Record<Use, Stance>> = {
  data_mining: "notAllowed",
  ai_inference: "notAllowed",
  ai_training: "notAllowed",
  ai_generative_training: "notAllowed",
};

export const FIRST_CHOICES: Choices = {
  perUse: false,
  stances: REFUSED,
  basis: "data_subject",
  givenFor: 0,
  until: "",
};

/** The uses in the order in which people ask about them. */
const SHOWN: readonly Use[] = [...USES].reverse();
const SHOWN_STANCES: readonly Stance[] = ["notAllowed", "allowed", "unsaid"];

/** UTC day number of a date as HTML writes it; 0 where there is none. */
export const dayOfDate = (date: string): number =>
  date === "" ? 0 : dayOf(Date.parse(`${date}T00:00:00Z`) / 1000);

/** What is wrong with the choices, as the name of a message; null: nothing. */
export function wrongWith(choices: Choices, today: number): "saySomething" | "untilPast" | null {
  const { perUse, stances, until } = choices;
  if (perUse && Object.values(stances).every((stance) => stance === "unsaid")) {
    return "saySomething";
  }
  return until !== "" && !(dayOfDate(until) >= today) ? "untilPast" : null;
}

/** The statement chosen; `BadStatement` where something is wrong with it. */
export function statementOf(choices: Choices): Statement {
  return new Statement({
    stances: choices.perUse ? choices.stances : REFUSED,
    basis: choices.basis,
    givenFor: choices.givenFor,
    validUntil: dayOfDate(choices.until),
  });
}

export function StatementStep(props: {
  readonly choices: Choices;
  readonly count: number;
  readonly wrong: ReturnType<typeof wrongWith>;
  readonly onChange: (choices: Choices) => void;
}): JSX.Element {
  const texts = useTexts();
  const { choices, count, wrong, onChange } = props;
  const { protect, photographs, purposes } = texts.t;
  const change = (change: Partial<Choices>): void => onChange({ ...choices, ...change });
  return (
    <>
      <FocusHeading>{protect.statementTitle}</FocusHeading>
      <p>{texts.fill(protect.statementLead, { photographs: texts.counted(photographs, count) })}</p>
      <fieldset class="choices" aria-label={protect.statementTitle}>
        <UsesChoice choices={choices} perUse={false} onChange={change} />
        <ul class="sentences">
          {SHOWN.map((use) => (
            <li key={use}>{protect.uses[use]}</li>
          ))}
        </ul>
        <UsesChoice choices={choices} perUse onChange={change} />
      </fieldset>
      {choices.perUse && (
        <div class="uses">
          {SHOWN.map((use) => (
            <UseChoice
              key={use}
              use={use}
              stance={choices.stances[use]}
              onChange={(stance) => change({ stances: { ...choices.stances, [use]: stance } })}
            />
          ))}
          <p class="hint">{protect.allowedMeans}</p>
          {wrong === "saySomething" && (
            <p class="alert" role="alert">
              {protect.saySomething}
            </p>
          )}
        </div>
      )}
      <fieldset class="choices">
        <legend>{protect.basisTitle}</legend>
        {BASES.filter((basis) => basis !== null).map((basis) => (
          <label key={basis} class="choice">
            <input
              type="radio"
              name="basis"
              checked={choices.basis === basis}
              onChange={() => change({ basis })}
            />
            {protect.bases[basis]}
          </label>
        ))}
      </fieldset>
      <More title={protect.moreTitle}>
        <Field label={protect.givenFor}>
          {(attributes) => (
            <select
              {...attributes}
              value={choices.givenFor}
              onChange={({ currentTarget: { value } }) => change({ givenFor: Number(value) })}
            >
              {PURPOSE_TERMS.map((term, code) => (
                <option key={term} value={code}>
                  {code === 0 ? protect.unsaid : purposes[code]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field
          label={protect.until}
          hint={protect.untilHint}
          wrong={wrong === "untilPast" ? protect.untilPast : undefined}
        >
          {(attributes) => (
            <input
              {...attributes}
              type="date"
              value={choices.until}
              onInput={({ currentTarget: { value } }) => change({ until: value })}
            />
          )}
        </Field>
      </More>
    </>
  );
}

function UsesChoice(props: {
  readonly choices: Choices;
  readonly perUse: boolean;
  readonly onChange: (change: Pick<Choices, "perUse">) => void;
}): JSX.Element {
  const { protect } = useTexts().t;
  const { choices, perUse, onChange } = props;
  return (
    <label class="choice">
      <input
        type="radio"
        name="per-use"
        checked={choices.perUse === perUse}
        onChange={() => onChange({ perUse })}
      />
      {perUse ? protect.choosePerUse : protect.refuseAll}
    </label>
  );
}

function UseChoice(props: {
  readonly use: Use;
  readonly stance: Stance;
  readonly onChange: (stance: Stance) => void;
}): JSX.Element {
  const { protect } = useTexts().t;
  const { use, stance, onChange } = props;
  return (
    <fieldset class="use">
      <legend>{protect.uses[use]}</legend>
      {SHOWN_STANCES.map((each) => (
        <label key={each} class="choice">
          <input
            type="radio"
            name={use}
            checked={stance === each}
            onChange={() => onChange(each)}
          />
          {protect.stances[each]}
        </label>
      ))}
    </fieldset>
  );
}
