"""Counting what matches, under which rule: arrays of similarities in, counts out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.recall import SAME
from benchmarks.specificity_pictures import Part
from benchmarks.specificity_views import CROPS, REGISTERED, SPACE, Views, nearest_of_rest
from consent_client.protocol.intervals import clopper_pearson
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import BY_SIZE, Policy, Thresholds

type Matches = NDArray[np.bool_]
"""bool[candidates, pictures]: which candidate matches which picture's record."""

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Counted:
    """So many of so many."""

    hits: int
    of: int

    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's at 95 %."""
        return clopper_pearson(self.hits, self.of, CONFIDENCE) if self.of else (0.0, 1.0)

    def cell(self) -> str:
        """54/87 = 62 % (51 to 72)."""
        if not self.of:
            return ""
        low, high = (100 * end for end in self.interval())
        return (
            f"{self.hits}/{self.of} = {100 * self.hits / self.of:.0f} % ({low:.0f} to {high:.0f})"
        )

    def rate(self) -> str:
        """12 of 3,450 (1.8e-03 to 6.1e-03); where there is none, how many it could be."""
        low, high = self.interval()
        if not self.hits:
            return f"0 of {self.of:,} (≤ {high:.1e})"
        return f"{self.hits:,} of {self.of:,} ({low:.1e} to {high:.1e})"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Candidates and records, compared.

    Attributes:
        candidates: source and edit.
        kinds: of each candidate's picture.
        own: int64[c], the candidate's own picture; -1 where it is not registered.
        nearest: float32[p, v], of each of a picture's v records to the bank.
        seen: float32[c, p, v], how alike the candidate is.
        best: likewise, or one of its crops where they were looked at.
        looked: bool[c], where the crops were looked at.
    """

    candidates: Sequence[tuple[str, str]]
    kinds: NDArray[np.str_]
    own: NDArray[np.int64]
    nearest: NDArray[np.float32]
    seen: NDArray[np.float32]
    best: NDArray[np.float32]
    looked: NDArray[np.bool_]

    @property
    def edits(self) -> NDArray[np.str_]:
        """Of each candidate."""
        return np.array([edit for _, edit in self.candidates])

    def matches(self, thresholds: Thresholds, stands_from: float | None = None) -> Matches:
        """What matches, or what of it is left where everything is contested."""
        least = thresholds.of(self.nearest.ravel()).reshape(self.nearest.shape)
        found: Matches = (self.seen >= least).any(axis=2)
        if stands_from is not None:
            found &= (self.best >= np.float32(stands_from)).any(axis=2)
        return found

    def found(self, matches: Matches) -> NDArray[np.bool_]:
        """bool[c]: candidates that match their own picture."""
        return matches[np.arange(len(self.own)), self.own] & (self.own >= 0)

    def false(self, matches: Matches) -> NDArray[np.int64]:
        """int64[c]: how many other pictures each candidate matches."""
        others: NDArray[np.int64] = matches.sum(axis=1, dtype=np.int64) - self.found(matches)
        return others

    def true_rows(self, which: NDArray[np.bool_], matches: Matches) -> Counted:
        """Candidates found, among some."""
        return Counted(int(self.found(matches)[which].sum()), int(which.sum()))

    def false_pairs(self, which: NDArray[np.bool_], matches: Matches) -> Counted:
        """Pairs of one of some candidates and another picture's record that matches it."""
        others = self.nearest.shape[0] - (self.own[which] >= 0)
        return Counted(int(self.false(matches)[which].sum()), int(others.sum()))


def of_part(views: Views, part: Part, registered: Sequence[str] = REGISTERED) -> Case:
    """A part's candidates against its records."""
    sources = [each.source for each in views.pictures if each.part is part]
    records = views.of((source, SAME, view) for source in sources for view in registered)
    nearest = packaged_bank().nearest(SPACE.id, records)
    return _case(views, part, records, nearest, len(registered), sources)


def with_bank(views: Views, part: Part) -> Case:
    """A part's candidates against the bank's pictures, each measured against the rest of it."""
    records = packaged_bank().vectors[SPACE.id]
    return _case(views, part, records, nearest_of_rest(records), 1, [])


def _case(
    views: Views,
    part: Part,
    records: NDArray[np.float32],
    nearest: NDArray[np.float32],
    each: int,
    sources: Sequence[str],
) -> Case:
    kind_of = {known.source: known.kind for known in views.pictures if known.part is part}
    asked = [key[:2] for key in views.vectors if key[0] in kind_of and key[2] == REGISTERED[0]]
    place = {source: number for number, source in enumerate(sources)}
    shape = (len(asked), len(records) // each, each)
    seen = (views.of((*key, REGISTERED[0]) for key in asked) @ records.T).reshape(shape)
    looked = np.array([(*key, CROPS[0]) in views.vectors for key in asked])
    best = seen.copy()
    for row in np.flatnonzero(looked):
        crops = views.of((*asked[row], crop) for crop in CROPS) @ records.T
        np.maximum(best[row], crops.max(axis=0).reshape(shape[1:]), out=best[row])
    return Case(
        asked,
        np.array([kind_of[source] for source, _ in asked]),
        np.array([place.get(source, -1) for source, _ in asked]),
        nearest.reshape(-1, each),
        seen,
        best,
        looked,
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches: a policy, and whether every exclusion is contested."""

    name: str
    policy: Policy
    contested: bool

    def matches(self, case: Case) -> Matches:
        """As the registry answers."""
        return case.matches(self.thresholds, self.policy.stands_from if self.contested else None)

    @property
    def thresholds(self) -> Thresholds:
        """Of the space that is measured."""
        found = self.policy.thresholds(SPACE.id)
        assert found is not None
        return found


SMALL, MEDIUM = (policy for _, policy in BY_SIZE)

RULES: Final = (
    Rule("0.50 for all", SMALL.stricter(SPACE.id, SPACE.threshold or 0.5), contested=False),
    Rule("small", SMALL, contested=False),
    Rule("small, contested", SMALL, contested=True),
    Rule("medium", MEDIUM, contested=False),
    Rule("medium, contested", MEDIUM, contested=True),
)


def table(
    heads: Sequence[str],
    rows: Iterable[str],
    cell: Callable[[str, str], str],
) -> list[str]:
    """A table, by row and column; the first head is of the rows' names."""
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    filled = ([row, *(cell(row, column) for column in heads[1:])] for row in rows)
    return [*lines, *(f"| {' | '.join(cells)} |" for cells in filled)]
