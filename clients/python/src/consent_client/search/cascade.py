"""All pairs of vectors whose inner product reaches the row's own threshold.

Three tests, each on what the one before let through, on 512 rows at a time, whose codes stay in the
first cache and whose bytes in the second while all queries pass by:

1. Sign codes (`signs`): passes over a pair wrongly with a probability below 10⁻⁴ at the very
   threshold, less above it; whichever vectors they are, as the rotation is random and secret.
2. Products of bytes with a bound of their error (`int8`): loses nothing.
3. The product in float32 of the vectors themselves: nothing is reported that does not reach the
   threshold. Its sum runs in one order, so it is the same in any company and any thread.

A row takes `BYTES_PER_ROW` bytes and its bytes, 594 for 512 dimensions, beside the vectors, which
are read for the few pairs that the second test lets through: any array will do for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.aligned import aligned, read_only
from consent_client.search.cascade_kernels import TILE, Records, Sought, passing, products, search
from consent_client.search.int8 import bytes_of, query_errors
from consent_client.search.lanes import GROUP
from consent_client.search.rotation import Rotation, rotation
from consent_client.search.signs import LENGTHS, NORM_TOLERANCE, WORDS, codes_of, radii
from consent_client.search.vnni import STEP

type Near = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""int64[h], int64[h], float32[h]: which query, which row, and their inner product."""

QUERIES: Final = 1_024
"""Queries that pass by a tile: more would push its bytes out of the cache, fewer pay for them
less often."""

PORTION: Final = 2**18
"""Most pairs in a portion: 5 MB."""

BYTES_PER_ROW: Final = 8 * WORDS + 2 * len(LENGTHS) + 4 * 3
"""Code, radii, scale, bound and threshold."""

_OFFSET: Final = 128
"""Rows' bytes are kept without sign, as VNNI wants one factor."""

_SHARE_ROWS: Final = 64
_SHARE_OTHERS: Final = 4_096
"""Some 0.2 ms of counting."""

_AT_A_TIME: Final = 4_096
"""Rows encoded together: 8 MB of them rotated."""


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Queries made ready once, for any number of cascades of the same rotation.

    Attributes:
        rotation: that they were rotated by.
        sought: what compiled functions take.
    """

    rotation: Rotation
    sought: Sought = field(repr=False)

    @classmethod
    def of(cls, vectors: NDArray[np.float32], by: Rotation | None = None) -> "Queries":
        """Makes vectors ready.

        Args:
            vectors: float32[q, dimension], of norm 1 or shorter.
            by: None for the process's own.

        Raises:
            ValueError: another type or shape or dimension, not finite, or longer than 1.
        """
        vectors = checked(vectors)
        by = by or rotation(vectors.shape[1])
        if by.dimension != vectors.shape[1]:
            raise ValueError("queries of another dimension")
        rotated = by.of(vectors)
        kept = bytes_of(rotated, by.padded)
        offsets = kept.numbers.sum(axis=1, dtype=np.int32) * np.int32(_OFFSET)
        errors = query_errors(kept.errors)
        known = (codes_of(rotated), kept.numbers, kept.scales, errors, offsets, vectors)
        return cls(by, Sought(*map(read_only, known)))

    def __len__(self) -> int:
        return len(self.sought.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Rows that can be searched; never changes, any number of threads may search it.

    Attributes:
        count: rows.
        rotation: that they were rotated by.
        records: what compiled functions take; room for more rows, too.
    """

    count: int
    rotation: Rotation
    records: Records = field(repr=False)

    @classmethod
    def build(
        cls,
        vectors: NDArray[np.float32],
        thresholds: NDArray[np.float32],
        by: Rotation | None = None,
    ) -> "Cascade":
        """Makes vectors searchable.

        Args:
            vectors: float32[n, dimension] of norm 1 (or shorter), kept and not to be changed.
            thresholds: float32[n], least inner product that matches each; above 1 nothing does.
            by: the rotation; None for the process's own.

        Raises:
            ValueError: another type or shape, not finite, longer than 1, or a threshold that is
                not a number.
        """
        vectors = checked(vectors)
        writer = CascadeWriter(vectors, by)
        return writer.extend(thresholds)

    @property
    def nbytes(self) -> int:
        """Memory of what is searched, without the vectors."""
        return self.count * (BYTES_PER_ROW + self.rotation.padded)

    def passing_share(self) -> float:
        """Which share of pairs of rows the sign codes let through; 0 to 1.

        Counted with `_SHARE_ROWS` of the rows and the first `_SHARE_OTHERS`. It is great where
        thresholds are low, or where many rows are alike: then sign codes do not pay.
        """
        others = min(self.count, _SHARE_OTHERS) // GROUP * GROUP
        if not others:
            return 1.0
        rows = np.unique(np.linspace(0, self.count - 1, _SHARE_ROWS).astype(np.int64))
        codes = self.records.codes[rows // GROUP, :, rows % GROUP]
        passed = sum(passing(self.records, others, code) for code in np.ascontiguousarray(codes))
        return passed / (len(rows) * others)

    def search(self, queries: NDArray[np.float32] | Queries) -> Near:
        """All pairs that reach their row's threshold, each once; by query, then by row.

        Args:
            queries: float32[q, dimension] of norm 1 (or shorter), or made ready.

        Raises:
            ValueError: as `Queries.of`, or of another dimension or rotation.
        """
        none = np.empty(0, np.int64)
        found = [(none, none, np.empty(0, np.float32)), *self.portions(queries)]
        query_numbers, rows, scores = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort((rows, query_numbers))
        return query_numbers[order], rows[order], scores[order]

    def portions(self, queries: NDArray[np.float32] | Queries) -> Iterator[Near]:
        """As `search`, in portions of at most `PORTION` pairs and in no particular order.

        Raises:
            ValueError: as `search`.
        """
        if not isinstance(queries, Queries):
            queries = Queries.of(queries, self.rotation)
        if queries.rotation is not self.rotation:
            raise ValueError("queries of another dimension, or rotated otherwise")
        out = (
            np.empty(PORTION, np.int64),
            np.empty(PORTION, np.int64),
            np.empty(PORTION, np.float32),
        )
        for start in range(0, len(queries), QUERIES):
            stop = min(start + QUERIES, len(queries))
            row, query = 0, start
            while row < self.count:
                row, query, found = search(
                    self.records,
                    queries.sought,
                    self.count,
                    start,
                    stop,
                    row,
                    query,
                    out,
                )
                if found:
                    yield out[0][:found].copy(), out[1][:found].copy(), out[2][:found].copy()


class CascadeWriter:
    """Makes rows searchable as they come; one thread writes while others search what it returned.

    Args:
        vectors: float32[capacity, dimension], C-contiguous; its rows are filled in order by whoever
            owns it, each before `extend` takes it in.
        by: the rotation; None for the process's own.

    Raises:
        ValueError: another type, dimension or order.
    """

    def __init__(self, vectors: NDArray[np.float32], by: Rotation | None = None) -> None:
        self._rotation = by or rotation(vectors.shape[1])
        if vectors.dtype != np.float32 or vectors.shape[1] != self._rotation.dimension:
            raise ValueError("vectors must be float32[n, dimension] of the rotation's dimension")
        if not vectors.flags.c_contiguous:
            raise ValueError("vectors must be C-contiguous")
        groups = -(-max(len(vectors), 1) // TILE) * (TILE // GROUP)
        size = groups * GROUP
        self._vectors = vectors
        self._records = Records(
            codes=aligned((groups, WORDS, GROUP), np.uint64),
            radii=aligned((len(LENGTHS), size), np.uint16),
            numbers=aligned((size, self._rotation.padded), np.uint8),
            scales=aligned((size,), np.float32),
            bounds=aligned((size,), np.float32),
            thresholds=aligned((size,), np.float32),
            vectors=vectors,
        )
        self._seen = Records(*map(read_only, self._records))
        self._count = 0

    def extend(self, thresholds: NDArray[np.float32]) -> Cascade:
        """Takes in as many further rows as there are thresholds.

        Returns:
            All rows so far; cascades returned before stay as they are.

        Raises:
            ValueError: more than the vectors' array has, vectors that are not finite or longer than
                1, or thresholds that are not float32[n] numbers. Nothing was taken in.
        """
        if thresholds.dtype != np.float32 or thresholds.ndim != 1 or np.isnan(thresholds).any():
            raise ValueError("thresholds must be float32[n], and numbers")
        stop = self._count + len(thresholds)
        if stop > len(self._vectors):
            raise ValueError("more rows than there is room for")
        checked(self._vectors[self._count : stop])
        for first in range(self._count, stop, _AT_A_TIME):
            last = min(first + _AT_A_TIME, stop)
            self._write(first, last, thresholds[first - self._count : last - self._count])
        self._count = stop
        return Cascade(stop, self._rotation, self._seen)

    def take(self, cascade: Cascade, rows: NDArray[np.int64]) -> Cascade:
        """Takes in rows that another cascade of the same rotation has, as `extend` but faster.

        Args:
            cascade: that has them.
            rows: int64[n], their numbers there.

        Raises:
            ValueError: another rotation, or more than the vectors' array has.
        """
        stop = self._count + len(rows)
        if stop > len(self._vectors) or cascade.rotation is not self._rotation:
            raise ValueError("rows rotated otherwise, or more than there is room for")
        theirs, ours, places = cascade.records, self._records, np.arange(self._count, stop)
        ours.codes[places // GROUP, :, places % GROUP] = theirs.codes[
            rows // GROUP, :, rows % GROUP
        ]
        ours.radii[:, self._count : stop] = theirs.radii[:, rows]
        for name in ("numbers", "scales", "bounds", "thresholds"):
            getattr(ours, name)[self._count : stop] = getattr(theirs, name)[rows]
        self._count = stop
        return Cascade(stop, self._rotation, self._seen)

    def _write(self, first: int, last: int, thresholds: NDArray[np.float32]) -> None:
        records = self._records
        rotated = self._rotation.of(self._vectors[first:last])
        kept = bytes_of(rotated, self._rotation.padded)
        places = np.arange(first, last)
        records.codes[places // GROUP, :, places % GROUP] = codes_of(rotated)
        for number, words in enumerate(LENGTHS):
            records.radii[number, first:last] = radii(thresholds, words, self._rotation.padded)
        records.numbers[first:last] = kept.numbers.view(np.uint8) ^ np.uint8(_OFFSET)
        records.scales[first:last] = kept.scales
        records.bounds[first:last] = thresholds - kept.errors
        records.thresholds[first:last] = thresholds


def checked(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors, C-contiguous.

    Raises:
        ValueError: not float32[n, at least 1], not finite, or longer than 1.
    """
    if vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.shape[1]:  # noqa: PLR2004
        raise ValueError("vectors must be float32[n, dimension]")
    vectors = np.ascontiguousarray(vectors)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
    if not (squares <= (1 + NORM_TOLERANCE) ** 2).all():  # not-a-number is not
        raise ValueError("vectors must be finite and of norm 1")
    return vectors


def inner_products(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    queries: NDArray[np.float32],
    query_numbers: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The inner products of some pairs, bit by bit as a cascade finds them.

    Args:
        vectors: float32[n, dimension], C-contiguous.
        rows: int64[h], numbers of vectors.
        queries: float32[q, dimension], C-contiguous.
        query_numbers: int64[h].

    Returns:
        float32[h].
    """
    arrays = map(read_only, (vectors, rows, queries, query_numbers))
    return products(*arrays)


def warm(dimension: int = STEP) -> None:
    """Compiles all that searching and adding need, or reads it from numba's cache."""
    vectors = np.eye(2, dimension, dtype=np.float32)
    cascade = Cascade.build(vectors, np.ones(2, np.float32))
    cascade.passing_share()
    query_numbers, rows, _ = cascade.search(np.concatenate([vectors] * 3)[:5])
    inner_products(vectors, query_numbers % 2, vectors, rows)
