"""How fingerprints of one kind are packed into an immutable segment, and searched there.

A kernel's `build` makes the searchable thing of some rows; its `search` returns the pairs (query,
row) that match. Rows and queries are uint8[n, bytes] for exact and binary spaces, float32[n,
dimension] of norm 1 for float spaces.
"""

import hmac
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.spaces import Kind, Space

type Rows = NDArray[np.uint8] | NDArray[np.float32]
type Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

QUERIES_AT_A_TIME: Final = 256
"""Bounds what one search returns at once: 256 queries on 65,536 rows, all matching, are 270 MB."""


class Kernel(Protocol):
    """One way of comparing."""

    def prepare(self, fingerprints: Rows) -> Rows:
        """What is kept of fingerprints, and what queries are turned into."""

    def build(self, rows: Rows) -> Any:
        """Something searchable of prepared rows; it is never changed."""

    def rows(self, built: Any) -> Rows:
        """The prepared rows back, in their order."""

    def search(self, built: Any, queries: Rows) -> Pairs:
        """The pairs (query, row) that match: two int64 arrays of one length."""


def kernel_of(space: Space) -> Kernel:
    """The kernel of a space's kind."""
    match space.kind:
        case Kind.EXACT:
            return Exact()
        case Kind.BINARY:
            assert space.radius is not None  # noqa: S101 (a binary space has one)
            return Binary(space.dimension, space.radius)
        case Kind.FLOAT:
            assert space.threshold is not None  # noqa: S101 (a float space has one)
            return Float(space.dimension, space.threshold)


@dataclass(frozen=True, slots=True)
class _Sorted:
    heads: NDArray[np.uint64]
    order: NDArray[np.int64]
    digests: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Exact:
    """Equality, on HMAC-SHA256 digests under a key that only this process has.

    A file's digest is not secret in itself: whoever has the file can make it. With the keyed digest
    a memory image tells less, and hostile digests can not be chosen to collide.
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def prepare(self, fingerprints: Rows) -> NDArray[np.uint8]:
        """uint8[n, 32]: keyed digests."""
        digests = [hmac.digest(self.key, row.tobytes(), "sha256") for row in fingerprints]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)

    def build(self, rows: Rows) -> _Sorted:
        """Digests with their first eight bytes sorted."""
        digests = np.ascontiguousarray(rows, np.uint8)
        heads = _heads(digests)
        order = np.argsort(heads, kind="stable")
        return _Sorted(heads[order], order, digests)

    def rows(self, built: _Sorted) -> NDArray[np.uint8]:
        """The digests."""
        return built.digests

    def search(self, built: _Sorted, queries: Rows) -> Pairs:
        """Equal digests."""
        heads = _heads(np.ascontiguousarray(queries, np.uint8))
        first = np.searchsorted(built.heads, heads, "left")
        counts = np.searchsorted(built.heads, heads, "right") - first
        found = np.repeat(np.arange(len(heads), dtype=np.int64), counts)
        runs = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = built.order[np.repeat(first, counts) + runs]
        equal = (built.digests[rows] == queries[found]).all(axis=1)
        return found[equal], rows[equal]


@dataclass(frozen=True, slots=True)
class Binary:
    """Hamming distance up to a radius, by FAISS's flat index."""

    bits: int
    radius: int

    def prepare(self, fingerprints: Rows) -> NDArray[np.uint8]:
        """As they are."""
        return np.ascontiguousarray(fingerprints, np.uint8)

    def build(self, rows: Rows) -> faiss.IndexBinaryFlat:
        """The flat index."""
        index = faiss.IndexBinaryFlat(self.bits)
        index.add(np.ascontiguousarray(rows))
        return index

    def rows(self, built: faiss.IndexBinaryFlat) -> NDArray[np.uint8]:
        """Copied out of the index."""
        return np.asarray(faiss.vector_to_array(built.xb)).reshape(-1, self.bits // 8)

    def search(self, built: faiss.IndexBinaryFlat, queries: Rows) -> Pairs:
        """FAISS finds what is nearer than its radius, strictly; ours is inclusive."""
        return _pairs(queries, lambda some: built.range_search(some, self.radius + 1))


@dataclass(frozen=True, slots=True)
class Float:
    """Cosine from a threshold on, by FAISS's flat inner product of unit vectors."""

    dimension: int
    threshold: float

    def prepare(self, fingerprints: Rows) -> NDArray[np.float32]:
        """As they are."""
        return np.ascontiguousarray(fingerprints, np.float32)

    def build(self, rows: Rows) -> faiss.IndexFlatIP:
        """The flat index."""
        index = faiss.IndexFlatIP(self.dimension)
        index.add(np.ascontiguousarray(rows))
        return index

    def rows(self, built: faiss.IndexFlatIP) -> NDArray[np.float32]:
        """Copied out of the index."""
        return np.asarray(built.reconstruct_n(0, built.ntotal), np.float32)

    def search(self, built: faiss.IndexFlatIP, queries: Rows) -> Pairs:
        """FAISS finds what is greater than its radius, strictly; ours is inclusive."""
        below = float(np.nextafter(np.float32(self.threshold), np.float32(-1)))
        return _pairs(queries, lambda some: built.range_search(some, below))


def _heads(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64).ravel()


def _pairs(queries: Rows, search: Callable[[Rows], tuple[Any, Any, Any]]) -> Pairs:
    found, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start, some in _slices(queries):
        limits, _, labels = search(some)
        counts = np.diff(limits.astype(np.int64))
        found.append(np.repeat(np.arange(start, start + len(some), dtype=np.int64), counts))
        rows.append(labels.astype(np.int64))
    return np.concatenate(found), np.concatenate(rows)


def _slices(queries: Rows) -> Iterator[tuple[int, Rows]]:
    for start in range(0, len(queries), QUERIES_AT_A_TIME):
        yield start, np.ascontiguousarray(queries[start : start + QUERIES_AT_A_TIME])
