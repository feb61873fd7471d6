/** One record: what it states, what it finds, what became of it. */

import type { JSX } from "preact";
import { Button } from "../../components/parts";
import { inWords } from "../../components/statements";
import { type Texts, useTexts } from "../../i18n";
import { isActive, type SavedRecord, type SpaceProtection } from "../../registrant";
import { type Effect, EffectList } from "./exclusions";
import { Exports } from "./exports";

export function RecordCard(props: {
  readonly record: SavedRecord;
  /** Undefined: nobody has asked for it. */
  readonly effect: Effect | undefined;
  readonly onReceipt: () => void;
  readonly onSlip: () => void;
  readonly onWithdraw: () => void;
}): JSX.Element {
  const texts = useTexts();
  const { records } = texts.t;
  const { record, effect, onReceipt, onSlip, onWithdraw } = props;
  const { statement, protection, registerIndex } = record;
  const canReceipt = statement !== null && registerIndex !== null;
  const isOn = isActive(record) || record.stage === "withdrawing";
  const name = nameOf(texts, record);
  return (
    <li class="card record">
      <h3>{name}</h3>
      <p>
        <span class={`badge ${badgeOf(record)}`}>{records.status[shownStatus(record)]}</span>{" "}
        {registerIndex !== null && (
          <span class="hint">{texts.fill(records.entry, { index: registerIndex })}</span>
        )}
      </p>
      <dl>
        {statement !== null && (
          <>
            <dt>{records.statement}</dt>
            <dd>{inWords(texts, statement)}</dd>
          </>
        )}
        {isActive(record) && protection !== null && (
          <>
            <dt>{records.finds}</dt>
            <dd>{findsOf(texts, protection)}</dd>
          </>
        )}
        {effect !== undefined && <EffectList effect={effect} />}
      </dl>
      {(canReceipt || isOn) && (
        <p class="buttons">
          {canReceipt && (
            <Button onClick={onReceipt} label={`${records.receipt}: ${name}`}>
              {records.receipt}
            </Button>
          )}
          {isOn && (
            <>
              <Button onClick={onSlip} label={`${records.slip}: ${name}`}>
                {records.slip}
              </Button>
              <Button onClick={onWithdraw} label={`${records.withdraw}: ${name}`}>
                {records.withdraw}
              </Button>
            </>
          )}
        </p>
      )}
      {isActive(record) && statement !== null && (
        <Exports name={name} index={registerIndex ?? record.index} statement={statement} />
      )}
    </li>
  );
}

export function nameOf({ t, fill }: Texts, { label, index }: SavedRecord): string {
  return label === "" ? fill(t.unnamed, { number: index + 1 }) : label;
}

type Shown = keyof Texts["t"]["records"]["status"];

/** What became of it, in one word: how it ended, or how far it has come. */
function shownStatus({ stage, status }: SavedRecord): Shown {
  return stage === "registered" ? (status ?? "ACTIVE") : stage;
}

function badgeOf(record: SavedRecord): string {
  if (record.stage === "lost") return "lost";
  return record.stage === "registered" && isActive(record) ? "active" : "";
}

function findsOf(texts: Texts, protection: NonNullable<SavedRecord["protection"]>): string {
  const { reach, nearOnly } = texts.t.records;
  const names: Readonly<Record<string, string>> = reach;
  const words = protection.map((each) => {
    const space = names[each.space] ?? each.space;
    return isWeakened(each) ? texts.fill(nearOnly, { space }) : space;
  });
  return [reach.sha256, ...words.filter((word) => word !== reach.sha256)].join("; ");
}

/** A picture of a kind that looks alike: less of it is found. In `pdq-1` it never is more. */
export const isWeakened = ({ space, reach }: SpaceProtection): boolean =>
  space === "sscd-1" && reach === "NEAR_COPIES";
