"""Asks the registry about the candidates of first stages, all in one session.

The files hold what `screen_batch` returned: of one worker or of a thousand. Candidates are asked
about in the order of the files and of their rows, so block n is the same block in every run: what
was answered before a kill is not asked again, and what was on its way is answered alike and counted
once.
"""

import base64
import binascii
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched, count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.parquet import arrow
from consent_client.builder import Builder
from consent_client.errors import DamagedSource, OutputError, ProtocolError, SourceChanged
from consent_client.operations import RegistryInfo
from consent_client.protocol.fingerprints import decode_list
from consent_client.protocol.spaces import WORK_SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.asking import Asking, block_rows, close_sessions
from consent_client.screening.batches import MISSING_SPACE
from consent_client.screening.journal import Journal
from consent_client.screening.plan import Plan
from consent_client.screening.results import outcome_of
from consent_client.screening.run import Progress, settle_plan, work_folder

READ_ROWS: Final = 1_000
"""Rows of results in memory at once, and rows of a row group that is written."""

_NEEDED: Final = ("verdict", "candidate", "log_size", "why", "fingerprints")

type Fingerprints = dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the registry said of all candidates, in order.

    Attributes:
        verdicts: uint8[c], a `Verdict` each.
        log_sizes: int64[c], what each holds for.
        screenings: ids of the sessions, one unless something was asked anew.
    """

    verdicts: NDArray[np.uint8] = field(repr=False)
    log_sizes: NDArray[np.int64] = field(repr=False)
    screenings: tuple[str, ...]


def no_candidates() -> Confirmed:
    """What is known where nothing had to be asked."""
    return Confirmed(np.zeros(0, np.uint8), np.zeros(0, np.int64), ())


def confirm(
    builder: Builder,
    files: Sequence[Path],
    folder: Path,
    *,
    dataset: str,
    use: Use,
    required_spaces: Sequence[str],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Confirmed:
    """Asks about every candidate in some files of results.

    Args:
        builder: connected to the registry.
        files: Parquet files as `screen_batch` makes their rows; the same, in the same order, when
            an interrupted run goes on.
        folder: where the journal is kept; made if missing.
        dataset: its name, which the registry sees.
        use: what it is for: what the first stages were asked for.
        required_spaces: a candidate not checked in one of them is UNKNOWN.
        on_progress: told after each block.

    Raises:
        DamagedSource: a file is none of results. SourceChanged: other candidates than before.
        RegistryProblem, TransportError: the registry; call again to go on.
        OutputError: the folder can not be used.
    """
    info = builder.registry()
    plan = _plan(files, info, dataset, use, required_spaces)
    if plan is None:
        return no_candidates()
    work = _folder_of(folder, plan)
    settle_plan(work, plan)
    with Journal(work, plan) as journal:
        asking = Asking(builder, plan, journal, lawful_basis_stated=False)
        excluded = 0
        on_progress(Progress(journal.rows_answered(), plan.candidates, excluded))
        for block, part in zip(count(), batched(_fingerprints(files), plan.block_rows)):
            if block not in journal.blocks:
                excluded += asking.ask(block, part)
                on_progress(Progress(journal.rows_answered(), plan.candidates, excluded))
        if len(journal.blocks) != plan.blocks:
            raise SourceChanged("the candidates changed while they were confirmed")
        close_sessions(builder, plan, journal)
        outcome = outcome_of(plan, journal)
        sizes = np.repeat(outcome.log_sizes, plan.block_rows)[: plan.candidates]
        return Confirmed(outcome.verdicts, sizes, tuple(journal.screenings))


def _plan(
    files: Sequence[Path],
    info: RegistryInfo,
    dataset: str,
    use: Use,
    required_spaces: Sequence[str],
) -> Plan | None:
    """What is asked; None where there is no candidate."""
    digest = hashlib.sha256()
    candidates = 0
    seen: set[str] = set()
    for text in _encoded(files):
        digest.update(f"{text}\0".encode())
        seen |= decoded(text).keys()
        candidates += 1
    if not candidates:
        return None
    spaces = tuple(sorted({*seen, *required_spaces} & set(info.spaces) & set(WORK_SPACES)))
    return Plan(
        source=digest.hexdigest(),
        origin=info.origin,
        dataset=dataset,
        use=use.cawg,
        spaces=spaces,
        required_spaces=tuple(sorted(required_spaces)),
        candidates=candidates,
        block_rows=block_rows(spaces, info.limits),
    )


def _folder_of(folder: Path, plan: Plan) -> Path:
    """Other candidates, of a newer snapshot for instance, have a journal of their own."""
    work = folder / plan.source[:16]
    try:
        if folder.is_dir():
            for other in folder.iterdir():
                if other != work:
                    shutil.rmtree(other, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{work} can not be used: {error.strerror}") from None
    return work


def _encoded(files: Sequence[Path]) -> Iterator[str]:
    """The fingerprints of all candidates as they are written."""
    for path in files:
        for batch in result_batches(path, ("candidate", "fingerprints")):
            for candidate, text in zip(
                batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True
            ):
                if candidate and text is not None:
                    yield text


def _fingerprints(files: Sequence[Path]) -> Iterator[Fingerprints]:
    return map(decoded, _encoded(files))


def decoded(text: str) -> Fingerprints:
    """The fingerprints of a candidate.

    Raises:
        DamagedSource: they are none.
    """
    try:
        return decode_list(base64.b64decode(text, validate=True))
    except (ProtocolError, binascii.Error, ValueError):
        raise DamagedSource("a candidate's fingerprints are damaged") from None


def result_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """A file of results, batch by batch, with these columns in this order, or all.

    Raises:
        DamagedSource: it is no such file.
    """
    pa, parquet = arrow()
    try:
        with parquet.ParquetFile(path) as opened:
            if not set(_NEEDED) <= set(opened.schema_arrow.names):
                raise DamagedSource(f"{path} holds no results of a first stage", str(path))
            for batch in opened.iter_batches(READ_ROWS, columns=columns and list(columns)):
                yield batch if columns is None else batch.select(list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DamagedSource(
            f"{path} is no whole Parquet file ({type(error).__name__})", str(path)
        ) from None


def settled(
    files: Sequence[Path], confirmed: Confirmed | None
) -> Iterator[tuple[Path, Iterator[Any]]]:
    """Each file's batches with the verdicts that the registry gave; take them in order.

    Args:
        files: as they were confirmed.
        confirmed: None: nothing was asked, and the files are as they are.

    Yields:
        The path, and its batches: of confirmed rows `candidate` is false, `fingerprints` null, and
        `why` says why where the verdict is UNKNOWN still.
    """
    at = 0

    def batches(path: Path) -> Iterator[Any]:
        nonlocal at
        for batch in result_batches(path):
            if confirmed is None:
                yield batch
                continue
            settled_batch, at = _settled(batch, confirmed, at)
            yield settled_batch

    for path in files:
        yield path, batches(path)


def _settled(batch: Any, confirmed: Confirmed, at: int) -> tuple[Any, int]:
    pa, _ = arrow()
    asked = np.array(
        [
            bool(candidate) and text is not None
            for candidate, text in zip(
                batch.column("candidate").to_pylist(),
                batch.column("fingerprints").to_pylist(),
                strict=True,
            )
        ],
        np.bool_,
    )
    end = at + int(asked.sum())
    if end > len(confirmed.verdicts):
        raise SourceChanged("there are more candidates than were confirmed")
    if end == at:
        return batch, at
    verdicts = np.array(batch.column("verdict").to_pylist(), np.int8)
    sizes = np.array(batch.column("log_size").to_pylist(), np.int64)
    verdicts[asked] = confirmed.verdicts[at:end]
    sizes[asked] = confirmed.log_sizes[at:end]
    why = np.array(batch.column("why").to_pylist(), object)
    why[asked] = None
    why[asked & (verdicts == Verdict.UNKNOWN)] = MISSING_SPACE
    candidate = np.array(batch.column("candidate").to_pylist(), np.bool_)
    fingerprints = np.array(batch.column("fingerprints").to_pylist(), object)
    fingerprints[asked] = None
    fresh = {
        "verdict": pa.array(verdicts, pa.int8()),
        "candidate": pa.array(candidate & ~asked, pa.bool_()),
        "log_size": pa.array(sizes, pa.int64()),
        "why": pa.array(why.tolist(), pa.string()),
        "fingerprints": pa.array(fingerprints.tolist(), pa.string()),
    }
    names = batch.schema.names
    columns = [fresh.get(name, batch.column(name)) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=names), end


def write_confirmed(
    builder: Builder,
    results: Path,
    out: Path,
    *,
    dataset: str,
    use: Use,
    required_spaces: Sequence[str],
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, int]:
    """Confirms the results that some engine wrote: a folder's Parquet files, in order of name.

    Args:
        builder: as `confirm`, as are those that are not named here.
        results: the folder.
        out: folder for the same files with final verdicts, each written whole or not at all; empty,
            or of an earlier run.
        dataset: its name.
        use: what it is for.
        required_spaces: what the first stage required.
        on_progress: told after each block.

    Returns:
        Rows per verdict, by name.

    Raises:
        As `confirm`.
    """
    _, parquet = arrow()
    files = sorted(path for path in results.rglob("*.parquet") if not path.name.startswith("."))
    if not files:
        raise DamagedSource(f"{results} holds no Parquet file", str(results))
    counts = np.zeros(len(Verdict), np.int64)
    with work_folder(out, restart=False) as work:
        confirmed = confirm(
            builder,
            files,
            work / "confirming",
            dataset=dataset,
            use=use,
            required_spaces=required_spaces,
            on_progress=on_progress,
        )
        try:
            for path, batches in settled(files, confirmed):
                target = out / path.relative_to(results)
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh = work / "writing.parquet"
                writer = None
                for batch in batches:
                    counts += np.bincount(
                        np.array(batch.column("verdict").to_pylist(), np.uint8),
                        minlength=len(Verdict),
                    )
                    writer = writer or parquet.ParquetWriter(fresh, batch.schema)
                    writer.write_batch(batch)
                if writer is not None:
                    writer.close()
                    fresh.replace(target)
        except OSError as error:
            raise OutputError(f"{out} can not be written: {error.strerror or error}") from None
    return {verdict.name.lower(): int(counts[verdict]) for verdict in Verdict}
