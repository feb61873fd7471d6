/** Protect: photographs, a statement, the twelve words, and receipts that this page has verified. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { registerPicture } from "../app/registering";
import { useSession } from "../app/session";
import { Button } from "../components/parts";
import { useTexts } from "../i18n";
import { dayOf } from "../protocol";
import { Choose } from "./protect/choose";
import {
  changed,
  isComputing,
  type Photo,
  type PhotoSending,
  type Photos,
  usable,
} from "./protect/photos";
import { PhraseStep } from "./protect/phrase";
import { SendStep } from "./protect/send";
import { FIRST_CHOICES, StatementStep, statementOf, wrongWith } from "./protect/statement";

const STEPS = ["choose", "state", "phrase", "send"] as const;
type Step = (typeof STEPS)[number];

const today = (): number => dayOf(Date.now() / 1000);

export function ProtectPage(): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const session = useSession();
  const { fingerprinter } = session;
  const [step, setStep] = useState<Step>("choose");
  const [photos, setPhotos] = usePhotos();
  const [choices, setChoices] = useState(FIRST_CHOICES);
  const [wrong, setWrong] = useState<string | null>(null);
  const [wrongChoice, setWrongChoice] = useState<ReturnType<typeof wrongWith>>(null);
  const [origin, setOrigin] = useState(location.host);
  const [isSending, setSending] = useState(false);
  const [waits, setWaits] = useState<number | null>(null);
  const numbers = useRef(0);
  useLeaveWarning(isSending || step === "phrase");

  const add = (files: readonly File[]): void => {
    setWrong(null);
    const fresh: readonly Photo[] = files.map((file) => ({
      number: numbers.current++,
      file,
      address: URL.createObjectURL(file),
      made: null,
      error: null,
      sending: { stage: "waiting" },
    }));
    setPhotos((before) => [...before, ...fresh]);
    for (const { number, file } of fresh) {
      fingerprinter.of(file).then(
        (made) => setPhotos((before) => changed(before, number, { made })),
        (error: unknown) => setPhotos((before) => changed(before, number, { error })),
      );
    }
  };

  const toStatement = (): void => {
    if (usable(photos).length === 0) {
      setWrong(isComputing(photos) ? t.protect.wait : t.protect.needOne);
    } else if (isComputing(photos)) setWrong(t.protect.wait);
    else {
      setWrong(null);
      setStep("state");
    }
  };

  /** Nobody waits for it: without a network it takes long to find out. */
  const nameRegistry = (): Promise<void> =>
    session.registrant.origin().then(setOrigin, () => undefined);

  const toPhrase = async (): Promise<void> => {
    const found = wrongWith(choices, today());
    setWrongChoice(found);
    if (found !== null) return;
    void nameRegistry();
    if (await session.state.hasPhrase()) await send();
    else setStep("phrase");
  };

  const send = async (): Promise<void> => {
    setStep("send");
    setSending(true);
    void nameRegistry();
    for (const photo of usable(photos)) {
      if (photo.sending.stage !== "registered") await sendOne(photo);
    }
    setSending(false);
  };

  const sendOne = async ({ number, file, made }: Photo): Promise<void> => {
    const tell = (sending: PhotoSending): void => {
      setWaits(null);
      setPhotos((before) => changed(before, number, { sending }));
    };
    session.onSending = tell;
    session.onWait = ({ seconds }) => setWaits(seconds);
    if (made === null) return;
    tell({ stage: "sealing" });
    try {
      const wanted = {
        fingerprints: made.fingerprints,
        statement: statementOf(choices),
        label: file.name,
      };
      const checking = (): void => tell({ stage: "checking" });
      const registered = await registerPicture(session.registrant, wanted, checking);
      tell({ stage: "registered", registered });
    } catch (error) {
      tell({ stage: "failed", error });
    }
  };

  const another = (): void => {
    for (const { address } of photos) URL.revokeObjectURL(address);
    setPhotos(() => []);
    setStep("choose");
  };

  return (
    <>
      <h1 class={step === "choose" ? undefined : "small"}>{t.protect.title}</h1>
      {step === "choose" && <p class="lead">{t.protect.lead}</p>}
      <Steps step={step} />
      {step === "choose" && (
        <Choose
          photos={photos}
          wrong={wrong}
          onAdd={add}
          onRemove={({ number, address }) => {
            URL.revokeObjectURL(address);
            setPhotos((before) => before.filter((photo) => photo.number !== number));
          }}
          onNext={toStatement}
        />
      )}
      {step === "state" && (
        <>
          <StatementStep
            choices={choices}
            count={usable(photos).length}
            wrong={wrongChoice}
            onChange={(changedTo) => {
              setWrongChoice(null);
              setChoices(changedTo);
            }}
          />
          <p class="buttons">
            <Button onClick={() => setStep("choose")}>{t.back}</Button>
            <Button kind="main" onClick={() => void toPhrase()}>
              {t.next}
            </Button>
          </p>
        </>
      )}
      {step === "phrase" && (
        <PhraseStep origin={origin} onBack={() => setStep("state")} onDone={() => void send()} />
      )}
      {step === "send" && (
        <SendStep
          photos={usable(photos)}
          origin={origin}
          isSending={isSending}
          waits={waits}
          onAgain={() => void send()}
          onAnother={another}
        />
      )}
    </>
  );
}

function usePhotos(): [Photos, (change: (before: Photos) => Photos) => void] {
  const [photos, setPhotos] = useState<Photos>([]);
  return [photos, setPhotos];
}

function Steps({ step }: { readonly step: Step }): JSX.Element {
  const texts = useTexts();
  const { protect } = texts.t;
  const at = STEPS.indexOf(step);
  const said = texts.fill(protect.step, { at: at + 1, count: STEPS.length });
  return (
    <p class="step no-print">
      <span>{said}</span> <strong>{protect.steps[step]}</strong>
    </p>
  );
}

/** Leaving now would lose the words, or what is being sent. */
function useLeaveWarning(isOn: boolean): void {
  useEffect(() => {
    if (!isOn) return;
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [isOn]);
}
