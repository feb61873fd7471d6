"""Likeness to the bank: the same however it is asked for, and of what is too much of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import BadFingerprint
from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.spaces import SPACES
from registry.matching import specificity
from registry.matching.packaged_bank import packaged_bank
from registry.matching.policies import NO_BANK
from registry.matching.registry_index import MatchingIndex
from registry.matching.specificity import NO_PICTURES, Bank, Breadth
from tests.support.people import Picture

STEP = 2**-11
"""Between float16 numbers from 0.5 to 1."""


def unit(random, count):
    vectors = random.standard_normal((count, 512)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


CODES = np.packbits(np.arange(256) < np.arange(0, 200, 10)[:, None], axis=1)  # 10 bits apart
BANK = Bank(
    3,
    {"sscd-1": unit(np.random.default_rng(0), 300)},
    {"pdq-1": CODES},
    Breadth(similarity=0.5, radius=31, most=5),
)


def encoded(vectors):
    return tuple(encode_float(vector) for vector in vectors)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 7))
def test_likeness_does_not_depend_on_how_many_are_asked_for_at_once(count, at_once):
    vectors = np.concatenate(
        [
            unit(np.random.default_rng(count), count),
            BANK.vectors["sscd-1"][:3],
            -unit(np.random.default_rng(1), 1),
        ]
    )
    together = BANK.nearest("sscd-1", vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specificity, "_ROWS_AT_A_TIME", at_once)
        portions = BANK.nearest("sscd-1", vectors)
    alone = [BANK.nearest("sscd-1", vector[None])[0] for vector in vectors]
    # Sums in another order may be rounded to the float16 beside.
    assert np.abs(together - portions).max() <= STEP
    assert np.abs(together - alone).max() <= STEP
    assert (together.astype(np.float16) == together).all()
    plain = (vectors.astype(np.float64) @ BANK.vectors["sscd-1"].T.astype(np.float64)).max(axis=1)
    assert np.allclose(together, plain, atol=1e-3)
    assert together[count : count + 3].tolist() == [1.0] * 3
    assert (np.abs(together) <= 1).all()


def test_a_space_without_a_bank_is_like_nothing():
    assert (BANK.nearest("face-1", np.ones((2, 128), np.float32)) == NO_BANK).all()
    assert BANK.nearest("sscd-1", np.empty((0, 512), np.float32)).shape == (0,)
    assert (NO_PICTURES.nearest("sscd-1", unit(np.random.default_rng(1), 2)) == NO_BANK).all()


def test_a_record_is_measured_in_the_spaces_that_have_a_bank():
    vectors = unit(np.random.default_rng(4), 2)
    fingerprints = {
        "sha256": (bytes(32),),
        "pdq-1": (bytes(32),),
        "sscd-1": encoded(vectors),
        "face-1": (encode_float(np.arange(1, 129, dtype=np.float32)),),
    }
    measured = BANK.measure(fingerprints)
    assert set(measured) == {"sscd-1"}
    stored = decode_floats(b"".join(fingerprints["sscd-1"]), SPACES["sscd-1"])
    assert list(measured["sscd-1"]) == BANK.nearest("sscd-1", stored).tolist()
    assert NO_PICTURES.measure(fingerprints) == {}


def test_an_index_measures_what_comes_without_measures():
    vectors = unit(np.random.default_rng(4), 3)
    index = MatchingIndex(bank=BANK)
    one, two = ({"sscd-1": encoded(vectors[i : i + 1])} for i in (0, 1))
    both = {"sha256": (bytes(32),), "sscd-1": encoded(vectors[1:3])}
    index.apply([(0, one, {"sscd-1": (0.25,)}), (1, both, None), (2, two, {})], [])
    view = index.apply([(3, {"sha256": (bytes(32),)}, None)], [])
    (segment,) = view.spaces["sscd-1"].segments
    expected = [0.25, *BANK.measure(both)["sscd-1"], -1.0]
    assert segment.nearest[:, 0].tolist() == expected


@pytest.mark.parametrize(("likeness", "generic"), [(0.49, False), (0.51, True), (0.9, True)])
def test_what_resembles_more_pictures_than_it_may_is_too_generic(likeness, generic):
    """Six pictures, all so alike to the record."""
    kind = unit(np.random.default_rng(7), 1)[0]
    others = unit(np.random.default_rng(8), 6)
    others -= np.outer(others @ kind, kind)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    pictures = (likeness * kind + np.sqrt(1 - likeness**2) * others).astype(np.float32)
    unrelated = unit(np.random.default_rng(9), 50)
    for count in (5, 6):
        bank = Bank(1, {"sscd-1": np.concatenate([pictures[:count], unrelated])}, {}, BANK.breadth)
        expected = ["sscd-1"] if generic and count == 6 else []
        assert bank.too_generic({"sscd-1": encoded([kind])}) == expected
        # one of two fingerprints is enough
        assert bank.too_generic({"sscd-1": encoded([unrelated[0] * -1, kind])}) == expected


def test_codes_count_up_to_the_radius():
    assert BANK.too_generic({"pdq-1": (CODES[10].tobytes(),)}) == [
        "pdq-1"
    ]  # 0, 10, 20, 30 each way
    assert BANK.too_generic({"pdq-1": (CODES[0].tobytes(),)}) == []  # one side only: four
    away = CODES[10] ^ np.packbits(np.arange(256) >= 200)
    assert BANK.too_generic({"pdq-1": (away.tobytes(),)}) == []


def test_what_has_no_bank_is_never_too_generic():
    fingerprints = {"sha256": (bytes(32),), "url-1": (bytes(32),), "pdq-1": (bytes(32),)}
    assert NO_PICTURES.too_generic(fingerprints) == []
    assert BANK.too_generic({"sha256": (bytes(32),)}) == []


@pytest.mark.parametrize("bad", [bytes(1024), b"\x00\x7e" * 512, b"\x00\x7c" * 512])
def test_what_is_no_vector_is_refused(bad):
    for measure in (BANK.measure, BANK.too_generic):
        with pytest.raises(BadFingerprint):
            measure({"sscd-1": (bad,)})


def test_a_bank_shows_nothing_of_its_pictures():
    assert "array" not in repr(BANK)


def test_examining_is_both_at_once():
    bank = packaged_bank()
    for seed in range(5):
        made = Picture(seed).fingerprints
        assert bank.examine(made) == (bank.too_generic(made), bank.measure(made))
