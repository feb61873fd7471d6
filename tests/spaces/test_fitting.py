"""Codings of an operator's own spaces: fitted, measured, and refused where they tell too little."""

import io
from dataclasses import replace

import numpy as np
import pytest

from consent_client.protocol.own_spaces import read_space_file, with_coding
from consent_client.snapshots.codings import FloatCoding, read_float_coding, top_share
from registry.errors import ConfigurationError
from registry.services.snapshots import check_fitted
from registry.space_fitting import LEAST_PAIRS, LEAST_SAMPLE, fit
from tests.protocol.test_own_spaces import GOOD, _bytes

DIMENSION = 96
BITS = 64
SPACE = read_space_file(_bytes({**GOOD, "dimension": DIMENSION, "threshold": 0.95}))


@pytest.fixture(scope="module")
def sample():
    """float32[2000, 96]: coloured and off centre, as embeddings are."""
    drawn = np.random.default_rng(11)
    mix = (
        drawn.standard_normal((DIMENSION, DIMENSION)) / np.arange(1, DIMENSION + 1)[:, None] ** 0.5
    )
    vectors = drawn.standard_normal((LEAST_SAMPLE, DIMENSION)) @ mix + 1.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(sample):
    return fit(SPACE, sample, bits=BITS)


def _halves(vectors):
    return np.ascontiguousarray(vectors.astype("<f2")).view(np.uint8)


def test_a_fitted_coding_is_white_and_finds_what_it_states(sample, fitted):
    assert fitted.recall >= 0.99
    assert fitted.false_pair <= 1e-3
    assert top_share(fitted.coding, _halves(sample)) <= 1.5
    assert not fitted.edits
    assert fitted.matching > LEAST_PAIRS


def test_what_is_written_is_read_again_as_the_same_coding(sample, fitted):
    coding, _ = fitted.files()
    again = read_float_coding(DIMENSION, coding)
    assert (again.codes(_halves(sample)) == fitted.coding.codes(_halves(sample))).all()
    named = read_space_file(
        with_coding(_bytes({**GOOD, "dimension": DIMENSION}), fitted.described())
    )
    assert named.coding is not None
    assert named.coding.radius == fitted.radius


def test_measured_pairs_choose_the_radius(sample, fitted):
    """Edits that change next to nothing need a smaller one."""
    drawn = np.random.default_rng(5)
    near = sample + drawn.standard_normal(sample.shape).astype(np.float32) * 0.003
    given = fit(SPACE, sample, np.stack([sample, near], axis=1), bits=BITS)
    assert given.edits
    assert given.radius < fitted.radius


def test_fitting_twice_gives_the_same_bytes(sample, fitted):
    assert fit(SPACE, sample, bits=BITS).files() == fitted.files()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("too few vectors", lambda sample: sample[:-1]),
        ("another dimension", lambda sample: sample[:, :-1]),
        ("whole numbers", lambda sample: (sample * 100).astype(np.int32)),
        ("a zero", lambda sample: np.where(np.arange(len(sample))[:, None] == 7, 0, sample)),
        ("not a number", lambda sample: np.where(sample == sample[0, 0], np.nan, sample)),
        ("one picture over and over", lambda sample: np.repeat(sample[:1], len(sample), axis=0)),
        ("few directions", lambda sample: _flattened(sample, BITS - 1)),
    ],
)
def test_a_sample_that_says_too_little_is_refused(sample, name, change):
    with pytest.raises(ConfigurationError):
        fit(SPACE, change(sample), bits=BITS)


def _flattened(sample, directions):
    flat = sample.copy()
    flat[:, directions:] = 0
    return flat


def test_a_threshold_at_which_codes_tell_nothing_is_refused(sample):
    with pytest.raises(ConfigurationError, match="too little"):
        fit(replace(SPACE, threshold=0.6), sample - sample.mean(axis=0), bits=BITS)


def test_publishing_refuses_a_coding_that_is_not_white(fitted):
    _, public = fitted.files()
    check_fitted(SPACE, fitted.coding, public)
    rows = fitted.coding.rows.copy()
    rows[1:20] = rows[0]
    with pytest.raises(ConfigurationError, match="not white"):
        check_fitted(SPACE, FloatCoding(rows, fitted.coding.offsets), public)
    for nothing in (
        b"",
        b"PK",
        _saved(covariance=np.zeros((DIMENSION, DIMENSION))),
        _saved(mean=1),
    ):
        with pytest.raises(ConfigurationError, match="not white"):
            check_fitted(SPACE, fitted.coding, nothing)


def _saved(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()
