"""What a way of comparing fingerprints has to offer; one module each: `exact`, `binary`, `floats`.

A kernel turns fingerprints into the rows it keeps, and makes tables of rows that can be searched.
Everything above (segments, removal, views) is the same for all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from consent_client.search import cascade
from registry.matching.policies import Thresholds

type Vectors = NDArray[np.uint8] | NDArray[np.float32]
"""uint8[n, bytes] for exact and binary spaces, float32[n, dimension] for float spaces."""

type Nearest = NDArray[np.float32]
"""float32[n, `Kernel.nearest_width`]: how alike each row is to the nearest in the bank."""

type Hits = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Two int64[h] of one length: which query, and whose row lies near it."""

type Near = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32] | None]
"""int64[h], int64[h], float32[h]: which query, which row, and how alike they are.

The last is None where a space's rule alone decides and nothing is told but yes or no. It is for
`Segment.portions`, which lets nothing out but hits.
"""

type Graded = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]
"""int64[h], int64[h], bool[h], bool[h]: which query, whose row, whether it matches, and whether it
lies so near the border that the verdict tells something of the row."""

TILE_QUERIES: Final = 1_024
TILE_ROWS: Final = 4_096
"""Queries and rows compared at a time.

However dense the hits, a tile has at most 2²² of them, some 100 MB while FAISS collects them. Half
the size is 5 % slower on 512 dimensions, a quarter 10 %; larger tiles gain nothing.
"""


@dataclass(frozen=True, eq=False)
class Queries:
    """What is searched for; belongs to one thread.

    Attributes:
        vectors: as `Kernel.rows` returns them.
    """

    vectors: Vectors = field(repr=False)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def rotated(self) -> cascade.Queries:
        """Of a float space, as cascades take them; made once for all segments, if any needs it."""
        return cascade.Queries.of(self.vectors.astype(np.float32, copy=False))


class Table(Protocol):
    """Rows that can be searched; immutable, and safe to search from many threads at once."""

    @property
    def settled(self) -> bool:
        """Whether the same rows in a `closed` table would be searched no faster."""

    def portions(self, queries: Queries) -> Iterator[Near]:
        """All pairs of a query and a row near it, once each, in portions of bounded size.

        Yields:
            Query numbers, row numbers and similarities, at most `TILE_QUERIES` · `TILE_ROWS` of
            them.
        """


class Writer(Protocol):
    """Makes rows searchable as they come; one thread writes while others search its tables."""

    @property
    def behind(self) -> bool:
        """Whether the last table had so many new rows that a `closed` one is better made soon."""

    def take(self, table: Table, rows: NDArray[np.int64]) -> None:
        """Says that the next rows were copied out of a table of the same kernel.

        Args:
            table: that has them.
            rows: int64[n], their numbers there.
        """

    def table(self, filled: int) -> Table:
        """The first rows, searchable; tables from before stay as they are.

        Args:
            filled: how many are written, and do not change any more.
        """

    def closed(self, filled: int) -> Table:
        """As `table`, where no more rows will come: a table that is `settled`."""


class Kernel(Protocol):
    """A way of comparing fingerprints."""

    @property
    def joined(self) -> int:
        """How many times as many rows as are added to a segment may be joined into one."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of a row's elements."""

    @property
    def width(self) -> int:
        """Elements in a row."""

    @property
    def nearest_width(self) -> int:
        """1 where each row's `nearest` says where it matches, 0 where one rule is for all."""

    def rows(self, vectors: Vectors) -> Vectors:
        """What is kept of registered fingerprints, and what queries are turned into.

        Returns:
            `dtype`[n, `width`], C-contiguous.

        Raises:
            ValueError: another type or shape, or numbers that are not finite; whoever calls this
                has checked them, so it is a mistake in the program.
        """

    def table(self, rows: Vectors, nearest: Nearest) -> Table:
        """Makes rows searchable; neither they nor what is nearest them may change any more."""

    def writer(self, rows: Vectors, nearest: Nearest) -> Writer:
        """Makes rows searchable while they are written into arrays that have room for more."""

    def grade(
        self,
        near: Near,
        queries: Queries,
        rows: Vectors,
        nearest: Nearest,
        thresholds: Thresholds | None,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tells what matches from what only comes near: tables find both.

        Args:
            near: what a table found.
            queries: what was searched for.
            rows: of the segment.
            nearest: of the segment.
            thresholds: in a float space, from where on rows match; None for the lowest there are.

        Returns:
            bool[h] each: which pairs match, and which lie near the border on either side.
        """


def tiles(queries: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Cuts all pairs of a query and a row into tiles: slices of queries and of rows."""
    for query in range(0, queries, TILE_QUERIES):
        for row in range(0, rows, TILE_ROWS):
            yield slice(query, query + TILE_QUERIES), slice(row, row + TILE_ROWS)


def in_rows(vectors: Vectors, dtype: np.dtype[np.generic], width: int) -> Vectors:
    """The vectors, C-contiguous.

    Raises:
        ValueError: another type or shape.
    """
    if vectors.dtype != dtype or vectors.ndim != 2 or vectors.shape[1] != width:  # noqa: PLR2004
        raise ValueError(f"fingerprints must be {dtype}[n, {width}]")
    return vectors if vectors.flags.c_contiguous else vectors.copy()
