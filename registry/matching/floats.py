"""Float spaces: inner product of unit vectors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import Near, Nearest, Vectors, in_rows
from registry.matching.policies import Thresholds
from registry.matching.ranges import search_tiles

_BLAS_FROM: Final = 4 * 512
"""Queries times dimension from which FAISS multiplies matrices rather than vectors.

Its own 128,000 (1.15) makes 64 queries of 512 dimensions four times slower than they need be;
below 4 queries vectors are faster. Versions before that count queries alone and say 20.
"""

faiss.cvar.distance_compute_blas_threshold = min(
    faiss.cvar.distance_compute_blas_threshold, _BLAS_FROM
)


@dataclass(frozen=True, slots=True)
class FloatKernel:
    """Finds what has an inner product of at least its row's threshold, as float32 adds it up.

    Attributes:
        width: dimension.
        thresholds: of rows by their `nearest`; the lowest that any policy allows.
    """

    width: int
    thresholds: Thresholds

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Of a row's elements."""
        return np.dtype(np.float32)

    def rows(self, vectors: Vectors) -> Vectors:
        """See `Kernel.rows`; the vectors themselves."""
        rows = in_rows(vectors, self.dtype, self.width)
        if not np.isfinite(rows).all():  # a NaN is near nothing: it would come out as clear
            raise ValueError("a vector that is not finite")
        return rows

    @property
    def nearest_width(self) -> int:
        """See `Kernel.nearest_width`."""
        return 1

    def table(self, rows: Vectors, nearest: Nearest) -> "FloatTable":
        """See `Kernel.table`."""
        return FloatTable(rows, nearest[:, 0], self.thresholds)


@dataclass(frozen=True, slots=True, eq=False)
class FloatTable:
    """Rows compared one by one; see `Table`."""

    rows: Vectors = field(repr=False)
    nearest: NDArray[np.float32] = field(repr=False)
    thresholds: Thresholds

    def portions(self, queries: Vectors) -> Iterator[Near]:
        """See `Table.portions`."""
        for query_numbers, row_numbers, scores in search_tiles(queries, self.rows, self._search):
            near = scores >= self.thresholds.of(self.nearest[row_numbers])
            if near.any():
                yield query_numbers[near], row_numbers[near], scores[near]

    def _search(self, queries: Vectors, rows: Vectors, result: faiss.RangeSearchResult) -> None:
        # FAISS takes what is strictly above: the next number below makes the threshold inclusive.
        above = np.nextafter(np.float32(self.thresholds.least), np.float32(-np.inf))
        faiss.range_search_inner_product(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(rows),
            rows.shape[1],
            len(queries),
            len(rows),
            float(above),
            result,
        )
