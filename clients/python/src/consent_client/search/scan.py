"""Every query with every code: what is fastest for few codes, and never slow for any.

A tile of codes is turned into columns, so that one instruction counts the bits of several codes.
The distance within the first 128 bits is a lower bound of the whole; only where a tile has a code
that is near by this bound are codes looked at one by one.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled
from consent_client.search.popcount import popcount, signed, unsigned
from consent_client.search.words import Codes, Words, checked_radius, same_width, words_of

type Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Two int64[h] of one length: which query, and which row lies near it."""

PORTION: Final = 2**20
"""Most pairs in a portion: 16 MB."""

_TILE: Final = 4_096
_PART: Final = 512
"""Codes in a tile, and in the parts of a tile that has one near.

The bound's columns of a tile are 64 kB and stay in the second cache for all queries.
"""


def scan(codes: Codes, queries: Codes, radius: int) -> Pairs:
    """All pairs that differ in at most `radius` bits, each once; by query, then by row.

    Args:
        codes: uint8[n, bytes], bytes a multiple of 8.
        queries: uint8[q, bytes].
        radius: bits.

    Raises:
        ValueError: another type or shape, or a negative radius.
    """
    return gathered(scan_portions(codes, queries, radius))


def scan_portions(codes: Codes, queries: Codes, radius: int) -> Iterator[Pairs]:
    """As `scan`, in portions of at most `PORTION` pairs and in no particular order.

    Raises:
        ValueError: as `scan`.
    """
    words, sought = words_of(codes), words_of(queries)
    same_width(sought, words)
    return near(words, sought, checked_radius(radius, words))


def near(words: Words, queries: Words, radius: int) -> Iterator[Pairs]:
    """As `scan_portions`, of words of one width."""
    row, query = 0, 0
    numbers, rows = np.empty(PORTION, np.int64), np.empty(PORTION, np.int64)
    while len(queries) and row < len(words):
        row, query, found = _scan(words, queries, radius, row, query, numbers, rows)
        if found:
            yield numbers[:found].copy(), rows[:found].copy()


def gathered(portions: Iterator[Pairs]) -> Pairs:
    """All portions as one, by query and then by row."""
    none = np.empty(0, np.int64)
    found = [(none, none), *portions]
    queries = np.concatenate([queries for queries, _ in found])
    rows = np.concatenate([rows for _, rows in found])
    order = np.lexsort((rows, queries))
    return queries[order], rows[order]


@compiled
def _scan(
    words: Words,
    queries: Words,
    radius: int,
    row: int,
    query: int,
    numbers: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Goes on from a tile's first row and a query until the room is used up.

    Returns:
        Row and query to go on from (the row past the end: done), and how many pairs were found.
    """
    columns = np.zeros((max(words.shape[1], 2), _TILE), np.uint64)
    first, second = columns[0], columns[1]  # the second is zero where codes have one word
    found = 0
    for start in range(row, words.shape[0], _TILE):
        size = min(_TILE, words.shape[0] - start)
        for k in range(words.shape[1]):
            for x in range(size):
                columns[k, x] = words[start + x, k]
        for i in range(query, queries.shape[0]):
            if found + size > numbers.shape[0]:
                return start, i, found
            if not _bounded(first[:size], second[:size], queries[i], radius):
                continue
            for part in range(0, size, _PART):
                stop = min(part + _PART, size)
                if _bounded(first[part:stop], second[part:stop], queries[i], radius):
                    count = _near(columns, part, stop, queries[i], radius, rows[found:])
                    for p in range(found, found + count):
                        numbers[p] = i
                        rows[p] += start
                    found += count
        query = 0
    return words.shape[0], 0, found


@compiled
def _bounded(
    first: NDArray[np.uint64], second: NDArray[np.uint64], query: NDArray[np.uint64], radius: int
) -> int:
    """How many codes are near as far as their first two words tell."""
    a = query[0]
    b = query[1] if query.shape[0] > 1 else unsigned(0)
    most = unsigned(radius)
    count = 0
    for x in range(first.shape[0]):
        count += signed(popcount(a ^ first[x]) + popcount(b ^ second[x]) <= most)
    return count


@compiled
def _near(
    columns: NDArray[np.uint64],
    part: int,
    stop: int,
    query: NDArray[np.uint64],
    radius: int,
    places: NDArray[np.int64],
) -> int:
    """Writes which codes of a part are near, and returns how many."""
    count = 0
    for x in range(part, stop):
        distance = unsigned(0)
        for k in range(query.shape[0]):
            distance += popcount(query[k] ^ columns[k, x])
        if distance <= unsigned(radius):
            places[count] = x
            count += 1
    return count
