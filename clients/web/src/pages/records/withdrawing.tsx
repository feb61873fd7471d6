/** The question before a withdrawal, with what it means. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button, List } from "../../components/parts";
import { useTexts } from "../../i18n";
import type { SavedRecord } from "../../registrant";
import { nameOf } from "./record";

export function Withdrawing(props: {
  readonly record: SavedRecord;
  readonly onYes: () => void;
  readonly onNo: () => void;
}): JSX.Element {
  const texts = useTexts();
  const { records } = texts.t;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="withdraw-title" onClose={props.onNo}>
      <h2 id="withdraw-title" tabIndex={-1} autofocus>
        {records.withdrawTitle}
      </h2>
      <p>
        <strong>{nameOf(texts, props.record)}</strong>
      </p>
      <List items={records.withdrawText} />
      <p class="buttons">
        <Button onClick={props.onNo}>{records.withdrawNo}</Button>
        <Button kind="danger" onClick={props.onYes}>
          {records.withdrawYes}
        </Button>
      </p>
    </dialog>
  );
}
