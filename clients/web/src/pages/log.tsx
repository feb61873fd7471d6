/** Transparency: the log's checkpoint, verified, and what all its entries come to. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Counts, countLog } from "../app/counting";
import { useSession } from "../app/session";
import { othersOn } from "../app/verifying";
import { Failure } from "../components/failure";
import { Alert, Button, FocusHeading } from "../components/parts";
import { useTexts } from "../i18n";
import { type Checkpoint, encodeBase64, openCheckpoint } from "../protocol";

/** Of one entry in an answer, roughly: what a person on a metered line pays. */
const ENTRY_BYTES = 100;

interface Signed {
  readonly checkpoint: Checkpoint;
  readonly key: string;
  /** Names of further signatures, not checked. */
  readonly others: readonly string[];
}

export function LogPage({ isShown }: { readonly isShown: boolean }): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const session = useSession();
  const [signed, setSigned] = useState<Signed | null | "none">(null);
  const [counts, setCounts] = useState<Counts | null>(null);
  const [done, setDone] = useState<number | null>(null);
  const [error, setError] = useState<unknown>(null);

  const open = async (): Promise<void> => {
    setError(null);
    try {
      const { verifier } = await session.registrant.meet();
      const note = await session.checkpoint();
      if (note === null) setSigned("none");
      else {
        const checkpoint = openCheckpoint(note, verifier);
        setSigned({ checkpoint, key: verifier.vkey, others: othersOn(note, verifier) });
      }
    } catch (reason) {
      setError(reason);
    }
  };

  const count = async ({ checkpoint }: Signed): Promise<void> => {
    setError(null);
    setDone(0);
    try {
      setCounts(await countLog(checkpoint, session.log(), setDone));
    } catch (reason) {
      setError(reason);
    } finally {
      setDone(null);
    }
  };

  useEffect(() => {
    if (isShown && signed === null) void open();
  }, [isShown]);

  return (
    <>
      <h1>{t.log.title}</h1>
      <p class="lead">{t.log.lead}</p>
      {error !== null && <Failure error={error} />}
      {signed === "none" && <p class="note">{t.log.none}</p>}
      {signed !== null && signed !== "none" && (
        <>
          <SignedCheckpoint signed={signed} />
          {counts === null ? (
            <>
              <p class="buttons">
                <Button kind="main" disabled={done !== null} onClick={() => void count(signed)}>
                  {t.log.read}
                </Button>
              </p>
              <p class="hint" role="status">
                {done === null
                  ? texts.fill(t.log.large, sizes(signed.checkpoint.size))
                  : texts.fill(t.log.reading, { done, size: signed.checkpoint.size })}
              </p>
            </>
          ) : (
            <Counted counts={counts} />
          )}
        </>
      )}
    </>
  );
}

const sizes = (size: number): { size: number; megabytes: number } => ({
  size,
  megabytes: Math.max(0.1, Math.round((size * ENTRY_BYTES) / 1e5) / 10),
});

function SignedCheckpoint({ signed }: { readonly signed: Signed }): JSX.Element {
  const texts = useTexts();
  const { log } = texts.t;
  const { checkpoint, key, others } = signed;
  return (
    <section class="card">
      <h2>{log.checkpoint}</h2>
      <dl>
        <dt>{log.origin}</dt>
        <dd>{checkpoint.origin}</dd>
        <dt>{log.size}</dt>
        <dd class="number">{checkpoint.size.toLocaleString(texts.language)}</dd>
        <dt>{log.root}</dt>
        <dd class="mono">{encodeBase64(checkpoint.root)}</dd>
        <dt>{log.key}</dt>
        <dd class="mono">{key}</dd>
        <dt>{log.witnesses}</dt>
        <dd>
          {others.length === 0
            ? log.noWitnesses
            : texts.fill(log.witnessesUnchecked, { names: others.join(", ") })}
        </dd>
      </dl>
    </section>
  );
}

function Counted({ counts }: { readonly counts: Counts }): JSX.Element {
  const texts = useTexts();
  const { log } = texts.t;
  const { registered, withdrawn, erased, reasons, lastDay, wrongWithdrawals } = counts;
  const reasonNames: Readonly<Record<string, string>> = log.reasons;
  const rows: readonly (readonly [string, string | number])[] = [
    [log.registered, registered],
    [log.stillCounting, registered - withdrawn - erased],
    [log.withdrawn, withdrawn],
    [log.erased, erased],
    ...[...reasons].map(([code, count]) => [`– ${reasonNames[code] ?? code}`, count] as const),
    [log.sessions, counts.sessions],
    [log.closed, counts.closed],
    [log.certificates, counts.certificates],
    [log.snapshots, counts.snapshots],
    [log.disputes, counts.disputes],
    ...(lastDay === null ? [] : [[log.lastDay, texts.day(lastDay)] as const]),
  ];
  return (
    <>
      <section class={`outcome ${counts.isConsistent ? "good" : "bad"}`}>
        <FocusHeading>{log.counts}</FocusHeading>
        <p>
          {texts.fill(counts.isConsistent ? log.consistent : log.inconsistent, {
            size: counts.size,
          })}
        </p>
        {withdrawn > 0 && wrongWithdrawals === 0 && <p>{log.withdrawalsChecked}</p>}
        {wrongWithdrawals > 0 && (
          <Alert>{texts.fill(log.withdrawalsWrong, { count: wrongWithdrawals })}</Alert>
        )}
      </section>
      <dl class="number">
        {rows.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{typeof value === "number" ? value.toLocaleString(texts.language) : value}</dd>
          </>
        ))}
      </dl>
      <p class="hint">{log.expired}</p>
    </>
  );
}
