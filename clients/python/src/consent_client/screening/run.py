"""A data set through a registry, block by block, resumed where it was interrupted."""

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Row, Source, given_spaces
from consent_client.builder import Builder
from consent_client.errors import (
    BadUrl,
    EmptySource,
    ImageError,
    OutputError,
    SourceChanged,
    UnknownSpace,
)
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import available_spaces, load_models
from consent_client.fingerprints.sscd import load_model
from consent_client.fingerprints.url import url_fingerprint
from consent_client.locks import try_lock
from consent_client.operations import RegistryInfo
from consent_client.screening.asking import Asking, block_rows, close_sessions
from consent_client.screening.contests import (
    Contesting,
    check_contestable,
    contestable_rows,
    rows_in_contest,
)
from consent_client.screening.journal import JOURNAL_NAME, Journal
from consent_client.screening.plan import Order, Plan, choose_spaces
from consent_client.screening.results import (
    EXCLUSIONS_NAME,
    KEPT_NAME,
    SUMMARY_NAME,
    Summary,
    read_summary,
    write_results,
)

WORK_NAME: Final = ".consent-screen"
PLAN_NAME: Final = "plan.json"

_URL = "url-1"
_SSCD = "sscd-1"


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each block, and once at the start.

    Attributes:
        done: rows answered.
        total: rows in all.
        excluded: rows with EXCLUDE so far in this run.
    """

    done: int
    total: int
    excluded: int


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """A row and its fingerprints."""

    row: Row
    fingerprints: Mapping[str, Sequence[bytes]] = field(repr=False)


def screen_source(
    builder: Builder,
    source: Source,
    order: Order,
    out: Path,
    *,
    restart: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_trouble: Callable[[ImageError], None] = lambda _: None,
) -> Summary:
    """Screens a data set and writes what may be kept.

    Interrupted anywhere, even killed, it goes on where it was when called again with the same
    arguments; blocks that were answered are not asked again.

    Args:
        builder: connected to the registry.
        source: the data set.
        order: what is asked.
        out: folder for results, empty or of an earlier run of the same order; made if missing.
        restart: forget an earlier run.
        on_progress: told after each block.
        on_trouble: told of each picture that can not be read.

    Returns:
        What was written: `kept/`, `exclusions.parquet` and `summary.json` in `out`.

    Raises:
        SourceError: empty, damaged, hostile, or changed since the screening began.
        OutputError: `out` can not be used. MissingExtra, MissingModel: something to install.
        RegistryProblem, TransportError: the registry; call again to go on.
    """
    arrow()
    info = builder.registry()
    plan = make_plan(source, order, info)
    with work_folder(out, restart=restart) as work:
        settle_plan(work, plan)
        done = read_summary(out)
        if done is not None and done.unknown_kept == order.keep_unknown:
            return done
        with Journal(work, plan) as journal:
            run = _Run(builder, source, order, plan, journal, on_progress, on_trouble)
            run.ask()
            if plan.contest:
                run.contest(rows_in_contest(plan.spaces, info.limits))
            close_sessions(builder, plan, journal)
            if source.survey() != (plan.candidates, plan.source):
                raise SourceChanged("the data set changed while it was screened")
            return write_results(source, plan, journal, out, work, keep_unknown=order.keep_unknown)


def make_plan(source: Source, order: Order, info: RegistryInfo) -> Plan:
    """What will be asked of this registry about this data set."""
    computable = available_spaces() if source.has_images else ()
    if source.has_images:
        computable = tuple(sorted({*computable, *order.model_files}))
    computable = tuple(sorted({*computable, *given_spaces(source)}))
    if order.spaces is not None:
        computable = _chosen(computable, order.spaces)
    spaces, required = choose_spaces(
        source, computable, info.spaces, order.required_spaces, order.opt_in_spaces
    )
    count, digest = source.survey()
    if count == 0:
        raise EmptySource("there is no candidate in this data set")
    if order.contest:
        check_contestable(spaces)
    return Plan(
        source=digest,
        origin=info.origin,
        dataset=order.dataset,
        use=order.use.cawg,
        spaces=spaces,
        required_spaces=required,
        candidates=count,
        block_rows=block_rows(spaces, info.limits),
        contest=order.contest,
    )


def _chosen(computable: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    for name in wanted:
        if name not in computable:
            raise UnknownSpace(f"{name} can not be computed of this data set here")
    return tuple(sorted(set(wanted)))


@contextmanager
def work_folder(out: Path, *, restart: bool) -> Iterator[Path]:
    """The folder for what is not finished, locked against another run."""
    work = out / WORK_NAME
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not work.is_dir() and any(out.iterdir()):
            raise OutputError(f"{out} holds other things; name an empty or new folder")
        work.mkdir(exist_ok=True)
        lock = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(f"{out} can not be used: {error.strerror}") from None
    try:
        if not try_lock(lock):
            raise OutputError(f"another screening is writing to {out}")
        if restart:
            _forget(out, work)
        yield work
    finally:
        os.close(lock)


def _forget(out: Path, work: Path) -> None:
    """Removes what an earlier run wrote, and nothing else."""
    shutil.rmtree(out / KEPT_NAME, ignore_errors=True)
    shutil.rmtree(work / KEPT_NAME, ignore_errors=True)
    for path in (out / EXCLUSIONS_NAME, out / SUMMARY_NAME, work / PLAN_NAME, work / JOURNAL_NAME):
        path.unlink(missing_ok=True)


def settle_plan(work: Path, plan: Plan) -> None:
    """Writes the plan down, or looks whether it is the one that is there.

    Raises:
        SourceChanged, OutputError: it is not, or can not be read or written.
    """
    path = work / PLAN_NAME
    try:
        if path.exists():
            Plan.from_json(path.read_text(), str(path)).check_same(plan)
            return
        fresh = path.with_suffix(".new")
        fresh.write_text(plan.to_json())
        fresh.replace(path)
    except OSError as error:
        raise OutputError(f"{path} can not be used: {error.strerror}") from None


class _Run:
    """One run over the blocks that are not answered yet."""

    def __init__(
        self,
        builder: Builder,
        source: Source,
        order: Order,
        plan: Plan,
        journal: Journal,
        on_progress: Callable[[Progress], None],
        on_trouble: Callable[[ImageError], None],
    ) -> None:
        self._builder = builder
        self._source = source
        self._order = order
        self._plan = plan
        self._journal = journal
        self._on_progress = on_progress
        self._on_trouble = on_trouble
        self._excluded = 0
        self._asking = Asking(builder, plan, journal, lawful_basis_stated=order.lawful_basis_stated)

    def ask(self) -> None:
        """Asks about all blocks that are not in the journal."""
        plan = self._plan
        skip = np.zeros(plan.candidates, np.bool_)
        for block in self._journal.blocks:
            skip[block * plan.block_rows : (block + 1) * plan.block_rows] = True
        self._tell()
        if skip.all():
            return
        candidates = self._fingerprinted(self._source.rows(skip))
        for block, part in groupby(candidates, lambda each: each.row.number // plan.block_rows):
            self._ask_block(block, list(part))
            self._tell()
        if len(self._journal.blocks) != plan.blocks:
            raise SourceChanged("the data set became shorter while it was screened")

    def contest(self, rows: int) -> None:
        """Contests excluded rows, `rows` at a time."""
        if not contestable_rows(self._plan, self._journal).any():
            return
        Contesting(
            self._builder,
            self._source,
            self._plan,
            self._journal,
            self._fingerprinted,
            load_model(self._order.model_files.get(_SSCD)),
            self._order.workers,
            rows,
            self._tell,
        ).run()

    def _tell(self) -> None:
        done = self._journal.rows_answered()
        self._on_progress(Progress(done, self._plan.candidates, self._excluded))

    def _ask_block(self, block: int, candidates: list[Fingerprinted]) -> None:
        if len(candidates) != self._plan.rows_in(block):
            raise SourceChanged("the data set changed while it was screened")
        self._excluded += self._asking.ask(block, [each.fingerprints for each in candidates])

    def _fingerprinted(self, rows: Iterator[Row]) -> Iterator[Fingerprinted]:
        given = given_spaces(self._source)
        return fingerprinted(rows, self._plan, self._order, self._on_trouble, given)


def fingerprinted(
    rows: Iterator[Row],
    plan: Plan,
    order: Order,
    on_trouble: Callable[[ImageError], None],
    given: Collection[str] = (),
) -> Iterator[Fingerprinted]:
    """Rows with their fingerprints in the plan's spaces; without any where they can not be read.

    What rows hold in the spaces of `given` is not computed.
    """
    spaces = [name for name in plan.spaces if name != _URL and name not in given]
    if not spaces:
        for row in rows:
            held = {name: row.given[name] for name in row.given if name in plan.spaces}
            yield Fingerprinted(row, {**held, **_of_url(row, plan)})
        return
    models = load_models(spaces, order.model_files)
    sources = ((replace(row, image=None), b"" if row.image is None else row.image) for row in rows)
    for row, found in fingerprint_many(sources, spaces, order.workers, models=models):
        trouble = row.trouble or (found if isinstance(found, ImageError) else None)
        if trouble is not None:
            on_trouble(trouble)
        if trouble is not None or isinstance(found, ImageError):
            yield Fingerprinted(row, _of_url(row, plan))
        else:
            yield Fingerprinted(row, {**found.fingerprints, **_of_url(row, plan)})


def _of_url(row: Row, plan: Plan) -> dict[str, tuple[bytes, ...]]:
    if row.url is None or _URL not in plan.spaces:
        return {}
    try:
        return {_URL: (url_fingerprint(row.url),)}
    except BadUrl:
        return {}
