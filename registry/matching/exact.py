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

from registry.matching.flat import FlatWriter
from registry.matching.kernels import Near, Nearest, Queries, Vectors, in_rows
from registry.matching.policies import Thresholds

_BLOCK_BYTES: Final = 64  # of SHA-256: a key that long is used as it is
_INNER_PAD: Final = 0x36
_OUTER_PAD: Final = 0x5C

_PORTION: Final = 2**20
"""Hits put together at a time: some 50 MB while they are."""


class ExactKernel:
    """Finds what is equal, under a fresh key.

    Attributes:
        width: bytes of a digest, and of its HMAC.
    """

    width: Final = 32
    nearest_width: Final = 0
    joined: Final = 1

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

    def table(self, rows: Vectors, nearest: Nearest) -> "ExactTable":  # noqa: ARG002 (has none)
        """See `Kernel.table`."""
        return ExactTable(rows)

    def writer(self, rows: Vectors, nearest: Nearest) -> FlatWriter:  # noqa: ARG002 (has none)
        """See `Kernel.writer`."""
        return FlatWriter(rows, ExactTable, ExactTable)

    def grade(
        self,
        near: Near,
        queries: Queries,  # noqa: ARG002 (what is found is equal)
        rows: Vectors,  # noqa: ARG002
        nearest: Nearest,  # noqa: ARG002
        thresholds: Thresholds | None,  # noqa: ARG002
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """See `Kernel.grade`; equality has no border."""
        found = len(near[0])
        return np.ones(found, np.bool_), np.zeros(found, np.bool_)


@dataclass(frozen=True, eq=False)
class ExactTable:
    """Rows in order, sorted at the first search; see `Table`.

    The first eight bytes decide for almost every query; only where they agree are all looked at.
    """

    rows: Vectors = field(repr=False)
    settled = True

    def portions(self, queries: Queries) -> Iterator[Near]:
        """See `Table.portions`."""
        if not len(self.rows):
            return
        order, heads = self._sorted
        wanted = _heads(queries.vectors)
        first = np.searchsorted(heads, wanted)
        maybe = np.flatnonzero(heads[np.minimum(first, len(heads) - 1)] == wanted)
        sought = _whole(queries.vectors)[maybe]
        first = np.searchsorted(_whole(self.rows), sought, sorter=order)
        last = np.searchsorted(_whole(self.rows), sought, side="right", sorter=order)
        for some in _runs(last - first):
            counts = last[some] - first[some]
            ends = np.cumsum(counts)
            places = np.arange(ends[-1]) + np.repeat(last[some] - ends, counts)
            if places.size:
                yield np.repeat(maybe[some], counts), order[places], None

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        # Two threads may both do this; they get the same.
        heads = _heads(self.rows)
        order = np.argsort(heads)
        heads, whole = heads[order], _whole(self.rows)
        tied = np.flatnonzero(heads[1:] == heads[:-1])
        if (whole[order[tied]] != whole[order[tied + 1]]).any():
            order = np.argsort(whole)  # ten times slower; HMACs hardly ever need it
        return order, heads


def _heads(rows: Vectors) -> NDArray[np.uint64]:
    """The first eight bytes as numbers, whose order is that of the bytes."""
    return np.ascontiguousarray(rows[:, :8]).view(">u8")[:, 0].astype(np.uint64)


def _whole(rows: Vectors) -> NDArray[np.bytes_]:
    """Rows as single values, in the order of their bytes; all of one length, so zeros count."""
    whole: NDArray[np.bytes_] = rows.view(f"S{rows.shape[1]}")[:, 0]
    return whole


def _runs(counts: NDArray[np.int64]) -> Iterator[slice]:
    """Cuts counts into runs that sum to at most `_PORTION` (or are one count)."""
    sums = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = sums[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(sums, before + _PORTION, side="right")))
        yield slice(start, stop)
        start = stop
