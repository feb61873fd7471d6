"""Contests of excluded rows, once all blocks are answered: what `consent screen --contest` adds.

An exclusion that rests on resemblance alone is looked at again with five crops of the picture. Rows
go in the order of the data set, in batches that depend on nothing but the journal: after a kill
between sending and answer the very same contest is sent again, and answered the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched, islice
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.rows import Row, Source
from consent_client.builder import Builder, contest_of
from consent_client.errors import ImageError, RegistryProblem, SourceChanged, UnknownSpace
from consent_client.fingerprints.batches import crop_many
from consent_client.fingerprints.sscd import SscdModel
from consent_client.operations import Limits
from consent_client.protocol.contests import CONTEST_SPACES, CROPS, MAX_CONTESTED
from consent_client.protocol.spaces import space
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.journal import ContestedRows, Journal
from consent_client.screening.plan import Plan, session_of

CONTEST_ROWS: Final = 100
"""Rows in a contest: 600 fingerprints, an answer every few seconds."""

_REFUSED: Final = frozenset({"CONFLICT", "UNKNOWN_SCREENING", "SCREENING_CLOSED"})
"""Then these rows stay excluded: the model computes a little differently than when they were
screened, or the session is over."""


class Candidate(Protocol):
    """A row and its fingerprints, as they were screened."""

    @property
    def row(self) -> Row:
        """Which row."""

    @property
    def fingerprints(self) -> Mapping[str, Sequence[bytes]]:
        """Space id → fingerprints."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """An excluded row: its number, and what is sent of it."""

    number: int
    fingerprints: Mapping[str, Sequence[bytes]] = field(repr=False)
    crops: Mapping[str, tuple[bytes, ...]] = field(repr=False)


def check_contestable(spaces: Sequence[str]) -> None:
    """Refuses to contest where no crops can be compared.

    Raises:
        UnknownSpace: none of the spaces is compared by degrees.
    """
    if not set(CONTEST_SPACES) & set(spaces):
        raise UnknownSpace(
            f"--contest can not be had here: crops are compared in {', '.join(CONTEST_SPACES)}, "
            "which this installation does not compute of this data set, or this registry does not "
            "match (pip install 'consent-client[sscd]')"
        )


def contestable_rows(plan: Plan, journal: Journal) -> NDArray[np.bool_]:
    """bool[n]: excluded rows that have crops and were not contested yet."""
    crops = sum(1 << k for k, name in enumerate(plan.spaces) if name in CONTEST_SPACES)
    found = np.zeros(plan.candidates, np.bool_)
    for answer in journal.in_order():
        rows = np.frombuffer(answer.verdicts, np.uint8) == Verdict.EXCLUDE
        rows &= (answer.checked & crops) != 0
        for contested in journal.contests.get(answer.block, ()):
            rows &= ~contested.rows
        start = answer.block * plan.block_rows
        found[start : start + len(rows)] = rows
    return found


def rows_in_contest(spaces: Sequence[str], limits: Limits) -> int:
    """Rows in a contest: as many as the registry takes, in bytes of base64."""
    views = {name: 1 + CROPS if name in CONTEST_SPACES else 1 for name in spaces}
    row_bytes = sum(
        2 * views[name] * space(name).most_per_candidate * space(name).size for name in spaces
    )
    return max(1, min(CONTEST_ROWS, MAX_CONTESTED, limits.body_bytes // row_bytes))


class Contesting:
    """One pass over the excluded rows.

    Args:
        builder: connected to the registry.
        source: the data set.
        plan: what was asked.
        journal: with all blocks answered.
        fingerprinted: turns rows into candidates, exactly as they were screened.
        model: computes the crops' fingerprints.
        workers: threads for that; None: one per core.
        rows: in a contest.
        on_answer: told after each contest.
    """

    def __init__(
        self,
        builder: Builder,
        source: Source,
        plan: Plan,
        journal: Journal,
        fingerprinted: Callable[[Iterator[Row]], Iterator[Candidate]],
        model: SscdModel,
        workers: int | None,
        rows: int,
        on_answer: Callable[[], None],
    ) -> None:
        self._builder = builder
        self._source = source
        self._plan = plan
        self._journal = journal
        self._fingerprinted = fingerprinted
        self._model = model
        self._workers = workers
        self._rows = rows
        self._on_answer = on_answer

    def run(self) -> None:
        """Contests what was not contested yet.

        Raises:
            SourceChanged: pictures are missing or unreadable that were there. RegistryProblem,
                TransportError: the registry; run again to go on.
        """
        waiting = contestable_rows(self._plan, self._journal)
        pictures = self._pictures(~waiting)
        for block in range(self._plan.blocks):
            start = block * self._plan.block_rows
            rows = np.flatnonzero(waiting[start : start + self._plan.block_rows])
            for part in batched(rows.tolist(), self._rows):
                self._contest(block, part, list(islice(pictures, len(part))))
                self._on_answer()

    def _pictures(self, skip: NDArray[np.bool_]) -> Iterator[_Picture]:
        sources = (
            (row.number, b"" if row.image is None else row.image) for row in self._source.rows(skip)
        )
        cropped = crop_many(sources, self._model, self._workers)
        candidates = self._fingerprinted(self._source.rows(skip))
        for candidate, (_, crops) in zip(candidates, cropped, strict=False):
            if isinstance(crops, ImageError):
                raise SourceChanged(f"{candidate.row.key} could be read when it was screened")
            yield _Picture(candidate.row.number, candidate.fingerprints, crops)

    def _contest(self, block: int, rows: Sequence[int], pictures: Sequence[_Picture]) -> None:
        first = block * self._plan.block_rows
        if [picture.number - first for picture in pictures] != list(rows):
            raise SourceChanged("the data set changed while it was screened")
        screening = self._journal.blocks[block].screening
        contested = contest_of(
            block,
            self._plan.rows_in(block),
            rows,
            [picture.fingerprints for picture in pictures],
            [picture.crops for picture in pictures],
            self._plan.spaces,
        )
        try:
            final = self._builder.contest(session_of(self._plan, screening), contested)
        except RegistryProblem as problem:
            if problem.problem_code not in _REFUSED:
                raise
            return
        which = np.zeros(self._plan.rows_in(block), np.bool_)
        which[list(rows)] = True
        self._journal.contested(
            ContestedRows(screening, block, final.log_size, which, final.verdicts)
        )
