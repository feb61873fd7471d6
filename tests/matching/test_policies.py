"""A record matches from its own threshold on; the larger the registry, the stricter it is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import UnknownSpace
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.spaces import SPACES, Kind
from registry.matching.policies import (
    BEYOND,
    BY_SIZE,
    Band,
    Policy,
    Thresholds,
    least_thresholds,
    policy_for,
)
from registry.matching.registry_index import MatchingIndex

from .conftest import pairs

SIMILARITIES = st.floats(-1, 1, width=32)
ALL = (*(policy for _, policy in BY_SIZE), BEYOND)


@st.composite
def thresholds(draw):
    ends = sorted(draw(st.sets(SIMILARITIES, max_size=3)))
    bands = []
    for end in (*ends, 1.5):
        floor, ceiling = sorted((draw(SIMILARITIES), draw(SIMILARITIES)))
        bands.append(Band(end, floor, draw(st.floats(0, 2)), ceiling))
    return Thresholds(tuple(bands))


@given(thresholds(), st.lists(SIMILARITIES, min_size=1))
def test_a_record_takes_the_first_band_it_fits(rule, nearest):
    nearest = np.array(nearest, np.float32)
    found = rule.of(nearest)
    assert found.dtype == np.float32
    for near, threshold in zip(nearest, found, strict=True):
        band = next(band for band in rule.bands if near <= np.float32(band.up_to))
        plain = min(max(near + np.float32(band.margin), band.floor), band.ceiling)
        assert threshold == pytest.approx(plain, abs=1e-6)
        assert threshold >= np.float32(rule.least)


@pytest.mark.parametrize(
    "bands",
    [
        (),
        (Band(0.5, 0.5, 0.1), Band(0.5, 0.5, 0.1)),
        (Band(0.6, 0.5, 0.1), Band(0.5, 0.5, 0.1)),
        (Band(1.0, 0.5, -0.1),),
        (Band(1.0, 0.9, 0.1, 0.8),),
        (Band(1.0, -1.1, 0.1),),
        (Band(1.0, 0.5, 0.1, 1.1),),
        (Band(1.0, float("nan"), 0.1),),
        (Band(1.0, 0.5, float("nan")),),
        (Band(float("nan"), 0.5, 0.1), Band(1.0, 0.5, 0.1)),
    ],
)
def test_what_says_nothing_definite_is_refused(bands):
    with pytest.raises(ValueError, match="band"):
        Thresholds(bands)


@given(st.lists(SIMILARITIES, min_size=1), st.integers(0, 10**8), st.integers(0, 10**8))
def test_a_larger_registry_never_matches_more(nearest, one, other):
    small, large = (policy_for(size, 0.5) for size in sorted((one, other)))
    nearest = np.array(nearest, np.float32)
    for space_id in small.spaces:
        lower = small.spaces[space_id].of(nearest)
        assert (lower <= large.spaces[space_id].of(nearest)).all()
        assert (least_thresholds(SPACES[space_id]).of(nearest) <= lower).all()


@given(st.lists(SIMILARITIES, min_size=2).map(sorted))
def test_what_is_more_like_the_bank_never_matches_more(nearest):
    for policy in ALL:
        found = policy.spaces["sscd-1"].of(np.array(nearest, np.float32))
        assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize(
    ("records", "name"),
    [
        (0, "small"),
        (10_000, "small"),
        (10_001, "medium"),
        (1_000_000, "medium"),
        (1_000_001, "beyond"),
    ],
)
def test_the_policy_goes_by_the_number_of_records(records, name):
    assert policy_for(records, 0.5).name == name


def test_policies_say_something_of_every_float_space():
    floats = {space.id for space in SPACES.values() if space.kind is Kind.FLOAT}
    for records in (0, 10**5, 10**7):
        policy = policy_for(records, 0.625)
        assert set(policy.spaces) == floats
        assert policy.thresholds("face-1") == Thresholds.at(0.625)
        assert policy.thresholds("pdq-1") is None
        assert policy.thresholds("sha256") is None
    with pytest.raises(UnknownSpace):
        Policy("without faces", 1, {}).thresholds("face-1")


def at(similarity, towards=1):
    """A vector that is this similar to the first axis."""
    vector = np.zeros(512, np.float32)
    vector[0] = similarity
    vector[towards] = np.sqrt(1 - similarity**2)
    return vector


@pytest.mark.parametrize("removed", [[], [2]])
@pytest.mark.parametrize("joined", [False, True])
def test_each_record_is_held_to_its_own_threshold(removed, joined):
    """Records alike in all but what they resemble in the bank; the answer differs by that alone."""
    near = {0: -1.0, 1: 0.25, 2: 0.375, 3: 0.4375, 4: 0.875}
    same = (encode_float(at(1)),)
    index = MatchingIndex()
    for i, nearest in near.items():
        index.apply([(i, {"sscd-1": same}, {"sscd-1": [nearest]})], [])
    view = index.apply([], removed)
    if joined:
        view = index.compact()
    asked = np.linspace(0.40, 1.0, 61, dtype=np.float32)
    queries = np.stack([at(similarity) for similarity in asked])
    for records in (0, 10**5):
        policy = policy_for(records, 0.5)
        found = set().union(*map(pairs, view.portions("sscd-1", queries, policy)))
        expected = {
            (row, owner)
            for row, owner in itertools.product(range(len(asked)), near)
            if owner not in removed
            and asked[row] >= policy.spaces["sscd-1"].of(np.float32([near[owner]]))[0]
        }
        assert found == expected
        assert len({owner for _, owner in found}) == len(near) - len(removed)


def test_no_similarity_comes_out():
    """Neither beside the hits, nor by their order."""
    view = MatchingIndex().apply(
        [(i, {"sscd-1": (encode_float(at(1)),)}, {}) for i in range(3)], []
    )
    queries = np.stack([at(similarity) for similarity in (0.6, 0.9, 0.7)])
    for portion in view.portions("sscd-1", queries, policy_for(0, 0.5)):
        assert [array.dtype for array in portion] == [np.int64, np.int64]
    rows, _ = view.search("sscd-1", queries)
    assert rows.tolist() == sorted(rows.tolist())


def test_what_is_nearest_must_be_said_of_each_fingerprint_or_none():
    index = MatchingIndex()
    two = {"sscd-1": (encode_float(at(1)), encode_float(at(0.5)))}
    for nearest in ([], [0.5], [0.5] * 3, [1.5, 0.0], [float("nan"), 0.0]):
        with pytest.raises(ValueError, match="nearest"):
            index.apply([(0, two, {"sscd-1": nearest})], [])
    # one too many here and one too few there are no right number together
    wrong = [(0, two, {"sscd-1": [0.5]}), (1, two, {"sscd-1": [0.5] * 3})]
    with pytest.raises(ValueError, match="nearest"):
        index.apply(wrong, [])
    assert index.view.spaces["sscd-1"].live == 0


def test_records_with_vectors_are_counted_not_their_vectors():
    index = MatchingIndex()
    two = {"sscd-1": (encode_float(at(1)), encode_float(at(0.5)))}
    index.apply([(i, two, {}) for i in range(5)], [])
    view = index.apply([(5, {"pdq-1": (bytes(32),)}, {})], [3])
    assert view.spaces["sscd-1"].live == 8
    assert view.spaces["sscd-1"].live_owners == 4
    assert index.compact().spaces["sscd-1"].live_owners == 4
    assert MatchingIndex().view.spaces["sscd-1"].live_owners == 0
