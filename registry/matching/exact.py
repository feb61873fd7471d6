"""Exact spaces: equal or not, without keeping what is compared.

A row is the HMAC-SHA256 of the digest under a key that this process drew at random and never
writes anywhere. Whoever reads these rows alone can not test whether a known file is registered;
whoever reads all of this process's memory finds the key too.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import TILE_QUERIES, TILE_ROWS, Hits, Vectors, in_rows

_BLOCK_BYTES: Final = 64  # of SHA-256: a key that long is used as it is
_INNER_PAD: Final = 0x36
_OUTER_PAD: Final = 0x5C
_PORTION: Final = TILE_QUERIES * TILE_ROWS


class ExactKernel:
    """Finds what is equal, under a fresh key.

    Attributes:
        width: bytes of a digest, and of its HMAC.
    """

    width: Final = 32

    def __init__(self) -> None:
        # HMAC (RFC 2104) with what only depends on the key done once: twice as fast as
        # `hmac.digest`, and this runs for every candidate.
        key = secrets.token_bytes(_BLOCK_BYTES)
        self._inner = hashlib.sha256(bytes(byte ^ _INNER_PAD for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ _OUTER_PAD for byte in key))

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of a row's elements."""
        return np.dtype(np.uint8)

    def rows(self, vectors: Vectors) -> Vectors:
        """See `Kernel.rows`; the digests' HMACs."""
        plain = in_rows(vectors, self.dtype, self.width).tobytes()
        hidden = []
        for start in range(0, len(plain), self.width):
            inner, outer = self._inner.copy(), self._outer.copy()
            inner.update(plain[start : start + self.width])
            outer.update(inner.digest())
            hidden.append(outer.digest())
        return np.frombuffer(b"".join(hidden), np.uint8).reshape(-1, self.width)

    def table(self, rows: Vectors) -> "ExactTable":
        """See `Kernel.table`."""
        return ExactTable(rows)


@dataclass(frozen=True, eq=False)
class ExactTable:
    """Rows found by their first eight bytes, sorted at the first search, then compared whole."""

    rows: Vectors = field(repr=False)

    def portions(self, queries: Vectors) -> Iterator[Hits]:
        """See `Table.portions`."""
        if not len(self.rows):
            return
        order, heads = self._sorted
        wanted = _heads(queries)
        first = np.searchsorted(heads, wanted)
        maybe = np.flatnonzero(heads[np.minimum(first, len(heads) - 1)] == wanted)
        first = first[maybe]
        counts = np.searchsorted(heads, wanted[maybe], side="right") - first
        for start, stop in _runs(counts):
            count = counts[start:stop]
            query_numbers = np.repeat(maybe[start:stop], count)
            within = np.arange(len(query_numbers)) - np.repeat(np.cumsum(count) - count, count)
            row_numbers = order[np.repeat(first[start:stop], count) + within]
            equal = (queries[query_numbers] == self.rows[row_numbers]).all(axis=1)
            yield query_numbers[equal], row_numbers[equal]

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        # Two threads may both do this; they get the same.
        heads = _heads(self.rows)
        order = np.argsort(heads)
        return order, heads[order]


def _heads(rows: Vectors) -> NDArray[np.uint64]:
    return np.ascontiguousarray(rows[:, :8]).view(np.uint64)[:, 0]


def _runs(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cuts counts into runs that sum to at most `_PORTION` (or are one count)."""
    start = 0
    sums = np.cumsum(counts)
    while start < len(counts):
        before = sums[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(sums, before + _PORTION, side="right")))
        yield start, stop
        start = stop
