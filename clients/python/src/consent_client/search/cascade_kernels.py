"""The compiled part of the cascade: one pass over all rows for some queries.

All that a compiled function calls and that may change is in this one file (see `compiled`).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled
from consent_client.search.lanes import (
    GROUP,
    LANES,
    MOST_GROUPS,
    PLACES,
    append_rows,
    bit_count,
    dot_floats,
    fetch,
    lowest_bit,
    near_groups,
    near_in_all,
)
from consent_client.search.signs import LENGTHS, WORDS
from consent_client.search.vnni import STEP, dot_bytes

TILE: Final = GROUP * MOST_GROUPS
"""Rows looked at together: 512, 32 kB of codes."""

_CODE_BYTES: Final = 8 * WORDS
_LINE: Final = 64

_near_first = near_groups(LENGTHS[0], WORDS)
_near_second = near_groups(LENGTHS[1], WORDS)
_near_whole = near_groups(LENGTHS[2], WORDS)
_near_in_all = near_in_all(LENGTHS)

_FEW: Final = 16
"""Queries below which hardly any row's bytes are in a cache already: they are fetched together."""

_SAMPLED: Final = 32
"""Queries that are counted with to find the length that is compared first."""

_GROUP_COSTS: Final = (5.5, 9.7, 12.5)
_PASSED_COST: Final = 22.0
"""Cycles for a group of eight rows at each length, and for one that is looked at again (Zen 4).
Only speed depends on them."""


class Records(NamedTuple):
    """What is known of rows; all 64-byte aligned, of one capacity; compiled functions take it."""

    codes: NDArray[np.uint64]
    radii: NDArray[np.uint16]
    numbers: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bounds: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    vectors: NDArray[np.float32]

    def __repr__(self) -> str:
        return "Records(…)"


class Sought(NamedTuple):
    """What is known of queries; compiled functions take it."""

    codes: NDArray[np.uint64]
    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]
    offsets: NDArray[np.int32]
    vectors: NDArray[np.float32]

    def __repr__(self) -> str:
        return "Sought(…)"


@compiled
def _passing(codes: int, radii: int, stride: int, groups: int, code: int, length: int) -> np.uint64:
    """The groups of a tile in which a row's code is near a query's at one of the lengths.

    Args:
        codes: address of the tile's.
        radii: address of the tile's, at the first length.
        stride: bytes from there to those at the next.
        groups: of the tile.
        code: address of the query's.
        length: number of the length.
    """
    if length == 0:
        return _near_first(codes, radii, groups, code)
    if length == 1:
        return _near_second(codes, radii + stride, groups, code)
    return _near_whole(codes, radii + 2 * stride, groups, code)


@compiled
def _first_length(codes: int, radii: int, stride: int, groups: int, code: int, queries: int) -> int:
    """Which of the lengths costs least if compared first, counted on a tile and some queries.

    Whichever it is: rows have to pass at all lengths in the end.
    """
    queries = min(queries, _SAMPLED)
    best, least = 0, np.inf
    for length in range(len(LENGTHS)):
        passed = 0
        for query in range(queries):
            some = _passing(codes, radii, stride, groups, code + query * _CODE_BYTES, length)
            passed += bit_count(some)
        cost = _GROUP_COSTS[length] + _PASSED_COST * passed / (groups * queries)
        if cost < least:
            best, least = length, cost
    return best


@compiled
def _product(
    vectors: NDArray[np.float32], row: int, queries: NDArray[np.float32], query: int
) -> np.float32:
    """The inner product in float32, added up in the order that is always the same."""
    dimension = vectors.shape[1]
    steps = dimension // LANES
    total = dot_floats(
        vectors.ctypes.data + row * dimension * 4,
        queries.ctypes.data + query * dimension * 4,
        steps,
    )
    for j in range(steps * LANES, dimension):
        total += vectors[row, j] * queries[query, j]
    return total


@compiled
def products(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    queries: NDArray[np.float32],
    query_numbers: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The inner products of some pairs, each exactly as `search` computes it: float32[h]."""
    found = np.empty(rows.shape[0], np.float32)
    for k in range(rows.shape[0]):
        found[k] = _product(vectors, rows[k], queries, query_numbers[k])
    return found


@compiled
def passing(records: Records, count: int, code: NDArray[np.uint64]) -> int:
    """How many of the first rows' codes are near one code, uint64[`WORDS`], at all lengths."""
    stride = 2 * records.radii.shape[1]
    passed = 0
    for group in range(count // GROUP):
        bits = _near_in_all(
            records.codes.ctypes.data + group * GROUP * _CODE_BYTES,
            records.radii.ctypes.data + group * 2 * GROUP,
            stride,
            code.ctypes.data,
        )
        passed += bit_count(np.uint64(bits))
    return passed


@compiled
def search(  # noqa: C901, PLR0915 (one loop, whose parts share what lies in registers)
    records: Records,
    sought: Sought,
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
    stride = 2 * records.radii.shape[1]
    places = PLACES.ctypes.data
    candidates = np.empty(TILE + GROUP, np.int64)
    room = candidates.ctypes.data
    length, found, fetched = -1, 0, 0
    while row < count:
        size = min(TILE, count - row)
        groups = (size + GROUP - 1) // GROUP
        codes = records.codes.ctypes.data + row * _CODE_BYTES
        radii = records.radii.ctypes.data + 2 * row
        numbers = records.numbers.ctypes.data + row * padded
        if length < 0:
            first = sought.codes.ctypes.data + start * _CODE_BYTES
            length = _first_length(codes, radii, stride, groups, first, stop - start)
        seen = 0
        ahead = numbers + TILE * padded
        while query < stop:
            if found + size > rows.shape[0]:
                return row, query, found
            code = sought.codes.ctypes.data + query * _CODE_BYTES
            some = _passing(codes, radii, stride, groups, code, length)
            near = 0
            while some:
                group = lowest_bit(some)
                some &= some - np.uint64(1)
                bits = _near_in_all(
                    codes + group * GROUP * _CODE_BYTES, radii + group * 2 * GROUP, stride, code
                )
                near += append_rows(places, bits, group * GROUP, room + 8 * near)
            seen += near
            for _ in range(fetched):
                fetch(ahead)
                ahead += _LINE
            if stop - start < _FEW:
                for k in range(near * steps):
                    fetch(numbers + candidates[k // steps] * padded + k % steps * STEP)
            own_numbers = sought.numbers.ctypes.data + query * padded
            scale, error = sought.scales[query], sought.errors[query]
            offset = sought.offsets[query]
            for k in range(near):
                place = candidates[k]
                r = row + place
                product = dot_bytes(numbers + place * padded, own_numbers, steps) - offset
                rough = np.float32(product) * (scale * records.scales[r])
                if rough + error < records.bounds[r] or r >= count:
                    continue  # too far, or a row that is just being added
                score = _product(records.vectors, r, sought.vectors, query)
                if score >= records.thresholds[r]:
                    query_numbers[found] = query
                    rows[found] = r
                    scores[found] = score
                    found += 1
            query += 1
        fetched = 0
        if seen >= TILE // 2 and row + 2 * TILE <= count:
            fetched = -(-TILE * padded // _LINE // (stop - start))
        query = start
        row += TILE
    return row, start, found
