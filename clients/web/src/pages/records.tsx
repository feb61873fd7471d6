/** My records: found by the twelve words, followed in the public log, and taken back. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { reasonOf } from "../app/reasons";
import { addressOf } from "../app/routes";
import { saveFile } from "../app/saving";
import { useSession } from "../app/session";
import { Failure } from "../components/failure";
import { Alert, Button, Field, FocusHeading } from "../components/parts";
import { Words, WordsField } from "../components/words";
import { useTexts } from "../i18n";
import { LogShortened, RecordsLost } from "../errors";
import { isActive, type SavedRecord } from "../registrant";
import { type Effects, LookingForExclusions } from "./records/exclusions";
import { Keeping } from "./records/keeping";
import { RecordCard } from "./records/record";
import { Withdrawing } from "./records/withdrawing";

/** What is known of this person's records. */
interface Known {
  readonly records: readonly SavedRecord[];
  /** Entries of the log up to which that holds. */
  readonly size: number;
  readonly origin: string;
  readonly hasLost: boolean;
}

export function RecordsPage({ isShown }: { readonly isShown: boolean }): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const session = useSession();
  const [known, setKnown] = useState<Known | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const look = async (): Promise<void> => {
    setError(null);
    setBusy(true);
    try {
      setKnown(await followed());
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  };

  const followed = async (): Promise<Known> => {
    const { registrant } = session; // by now: unlocking makes another
    const origin = await registrant.origin();
    let hasLost = false;
    try {
      await registrant.follow();
    } catch (reason) {
      // Everything else is up to date; what is lost says so itself.
      if (!(reason instanceof RecordsLost || reason instanceof LogShortened)) throw reason;
      hasLost = true;
    }
    const records = await registrant.records();
    const { logSize } = await session.info();
    return {
      records: records.filter(({ stage }) => stage !== "dropped"),
      size: logSize,
      origin,
      hasLost: hasLost || records.some(({ stage }) => stage === "lost"),
    };
  };

  useEffect(() => {
    if (!isShown) return;
    void session.state.hasPhrase().then((has) => (has ? look() : undefined));
  }, [isShown]);

  return (
    <>
      <h1>{t.records.title}</h1>
      {error !== null && <Failure error={error} />}
      {known === null ? (
        <>
          <p class="lead">{t.records.lead}</p>
          {isBusy ? <p role="status">{t.records.opening}</p> : <Opening onOpen={look} />}
        </>
      ) : (
        <Opened
          known={known}
          isBusy={isBusy}
          onLook={look}
          // Nothing forgets as well as a page that begins anew.
          onClose={() => location.reload()}
        />
      )}
    </>
  );
}

/** The words, or the passphrase of what is kept. */
function Opening({ onOpen }: { readonly onOpen: () => Promise<void> }): JSX.Element {
  const texts = useTexts();
  const { records, working } = texts.t;
  const session = useSession();
  const { vault } = session;
  const [isThere, setThere] = useState(false);
  const [words, setWords] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<{ readonly at: "words" | "vault"; readonly why: string }>();
  useEffect(() => {
    vault.isThere().then(setThere, () => setThere(false));
  }, [vault]);

  const attempt = async (at: "words" | "vault", work: () => Promise<void>): Promise<void> => {
    setWrong(undefined);
    setBusy(true);
    try {
      await work();
      await onOpen();
    } catch (reason) {
      session.forget();
      setWrong({ at, why: reasonOf(texts, reason) });
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      {isThere && (
        <form
          class="card"
          onSubmit={(event) => {
            event.preventDefault();
            void attempt("vault", () => session.unlock(passphrase));
          }}
        >
          <h2>{records.unlockTitle}</h2>
          <p>{records.unlockLead}</p>
          <Field label={records.passphrase} wrong={wrong?.at === "vault" ? wrong.why : undefined}>
            {(attributes) => (
              <input
                {...attributes}
                type="password"
                autocomplete="current-password"
                value={passphrase}
                onInput={({ currentTarget: { value } }) => setPassphrase(value)}
              />
            )}
          </Field>
          <p class="buttons">
            <Button kind="main" submit disabled={isBusy}>
              {isBusy ? working : records.unlock}
            </Button>
          </p>
        </form>
      )}
      {isThere && <h2>{records.orWords}</h2>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void attempt("words", async () => {
            await session.state.createPhrase(words);
            await session.registrant.recover();
          });
        }}
      >
        <WordsField
          value={words}
          wrong={wrong?.at === "words" ? wrong.why : undefined}
          onInput={setWords}
        />
        <p class="buttons">
          <Button kind="main" submit disabled={isBusy}>
            {isBusy ? working : records.open}
          </Button>
        </p>
      </form>
    </>
  );
}

function Opened(props: {
  readonly known: Known;
  readonly isBusy: boolean;
  readonly onLook: () => Promise<void>;
  readonly onClose: () => void;
}): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const { registrant, state } = useSession();
  const { known, isBusy, onLook, onClose } = props;
  const [asked, setAsked] = useState<SavedRecord | null>(null);
  const [told, setTold] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [phrase, setPhrase] = useState<string | null>(null);
  const [effects, setEffects] = useState<Effects>(new Map());
  const last = useRef<HTMLElement | null>(null);

  const attempt = async (work: () => Promise<void>): Promise<void> => {
    setError(null);
    try {
      await work();
    } catch (reason) {
      setError(reason);
    }
  };

  const showWords = async (isWanted: boolean): Promise<void> => {
    setPhrase(isWanted ? await state.phrase() : null);
  };

  const saveReceipt = (record: SavedRecord): Promise<void> =>
    attempt(async () => {
      const receipt = await registrant.receipt(record);
      const name = texts.fill(t.records.receiptName, { index: receipt.fields.proof.index });
      saveFile(name, receipt.encode(), "text/plain");
    });

  const saveSlip = (record: SavedRecord): Promise<void> =>
    attempt(async () => {
      const signed = await registrant.signedWithdrawal(record);
      const name = texts.fill(t.records.slipName, { index: record.registerIndex ?? record.index });
      saveFile(name, signed.toText(), "text/plain");
    });

  const withdraw = (record: SavedRecord): Promise<void> =>
    attempt(async () => {
      setAsked(null);
      setTold(t.working);
      try {
        const { stage, terminalIndex } = await registrant.withdraw(record);
        const isDropped = stage === "dropped";
        const { dropped, withdrawn } = t.records;
        setTold(isDropped ? dropped : texts.fill(withdrawn, { index: terminalIndex ?? 0 }));
      } catch (reason) {
        setTold("");
        throw reason;
      }
      await onLook();
    });

  return (
    <>
      <FocusHeading>{t.records.list}</FocusHeading>
      {known.hasLost && <Alert>{t.records.lost}</Alert>}
      {known.records.length === 0 ? (
        <p>
          {t.records.none} <a href={addressOf("protect")}>{t.records.protectFirst}</a>
        </p>
      ) : (
        <p class="hint">{texts.fill(t.records.updated, { size: known.size })}</p>
      )}
      <p role="status" class={told === "" ? undefined : "note"}>
        {told}
      </p>
      {error !== null && <Failure error={error} />}
      <ul class="records">
        {known.records.map((record) => (
          <RecordCard
            key={record.index}
            record={record}
            effect={isActive(record) ? effects.get(record.index) : undefined}
            onReceipt={() => void saveReceipt(record)}
            onSlip={() => void saveSlip(record)}
            onWithdraw={() => {
              last.current = document.activeElement as HTMLElement | null;
              setAsked(record);
            }}
          />
        ))}
      </ul>
      {known.records.some(isActive) && (
        <>
          <p class="hint">{t.records.slipHint}</p>
          <LookingForExclusions records={known.records.filter(isActive)} onFound={setEffects} />
        </>
      )}
      {asked !== null && (
        <Withdrawing
          record={asked}
          onYes={() => void withdraw(asked)}
          onNo={() => {
            setAsked(null);
            last.current?.focus();
          }}
        />
      )}
      <p class="buttons">
        <Button disabled={isBusy} onClick={() => void onLook()}>
          {isBusy ? t.working : t.records.refresh}
        </Button>
        <Button onClick={() => void showWords(phrase === null)}>
          {phrase === null ? t.records.showWords : t.records.hideWords}
        </Button>
        <Button onClick={onClose}>{t.records.close}</Button>
      </p>
      <p class="hint">{t.records.closeHint}</p>
      {phrase !== null && (
        <section class="printed">
          <Words phrase={phrase} origin={known.origin} />
        </section>
      )}
      <Keeping />
    </>
  );
}
