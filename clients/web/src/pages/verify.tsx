/** Verify: what is dropped here is checked in the page and told in words. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { MAX_FILE_BYTES, paperOf, type Papers } from "../app/certified";
import { reasonOf } from "../app/reasons";
import { useSession } from "../app/session";
import { examine, type Finding, type Since, sinceThen } from "../app/verifying";
import { Failure } from "../components/failure";
import { Button, Field, FilePicker, FocusHeading } from "../components/parts";
import { inWords } from "../components/statements";
import { useTexts } from "../i18n";
import {
  type Bytes,
  encodeBase64,
  imageDigest,
  NoteVerifier,
  type Receipt,
  sameBytes,
  utf8,
} from "../protocol";
import type { SignedWithdrawal } from "../registrant";
import { ToldPapers } from "./verify/papers";

/** What is told: of one text, or of a builder's papers, to which more can be dropped. */
interface Examined {
  readonly number: number;
  readonly finding: Finding | null;
  readonly papers: Papers;
  readonly verifiers: readonly NoteVerifier[];
}

export function VerifyPage(): JSX.Element {
  const texts = useTexts();
  const { verify } = texts.t;
  const { registrant } = useSession();
  const [text, setText] = useState("");
  const [key, setKey] = useState("");
  const [known, setKnown] = useState("");
  const [examined, setExamined] = useState<Examined | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isEmpty, setEmpty] = useState(false);

  /** Keys of registries that are trusted here: what was pasted, and this page's own. */
  const trusted = async (): Promise<NoteVerifier[]> => {
    const further = key.trim() === "" ? [] : [NoteVerifier.parse(key.trim())];
    try {
      const { verifier } = await registrant.meet();
      setKnown(verifier.name);
      return [...further, verifier];
    } catch (reason) {
      if (further.length === 0) throw reason;
      return further;
    }
  };

  const show = (told: Omit<Examined, "number">): void =>
    setExamined((before) => ({ number: (before?.number ?? 0) + 1, ...told }));

  const check = async (given: string): Promise<void> => {
    setError(null);
    setEmpty(given.trim() === "");
    if (given.trim() === "") return;
    try {
      const papers = paperOf(utf8(given.trim()));
      if (papers !== null) await addPapers([papers]);
      else {
        const verifiers = await trusted();
        show({ finding: examine(given, verifiers), papers: {}, verifiers });
      }
    } catch (reason) {
      setError(reason);
    }
  };

  /** A certificate begins anew, unless it comes together with the rest. */
  const addPapers = async (given: readonly Papers[]): Promise<void> => {
    const added = given.reduce<Papers>((all, each) => ({ ...all, ...each }), {});
    const held = added.certificate === undefined ? (examined?.papers ?? {}) : {};
    const verifiers = await trusted().catch(() => []); // what needs no registry is checked without
    show({ finding: null, papers: { ...held, ...added }, verifiers });
  };

  const read = async (files: readonly File[]): Promise<void> => {
    setError(null);
    try {
      const papers: Papers[] = [];
      for (const file of files) {
        const data = file.size > MAX_FILE_BYTES ? new Uint8Array(1) : await bytesOf(file);
        const paper = paperOf(data);
        if (paper !== null) papers.push(paper);
        else {
          const content = new TextDecoder().decode(data);
          setText(content.slice(0, MAX_SHOWN));
          await check(content);
          return;
        }
      }
      setText("");
      if (papers.length > 0) await addPapers(papers);
    } catch (reason) {
      setError(reason);
    }
  };

  return (
    <>
      <h1>{verify.title}</h1>
      <p class="lead">{verify.lead}</p>
      <FilePicker
        title={verify.drop}
        button={verify.choose}
        several
        onFiles={(files) => void read(files)}
      />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void check(text);
        }}
      >
        <Field label={verify.paste} wrong={isEmpty ? verify.nothing : undefined}>
          {(attributes) => (
            <textarea
              {...attributes}
              class="text"
              rows={4}
              value={text}
              spellcheck={false}
              onInput={({ currentTarget: { value } }) => setText(value)}
            />
          )}
        </Field>
        {examined?.finding?.kind === "foreign" && (
          <>
            <p class="note" role="status">
              {texts.fill(verify.foreign, { origin: examined.finding.origin, known })}
            </p>
            <Field
              label={texts.fill(verify.key, { origin: examined.finding.origin })}
              hint={verify.keyHint}
            >
              {(attributes) => (
                <input
                  {...attributes}
                  type="text"
                  value={key}
                  onInput={({ currentTarget: { value } }) => setKey(value)}
                />
              )}
            </Field>
          </>
        )}
        {error !== null && <Failure error={error} />}
        <p class="buttons">
          <Button kind="main" submit>
            {verify.check}
          </Button>
        </p>
      </form>
      {examined !== null &&
        (examined.finding === null ? (
          <ToldPapers
            key={examined.number}
            papers={examined.papers}
            verifiers={examined.verifiers}
            onMore={(files) => void read(files)}
          />
        ) : (
          <Told key={examined.number} finding={examined.finding} />
        ))}
    </>
  );
}

/** What is longer is no text that is checked here. */
const MAX_SHOWN = 100_000;

const bytesOf = async (file: File): Promise<Bytes> => new Uint8Array(await file.arrayBuffer());

function Told({ finding }: { readonly finding: Finding }): JSX.Element | null {
  const texts = useTexts();
  const { verify } = texts.t;
  switch (finding.kind) {
    case "receipt":
      return <ToldReceipt {...finding} />;
    case "withdrawal":
      return <ToldWithdrawal signed={finding.signed} />;
    case "checkpoint":
      return (
        <section class="outcome good">
          <p class="kind">{verify.checkpoint}</p>
          <FocusHeading>{verify.good}</FocusHeading>
          <p>
            {texts.fill(verify.checkpointText, {
              origin: finding.checkpoint.origin,
              size: finding.checkpoint.size,
              root: encodeBase64(finding.checkpoint.root),
            })}
          </p>
          <Others names={finding.others} />
        </section>
      );
    case "wrong":
      return (
        <section class="outcome bad">
          <FocusHeading>{verify.bad}</FocusHeading>
          <p>
            {verify.reason} <span lang="en">{finding.error.message}</span>
          </p>
        </section>
      );
    case "unknown":
      return (
        <section class="outcome">
          <FocusHeading>{verify.unknown}</FocusHeading>
          <p>{verify.notKnown}</p>
        </section>
      );
    case "foreign":
      return null;
  }
}

function Others({ names }: { readonly names: readonly string[] }): JSX.Element {
  const texts = useTexts();
  const { verify } = texts.t;
  if (names.length === 0) return <p class="hint">{verify.unwitnessed}</p>;
  return (
    <p class="hint">
      {texts.fill(verify.witnessed, { names: names.join(", ") })} {verify.notChecked}
    </p>
  );
}

function ToldReceipt(finding: Extract<Finding, { readonly kind: "receipt" }>): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const { verify } = t;
  const { receipt, checkpoint, others } = finding;
  const { statement, proof } = receipt.fields;
  return (
    <section class="outcome good">
      <p class="kind">{verify.receipt}</p>
      <FocusHeading>{verify.good}</FocusHeading>
      <p>
        {texts.fill(verify.receiptText, {
          index: proof.index,
          origin: checkpoint.origin,
          size: checkpoint.size,
        })}
      </p>
      <dl>
        <dt>{verify.states}</dt>
        <dd>{inWords(texts, statement)}</dd>
        <dt>{verify.statedAs}</dt>
        <dd>{t.protect.bases[statement.basis]}</dd>
      </dl>
      <p class="hint">{verify.receiptLimits}</p>
      <Others names={others} />
      <AsOfNow receipt={receipt} origin={checkpoint.origin} />
      <SamePicture receipt={receipt} />
    </section>
  );
}

function AsOfNow(props: {
  readonly receipt: Receipt;
  readonly origin: string;
}): JSX.Element | null {
  const texts = useTexts();
  const { t } = texts;
  const session = useSession();
  const { receipt, origin } = props;
  const [since, setSince] = useState<Since | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isHere, setHere] = useState(true);

  const look = async (): Promise<void> => {
    try {
      if ((await session.registrant.origin()) !== origin) setHere(false);
      else setSince(await sinceThen(receipt, origin, session.log(receipt.fields.proof.index)));
    } catch (reason) {
      setError(reason);
    }
  };
  useOnce(() => void look());

  if (!isHere) return null;
  return (
    <p role="status">
      {error !== null && texts.fill(t.verify.nowUnknown, { reason: reasonOf(texts, error) })}
      {error === null && since === null && t.working}
      {since?.kind === "active" && texts.fill(t.verify.nowActive, { size: since.size })}
      {since?.kind === "lost" && t.verify.nowLost}
      {since?.kind === "ended" &&
        texts.fill(t.verify.nowEnded, {
          status: t.records.status[since.status],
          index: since.index,
        })}
    </p>
  );
}

function useOnce(work: () => void): void {
  const [isDone, setDone] = useState(false);
  if (isDone) return;
  setDone(true);
  work();
}

function SamePicture({ receipt }: { readonly receipt: Receipt }): JSX.Element {
  const texts = useTexts();
  const { verify } = texts.t;
  const { fingerprinter } = useSession();
  const [isSame, setSame] = useState<boolean | null>(null);
  const [error, setError] = useState<unknown>(null);

  const compare = async ([file]: readonly File[]): Promise<void> => {
    if (file === undefined) return;
    setError(null);
    setSame(null);
    try {
      const { fingerprints } = await fingerprinter.of(file);
      setSame(sameBytes(imageDigest(fingerprints), receipt.fields.imageDigest));
    } catch (reason) {
      setError(reason);
    }
  };

  return (
    <>
      <h3>{verify.withPicture}</h3>
      <FilePicker
        title={verify.drop}
        button={verify.choosePicture}
        hint={verify.pictureHint}
        accept="image/*"
        onFiles={(files) => void compare(files)}
      />
      <p role="status">
        {isSame !== null && (isSame ? verify.isPicture : verify.notPicture)}
        {error !== null && reasonOf(texts, error)}
      </p>
    </>
  );
}

function ToldWithdrawal({ signed }: { readonly signed: SignedWithdrawal }): JSX.Element {
  const texts = useTexts();
  const { t } = texts;
  const { verify } = t;
  const { registrant } = useSession();
  const [status, setStatus] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);

  const send = async (): Promise<void> => {
    setError(null);
    try {
      setStatus(t.records.status[await registrant.sendWithdrawal(signed)]);
    } catch (reason) {
      setError(reason);
    }
  };

  return (
    <section class="outcome good">
      <p class="kind">{verify.withdrawal}</p>
      <FocusHeading>{verify.good}</FocusHeading>
      <p>{texts.fill(verify.withdrawalText, { origin: signed.origin })}</p>
      {status === null && (
        <p class="buttons">
          <Button kind="danger" onClick={() => void send()}>
            {verify.sendWithdrawal}
          </Button>
        </p>
      )}
      <p role="status">
        {status !== null && texts.fill(verify.sentWithdrawal, { status })}
        {error !== null && reasonOf(texts, error)}
      </p>
    </section>
  );
}
