"""Screens a data set in two stages: shards against a snapshot, then the candidates online.

    from consent_client.adapters.img2dataset import downloaded
    from consent_client.screening.batches import screening_of
    from consent_client.screening.stages import screen_shards

    data = downloaded(Path("laion"))
    screening = screening_of(snapshot, key, use=Use.AI_TRAINING, columns=data.columns)
    with Builder(address, token=token) as builder:
        summary = screen_shards(data, screening, Path("screened"), builder, dataset="laion")

Of each shard a *done file* is written when its first stage is through, whole or not at all. It says
which bytes it is of, under which question and which snapshot: where one of them changed, the shard
is looked at again. So a run may be killed anywhere, and goes on when it is started again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Kept
from consent_client.adapters.shards import Shard, Sharded
from consent_client.builder import Builder
from consent_client.errors import EmptySource, OutputError, SourceChanged, Unreachable
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.batches import (
    Confirm,
    ScreenBatch,
    opened_snapshot,
    result_schema,
    screen_batch,
)
from consent_client.screening.confirming import Confirmed, confirm, settled
from consent_client.screening.results import EXCLUSIONS_NAME, KEPT_NAME, SUMMARY_NAME
from consent_client.screening.run import Progress, work_folder

STAGE_NAME: Final = "stage-one"
CONFIRM_NAME: Final = "confirming"
WRITING_NAME: Final = "writing"
REWRITTEN_NAME: Final = "rewritten"
ASKED_NAME: Final = "screening.json"

_INPUT: Final = b"consent.input"
_QUESTION: Final = b"consent.question"
_SERIAL: Final = b"consent.serial"


class Engine(Protocol):
    """Runs a function on many things, here or on a cluster.

    What it returns comes in any order. The function and the things can be pickled, the function may
    be run twice on one thing, and every machine sees the same files under the same names.
    """

    def __call__[Item](
        self, work: Callable[[Item], object], items: Sequence[Item]
    ) -> Iterable[object]:
        """Runs it on each."""


def local[Item](work: Callable[[Item], object], items: Sequence[Item]) -> Iterator[object]:
    """The engine of one machine: one thing after the other, each on all cores."""
    return map(work, items)


@dataclass(frozen=True, slots=True)
class TwoStageSummary:
    """What a screening came to.

    Attributes:
        serial: of the snapshot.
        snapshot: digest of its manifest, in hex.
        verdicts: rows per verdict, by name.
        why: rows per reason, of those that are UNKNOWN or excluded by a column.
        candidates: rows that the first stage could not settle.
        confirmed: how many of them the registry answered.
        shards: how many there are.
        screenings: ids of sessions.
        log_size: least log size that a verdict holds for; 0 where there is none.
    """

    dataset: str
    use: str
    form: str
    serial: int
    snapshot: str
    rows: int
    verdicts: dict[str, int]
    why: dict[str, int]
    candidates: int
    confirmed: int
    kept_rows: int
    kept_files: int
    left_out_files: int
    unknown_kept: bool
    shards: int
    spaces: tuple[str, ...]
    required_spaces: tuple[str, ...]
    screenings: tuple[str, ...]
    log_size: int

    @property
    def excluded(self) -> int:
        """Rows whose verdict is EXCLUDE."""
        return self.verdicts["exclude"]


@dataclass(frozen=True, slots=True)
class StageOne:
    """One shard's first stage, for any machine.

    Attributes:
        shard: what is looked at.
        screening: what is asked.
        target: its done file.
    """

    shard: Shard
    screening: ScreenBatch
    target: str


def look(stage: StageOne) -> int:
    """Looks at a shard, unless its done file is there; its number of rows.

    Raises:
        SnapshotError, StateError: the snapshot can not be relied on; no done file is written.
        SourceError: the shard can not be read. OutputError: the done file can not be written.
        Unreachable: rows with faces could not be confirmed; run again to go on.
    """
    pa, parquet = arrow()
    target = Path(stage.target)
    count, digest = stage.shard.survey()
    marks = _marks(digest, stage.screening)
    if _marks_of(target) == marks:
        return count
    opened_snapshot(stage.screening).check_fresh()
    fresh = target.with_suffix(f".{os.getpid()}.new")
    schema = result_schema(pa.string()).with_metadata(marks)
    rows = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.touch(0o600)
        with parquet.ParquetWriter(fresh, schema) as writer:
            for batch in stage.shard.batches():
                found = _named(screen_batch(batch, stage.screening), rows)
                _check_looked(found, stage.screening)
                writer.write_batch(found.replace_schema_metadata(marks))
                rows += batch.num_rows
        if stage.shard.survey() != (count, digest) or rows != count:
            raise SourceChanged(f"{stage.shard.name} changed while it was screened")
        _sync(fresh)
        fresh.replace(target)
    except OSError as error:
        raise OutputError(f"{target} can not be written: {error.strerror or error}") from None
    finally:
        fresh.unlink(missing_ok=True)
    return rows


def _named(result: Any, start: int) -> Any:
    """A result with names as text; of rows without, their number in the shard."""
    pa, _ = arrow()
    keys = result.column("key")
    if pa.types.is_integer(keys.type):
        names = [str(start + number) for number in range(len(keys))]
        keys = pa.array(names, pa.string())
    return pa.RecordBatch.from_arrays(
        [keys, *result.columns[1:]], schema=result_schema(pa.string())
    )


def _check_looked(found: Any, screening: ScreenBatch) -> None:
    """A done file is not written of what would come out otherwise when it is tried again."""
    serials = set(found.column("serial").to_pylist())
    if serials - {screening.serial}:
        opened_snapshot(screening).check_fresh()  # says why
        raise SourceChanged("the snapshot changed while a shard was screened")
    if screening.confirm is Confirm.ONLINE and any(found.column("candidate").to_pylist()):
        (why, *_) = {
            reason
            for candidate, reason in zip(
                found.column("candidate").to_pylist(), found.column("why").to_pylist(), strict=True
            )
            if candidate
        }
        raise Unreachable(f"candidates could not be confirmed ({why})")


def _marks(digest: str, screening: ScreenBatch) -> dict[bytes, bytes]:
    return {
        _INPUT: hashlib.sha256(digest.encode()).hexdigest().encode(),
        _QUESTION: screening.question().hex().encode(),
        _SERIAL: str(screening.serial).encode(),
    }


def _marks_of(target: Path) -> dict[bytes, bytes] | None:
    pa, parquet = arrow()
    try:
        found = parquet.read_schema(target).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return {name: found[name] for name in (_INPUT, _QUESTION, _SERIAL) if name in found}


def screen_shards(
    data: Sharded,
    screening: ScreenBatch,
    out: Path,
    builder: Builder | None,
    *,
    dataset: str,
    keep_unknown: bool = False,
    restart: bool = False,
    engine: Engine = local,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_confirm: Callable[[Progress], None] = lambda _: None,
) -> TwoStageSummary:
    """Screens a data set, and writes what may be kept.

    Args:
        data: its shards.
        screening: what is asked.
        out: folder for results, empty or of an earlier run; made if missing.
        builder: connected to the registry; None: candidates stay UNKNOWN.
        dataset: its name, which the registry sees.
        keep_unknown: keep what could not be checked; never candidates that nobody was asked about,
            nor what could not be checked because of the snapshot.
        restart: forget an earlier run.
        engine: runs the first stage.
        on_progress: told after each shard.
        on_confirm: told after each block of candidates.

    Returns:
        What was written: `kept/`, `exclusions.parquet` (shard, key, verdict, why, log_size, serial)
        and `summary.json` in `out`.

    Raises:
        SnapshotError, StateError: the snapshot can not be relied on; nothing is written.
        SourceError: empty, damaged, hostile, or changed since the screening began.
        OutputError: `out` can not be used.
        RegistryProblem, TransportError: the registry; call again to go on.
    """
    if not data.shards:
        raise EmptySource("there is no shard in this data set")
    opened_snapshot(screening).check_fresh()  # also where all done files are there already
    with work_folder(out, restart=restart) as work:
        if restart:
            for name in (STAGE_NAME, CONFIRM_NAME, REWRITTEN_NAME):
                shutil.rmtree(work / name, ignore_errors=True)
        shutil.rmtree(work / WRITING_NAME, ignore_errors=True)
        _write_json(work / ASKED_NAME, asdict(screening))
        stages = [
            StageOne(shard, screening, str(work / STAGE_NAME / f"{_file_name(shard.name)}.parquet"))
            for shard in data.shards
        ]
        _run(engine, stages, on_progress)
        files = [Path(stage.target) for stage in stages]
        confirmed = None
        if builder is not None:
            confirmed = confirm(
                builder,
                files,
                work / CONFIRM_NAME,
                dataset=dataset,
                use=Use.from_cawg(screening.use),
                required_spaces=screening.required_spaces,
                on_progress=on_confirm,
            )
        writing = _Writing(data, out, work, keep_unknown=keep_unknown)
        return writing.write(files, confirmed, screening, dataset)


def _run(
    engine: Engine, stages: Sequence[StageOne], on_progress: Callable[[Progress], None]
) -> None:
    on_progress(Progress(0, len(stages), 0))
    for done, _ in enumerate(engine(look, stages), 1):
        on_progress(Progress(done, len(stages), 0))


def _file_name(name: str) -> str:
    """A shard's name as one file's name, different for each."""
    plain = "".join(each if each.isalnum() or each in "-_." else "_" for each in name)
    if plain == name and not name.startswith("."):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f"{plain.lstrip('.')}-{digest[:12]}"


@dataclass(slots=True)
class _Counts:
    """What is counted while results are written."""

    rows: int = 0
    candidates: int = 0
    verdicts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Verdict), np.int64))
    why: dict[str, int] = field(default_factory=dict)
    log_size: int = 0
    kept: Kept = field(default_factory=lambda: Kept(0, 0, 0))


class _Writing:
    """Writes kept shards, exclusions and the summary."""

    def __init__(self, data: Sharded, out: Path, work: Path, *, keep_unknown: bool) -> None:
        self._data = data
        self._out = out
        self._work = work
        self._keep_unknown = keep_unknown

    def write(
        self,
        files: Sequence[Path],
        confirmed: Confirmed | None,
        screening: ScreenBatch,
        dataset: str,
    ) -> TwoStageSummary:
        """Writes all of it; the summary last."""
        pa, parquet = arrow()
        counts = _Counts()
        schema = pa.schema(
            [
                ("shard", pa.string()),
                ("key", pa.string()),
                ("verdict", pa.string()),
                ("why", pa.string()),
                ("log_size", pa.int64()),
                ("serial", pa.int64()),
            ]
        )
        fresh = self._work / EXCLUSIONS_NAME
        try:
            (self._out / SUMMARY_NAME).unlink(missing_ok=True)
            self._clean()
            with parquet.ParquetWriter(fresh, schema) as writer:
                results = settled(files, confirmed)
                for shard, (path, batches) in zip(self._data.shards, results, strict=True):
                    keep = self._decide(shard, batches, counts, writer, schema)
                    kept = self._rewrite(shard, path, keep)
                    counts.kept = Kept(
                        counts.kept.rows + kept.rows,
                        counts.kept.files + kept.files,
                        counts.kept.left_out + kept.left_out,
                    )
            _sync(fresh)
            fresh.replace(self._out / EXCLUSIONS_NAME)
            self._data.finish(self._out)
            summary = self._summary(counts, confirmed, screening, dataset)
            _write_json(self._out / SUMMARY_NAME, asdict(summary))
        except OSError as error:
            raise OutputError(
                f"{self._out} can not be written: {error.strerror or error}"
            ) from None
        return summary

    def _clean(self) -> None:
        """Removes what was kept of shards that are no more."""
        marks = self._work / REWRITTEN_NAME
        names = {f"{_file_name(shard.name)}.json" for shard in self._data.shards}
        if marks.is_dir() and {path.name for path in marks.iterdir()} - names:
            shutil.rmtree(marks)
            shutil.rmtree(self._out / KEPT_NAME, ignore_errors=True)

    def _decide(
        self, shard: Shard, batches: Iterator[Any], counts: _Counts, writer: Any, schema: Any
    ) -> NDArray[np.bool_]:
        pa, _ = arrow()
        parts = []
        for batch in batches:
            verdicts = np.array(batch.column("verdict").to_pylist(), np.uint8)
            serials = np.array(batch.column("serial").to_pylist(), np.int64)
            keep = (verdicts == Verdict.CLEAR) | (verdicts == Verdict.PERMIT)
            if self._keep_unknown:
                asked_of_nobody = np.array(batch.column("candidate").to_pylist(), np.bool_)
                keep |= (verdicts == Verdict.UNKNOWN) & (serials > 0) & ~asked_of_nobody
            parts.append(keep)
            _count(counts, batch, verdicts)
            rows = [
                {
                    "shard": shard.name,
                    "key": row["key"],
                    "verdict": Verdict(row["verdict"]).name,
                    "why": row["why"],
                    "log_size": row["log_size"],
                    "serial": row["serial"],
                }
                for row, fate in zip(
                    batch.drop_columns(["fingerprints"]).to_pylist(), keep, strict=True
                )
                if not fate
            ]
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema))
        return np.concatenate(parts) if parts else np.zeros(0, np.bool_)

    def _rewrite(self, shard: Shard, stage: Path, keep: NDArray[np.bool_]) -> Kept:
        """Writes a shard's kept part, unless that was done before of the same bytes and verdicts.

        What is written comes to lie under `kept` file by file when the shard is whole.
        """
        name = _file_name(shard.name)
        mark = self._work / REWRITTEN_NAME / f"{name}.json"
        survey = shard.survey()
        wanted = hashlib.sha256(f"{survey[1]}\0".encode() + keep.tobytes()).hexdigest()
        known = _read_json(mark)
        if known.get("of") == wanted and all(
            (self._out / KEPT_NAME / each).is_file() for each in known.get("names", [""])
        ):
            return Kept(known["rows"], known["files"], known["left_out"])
        if _input_of(stage) != hashlib.sha256(survey[1].encode()).hexdigest() or survey[0] != len(
            keep
        ):
            raise SourceChanged(f"{shard.name} changed while it was screened")
        mark.unlink(missing_ok=True)
        for old in known.get("names", []):
            (self._out / KEPT_NAME / old).unlink(missing_ok=True)
        fresh = self._work / WRITING_NAME
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        kept = shard.keep(keep, fresh)
        names = sorted(
            path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if not path.is_dir()
        )
        for each in names:
            target = self._out / KEPT_NAME / each
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(fresh / each)
            (fresh / each).replace(target)
        mark.parent.mkdir(parents=True, exist_ok=True)
        _write_json(mark, {"of": wanted, "names": names, **asdict(kept)})
        return kept

    def _summary(
        self, counts: _Counts, confirmed: Confirmed | None, screening: ScreenBatch, dataset: str
    ) -> TwoStageSummary:
        answered = 0 if confirmed is None else len(confirmed.verdicts)
        verdicts = {each.name.lower(): int(counts.verdicts[each]) for each in Verdict}
        return TwoStageSummary(
            dataset=dataset,
            use=screening.use,
            form=self._data.form,
            serial=screening.serial,
            snapshot=screening.digest,
            rows=counts.rows,
            verdicts=verdicts,
            why=dict(sorted(counts.why.items())),
            candidates=counts.candidates + answered,
            confirmed=answered,
            kept_rows=counts.kept.rows,
            kept_files=counts.kept.files,
            left_out_files=counts.kept.left_out,
            unknown_kept=self._keep_unknown,
            shards=len(self._data.shards),
            spaces=screening.spaces,
            required_spaces=screening.required_spaces,
            screenings=() if confirmed is None else confirmed.screenings,
            log_size=counts.log_size,
        )


def _count(counts: _Counts, batch: Any, verdicts: NDArray[np.uint8]) -> None:
    counts.rows += batch.num_rows
    counts.verdicts += np.bincount(verdicts, minlength=len(Verdict))
    counts.candidates += sum(batch.column("candidate").to_pylist())
    for reason in batch.column("why").to_pylist():
        if reason is not None:
            counts.why[reason] = counts.why.get(reason, 0) + 1
    sizes = [size for size in batch.column("log_size").to_pylist() if size]
    if sizes:
        counts.log_size = min(sizes if not counts.log_size else [counts.log_size, *sizes])


def _input_of(stage: Path) -> str:
    return (_marks_of(stage) or {}).get(_INPUT, b"").decode()


def read_two_stage_summary(out: Path) -> TwoStageSummary | None:
    """The summary of a finished screening; None where there is none.

    Raises:
        OutputError: it is damaged, or of another kind of screening.
    """
    path = out / SUMMARY_NAME
    if not path.exists():
        return None
    value = _read_json(path)
    try:
        for name in ("spaces", "required_spaces", "screenings"):
            value[name] = tuple(value[name])
        return TwoStageSummary(**value)
    except (KeyError, TypeError):
        raise OutputError(f"{path} is damaged, or of a screening without a snapshot") from None


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: object) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(value, indent=1) + "\n")
    _sync(fresh)
    fresh.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
