"""Runs of registered fingerprints that never change under a reader, and views made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from registry.matching.alive import ALL, Alive
from registry.matching.kernels import Graded, Hits, Kernel, Nearest, Queries, Table, Vectors
from registry.matching.policies import Thresholds


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows and whose they are; immutable.

    Attributes:
        rows: kernel.dtype[n, kernel.width].
        nearest: float32[n, kernel.nearest_width].
        owners: int64[n], ascending.
        table: the rows, searchable.
        alive: which rows were not removed.
    """

    rows: Vectors = field(repr=False)
    nearest: Nearest = field(repr=False)
    owners: NDArray[np.int64] = field(repr=False)
    table: Table = field(repr=False)
    alive: Alive = field(default=ALL, repr=False)

    @property
    def live(self) -> int:
        """Rows that were not removed."""
        return len(self.owners) - self.alive.removed

    @cached_property
    def live_owners(self) -> int:
        """Owners with a row that was not removed."""
        owners = self.owners
        if self.alive.removed:
            owners = owners[self.alive.rows(len(owners))]
        return int(np.count_nonzero(np.diff(owners))) + bool(len(owners))

    def without(self, owners: NDArray[np.int64]) -> "Segment":
        """This segment less the rows of these owners; itself where it has none of them."""
        owners = np.unique(owners)
        first = np.searchsorted(self.owners, owners)
        counts = np.searchsorted(self.owners, owners, side="right") - first
        ends = np.cumsum(counts)
        if not counts.any():
            return self
        rows = np.arange(ends[-1]) + np.repeat(first + counts - ends, counts)
        alive = self.alive.without(rows)
        return self if alive is self.alive else replace(self, alive=alive)

    def graded(
        self, kernel: Kernel, queries: Queries, thresholds: Thresholds | None
    ) -> Iterator[Graded]:
        """What matches and what comes near the border, in portions as `Table.portions`.

        Args:
            kernel: of the space.
            queries: what is searched for.
            thresholds: from where on rows match; None for the lowest there are.
        """
        for near in self.table.portions(queries):
            query_numbers, row_numbers, _ = near
            matches, borders = kernel.grade(near, queries, self.rows, self.nearest, thresholds)
            told = (matches | borders) & self.alive.of(row_numbers)
            if told.all():  # and nothing need be copied
                yield query_numbers, self.owners[row_numbers], matches, borders
            elif told.any():
                owners = self.owners[row_numbers[told]]
                yield query_numbers[told], owners, matches[told], borders[told]


@dataclass(frozen=True, slots=True, eq=False)
class SpaceView:
    """What the index of a space held at one moment; immutable, for any number of threads.

    Attributes:
        kernel: how its fingerprints are compared.
        segments: whose owners ascend from one to the next, too.
    """

    kernel: Kernel = field(repr=False)
    segments: Sequence[Segment] = ()

    @property
    def live(self) -> int:
        """Rows that were not removed."""
        return sum(segment.live for segment in self.segments)

    @property
    def live_owners(self) -> int:
        """Owners with a row that was not removed.

        One who has rows on both sides of a border between segments counts twice.
        """
        return sum(segment.live_owners for segment in self.segments)

    def portions(self, vectors: Vectors, thresholds: Thresholds | None = None) -> Iterator[Hits]:
        """All matches, in portions of bounded size.

        Args:
            vectors: the candidates' fingerprints, as `Kernel.rows` takes them.
            thresholds: in a float space, from where on rows match; None for what the kernel's own
                say, which are the lowest there are.

        Yields:
            Row numbers in `vectors`, and owners: int64[h] each. An owner of several rows may come
            several times for one candidate.

        Raises:
            ValueError: as `Kernel.rows`.
        """
        for query_numbers, owners, matches, _ in self.graded(vectors, thresholds):
            if matches.all():
                yield query_numbers, owners
            elif matches.any():
                yield query_numbers[matches], owners[matches]

    def graded(self, vectors: Vectors, thresholds: Thresholds | None = None) -> Iterator[Graded]:
        """As `portions`, and what comes so near that a verdict tells something of the row.

        Raises:
            ValueError: as `Kernel.rows`.
        """
        queries = Queries(self.kernel.rows(vectors))
        if len(queries):
            for segment in self.segments:
                yield from segment.graded(self.kernel, queries, thresholds)

    def search(self, vectors: Vectors, thresholds: Thresholds | None = None) -> Hits:
        """All matches at once: `portions` put together, 16 bytes for each.

        Raises:
            ValueError: as `Kernel.rows`.
        """
        none = np.empty(0, np.int64)
        hits = [(none, none), *self.portions(vectors, thresholds)]
        return np.concatenate([row for row, _ in hits]), np.concatenate([own for _, own in hits])
