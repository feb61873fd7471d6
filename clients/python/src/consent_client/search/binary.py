"""Codes within a Hamming radius of a query: multi-index hashing, exact.

Memory for a code of 256 bits within 31: its own 32 bytes, and in each of 10 to 14 chunks 4 to 6 for
where it lies; in all 32 bytes below some 50,000 codes, which are scanned, then 114 at 10⁵, 98 at
10⁶ and 88 at 10⁷. A copy of the bitmaps, 3 to 15 bytes a code, is needed while it is built.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.bucket_kernels import find
from consent_client.search.buckets import Buckets, buckets_of
from consent_client.search.permuted import Order, order_of_process, permuted
from consent_client.search.pigeonhole import CANDIDATE_NS, SCANNED_ROW_NS, Plan, plan
from consent_client.search.scan import PORTION, Pairs, gathered, near, scan
from consent_client.search.words import (
    WORD_BITS,
    Codes,
    Words,
    checked_radius,
    same_width,
    words_of,
)

_CROWD: Final = PORTION // 8
"""Rows in a query's buckets from which it is crowded in any case: so much room stays unused."""

_LEAST_CROWD: Final = 64

_SMALLEST: Final = Plan((8,), (0,))
"""Whatever the plan, the same functions are compiled."""


@dataclass(frozen=True, slots=True, eq=False)
class BinaryIndex:
    """Codes that can be searched; immutable, for any number of threads at once.

    A query whose buckets hold so many rows that comparing it with all would be faster (many equal
    or nearly equal codes) is compared with all: however the codes are chosen, no query takes
    longer than its probes and a scan. Where scanning is cheaper altogether, for few codes or a
    great radius, there are no buckets.

    Make one with `build`.
    """

    radius: int
    _order: Order = field(repr=False)
    _words: Words = field(repr=False)
    _buckets: Buckets | None = field(repr=False)

    @classmethod
    def build(cls, codes: Codes, radius: int) -> "BinaryIndex":
        """Copies codes into an index.

        Args:
            codes: uint8[n, bytes], bytes a multiple of 8; rows are numbered by position.
            radius: greatest distance that matches, in bits.

        Raises:
            ValueError: another type or shape, more than 2³⁰ codes, or a negative radius.
        """
        words = words_of(codes)
        radius = checked_radius(radius, words)
        order = order_of_process(words.shape[1])
        words = permuted(words, order.into)
        chosen = plan(len(words), words.shape[1] * WORD_BITS, radius)
        return cls(radius, order, words, None if chosen is None else buckets_of(words, chosen))

    def __len__(self) -> int:
        """How many codes there are."""
        return len(self._words)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        parts = () if self._buckets is None else self._buckets
        return self._words.nbytes + sum(part.nbytes for part in parts)

    def codes(self, rows: NDArray[np.int64]) -> Codes:
        """The codes of some rows, as they were given: uint8[k, bytes]."""
        words = np.ascontiguousarray(self._words[rows])
        words.flags.writeable = False
        return permuted(words, self._order.back).view(np.uint8)

    def search(self, queries: Codes) -> Pairs:
        """All pairs that differ in at most the radius, each once; by query, then by row.

        Args:
            queries: uint8[q, bytes].

        Returns:
            Query numbers and row numbers, int64[h] each.

        Raises:
            ValueError: another type or shape.
        """
        return gathered(self.portions(queries))

    def portions(self, queries: Codes) -> Iterator[Pairs]:
        """As `search`, in portions of at most `PORTION` pairs and in no particular order.

        Raises:
            ValueError: as `search`.
        """
        words = words_of(queries)
        same_width(words, self._words)
        return self._portions(permuted(words, self._order.into))

    def _portions(self, queries: Words) -> Iterator[Pairs]:
        crowded = np.full(len(queries), self._buckets is None)
        if self._buckets is not None:
            yield from self._found(self._buckets, queries, crowded)
        others = np.flatnonzero(crowded)
        if others.size:
            for numbers, rows in near(self._words, _taken(queries, others), self.radius):
                yield others[numbers], rows

    def _found(
        self, buckets: Buckets, queries: Words, crowded: NDArray[np.bool_]
    ) -> Iterator[Pairs]:
        """What the buckets lead to; marks the queries that are crowded and left out."""
        limit = int(len(self) * SCANNED_ROW_NS / CANDIDATE_NS)
        limit = min(max(limit, _LEAST_CROWD), _CROWD)
        numbers, rows = np.empty(PORTION, np.int64), np.empty(PORTION, np.int64)
        query = 0
        while query < len(queries):
            query, found = find(
                buckets, self._words, queries, self.radius, limit, query, numbers, rows, crowded
            )
            if found:
                yield numbers[:found].copy(), rows[:found].copy()


def _taken(words: Words, rows: NDArray[np.int64]) -> Words:
    taken = words if len(rows) == len(words) else words[rows]
    taken.flags.writeable = False
    return taken


def warm() -> None:
    """Compiles what is used here, or loads it: seconds the first time, then a fraction of one."""
    codes = np.zeros((2, 8), np.uint8)
    scan(codes, codes, 0)
    words = words_of(codes)
    index = BinaryIndex(0, order_of_process(1), words, buckets_of(words, _SMALLEST))
    index.search(codes)
