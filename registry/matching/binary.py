"""Binary spaces: Hamming distance.

Fresh rows are scanned. Those that compaction writes anew are put into buckets (`BinaryIndex`),
which gain the more the more rows lie together: so many segments are joined into one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from consent_client.search.binary import BinaryIndex
from consent_client.search.scan import scan_portions
from consent_client.search.words import WORD_BYTES
from registry.matching.flat import FlatWriter
from registry.matching.kernels import Near, Nearest, Queries, Table, Vectors, in_rows
from registry.matching.policies import BORDER_BITS, Thresholds
from registry.matching.ranges import search_tiles

JOINED: Final = 256
"""Times as many rows in a joined segment as are added to one: 16.8 million."""


@dataclass(frozen=True, slots=True)
class BinaryKernel:
    """Finds what differs in at most `radius` bits, and a little more.

    Attributes:
        width: bytes of a fingerprint.
        radius: greatest distance that matches.
    """

    width: int
    radius: int

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of a row's elements."""
        return np.dtype(np.uint8)

    def rows(self, vectors: Vectors) -> Vectors:
        """See `Kernel.rows`; the fingerprints themselves."""
        return in_rows(vectors, self.dtype, self.width)

    @property
    def nearest_width(self) -> int:
        """See `Kernel.nearest_width`."""
        return 0

    @property
    def joined(self) -> int:
        """See `Kernel.joined`."""
        return JOINED if self._in_words else 1

    def table(self, rows: Vectors, nearest: Nearest) -> Table:  # noqa: ARG002 (has none)
        """See `Kernel.table`."""
        return self._settled(rows)

    def writer(self, rows: Vectors, nearest: Nearest) -> FlatWriter:  # noqa: ARG002 (has none)
        """See `Kernel.writer`."""
        return FlatWriter(rows, self._fresh, self._settled)

    def grade(
        self,
        near: Near,
        queries: Queries,
        rows: Vectors,
        nearest: Nearest,  # noqa: ARG002 (has none)
        thresholds: Thresholds | None,  # noqa: ARG002 (one radius is for all)
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """See `Kernel.grade`."""
        query_numbers, row_numbers, _ = near
        codes, sought = rows.view(np.uint8), queries.vectors.view(np.uint8)
        differing = np.bitwise_count(codes[row_numbers] ^ sought[query_numbers])
        distances = differing.sum(axis=1, dtype=np.int64)
        return distances <= self.radius, distances > self.radius - BORDER_BITS

    @property
    def _reach(self) -> int:
        """Greatest distance that is found."""
        return self.radius + BORDER_BITS

    @property
    def _in_words(self) -> bool:
        """Whether `consent_client.search` takes such fingerprints; FAISS takes all."""
        return self.width % WORD_BYTES == 0

    def _fresh(self, rows: Vectors) -> Table:
        return (ScannedTable if self._in_words else ComparedTable)(rows, self._reach)

    def _settled(self, rows: Vectors) -> Table:
        if not self._in_words:
            return ComparedTable(rows, self._reach)
        return IndexedTable(BinaryIndex.build(rows.view(np.uint8), self._reach))


@dataclass(frozen=True, slots=True, eq=False)
class IndexedTable:
    """Rows in buckets; see `Table`."""

    index: BinaryIndex = field(repr=False)

    @property
    def settled(self) -> bool:
        """See `Table.settled`."""
        return True

    def portions(self, queries: Queries) -> Iterator[Near]:
        """See `Table.portions`."""
        for query_numbers, row_numbers in self.index.portions(queries.vectors.view(np.uint8)):
            yield query_numbers, row_numbers, None


@dataclass(frozen=True, slots=True, eq=False)
class ScannedTable:
    """Rows compared one by one, by our own scan; see `Table`."""

    rows: Vectors = field(repr=False)
    radius: int

    @property
    def settled(self) -> bool:
        """See `Table.settled`."""
        return False

    def portions(self, queries: Queries) -> Iterator[Near]:
        """See `Table.portions`."""
        codes, sought = self.rows.view(np.uint8), queries.vectors.view(np.uint8)
        for query_numbers, row_numbers in scan_portions(codes, sought, self.radius):
            yield query_numbers, row_numbers, None


@dataclass(frozen=True, slots=True, eq=False)
class ComparedTable:
    """Rows compared one by one, by FAISS, for fingerprints of any width; see `Table`."""

    rows: Vectors = field(repr=False)
    radius: int

    @property
    def settled(self) -> bool:
        """See `Table.settled`."""
        return True

    def portions(self, queries: Queries) -> Iterator[Near]:
        """See `Table.portions`."""
        for query_numbers, row_numbers, _ in search_tiles(queries.vectors, self.rows, self._search):
            yield query_numbers, row_numbers, None

    def _search(self, queries: Vectors, rows: Vectors, result: faiss.RangeSearchResult) -> None:
        faiss.hamming_range_search(  # type: ignore[attr-defined]  # missing in FAISS's stubs
            faiss.swig_ptr(queries),
            faiss.swig_ptr(rows),
            len(queries),
            len(rows),
            self.radius + 1,  # FAISS takes what is strictly below
            rows.shape[1],
            result,
        )
