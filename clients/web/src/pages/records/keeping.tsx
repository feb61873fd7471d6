/** Keeping words and records in this browser, encrypted; only for who asks for it. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../../app/session";
import { LEAST_PASSPHRASE } from "../../app/vault";
import { Failure } from "../../components/failure";
import { Button, Field, More } from "../../components/parts";
import { useTexts } from "../../i18n";

export function Keeping(): JSX.Element {
  const texts = useTexts();
  const { records, working } = texts.t;
  const { vault } = useSession();
  const [isKept, setKept] = useState(vault.isKept);
  const [isForgotten, setForgotten] = useState(false);
  const [passphrase, setPassphrase] = useState("");
  const [again, setAgain] = useState("");
  const [wrong, setWrong] = useState<"tooShort" | "notSame" | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);

  const attempt = async (work: () => Promise<void>): Promise<void> => {
    setError(null);
    setBusy(true);
    try {
      await work();
      setKept(vault.isKept);
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  };

  const keep = (): void => {
    const found =
      passphrase.length < LEAST_PASSPHRASE ? "tooShort" : passphrase === again ? null : "notSame";
    setWrong(found);
    if (found === null) void attempt(() => vault.keep(passphrase));
  };

  if (isKept) {
    return (
      <section class="card">
        <p>{records.isKept}</p>
        {error !== null && <Failure error={error} />}
        <p class="buttons">
          <Button
            disabled={isBusy}
            onClick={() => {
              setForgotten(true);
              void attempt(() => vault.removeKept());
            }}
          >
            {records.forget}
          </Button>
        </p>
      </section>
    );
  }
  return (
    <>
      <p role="status">{isForgotten && records.forgotten}</p>
      <More title={records.keepTitle}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            keep();
          }}
        >
          <p>{records.keepLead}</p>
          <p class="note">{records.keepWarn}</p>
          <Field
            label={texts.fill(records.newPassphrase, { least: LEAST_PASSPHRASE })}
            wrong={
              wrong === "tooShort"
                ? texts.fill(records.tooShort, { least: LEAST_PASSPHRASE })
                : undefined
            }
          >
            {(attributes) => (
              <input
                {...attributes}
                type="password"
                autocomplete="new-password"
                value={passphrase}
                onInput={({ currentTarget: { value } }) => setPassphrase(value)}
              />
            )}
          </Field>
          <Field label={records.again} wrong={wrong === "notSame" ? records.notSame : undefined}>
            {(attributes) => (
              <input
                {...attributes}
                type="password"
                autocomplete="new-password"
                value={again}
                onInput={({ currentTarget: { value } }) => setAgain(value)}
              />
            )}
          </Field>
          {error !== null && <Failure error={error} />}
          <p class="buttons">
            <Button kind="main" submit disabled={isBusy}>
              {isBusy ? working : records.keep}
            </Button>
          </p>
        </form>
      </More>
    </>
  );
}
