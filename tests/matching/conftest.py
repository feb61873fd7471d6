"""Small kernels whose answers are known exactly, and boundaries that small data reaches."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from registry.matching import alive, binary, exact, kernels, space_index
from registry.matching.binary import BinaryKernel
from registry.matching.exact import ExactKernel
from registry.matching.floats import FloatKernel
from registry.matching.policies import Thresholds
from registry.matching.threads import one_faiss_thread

one_faiss_thread()  # as in the server: more would wait for each other on data this small


@dataclass(frozen=True)
class Subject:
    """A kernel, fingerprints to draw from, and which of them match, said in another way."""

    name: str
    make: Any
    alphabet: Any
    near: Any = field(repr=False)

    def __str__(self):
        return self.name

    def expected(self, held, queries):
        """Brute force: set of (query, owner). `held` is owner → numbers in the alphabet."""
        return {
            (row, owner)
            for row, query in enumerate(queries)
            for owner, numbers in held.items()
            if any(self.near[query, number] for number in numbers)
        }

    def vectors(self, numbers):
        return self.alphabet[np.array(numbers, np.int64)]


def _exact():
    alphabet = np.zeros((12, 32), np.uint8)
    alphabet[:, 31] = np.arange(12)  # differ in the last byte alone
    return Subject("exact", ExactKernel, alphabet, np.eye(12, dtype=bool))


def _binary(name, width):
    random = np.random.default_rng(1)
    alphabet = np.zeros((16, width), np.uint8)
    for i in range(1, 16):  # each some bits away from another
        bits = np.unpackbits(alphabet[random.integers(i)])
        bits[random.choice(8 * width, random.integers(1, 6), replace=False)] ^= 1
        alphabet[i] = np.packbits(bits)
    bits = np.unpackbits(alphabet, axis=1).astype(int)
    distances = np.abs(bits[:, None] - bits[None]).sum(axis=2)
    assert {3, 4} <= set(distances.ravel())
    return Subject(name, lambda: BinaryKernel(width, 3), alphabet, distances <= 3)


def _float():
    # Unit vectors whose products are exact in binary: multiples of a quarter, many just 0.5.
    halves = np.array(np.meshgrid(*[[-0.5, 0.5]] * 4)).reshape(4, -1).T
    alphabet = np.concatenate([np.eye(4), -np.eye(4), halves]).astype(np.float32)
    similarity = alphabet.astype(np.float64) @ alphabet.T.astype(np.float64)
    assert (similarity == 0.5).any()
    return Subject("float", lambda: FloatKernel(4, Thresholds.at(0.5)), alphabet, similarity >= 0.5)


SUBJECTS = {
    subject.name: subject
    for subject in (_exact(), _binary("binary", 8), _binary("odd binary", 4), _float())
}


@pytest.fixture(params=sorted(SUBJECTS))
def subject(request):
    return SUBJECTS[request.param]


def make_small(patch):
    """Segments of 8 rows, not joined further; tiles of 3 queries and 5 rows, portions of 4 hits."""
    patch.setattr(space_index, "SEGMENT_ROWS", 8)
    patch.setattr(kernels, "TILE_QUERIES", 3)
    patch.setattr(kernels, "TILE_ROWS", 5)
    patch.setattr(exact, "_PORTION", 4)
    patch.setattr(alive, "CHUNK", 8)
    patch.setattr(binary, "JOINED", 1)


@pytest.fixture
def small(monkeypatch):
    make_small(monkeypatch)


def pairs(hits):
    """The set of pairs, having checked their types."""
    rows, owners = hits
    assert rows.dtype == owners.dtype == np.int64
    assert rows.shape == owners.shape
    assert rows.ndim == 1
    return set(zip(rows.tolist(), owners.tolist(), strict=True))


def add(index, owners, vectors, removed=()):
    owners = np.array(owners, np.int64)
    return index.apply(index.rows(owners, vectors), np.array(removed, np.int64))
