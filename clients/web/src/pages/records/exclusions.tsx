/** In which screenings a record left images out; asked for only by whoever wants to know. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../../app/session";
import { Failure } from "../../components/failure";
import { Button } from "../../components/parts";
import { type Texts, useTexts } from "../../i18n";
import type { Exclusion, OwnRecord, SavedRecord } from "../../registrant";

/** What the registry tells of a record's effect. */
export type Effect = Pick<OwnRecord, "exclusions" | "disputes">;

/** By the record's number. */
export type Effects = ReadonlyMap<number, Effect>;

/** Asks the registry about each record by itself. */
export function LookingForExclusions(props: {
  readonly records: readonly SavedRecord[];
  readonly onFound: (found: Effects) => void;
}): JSX.Element {
  const { records: t, working } = useTexts().t;
  const { registrant } = useSession();
  const { records, onFound } = props;
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const look = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    const found = new Map<number, Effect>();
    try {
      for (const record of records) {
        found.set(record.index, await registrant.check(record));
        onFound(new Map(found));
      }
    } catch (reason) {
      setError(reason);
    } finally {
      setBusy(false);
    }
  };

  return (
    <section class="card">
      <h2>{t.leftOutTitle}</h2>
      <p>{t.leftOutLead}</p>
      {error !== null && <Failure error={error} />}
      <p class="buttons">
        <Button disabled={isBusy} onClick={() => void look()}>
          {isBusy ? working : t.leftOutAsk}
        </Button>
      </p>
      <p class="hint">{t.leftOutHint}</p>
    </section>
  );
}

export function EffectList({ effect }: { readonly effect: Effect }): JSX.Element {
  const texts = useTexts();
  const { records } = texts.t;
  const { exclusions, disputes } = effect;
  return (
    <>
      <dt>{records.leftOut}</dt>
      {exclusions.length === 0 ? (
        <dd>{records.leftOutNone}</dd>
      ) : (
        exclusions.map((each, at) => <dd key={at}>{inWords(texts, each)}</dd>)
      )}
      {disputes.length > 0 && <dt>{records.disputed}</dt>}
      {disputes.map(({ index, outcome }) => (
        <dd key={index}>{texts.fill(records.disputes[outcome], { index })}</dd>
      ))}
    </>
  );
}

/** One screening in one sentence. */
function inWords(texts: Texts, exclusion: Exclusion): string {
  const { t, fill, counted, day } = texts;
  const { dataset, organisation, use, images, certificate } = exclusion;
  const said = fill(t.records.leftOutOf, {
    images: counted(t.records.images, images),
    dataset,
    organisation,
    use: t.protect.uses[use],
    day: day(exclusion.day),
  });
  if (certificate === null) return said;
  return `${said} ${fill(t.records.leftOutCertified, { index: certificate.index })}`;
}
