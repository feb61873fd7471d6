"""What a screening leaves: the kept set, the exclusions, the summary.

They are written beside and renamed into place when everything is answered; the summary comes last,
so that where there is one, all is there.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Kept, Source
from consent_client.errors import OutputError
from consent_client.operations import ClosedScreening
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.journal import Journal
from consent_client.screening.plan import Plan

KEPT_NAME: Final = "kept"
EXCLUSIONS_NAME: Final = "exclusions.parquet"
SUMMARY_NAME: Final = "summary.json"

BATCH_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every row's final verdict.

    Attributes:
        verdicts: uint8[n], a `Verdict` each; unknown is never clear.
        checked: uint8[n], bit k: checked in the plan's k-th space.
        log_sizes: int64[blocks].
        contested: row → the log size that its contest was answered for.
    """

    verdicts: NDArray[np.uint8]
    checked: NDArray[np.uint8]
    log_sizes: NDArray[np.int64]
    contested: Mapping[int, int]

    def log_size(self, row: int, block: int) -> int:
        """The log size that a row's final verdict holds for."""
        return self.contested.get(row) or int(self.log_sizes[block])

    @property
    def counts(self) -> dict[Verdict, int]:
        """Rows per verdict."""
        counted = np.bincount(self.verdicts, minlength=len(Verdict))
        return {verdict: int(counted[verdict]) for verdict in Verdict}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a screening came to.

    Attributes:
        verdicts: rows per verdict, by name, after contests.
        contested: excluded rows that were contested; None where none were to be.
        overturned: how many of those are no longer excluded.
        unreadable: rows without a single fingerprint.
        checked: rows that had a fingerprint, per space.
        kept_rows: rows in the kept set.
        left_out_files: files or members that belong to no picture and were not taken along.
        screenings: ids of the sessions, one unless a block had to be asked anew.
        excluded: whether any row was.
    """

    dataset: str
    use: str
    registry: str
    form: str
    candidates: int
    verdicts: Mapping[str, int]
    unreadable: int
    spaces: tuple[str, ...]
    required_spaces: tuple[str, ...]
    checked: Mapping[str, int]
    kept_rows: int
    kept_files: int
    left_out_files: int
    unknown_kept: bool
    least_log_size: int
    greatest_log_size: int
    screenings: tuple[str, ...]
    contested: int | None = None
    overturned: int | None = None

    @property
    def excluded(self) -> int:
        """Rows whose verdict is EXCLUDE."""
        return self.verdicts[Verdict.EXCLUDE.name.lower()]

    def to_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


def outcome_of(plan: Plan, journal: Journal) -> Outcome:
    """Every row's verdict as it is acted on, from the journal of a complete screening."""
    verdicts = np.concatenate([journal.final(answer) for answer in journal.in_order()])
    checked = np.concatenate([answer.checked for answer in journal.in_order()])
    required = sum(1 << plan.spaces.index(name) for name in plan.required_spaces)
    uncertain = ((checked & required) != required) | (checked == 0)
    verdicts[uncertain & (verdicts != Verdict.EXCLUDE)] = Verdict.UNKNOWN
    log_sizes = np.array([answer.log_size for answer in journal.in_order()], np.int64)
    contested = {
        block * plan.block_rows + row: contest.log_size
        for block, contests in journal.contests.items()
        for contest in contests
        for row in np.flatnonzero(contest.rows).tolist()
    }
    return Outcome(verdicts, checked, log_sizes, contested)


def write_results(
    source: Source, plan: Plan, journal: Journal, out: Path, work: Path, *, keep_unknown: bool
) -> Summary:
    """Writes the three results.

    Args:
        source: the data set, as it was screened.
        plan: what was asked.
        journal: with all blocks answered.
        out: the folder for results.
        work: folder in it for what is not finished.
        keep_unknown: keep rows that could not be checked.

    Raises:
        SourceError: the data set can not be read again. OutputError: no room, no permission.
    """
    outcome = outcome_of(plan, journal)
    return write_outcome(source, plan, journal, outcome, out, work, keep_unknown=keep_unknown)


def write_outcome(
    source: Source,
    plan: Plan,
    journal: Journal,
    outcome: Outcome,
    out: Path,
    work: Path,
    *,
    keep_unknown: bool,
) -> Summary:
    """As `write_results`, of an outcome that is known."""
    keep = (outcome.verdicts == Verdict.CLEAR) | (outcome.verdicts == Verdict.PERMIT)
    if keep_unknown:
        keep |= outcome.verdicts == Verdict.UNKNOWN
    try:
        (out / SUMMARY_NAME).unlink(missing_ok=True)
        kept = _write_kept(source, keep, out, work)
        _write_exclusions(source, plan, outcome, ~keep, out, work)
        summary = _summary(source, plan, journal, outcome, kept, keep_unknown=keep_unknown)
        text = json.dumps(summary.to_json(), indent=1) + "\n"
        _put(work, out, SUMMARY_NAME, text.encode())
    except OSError as error:
        raise OutputError(f"{out} can not be written: {error.strerror or error}") from None
    return summary


def _write_kept(source: Source, keep: NDArray[np.bool_], out: Path, work: Path) -> Kept:
    fresh = work / KEPT_NAME
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    kept = source.keep(keep, fresh)
    shutil.rmtree(out / KEPT_NAME, ignore_errors=True)
    fresh.rename(out / KEPT_NAME)
    return kept


def _write_exclusions(
    source: Source,
    plan: Plan,
    outcome: Outcome,
    dropped: NDArray[np.bool_],
    out: Path,
    work: Path,
) -> None:
    pa, parquet = arrow()
    schema = pa.schema(
        [
            ("key", pa.string()),
            ("verdict", pa.string()),
            ("spaces", pa.list_(pa.string())),
            ("log_size", pa.int64()),
        ]
    )
    fresh = work / EXCLUSIONS_NAME
    rows = _excluded_rows(source, plan, outcome, dropped)
    with parquet.ParquetWriter(fresh, schema) as writer:
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
    _sync(fresh)
    fresh.replace(out / EXCLUSIONS_NAME)


def _excluded_rows(
    source: Source, plan: Plan, outcome: Outcome, dropped: NDArray[np.bool_]
) -> Iterator[dict[str, object]]:
    for number, key in enumerate(source.keys()):
        if dropped[number]:
            bits = int(outcome.checked[number])
            yield {
                "key": key,
                "verdict": Verdict(outcome.verdicts[number]).name,
                "spaces": [name for k, name in enumerate(plan.spaces) if bits >> k & 1],
                "log_size": outcome.log_size(number, number // plan.block_rows),
            }


def _summary(
    source: Source,
    plan: Plan,
    journal: Journal,
    outcome: Outcome,
    kept: Kept,
    *,
    keep_unknown: bool,
) -> Summary:
    contests = [each for of_block in journal.contests.values() for each in of_block]
    return Summary(
        dataset=plan.dataset,
        use=plan.use,
        registry=plan.origin,
        form=source.form,
        candidates=plan.candidates,
        verdicts={verdict.name.lower(): count for verdict, count in outcome.counts.items()},
        unreadable=int((outcome.checked == 0).sum()),
        spaces=plan.spaces,
        required_spaces=plan.required_spaces,
        checked={name: int((outcome.checked >> k & 1).sum()) for k, name in enumerate(plan.spaces)},
        kept_rows=kept.rows,
        kept_files=kept.files,
        left_out_files=kept.left_out,
        unknown_kept=keep_unknown,
        least_log_size=int(outcome.log_sizes.min()),
        greatest_log_size=max([int(outcome.log_sizes.max()), *outcome.contested.values()]),
        screenings=tuple(journal.screenings),
        contested=sum(len(each.verdicts) for each in contests) if plan.contest else None,
        overturned=(
            sum(len(each.verdicts) - each.verdicts.count(Verdict.EXCLUDE) for each in contests)
            if plan.contest
            else None
        ),
    )


def read_summary(out: Path) -> Summary | None:
    """The summary of a finished screening; None where there is none.

    Raises:
        OutputError: it is damaged.
    """
    path = out / SUMMARY_NAME
    summary: Summary | None = None
    try:
        value = json.loads(path.read_bytes())
        for name in ("spaces", "required_spaces", "screenings"):
            value[name] = tuple(value[name])
        summary = Summary(**value)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        summary = None
    if summary is None:
        raise OutputError(f"{path} is damaged; begin anew with --restart")
    return summary


def check_counts(journal: Journal, closed: ClosedScreening) -> bool:
    """Whether the registry's counts of a session are those of the answers it gave us."""
    counts = np.zeros(len(Verdict), np.int64)
    contested = 0
    for answer in journal.in_order():
        if answer.screening == closed.id:
            counts += np.bincount(journal.final(answer), minlength=len(Verdict))
            contested += sum(len(each.verdicts) for each in journal.contests.get(answer.block, ()))
    answered = int(counts.sum())
    if (closed.answered, closed.contested) != (answered, contested):
        # An answer lost to a kill was asked anew, or could not be asked for again.
        return closed.answered >= answered and closed.contested >= contested
    return all(closed.verdicts[verdict] == counts[verdict] for verdict in Verdict)


def _put(work: Path, out: Path, name: str, data: bytes) -> None:
    fresh = work / name
    fresh.write_bytes(data)
    _sync(fresh)
    fresh.replace(out / name)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
