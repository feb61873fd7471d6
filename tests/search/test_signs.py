"""How often sign codes pass over a pair that matches: the formula, against pairs drawn by hand."""

import math

import numpy as np
import pytest

from consent_client.search.signs import BITS, LENGTHS, SLACK, radii


def drawn(random, dimension, cosine, pairs):
    """int64[pairs, len(LENGTHS)]: in how many bits two vectors differ, over random frames.

    The same as rotating them at random: both vectors are drawn uniformly, at that cosine.
    """
    differ = []
    for _ in range(math.ceil(BITS / dimension)):
        first, second = random.standard_normal((2, pairs, dimension))
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second -= (first * second).sum(axis=1, keepdims=True) * first
        second /= np.linalg.norm(second, axis=1, keepdims=True)
        other = cosine * first + np.sqrt(1 - cosine**2) * second
        differ.append((first > 0) != (other > 0))
    counts = np.cumsum(np.concatenate(differ, axis=1), axis=1)
    return counts[:, [64 * length - 1 for length in LENGTHS]]


@pytest.mark.parametrize("dimension", [64, 128, 512, 768])
@pytest.mark.parametrize("cosine", [0.1, 0.5, 0.75, 0.98])
def test_radii_lie_as_far_out_as_they_should(dimension, cosine):
    """By mean and deviation of drawn pairs; the deviation of 4,000 is known to 3 %."""
    counts = drawn(np.random.default_rng(dimension), dimension, cosine, 4_000)
    for column, length in enumerate(LENGTHS):
        radius = int(radii(np.array([cosine], np.float32), length, dimension)[0])
        away = (radius - counts[:, column].mean()) / counts[:, column].std()
        assert SLACK - 0.2 < away < SLACK + 1.5
        assert (counts[:, column] > radius).sum() <= 1


def test_radii_at_their_ends():
    thresholds = np.array([-np.inf, -1, 0, 1e-6, 1, 1.5, np.inf], np.float32)
    for length in LENGTHS:
        found = radii(thresholds, length, 512)
        assert (found[:3] == 64 * length).all()
        assert found[3] < 64 * length
        assert (np.diff(found.astype(int)) <= 0).all()
        assert found[-1] <= 64 * length // 8  # the same direction, up to rounding


def test_radii_shrink_with_the_threshold():
    thresholds = np.linspace(0.01, 1, 200, dtype=np.float32)
    for length in LENGTHS:
        assert (np.diff(radii(thresholds, length, 128).astype(int)) <= 0).all()
