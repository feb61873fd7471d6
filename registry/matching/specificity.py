"""How much like other pictures a picture is: its likeness to a bank of public ones.

A record of a page of text resembles every page of text, one of a landscape hardly anything. What it
resembles in the bank says from which similarity on a match means that it *is* the picture (see
`policies`), and what resembles a good part of the bank is no picture that one person's statement
can be about. The bank holds fingerprints only, of public pictures (docs/specificity.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.fingerprints import Fingerprints, decode_kept_floats
from consent_client.protocol.spaces import SPACES, Kind
from registry.matching.policies import NO_BANK

type Nearest = Mapping[str, Sequence[float]]
"""Space → of each fingerprint there, how alike the nearest picture of the bank is, -1 to 1. A space
that has no bank is not there."""

_ROWS_AT_A_TIME: Final = 4_096

# Codes are compared 64 bits at a time.
_WORDS: Final = np.uint64

# Fewer vectors than this are compared one by one.
_FEW: Final = 16
"""Vectors compared with the bank at once: 64 MB of products with 4,000 pictures."""


@dataclass(frozen=True, slots=True)
class Breadth:
    """What is too generic to be registered.

    Attributes:
        similarity: a picture of the bank that is at least so similar counts, in a float space.
        radius: likewise one that is at most so many bits away, in a binary space.
        most: how many may count.
    """

    similarity: float
    radius: int
    most: int


BREADTH: Final = Breadth(similarity=0.50, radius=31, most=80)
"""So many at most as a picture resembles that was not drawn by a script (docs/specificity.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Fingerprints of public pictures.

    Attributes:
        version: which bank; 0 where it is empty.
        vectors: float space → float32[n, dimension] of norm 1.
        codes: binary space → uint8[n, bytes].
        breadth: how much of it a record may resemble.
    """

    version: int
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)
    codes: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    breadth: Breadth = BREADTH

    def nearest(self, space_id: str, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """How alike the nearest picture of the bank is.

        Args:
            space_id: a float space.
            vectors: float32[n, dimension] of norm 1.

        Returns:
            float32[n], each a float16's value, as it is stored; `NO_BANK` in a space without a
            bank.
        """
        bank = self.vectors.get(space_id)
        if bank is None:
            return np.full(len(vectors), NO_BANK)
        found = [
            _products(vectors[start : start + _ROWS_AT_A_TIME], bank).max(axis=1)
            for start in range(0, len(vectors), _ROWS_AT_A_TIME)
        ]
        greatest = np.concatenate(found) if found else np.empty(0, np.float32)
        return _as_stored(greatest)

    def measure(self, fingerprints: Fingerprints) -> Nearest:
        """What is nearest to a record's fingerprints in each space that has a bank.

        Raises:
            BadFingerprint: a vector that is none.
        """
        return {
            space_id: tuple(self.nearest(space_id, _floats(space_id, values)).tolist())
            for space_id, values in fingerprints.items()
            if space_id in self.vectors
        }

    def examine(self, fingerprints: Fingerprints) -> tuple[list[str], Nearest]:
        """`too_generic` and `measure` at once, in hardly more time than one of them.

        Raises:
            BadFingerprint: a vector that is none.
        """
        generic = []
        nearest: dict[str, tuple[float, ...]] = {}
        for space_id, values in sorted(fingerprints.items()):
            if space_id in self.vectors:
                products = _products(_floats(space_id, values), self.vectors[space_id])
                alike = _count(products >= np.float32(self.breadth.similarity))
                nearest[space_id] = tuple(_as_stored(products.max(axis=1)).tolist())
            else:
                alike = self._alike(space_id, values)
            if (alike > self.breadth.most).any():
                generic.append(space_id)
        return generic, nearest

    def too_generic(self, fingerprints: Fingerprints) -> list[str]:
        """The spaces in which a fingerprint of a record resembles too much of the bank.

        Raises:
            BadFingerprint: a vector that is none.
        """
        return [
            space_id
            for space_id, values in sorted(fingerprints.items())
            if (self._alike(space_id, values) > self.breadth.most).any()
        ]

    def _alike(self, space_id: str, values: Sequence[bytes]) -> NDArray[np.int64]:
        """int64[n]: how many pictures of the bank each fingerprint resembles."""
        if space_id in self.vectors:
            products = _products(_floats(space_id, values), self.vectors[space_id])
            return _count(products >= np.float32(self.breadth.similarity))
        if space_id in self.codes:
            codes = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
            return _count(_distances(codes, self.codes[space_id]) <= self.breadth.radius)
        return np.zeros(len(values), np.int64)


NO_PICTURES: Final = Bank(0, MappingProxyType({}), MappingProxyType({}))
"""A bank in which nothing is near anything."""


def _as_stored(similarities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Similarities as they are kept beside a record: a float16's value each."""
    return np.clip(similarities, -1, 1).astype(np.float16).astype(np.float32)


def _products(vectors: NDArray[np.float32], bank: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[n, pictures]: each vector with each of the bank's.

    A record has a few vectors. For so thin a product the BLAS wakes its threads, which on a busy
    machine wait for each other for up to thirty times as long as the product takes; for a row at a
    time it does not.
    """
    if len(vectors) > _FEW:
        return vectors @ bank.T
    products = np.empty((len(vectors), len(bank)), np.float32)
    for row, vector in zip(products, vectors, strict=True):
        np.vecdot(bank, vector, out=row)
    return products


def _distances(codes: NDArray[np.uint8], bank: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """uint16[n, pictures]: bits that differ.

    Word by word: numpy is slow where it adds up four numbers at a time.
    """
    distances = np.zeros((len(codes), len(bank)), np.uint16)
    for ours, theirs in zip(codes.view(_WORDS).T, bank.view(_WORDS).T, strict=True):
        distances += np.bitwise_count(ours[:, None] ^ theirs)
    return distances


def _count(near: NDArray[np.bool_]) -> NDArray[np.int64]:
    return near.sum(axis=1, dtype=np.int64)


def _floats(space_id: str, values: Sequence[bytes]) -> NDArray[np.float32]:
    space = SPACES[space_id]
    assert space.kind is Kind.FLOAT  # noqa: S101 (so is every space that has vectors)
    return decode_kept_floats(b"".join(values), space)
