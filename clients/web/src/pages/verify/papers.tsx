/** A data set's certificate with its list and its evidence, told check by check. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import {
  check,
  type Check,
  type Checks,
  isIn,
  isWhole,
  isWrong,
  type Papers,
  type Registry,
} from "../../app/certified";
import { reasonOf } from "../../app/reasons";
import { type Session, useSession } from "../../app/session";
import { FilePicker, FocusHeading, List, More } from "../../components/parts";
import { ConsentError, ProtocolError } from "../../errors";
import { type Texts, useTexts } from "../../i18n";
import {
  builderKeyId,
  type Bytes,
  type Certificate,
  type NoteVerifier,
  openCheckpoint,
  rowsOfFile,
  USES,
  verifyCertificate,
} from "../../protocol";

interface Props {
  readonly papers: Papers;
  readonly verifiers: readonly NoteVerifier[];
  /** More of the same data set is dropped. */
  readonly onMore: (files: readonly File[]) => void;
}

export function ToldPapers({ papers, verifiers, onMore }: Props): JSX.Element {
  const { certificate, manifest } = papers;
  return (
    <>
      {certificate === undefined ? (
        <Alone papers={papers} onMore={onMore} />
      ) : (
        <ToldCertificate
          papers={{ ...papers, certificate }}
          verifiers={verifiers}
          onMore={onMore}
        />
      )}
      {manifest !== undefined && <YourPicture manifest={manifest} />}
    </>
  );
}

/** A list or evidence whose certificate is not there. */
function Alone({ papers, onMore }: Omit<Props, "verifiers">): JSX.Element {
  const texts = useTexts();
  const { data, bad, unknown } = texts.t.verify;
  const { manifest } = papers;
  const count = manifest === undefined ? null : attempted(() => rowsOfFile(manifest).count);
  const isBroken = count instanceof ConsentError;
  return (
    <section class={isBroken ? "outcome bad" : "outcome"}>
      <p class="kind">{manifest === undefined ? data.paper : data.manifest}</p>
      <FocusHeading>{isBroken ? bad : unknown}</FocusHeading>
      {isBroken && <Reason error={count} />}
      {typeof count === "number" && <p>{texts.counted(data.onList, count)}</p>}
      <p>{data.needsCertificate}</p>
      <MorePapers onMore={onMore} />
    </section>
  );
}

function ToldCertificate(
  props: Props & { readonly papers: Papers & { readonly certificate: Bytes } },
): JSX.Element {
  const texts = useTexts();
  const { data, bad } = texts.t.verify;
  const { papers, verifiers, onMore } = props;
  const read = attempted(() => verifyCertificate(papers.certificate));
  if (!(read instanceof ConsentError)) {
    return <Checked certificate={read} papers={papers} verifiers={verifiers} onMore={onMore} />;
  }
  return (
    <section class="outcome bad">
      <p class="kind">{data.certificate}</p>
      <FocusHeading>{bad}</FocusHeading>
      <Reason error={read} />
    </section>
  );
}

function Checked(props: {
  readonly certificate: Certificate;
  readonly papers: Papers & { readonly certificate: Bytes };
  readonly verifiers: readonly NoteVerifier[];
  readonly onMore: Props["onMore"];
}): JSX.Element {
  const texts = useTexts();
  const { verify } = texts.t;
  const { data } = verify;
  const { certificate, papers, verifiers, onMore } = props;
  const session = useSession();
  const [checks, setChecks] = useState<Checks | null>(null);
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    const registry = registryOf(session, certificate, verifiers);
    void check(certificate, papers, registry, setChecks).then(() => setDone(true));
  }, []);
  const wrong = checks !== null && isWrong(checks);
  const whole = isDone && checks !== null && isWhole(checks);
  const heading = wrong ? verify.bad : whole ? verify.good : isDone ? data.partly : data.checking;
  return (
    <section class={`outcome ${wrong ? "bad" : whole ? "good" : ""}`}>
      <p class="kind">{data.certificate}</p>
      <FocusHeading key={heading}>{heading}</FocusHeading>
      <p>{said(texts, certificate)}</p>
      <ul class="checks">
        <Line is="holds" text={data.signed} />
        {checks !== null && <Lines checks={checks} certificate={certificate} />}
      </ul>
      {isDone && !wrong && !whole && <MorePapers onMore={onMore} />}
      <More title={data.limitsTitle}>
        <List items={data.limits} />
      </More>
      <More title={data.details}>
        <Details certificate={certificate} />
      </More>
    </section>
  );
}

/** What the page can ask about the registry that a certificate names. */
function registryOf(
  session: Session,
  { registry }: Certificate,
  verifiers: readonly NoteVerifier[],
): Registry {
  const verifier = verifiers.find(({ name }) => name === registry) ?? null;
  return {
    verifier,
    checkpoint: async () => {
      // Only the log of the page's own registry can be read from here.
      const own = await session.registrant.origin().catch(() => null);
      if (verifier === null || own !== registry) return null;
      const note = await session.checkpoint().catch(() => null);
      return note === null ? null : openCheckpoint(note, verifier);
    },
    entries: (checkpoint, start) => session.signedLog(checkpoint, start),
  };
}

function said(texts: Texts, certificate: Certificate): string {
  const { t, fill } = texts;
  const { use } = certificate.terms;
  const name = typeof use === "string" ? use.replace("cawg.", "") : "";
  const known = USES.find((each) => each === name);
  return fill(t.verify.data.says, {
    registry: certificate.registry,
    screened: certificate.count,
    shipped: certificate.shippedCount,
    use: known === undefined ? name : t.protect.uses[known],
  });
}

function Lines(props: { readonly checks: Checks; readonly certificate: Certificate }): JSX.Element {
  const texts = useTexts();
  const { data } = texts.t.verify;
  const { logged, shipped, cleared } = props.checks;
  const { sessionIndex, closeIndex, registry } = props.certificate;
  const text = <K,>(one: Check<K>, holds: (known: K) => string): string => {
    switch (one.is) {
      case "holds":
        return holds(one.known);
      case "working":
        return texts.fill(data.working, { done: one.done });
      case "open":
        return texts.fill(data.open[one.why], { registry });
      case "wrong":
        return one.error.message;
      case "failed":
        return texts.fill(data.failed, { reason: reasonOf(texts, one.error) });
    }
  };
  const loggedText = text(logged, (known) =>
    typeof known === "number"
      ? texts.fill(data.proven, { certify: known })
      : texts.fill(data.logged, {
          session: sessionIndex,
          close: closeIndex,
          certify: known.certifiedAt,
        }),
  );
  return (
    <>
      <Line is={logged.is} text={loggedText} />
      <Line is={shipped.is} text={text(shipped, (count) => texts.counted(data.shipped, count))} />
      <Line
        is={cleared.is}
        text={text(cleared, ({ CLEAR = 0, PERMIT = 0 }) =>
          texts.fill(data.cleared, { clear: CLEAR, permit: PERMIT }),
        )}
      />
    </>
  );
}

const MARKS = { holds: "✓", wrong: "✗", open: "–", failed: "–", working: "…" } as const;

function Line(props: { readonly is: keyof typeof MARKS; readonly text: string }): JSX.Element {
  const { marks } = useTexts().t.verify.data;
  const { is, text } = props;
  return (
    <li class={is}>
      <span aria-hidden="true">{MARKS[is]}</span> <span class="visually-hidden">{marks[is]}</span>{" "}
      <span lang={is === "wrong" ? "en" : undefined}>{text}</span>
    </li>
  );
}

function Details({ certificate }: { readonly certificate: Certificate }): JSX.Element {
  const texts = useTexts();
  const { data } = texts.t.verify;
  const { builder, tool, spaces, verdicts, terms } = certificate;
  const amounts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${name}: ${count.toLocaleString(texts.language)}`)
      .join(", ");
  return (
    <dl>
      <dt>{data.builder}</dt>
      <dd class="mono">{builderKeyId(builder)}</dd>
      <dt>{data.answers}</dt>
      <dd>{amounts(verdicts)}</dd>
      <dt>{data.compared}</dt>
      <dd>{amounts(spaces)}</dd>
      <dt>{data.tool}</dt>
      <dd>
        {tool.name} {tool.version}
      </dd>
      <dt>{data.terms}</dt>
      <dd class="mono">{JSON.stringify(terms)}</dd>
    </dl>
  );
}

function MorePapers({ onMore }: { readonly onMore: Props["onMore"] }): JSX.Element {
  const { data, choose } = useTexts().t.verify;
  return (
    <FilePicker title={data.more} button={choose} hint={data.moreHint} several onFiles={onMore} />
  );
}

/** Whether somebody's very file is in the data set. */
function YourPicture({ manifest }: { readonly manifest: Bytes }): JSX.Element {
  const texts = useTexts();
  const { verify } = texts.t;
  const { data } = verify;
  const [told, setTold] = useState("");

  const look = async ([file]: readonly File[]): Promise<void> => {
    if (file === undefined) return;
    setTold("");
    try {
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      setTold(isIn(manifest, new Uint8Array(digest)) ? data.isThere : data.notThere);
    } catch (reason) {
      setTold(reasonOf(texts, reason));
    }
  };

  return (
    <section class="card">
      <h2>{data.yours}</h2>
      <FilePicker
        title={verify.drop}
        button={verify.choosePicture}
        hint={data.yoursHint}
        accept="image/*"
        onFiles={(files) => void look(files)}
      />
      <p role="status">{told !== "" && <strong>{told}</strong>}</p>
    </section>
  );
}

function Reason({ error }: { readonly error: ConsentError }): JSX.Element {
  const { verify } = useTexts().t;
  return (
    <p>
      {verify.reason} <span lang="en">{error.message}</span>
    </p>
  );
}

/** What is wrong with a file is told, and is no fault of the page. */
function attempted<T>(work: () => T): T | ProtocolError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
}
