/** Last step: each photograph until its receipt is verified, and what came of it. */

import type { JSX } from "preact";
import { reasonOf } from "../../app/reasons";
import { addressOf } from "../../app/routes";
import { saveTexts } from "../../app/saving";
import { Button, FocusHeading } from "../../components/parts";
import { type Texts, useTexts } from "../../i18n";
import { isWeakened } from "../records/record";
import { Thumbnail } from "./choose";
import { type Photo, type Photos, registeredOf } from "./photos";

export function SendStep(props: {
  readonly photos: Photos;
  readonly origin: string;
  readonly isSending: boolean;
  /** Seconds that the registry asked to wait; null: it did not. */
  readonly waits: number | null;
  readonly onAgain: () => void;
  readonly onAnother: () => void;
}): JSX.Element {
  const texts = useTexts();
  const { protect } = texts.t;
  const { photos, isSending, waits } = props;
  return (
    <>
      {isSending ? (
        <>
          <FocusHeading>{protect.sendTitle}</FocusHeading>
          <p>{protect.sendLead}</p>
        </>
      ) : (
        <Outcome {...props} />
      )}
      <ul class="photos">
        {photos.map((photo) => (
          <li key={photo.number} class={`photo ${photo.sending.stage}`}>
            <Thumbnail photo={photo} />
            <div>
              <p class="photo-name">{photo.file.name}</p>
              <p class={photo.sending.stage === "failed" ? "wrong" : "hint"} role="status">
                {toldOf(texts, photo)}
              </p>
              {notesOf(texts, photo).map((note) => (
                <p key={note} class="hint">
                  {note}
                </p>
              ))}
              {photo.sending.stage === "working" && (
                <progress max={1} value={photo.sending.share} aria-hidden="true" />
              )}
            </div>
          </li>
        ))}
      </ul>
      {waits !== null && (
        <p class="note" role="status">
          {texts.fill(protect.registryWaits, { seconds: Math.ceil(waits) })}
        </p>
      )}
    </>
  );
}

function Outcome(props: {
  readonly photos: Photos;
  readonly origin: string;
  readonly onAgain: () => void;
  readonly onAnother: () => void;
}): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const { protect } = t;
  const { photos, origin } = props;
  const registered = registeredOf(photos);
  const isAll = registered.length === photos.length;
  const numbers = { done: registered.length, count: photos.length };
  const save = (): void => {
    const name = (index: number): string => texts.fill(t.records.receiptName, { index });
    saveTexts(
      "receipts",
      registered.map(({ record, receipt }) => [name(record.registerIndex ?? 0), receipt] as const),
    );
  };
  return (
    <>
      <div class={isAll ? "outcome good" : "outcome"}>
        <FocusHeading>
          {isAll && protect.doneAll}
          {!isAll && registered.length === 0 && protect.doneNone}
          {!isAll && registered.length > 0 && texts.fill(protect.doneSome, numbers)}
        </FocusHeading>
        {registered.length > 0 && (
          <>
            <p>{texts.fill(protect.doneChecked, { origin })}</p>
            <p>{protect.unwitnessed}</p>
            <p class="hint">{protect.receiptsHint}</p>
            <p class="hint">{protect.keepHint}</p>
          </>
        )}
        <p class="buttons">
          {!isAll && <Button onClick={props.onAgain}>{protect.tryAgain}</Button>}
          {registered.length > 0 && (
            <Button kind="main" onClick={save}>
              {registered.length > 1 ? protect.saveReceipts : protect.saveReceipt}
            </Button>
          )}
          <Button onClick={props.onAnother}>{protect.another}</Button>
          {registered.length > 0 && (
            <a class="button plain" href={addressOf("records")}>
              {protect.toRecords}
            </a>
          )}
        </p>
      </div>
    </>
  );
}

function toldOf(texts: Texts, { sending }: Photo): string {
  const { stages } = texts.t.protect;
  switch (sending.stage) {
    case "working":
      // In steps of ten: what is read aloud should not be read all the time.
      return texts.fill(stages.working, { percent: Math.floor(sending.share * 10) * 10 });
    case "registered":
      return texts.fill(stages.registered, {
        index: String(sending.registered.record.registerIndex),
      });
    case "failed":
      return texts.fill(stages.failed, { reason: reasonOf(texts, sending.error) });
    default:
      return stages[sending.stage];
  }
}

function notesOf({ t }: Texts, { sending }: Photo): readonly string[] {
  if (sending.stage !== "registered") return [];
  const { leftOut, protection } = sending.registered.record;
  if (leftOut.length > 0) return [t.protect.generic];
  return protection?.some(isWeakened) ? [t.protect.near] : [];
}
