"""Binary spaces: Hamming distance."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import faiss
import numpy as np

from registry.matching.kernels import Near, Nearest, Vectors, in_rows
from registry.matching.ranges import search_tiles


@dataclass(frozen=True, slots=True)
class BinaryKernel:
    """Finds what differs in at most `radius` bits.

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

    def table(self, rows: Vectors, nearest: Nearest) -> "BinaryTable":  # noqa: ARG002 (has none)
        """See `Kernel.table`."""
        return BinaryTable(rows, self.radius)


@dataclass(frozen=True, slots=True, eq=False)
class BinaryTable:
    """Rows compared one by one; see `Table`."""

    rows: Vectors = field(repr=False)
    radius: int

    def portions(self, queries: Vectors) -> Iterator[Near]:
        """See `Table.portions`."""
        for query_numbers, row_numbers, _ in search_tiles(queries, self.rows, self._search):
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
