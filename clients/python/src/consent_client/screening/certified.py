"""A committed screening of a data set: fingerprinted, committed, screened, closed and certified.

What it leaves besides what every screening leaves: `certificate.json`, `shipped.manifest` (which
pictures are shipped, by digests), `evidence` (that each of them was cleared) and `certify.proof`
(that the certificate is in the registry's log). Whoever has these can check them without asking
builder or registry (`consent audit certificate`).
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import batched
from pathlib import Path
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Source
from consent_client.builder import Builder, columns_of, contest_of
from consent_client.errors import (
    ImageError,
    Malformed,
    OutputError,
    SourceChanged,
    SourceError,
    StateError,
    WrongAnswer,
)
from consent_client.fingerprints.batches import crop_many
from consent_client.fingerprints.sscd import load_model
from consent_client.manifest_files import write_manifest
from consent_client.operations import ClosedScreening, Commitment, LoggedScreening, Screening
from consent_client.private_files import create_private, read_private, write_private
from consent_client.protocol.certificates import Certificate, sign_certificate
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    MIN_CERTIFIED_ROWS,
    BlockPaths,
    block_root,
)
from consent_client.protocol.merkle import root_of
from consent_client.protocol.results import Answered, results_block_root, write_evidence
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.contests import contestable_rows, rows_in_contest
from consent_client.screening.journal import AnsweredBlock, ContestedRows, Journal
from consent_client.screening.plan import Order, Plan
from consent_client.screening.results import (
    Outcome,
    Summary,
    outcome_of,
    read_summary,
    write_outcome,
)
from consent_client.screening.run import (
    Progress,
    fingerprinted,
    make_plan,
    settle_plan,
    work_folder,
)
from consent_client.screening.spool import Fingerprints, Spool

CERTIFICATE_NAME: Final = "certificate.json"
SHIPPED_NAME: Final = "shipped.manifest"
EVIDENCE_NAME: Final = "evidence"
PROOF_NAME: Final = "certify.proof"

_MANIFEST_NAME: Final = "manifest"
_SESSION_NAME: Final = "session.json"
_KEY_BYTES: Final = 32
_FILES: Final = "sha256"
_URL: Final = "url-1"
_SSCD: Final = "sscd-1"


def builder_key(path: Path) -> Ed25519PrivateKey:
    """The key that a builder signs certificates with; made where there is none.

    Raises:
        StateError: the file is not ours alone, can not be used, or is no key.
    """
    if read_private(path) is None:
        create_private(path, secrets.token_bytes(_KEY_BYTES))
    data = read_private(path) or b""
    if len(data) != _KEY_BYTES:
        raise StateError(f"{path} is no key of this program", str(path))
    return Ed25519PrivateKey.from_private_bytes(data)


def certify_source(
    builder: Builder,
    source: Source,
    order: Order,
    out: Path,
    key: Ed25519PrivateKey,
    *,
    restart: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_trouble: Callable[[ImageError], None] = lambda _: None,
) -> Summary:
    """Screens a data set as `screen_source` does, committed and certified.

    Interrupted anywhere, it goes on where it was when called again with the same arguments.

    Args:
        builder: connected to the registry.
        source: the data set, of pictures: at least 1,000 different ones that can be read.
        order: what is asked; of works, and without keeping what could not be checked.
        out: folder for results.
        key: signs the certificate.
        restart: forget an earlier run.
        on_progress: told after each block.
        on_trouble: told of each picture that can not be read.

    Raises:
        SourceError: as `screen_source`, or too few pictures for a certificate.
        OutputError, MissingExtra, MissingModel, RegistryProblem, TransportError: as there.
        WrongAnswer: the registry closed the session with other results than it gave.
    """
    arrow()
    if order.opt_in_spaces or order.keep_unknown:
        raise SourceError("a certificate is about works, all of which were checked", source.form)
    info = builder.registry()
    plan = make_plan(source, order, info)
    # An address is not the picture's: one file at two addresses is one row of the manifest.
    spaces = {*plan.spaces, _FILES} - {_URL}
    required = set(plan.required_spaces) - {_URL}
    plan = replace(
        plan, spaces=tuple(sorted(spaces)), required_spaces=tuple(sorted(required or {_FILES}))
    )
    with work_folder(out, restart=restart) as work:
        settle_plan(work, plan)
        done = read_summary(out)
        if done is not None and (out / CERTIFICATE_NAME).exists():
            return done
        with Spool(work) as spool:
            _spool(source, order, plan, spool, on_trouble)
            run = _Certifying(builder, source, order, plan, spool, work, on_progress)
            return run.to(out, key, rows_in_contest(plan.spaces, info.limits), info.origin)


def _spool(
    source: Source, order: Order, plan: Plan, spool: Spool, on_trouble: Callable[[ImageError], None]
) -> None:
    """Fingerprints what was not fingerprinted yet."""
    skip = np.zeros(plan.candidates, np.bool_)
    for number in spool.numbers():
        skip[number] = True
    for candidate in fingerprinted(source.rows(skip), plan, order, on_trouble):
        files = candidate.fingerprints.get(_FILES, ())
        made = {name: tuple(values) for name, values in candidate.fingerprints.items()}
        spool.add(candidate.row.number, files[0] if files else None, made if files else {})
    spool.flush()
    if source.survey() != (plan.candidates, plan.source):
        raise SourceChanged("the data set changed while it was fingerprinted")


@dataclass(frozen=True, slots=True)
class _Session:
    """What is kept of an open session: without it nothing of it can be proved."""

    id: str
    salt: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    terms: str

    def to_json(self) -> bytes:
        value = {
            "id": self.id,
            "salt": encode_base64(self.salt),
            "secret": encode_base64(self.secret),
            "terms": self.terms,
        }
        return json.dumps(value).encode()

    @classmethod
    def from_json(cls, data: bytes, path: Path) -> "_Session":
        try:
            value = json.loads(data)
            return cls(
                str(value["id"]),
                decode_base64(value["salt"]),
                decode_base64(value["secret"]),
                str(value["terms"]),
            )
        except (ValueError, KeyError, TypeError, Malformed):
            raise OutputError(f"{path} is damaged; begin anew with --restart") from None


class _Certifying:
    """From fingerprints to a certificate."""

    def __init__(
        self,
        builder: Builder,
        source: Source,
        order: Order,
        plan: Plan,
        spool: Spool,
        work: Path,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._builder = builder
        self._source = source
        self._order = order
        self._spool = spool
        self._work = work
        self._on_progress = on_progress
        self._whole = plan
        # Rows of the manifest: different pictures, in the order of their digests.
        self._plan = replace(plan, candidates=spool.count(), block_rows=BLOCK_ROWS)
        self._excluded = 0

    def to(self, out: Path, key: Ed25519PrivateKey, contest_rows: int, origin: str) -> Summary:
        """Does what is left to do."""
        if self._plan.candidates < MIN_CERTIFIED_ROWS:
            raise SourceError(
                f"a certificate needs {MIN_CERTIFIED_ROWS} different pictures that can be read, "
                f"and here are {self._plan.candidates}; screen it without --certify",
                self._source.form,
            )
        manifest = write_manifest(self._work / _MANIFEST_NAME, self._spool.manifest())
        self._manifest = manifest
        self._paths = BlockPaths(manifest.count, map(block_root, manifest.blocks()))
        session = self._session(key)
        self._screening = Screening(
            session.id, self._order.use, self._plan.required_spaces, manifest.count, 0
        )
        with Journal(self._work, self._plan) as journal:
            if not journal.screenings:
                journal.opened(session.id)
            self._ask(journal)
            if self._plan.contest:
                self._contest(journal, contest_rows)
            closed = self._builder.close_screening(self._screening)
            logged = self._check(journal, session, closed)
            outcome = self._outcome(journal)
            self._ship(out, key, journal, session, closed, logged, origin)
            summary = write_outcome(
                self._source, self._whole, journal, outcome, out, self._work, keep_unknown=False
            )
        self._spool.remove()
        return summary

    def _session(self, key: Ed25519PrivateKey) -> _Session:
        path = self._work / _SESSION_NAME
        kept = read_private(path)
        if kept is not None:
            return _Session.from_json(kept, path)
        salt = secrets.token_bytes(32)
        opened = self._builder.open_screening(
            self._plan.dataset,
            self._order.use,
            self._plan.required_spaces,
            self._plan.candidates,
            commitment=Commitment(self._paths.root, salt, key.public_key().public_bytes_raw()),
        )
        if opened.results_secret is None:
            raise WrongAnswer("the registry opened no committed session")
        session = _Session(opened.id, salt, opened.results_secret, opened.terms)
        write_private(path, session.to_json())
        return session

    def _ask(self, journal: Journal) -> None:
        self._tell(journal)
        for number in range(self._plan.blocks):
            if number in journal.blocks:
                continue
            candidates = self._candidates(number)
            columns = columns_of(candidates, self._plan.spaces)
            answer = self._builder.screen_block(
                self._screening, number, columns, self._paths.path(number)
            )
            checked = np.zeros(len(candidates), np.uint8)
            for k, column in enumerate(columns):
                checked |= column.present.astype(np.uint8) << np.uint8(k)
            journal.answered(
                AnsweredBlock(self._screening.id, number, answer.log_size, answer.verdicts, checked)
            )
            self._excluded += answer.verdicts.count(Verdict.EXCLUDE)
            self._tell(journal)

    def _contest(self, journal: Journal, rows: int) -> None:
        waiting = contestable_rows(self._plan, journal)
        crops = self._crops(waiting)
        for number in range(self._plan.blocks):
            start = number * BLOCK_ROWS
            excluded = np.flatnonzero(waiting[start : start + BLOCK_ROWS]).tolist()
            candidates = self._candidates(number) if excluded else []
            for part in batched(excluded, rows):
                contested = contest_of(
                    number,
                    self._plan.rows_in(number),
                    part,
                    [candidates[at] for at in part],
                    [crops[start + at] for at in part],
                    self._plan.spaces,
                )
                final = self._builder.contest(
                    self._screening,
                    contested,
                    self._manifest.block(number),
                    self._paths.path(number),
                )
                which = np.zeros(self._plan.rows_in(number), np.bool_)
                which[list(part)] = True
                journal.contested(
                    ContestedRows(self._screening.id, number, final.log_size, which, final.verdicts)
                )

    def _crops(self, waiting: NDArray[np.bool_]) -> dict[int, Fingerprints]:
        """Row of the manifest → its crops, of the excluded rows: they are few."""
        if not waiting.any():
            return {}
        first: dict[int, int] = {}
        for number, rank in self._spool.places():
            if rank is not None and waiting[rank]:
                first.setdefault(rank, number)
        rank_of = {number: rank for rank, number in first.items()}
        skip = np.ones(self._whole.candidates, np.bool_)
        skip[list(rank_of)] = False
        sources = (
            (row.number, b"" if row.image is None else row.image) for row in self._source.rows(skip)
        )
        model = load_model(self._order.model_files.get(_SSCD))
        found: dict[int, Fingerprints] = {}
        for number, crops in crop_many(sources, model, self._order.workers):
            if isinstance(crops, ImageError):
                raise SourceChanged(f"row {number} could be read when it was fingerprinted")
            found[rank_of[number]] = dict(crops)
        return found

    def _check(
        self, journal: Journal, session: _Session, closed: ClosedScreening
    ) -> LoggedScreening:
        """The results that were logged are those that were answered."""
        roots = [
            results_block_root(session.secret, number * BLOCK_ROWS, block, answered)
            for number, (block, answered) in enumerate(self._answered(journal))
        ]
        if closed.logged is None or closed.logged.results_root != root_of(roots):
            raise WrongAnswer("the registry closed the session with other results than it gave")
        return closed.logged

    def _answered(self, journal: Journal) -> Iterator[tuple[bytes, Answered]]:
        blocks = self._manifest.blocks()
        for block, answer in zip(blocks, journal.in_order(), strict=True):
            yield block, Answered(answer.log_size, journal.final(answer).tobytes())

    def _outcome(self, journal: Journal) -> Outcome:
        """By row of the data set, from what was answered by row of the manifest."""
        answered = outcome_of(self._plan, journal)
        count = self._whole.candidates
        verdicts = np.full(count, Verdict.UNKNOWN, np.uint8)
        checked = np.zeros(count, np.uint8)
        log_sizes: dict[int, int] = {}
        for number, rank in self._spool.places():
            if rank is None:  # unreadable, and never asked about
                log_sizes[number] = int(answered.log_sizes[-1])
            else:
                verdicts[number] = answered.verdicts[rank]
                checked[number] = answered.checked[rank]
                if verdicts[number] not in (Verdict.CLEAR, Verdict.PERMIT):
                    log_sizes[number] = answered.log_size(rank, rank // BLOCK_ROWS)
        return Outcome(verdicts, checked, answered.log_sizes, log_sizes)

    def _ship(
        self,
        out: Path,
        key: Ed25519PrivateKey,
        journal: Journal,
        session: _Session,
        closed: ClosedScreening,
        logged: LoggedScreening,
        origin: str,
    ) -> None:
        """Manifest and evidence of what is kept, the certificate, and its place in the log."""
        kept = outcome_of(self._plan, journal).verdicts
        shipped = write_manifest(
            out / SHIPPED_NAME,
            (
                row
                for at, row in enumerate(self._manifest.rows())
                if kept[at] in (Verdict.CLEAR, Verdict.PERMIT)
            ),
        )
        if not shipped.count:
            raise SourceError("nothing of this data set may be kept", self._source.form)
        fresh = self._work / EVIDENCE_NAME
        with fresh.open("wb") as file:
            write_evidence(
                file, session.secret, self._manifest.count, self._answered(journal), shipped.rows()
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(out / EVIDENCE_NAME)
        certificate = sign_certificate(
            Certificate(
                builder=key.public_key().public_bytes_raw(),
                registry=origin,
                session_index=logged.session_index,
                close_index=logged.close_index,
                results_root=logged.results_root,
                terms=session.terms,
                verdicts=closed.verdicts,
                spaces={space.space: space.present for space in closed.spaces},
                shipped_root=BlockPaths(shipped.count, map(block_root, shipped.blocks())).root,
                shipped_count=shipped.count,
                tool=("consent-client", version("consent-client")),
            ),
            key,
        )
        certified = self._builder.certify(self._screening, certificate)
        (out / PROOF_NAME).write_text(certified.proof, encoding="utf-8")
        _put(self._work, out / CERTIFICATE_NAME, certificate)

    def _candidates(self, number: int) -> list[Fingerprints]:
        return self._spool.candidates(number * BLOCK_ROWS, self._plan.rows_in(number))

    def _tell(self, journal: Journal) -> None:
        self._on_progress(Progress(journal.rows_answered(), self._plan.candidates, self._excluded))


def _put(work: Path, target: Path, data: bytes) -> None:
    fresh = work / target.name
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
