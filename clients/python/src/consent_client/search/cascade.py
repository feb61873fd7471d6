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
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_client.search.aligned import aligned, read_only
from consent_client.search.compiled import compiled
from consent_client.search.int8 import bytes_of, query_errors
from consent_client.search.lanes import (
    GROUP,
    LANES,
    MOST_GROUPS,
    PLACES,
    append_rows,
    dot_floats,
    lowest_bit,
    near_groups,
    near_in_all,
)
from consent_client.search.rotation import Rotation, rotation
from consent_client.search.signs import LENGTHS, NORM_TOLERANCE, WORDS, codes_of, radii
from consent_client.search.vnni import STEP, dot_bytes

type Near = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""int64[h], int64[h], float32[h]: which query, which row, and their inner product."""

TILE: Final = GROUP * MOST_GROUPS
"""Rows looked at together: 512, 32 kB of codes."""

QUERIES: Final = 1_024
"""Queries that pass by a tile: more would push its bytes out of the cache, fewer pay for them
less often."""

PORTION: Final = 2**18
"""Most pairs in a portion: 5 MB."""

BYTES_PER_ROW: Final = 8 * WORDS + 2 * len(LENGTHS) + 4 * 3
"""Code, radii, scale, bound and threshold."""

_OFFSET: Final = 128
"""Rows' bytes are kept without sign, as VNNI wants one factor."""

_AT_A_TIME: Final = 4_096
"""Rows encoded together: 8 MB of them rotated."""

_near_first = near_groups(LENGTHS[0], WORDS)
_near_second = near_groups(LENGTHS[1], WORDS)
_near_whole = near_groups(LENGTHS[2], WORDS)
_near_in_all = near_in_all(LENGTHS)

_SAMPLED: Final = 32
"""Queries that are counted with to find the length that is compared first."""

_GROUP_COSTS: Final = (5.5, 9.7, 12.5)
_PASSED_COST: Final = 22.0
"""Cycles for a group of eight rows at each length, and for one that is looked at again (Zen 4).
Only speed depends on them."""


class _Records(NamedTuple):
    """What is known of rows; all 64-byte aligned, of one capacity; compiled functions take it."""

    codes: NDArray[np.uint64]
    radii: NDArray[np.uint16]
    numbers: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bounds: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def __repr__(self) -> str:
        return "_Records(…)"


class _Sought(NamedTuple):
    """What is known of queries; compiled functions take it."""

    codes: NDArray[np.uint64]
    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]
    offsets: NDArray[np.int32]
    vectors: NDArray[np.float32]

    def __repr__(self) -> str:
        return "_Sought(…)"


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Queries made ready once, for any number of cascades of the same rotation.

    Attributes:
        rotation: that they were rotated by.
        sought: what compiled functions take.
    """

    rotation: Rotation
    sought: _Sought = field(repr=False)

    @classmethod
    def of(cls, vectors: NDArray[np.float32], by: Rotation | None = None) -> "Queries":
        """Makes vectors ready.

        Args:
            vectors: float32[q, dimension], of norm 1 or shorter.
            by: None for the process's own.

        Raises:
            ValueError: another type or shape, not finite, or longer than 1.
        """
        vectors = checked(vectors)
        by = by or rotation(vectors.shape[1])
        rotated = by.of(vectors)
        kept = bytes_of(rotated, by.padded)
        offsets = kept.numbers.sum(axis=1, dtype=np.int32) * np.int32(_OFFSET)
        errors = query_errors(kept.errors)
        known = (codes_of(rotated), kept.numbers, kept.scales, errors, offsets, vectors)
        return cls(by, _Sought(*map(read_only, known)))

    def __len__(self) -> int:
        return len(self.sought.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Rows that can be searched; never changes, any number of threads may search it.

    Attributes:
        count: rows.
        rotation: that they were rotated by.
    """

    count: int
    rotation: Rotation
    _records: _Records = field(repr=False)

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
                row, query, found = _search(
                    self._records,
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
    """

    def __init__(self, vectors: NDArray[np.float32], by: Rotation | None = None) -> None:
        self._rotation = by or rotation(vectors.shape[1])
        groups = -(-max(len(vectors), 1) // TILE) * (TILE // GROUP)
        size = groups * GROUP
        self._vectors = vectors
        self._records = _Records(
            codes=aligned((groups, WORDS, GROUP), np.uint64),
            radii=aligned((len(LENGTHS), size), np.uint16),
            numbers=aligned((size, self._rotation.padded), np.uint8),
            scales=aligned((size,), np.float32),
            bounds=aligned((size,), np.float32),
            thresholds=aligned((size,), np.float32),
            vectors=vectors,
        )
        self._seen = _Records(*map(read_only, self._records))
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


def warm(dimension: int = STEP) -> None:
    """Compiles all that searching and adding need, or reads it from numba's cache."""
    vectors = np.eye(2, dimension, dtype=np.float32)
    Cascade.build(vectors, np.ones(2, np.float32)).search(np.concatenate([vectors] * 3)[:5])


@compiled
def _first_length(
    records: _Records, sought: _Sought, row: int, count: int, start: int, stop: int
) -> int:
    """Which of the lengths costs least if compared first, counted on a tile and some queries.

    Whichever it is: rows have to pass at all lengths in the end.
    """
    groups = (min(TILE, count - row) + GROUP - 1) // GROUP
    masks = np.zeros(MOST_GROUPS, np.uint8)
    last = min(stop, start + _SAMPLED)
    best, least = 0, np.inf
    for length in range(len(LENGTHS)):
        passed = 0
        for query in range(start, last):
            left = _passing(records, sought, row, groups, query, length, masks.ctypes.data)
            while left:
                left &= left - np.uint64(1)
                passed += 1
        cost = _GROUP_COSTS[length] + _PASSED_COST * passed / max(1, groups * (last - start))
        if cost < least:
            best, least = length, cost
    return best


@compiled
def _passing(
    records: _Records, sought: _Sought, row: int, groups: int, query: int, length: int, masks: int
) -> np.uint64:
    """The groups of a tile in which a row's code is near a query's at one of the lengths."""
    codes = records.codes.ctypes.data + row * 8 * WORDS
    own_radii = records.radii.ctypes.data + 2 * (length * records.radii.shape[1] + row)
    code = sought.codes.ctypes.data + query * 8 * WORDS
    if length == 0:
        return _near_first(codes, own_radii, groups, code, masks)
    if length == 1:
        return _near_second(codes, own_radii, groups, code, masks)
    return _near_whole(codes, own_radii, groups, code, masks)


@compiled
def _candidates(
    records: _Records, sought: _Sought, row: int, query: int, groups: np.uint64, out: int
) -> int:
    """Writes the numbers of the rows in some groups whose codes are near a query's at all lengths.

    `groups` has the bit of each that is looked at; `out` is an address of int64, with room for 8
    more than there can be. Returns how many were written.
    """
    codes = records.codes.ctypes.data + row * 8 * WORDS
    own_radii = records.radii.ctypes.data + 2 * row
    stride = 2 * records.radii.shape[1]
    code = sought.codes.ctypes.data + query * 8 * WORDS
    places = PLACES.ctypes.data
    count = 0
    while groups:
        group = lowest_bit(groups)
        groups &= groups - np.uint64(1)
        near = _near_in_all(
            codes + group * 8 * GROUP * WORDS, own_radii + group * 2 * GROUP, stride, code
        )
        count += append_rows(places, near, row + group * GROUP, out + 8 * count)
    return count


@compiled
def _product(records: _Records, sought: _Sought, row: int, query: int) -> np.float32:
    """The inner product in float32, in the order that is always the same."""
    dimension = records.vectors.shape[1]
    steps = dimension // LANES
    total = dot_floats(
        records.vectors.ctypes.data + row * dimension * 4,
        sought.vectors.ctypes.data + query * dimension * 4,
        steps,
    )
    for j in range(steps * LANES, dimension):
        total += records.vectors[row, j] * sought.vectors[query, j]
    return total


@compiled
def _search(
    records: _Records,
    sought: _Sought,
    count: int,
    start: int,
    stop: int,
    row: int,
    query: int,
    out: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
) -> tuple[int, int, int]:
    """Goes on from a tile's first row and a query until all or the room is used up.

    Returns:
        Row and query to go on from (a row past the last: done), and how many pairs were found.
    """
    query_numbers, rows, scores = out
    padded = records.numbers.shape[1]
    steps = padded // STEP
    numbers, sought_numbers = records.numbers.ctypes.data, sought.numbers.ctypes.data
    masks = np.zeros(MOST_GROUPS, np.uint8)
    candidates = np.empty(TILE + GROUP, np.int64)
    length = _first_length(records, sought, row, count, start, stop)
    found = 0
    while row < count:
        size = min(TILE, count - row)
        groups = (size + GROUP - 1) // GROUP
        masks[groups:] = 0
        while query < stop:
            if found + size > rows.shape[0]:
                return row, query, found
            some = _passing(records, sought, row, groups, query, length, masks.ctypes.data)
            if some:
                near = _candidates(records, sought, row, query, some, candidates.ctypes.data)
                for k in range(near):
                    r = candidates[k]
                    product = dot_bytes(
                        numbers + r * padded, sought_numbers + query * padded, steps
                    )
                    rough = np.float32(product - sought.offsets[query])
                    rough *= sought.scales[query] * records.scales[r]
                    if rough + sought.errors[query] < records.bounds[r] or r >= count:
                        continue  # too far, or a row that is just being added
                    score = _product(records, sought, r, query)
                    if score >= records.thresholds[r]:
                        query_numbers[found] = query
                        rows[found] = r
                        scores[found] = score
                        found += 1
            query += 1
        query = start
        row += TILE
    return row, start, found
