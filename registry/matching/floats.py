"""Float spaces: inner product of unit vectors.

Whether FAISS finds a pair or a cascade, what counts is the same product, added up in float32 in one
order (`inner_products`): so no answer depends on what else is searched at the same time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from consent_client.search.cascade import Cascade, CascadeWriter, inner_products
from consent_client.search.choice import Structure, structure_for
from consent_client.search.signs import NORM_TOLERANCE
from registry.matching.kernels import Near, Nearest, Queries, Table, Vectors, in_rows
from registry.matching.policies import BORDER, Thresholds
from registry.matching.ranges import search_tiles

_BLAS_FROM: Final = 4 * 512
"""Queries times dimension from which FAISS multiplies matrices rather than vectors.

Its own 128,000 (1.15) makes 64 queries of 512 dimensions four times slower than they need be;
below 4 queries vectors are faster. Versions before that count queries alone and say 20.
"""

_ROUNDING: Final = 1e-4
"""How far below the threshold FAISS looks, which adds up in other orders; what it finds is then
multiplied again. 768 products of float32 are off by 5·10⁻⁵ at the most."""

_AT_ONCE: Final = 512
"""New rows up to which they are taken into the cascade as they come: some 4 ms."""

_CHOSEN_AGAIN: Final = 2
"""Growth after which it is measured anew which structure suits a segment's rows."""

faiss.cvar.distance_compute_blas_threshold = min(
    faiss.cvar.distance_compute_blas_threshold, _BLAS_FROM
)


@dataclass(frozen=True, slots=True)
class FloatKernel:
    """Finds what has an inner product of at least its row's threshold, or a little less.

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
        """See `Kernel.rows`; the vectors themselves, of norm 1 (or shorter)."""
        rows = in_rows(vectors, self.dtype, self.width)
        if not np.isfinite(rows).all():  # a NaN is near nothing: it would come out as clear
            raise ValueError("a vector that is not finite")
        with np.errstate(over="ignore"):
            squares = np.einsum("ij,ij->i", rows, rows)
        if (squares > (1 + NORM_TOLERANCE) ** 2).any():
            raise ValueError("a vector that is longer than 1")
        return rows

    @property
    def nearest_width(self) -> int:
        """See `Kernel.nearest_width`."""
        return 1

    @property
    def joined(self) -> int:
        """See `Kernel.joined`; cascades gain nothing by more rows."""
        return 1

    def table(self, rows: Vectors, nearest: Nearest) -> Table:
        """See `Kernel.table`."""
        return self.writer(rows, nearest).closed(len(rows))

    def writer(self, rows: Vectors, nearest: Nearest) -> "FloatWriter":
        """See `Kernel.writer`."""
        found_from = self.thresholds.lowered(BORDER)
        return FloatWriter(rows.astype(np.float32, copy=False), nearest[:, 0], found_from)

    def grade(
        self,
        near: Near,
        queries: Queries,  # noqa: ARG002 (the table has told how alike they are)
        rows: Vectors,  # noqa: ARG002
        nearest: Nearest,
        thresholds: Thresholds | None,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """See `Kernel.grade`."""
        _, row_numbers, scores = near
        assert scores is not None  # noqa: S101 (tables of this kernel tell them)
        above = scores - (thresholds or self.thresholds).of(nearest[row_numbers, 0])
        matches = above >= 0  # floats so near each other subtract exactly: as comparing them
        return matches, np.abs(above, out=above) <= np.float32(BORDER)


class FloatWriter:
    """See `Writer`.

    A few new rows are taken into a cascade at once. Many, as when a log is replayed, wait for
    `closed`, which compaction calls beside everything else; FAISS searches them until then.

    Args:
        rows: with room for more.
        nearest: float32, of each row.
        thresholds: of rows by their `nearest`.
    """

    def __init__(
        self,
        rows: NDArray[np.float32],
        nearest: NDArray[np.float32],
        thresholds: Thresholds,
    ) -> None:
        self._rows = rows
        self._nearest = nearest
        self._thresholds = thresholds
        self._writer = CascadeWriter(rows)
        self._cascade = self._writer.extend(np.empty(0, np.float32))
        self._structure = Structure.FLAT
        self._chosen_at = 0
        self._copied = 0
        self._filled = 0

    @property
    def behind(self) -> bool:
        """See `Writer.behind`."""
        return self._cascade.count < self._filled

    def take(self, table: Table, rows: NDArray[np.int64]) -> None:
        """See `Writer.take`."""
        if not isinstance(table, FloatTable):
            raise TypeError("not a table of this kernel")
        if self._cascade.count == self._copied and table.settled:
            self._cascade = self._writer.take(table.cascade, rows)
        self._copied += len(rows)

    def table(self, filled: int) -> "FloatTable":
        """See `Writer.table`."""
        if filled - self._cascade.count > _AT_ONCE:
            self._filled = filled
            return self._table(Structure.FLAT)
        return self.closed(filled)

    def closed(self, filled: int) -> "FloatTable":
        """See `Writer.closed`."""
        self._filled = filled
        new = self._nearest[self._cascade.count : filled]
        self._cascade = self._writer.extend(self._thresholds.of(new))
        if filled >= _CHOSEN_AGAIN * self._chosen_at:
            self._structure = structure_for(self._cascade)
            self._chosen_at = filled
        return self._table(self._structure)

    def _table(self, structure: Structure) -> "FloatTable":
        rows, nearest = self._rows[: self._filled], self._nearest[: self._filled]
        rows.flags.writeable = False
        return FloatTable(rows, nearest, self._thresholds, self._cascade, structure)


@dataclass(frozen=True, slots=True, eq=False)
class FloatTable:
    """Rows searched by a cascade, or by FAISS where that is faster; see `Table`.

    Attributes:
        rows: float32[n, dimension].
        nearest: float32[n].
        thresholds: of rows by their `nearest`.
        cascade: of the first of them; where it searches, of all.
        structure: which searches them.
    """

    rows: NDArray[np.float32] = field(repr=False)
    nearest: NDArray[np.float32] = field(repr=False)
    thresholds: Thresholds
    cascade: Cascade = field(repr=False)
    structure: Structure

    @property
    def settled(self) -> bool:
        """See `Table.settled`."""
        return self.cascade.count == len(self.rows)

    def portions(self, queries: Queries) -> Iterator[Near]:
        """See `Table.portions`."""
        if self.structure is Structure.CASCADE:
            yield from self.cascade.portions(queries.rotated)
            return
        sought = queries.vectors.astype(np.float32, copy=False)
        for query_numbers, row_numbers, _ in search_tiles(sought, self.rows, self._search):
            scores = inner_products(self.rows, row_numbers, sought, query_numbers)
            near = scores >= self.thresholds.of(self.nearest[row_numbers])
            if near.any():
                yield query_numbers[near], row_numbers[near], scores[near]

    def _search(self, queries: Vectors, rows: Vectors, result: faiss.RangeSearchResult) -> None:
        faiss.range_search_inner_product(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(rows),
            rows.shape[1],
            len(queries),
            len(rows),
            self.thresholds.least - _ROUNDING,
            result,
        )
