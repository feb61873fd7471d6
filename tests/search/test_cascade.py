"""What the cascade finds: all that reaches its row's threshold, and nothing else."""

import numpy as np
import pytest

from consent_client.search.cascade import Cascade


def unit(random, count, dimension):
    vectors = random.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(vectors, cosines, random):
    """For each vector one at about this cosine to it."""
    other = unit(random, *vectors.shape).astype(np.float64)
    other -= (other * vectors).sum(axis=1, keepdims=True) * vectors
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    cosines = np.asarray(cosines)[:, None]
    return (cosines * vectors + np.sqrt(1 - cosines**2) * other).astype(np.float32)


def pairs(found):
    queries, rows, scores = found
    assert queries.dtype == rows.dtype == np.int64
    assert scores.dtype == np.float32
    together = list(zip(queries.tolist(), rows.tolist(), strict=True))
    assert len(set(together)) == len(together)
    return set(together)


def expected(vectors, thresholds, queries, margin=0.0):
    """Brute force in float64."""
    products = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return set(
        zip(*(each.tolist() for each in np.nonzero(products >= thresholds + margin)), strict=True)
    )


@pytest.mark.parametrize("dimension", [4, 16, 100, 128, 512, 768])
@pytest.mark.parametrize("rows", [0, 1, 7, 9, 511, 1_300])
def test_finds_what_brute_force_finds(dimension, rows):
    random = np.random.default_rng(dimension * 10_000 + rows)
    vectors = unit(random, rows, dimension)
    thresholds = random.choice(np.array([-2, 0.3, 0.5, 0.75, 0.98, 2], np.float32), rows)
    queries = unit(random, 40, dimension)
    if rows:
        alike = vectors[random.integers(0, rows, 200)]
        queries = np.concatenate([queries, near(alike, random.uniform(0.2, 1, 200), random)])
    found = pairs(Cascade.build(vectors, thresholds).search(queries))
    assert expected(vectors, thresholds, queries, 1e-5) <= found
    assert found <= expected(vectors, thresholds, queries, -1e-5)
