"""All spaces together: one view, one log size."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import BadFingerprint, ProtocolError, UnknownSpace
from consent_client.protocol.fingerprints import check_fingerprints, encode_float
from consent_client.protocol.spaces import SPACES, Kind, Space
from registry.matching.policies import policy_for
from registry.matching.registry_index import MatchingIndex
from registry.matching.threads import one_faiss_thread

from .conftest import pairs

SMALL = policy_for(0, 0.50)


def record(seed, pdqs=8, sscds=2):
    random = np.random.default_rng(seed)
    return {
        "sha256": (random.bytes(32),),
        "url-1": (random.bytes(32), random.bytes(32)),
        "pdq-1": tuple(random.bytes(32) for _ in range(pdqs)),
        "sscd-1": tuple(
            encode_float(random.standard_normal(512).astype(np.float32)) for _ in range(sscds)
        ),
    }


def added(records):
    """As `apply` takes them, where nothing is near the bank."""
    return [(index, fingerprints, {}) for index, fingerprints in records.items()]


def query(space_id, *fingerprints):
    data = b"".join(fingerprints)
    space = SPACES[space_id]
    if space.kind is Kind.FLOAT:
        return np.frombuffer(data, "<f2").reshape(-1, space.dimension).astype(np.float32)
    return np.frombuffer(data, np.uint8).reshape(-1, 32)


def owners(view, fingerprints):
    """Who is found by each fingerprint of an image: one set per space and fingerprint."""
    return [
        {owner for _, owner in pairs(view.search(space_id, query(space_id, fingerprint)))}
        for space_id, values in fingerprints.items()
        for fingerprint in values
    ]


def test_a_record_is_found_by_each_of_its_fingerprints_in_its_space_alone():
    index = MatchingIndex()
    records = {i: record(i) for i in (0, 3, 4)}
    view = index.apply(added(records), [])
    for i, fingerprints in records.items():
        assert owners(view, fingerprints) == [{i}] * 13
    stranger = record(99)
    assert owners(view, stranger) == [set()] * 13
    # the bytes of one space mean nothing in another
    assert pairs(view.search("url-1", query("sha256", records[0]["sha256"][0]))) == set()


def test_a_record_without_a_space_is_found_in_its_others():
    index = MatchingIndex()
    view = index.apply(added({0: {"sha256": (bytes(32),)}, 1: {"pdq-1": (bytes(32),)}}), [])
    assert pairs(view.search("sha256", query("sha256", bytes(32)))) == {(0, 0)}
    assert pairs(view.search("pdq-1", query("pdq-1", bytes(32)))) == {(0, 1)}
    assert view.spaces["sscd-1"].live == 0
    view = index.apply([], [0])
    assert view.spaces["sha256"].live == 0


def test_an_empty_index_finds_nothing():
    view = MatchingIndex().view
    assert owners(view, record(1)) == [set()] * 13
    for space_id in SPACES:
        empty = query(space_id)
        rows, found = view.search(space_id, empty)
        assert rows.shape == found.shape == (0,)


def test_removed_records_are_found_by_earlier_views_only():
    index = MatchingIndex()
    before = index.apply(added({i: record(i) for i in range(5)}), [])
    after = index.apply([(5, record(5), {})], [1, 4, 77])
    assert index.view is after
    for i in range(6):
        assert owners(before, record(i)) == [{i} if i < 5 else set()] * 13
        assert owners(after, record(i)) == [set() if i in (1, 4) else {i}] * 13
        compacted = index.compact()
        assert owners(compacted, record(i)) == owners(after, record(i))


def test_portions_together_are_the_search():
    view = MatchingIndex().apply(added(dict.fromkeys(range(4), record(0))), [])
    for space_id, values in record(0).items():
        vectors = query(space_id, *values)
        portions = view.portions(space_id, vectors, SMALL)
        assert set().union(*map(pairs, portions)) == pairs(view.search(space_id, vectors))


def test_an_unknown_space_is_refused():
    view = MatchingIndex().view
    vectors = np.zeros((1, 128), np.float32)
    with pytest.raises(UnknownSpace):
        view.search("face-2", vectors)
    with pytest.raises(UnknownSpace):
        view.portions("face-2", vectors, SMALL)


@pytest.mark.parametrize(
    ("space_id", "bad"),
    [
        ("sha256", bytes(31)),
        ("sha256", b""),
        ("pdq-1", bytes(33)),
        ("sscd-1", bytes(1023)),
        ("sscd-1", bytes(1024)),  # norm 0
        ("sscd-1", b"\x00\x7e" + bytes(1022)),  # a NaN
        ("sscd-1", b"\x00\x7c" + bytes(1022)),  # infinite
        ("sscd-1", b"\x00\x40" + bytes(1022)),  # norm 2
    ],
)
def test_a_bad_fingerprint_changes_nothing_in_any_space(space_id, bad):
    index = MatchingIndex()
    before = index.apply([(0, record(0), {})], [])
    spoilt = {**record(1), space_id: (*record(1)[space_id], bad)}
    with pytest.raises(BadFingerprint):
        index.apply([(1, record(1), {}), (2, spoilt, {})], [0])
    assert index.view is before
    assert owners(before, record(0)) == [{0}] * 13
    view = index.apply([(1, record(1), {})], [])
    assert owners(view, record(1)) == [{1}] * 13


def test_fingerprints_whose_lengths_only_agree_together_are_refused():
    with pytest.raises(BadFingerprint):
        MatchingIndex().apply(added({0: {"pdq-1": (bytes(31), bytes(33))}}), [])


def test_register_indices_out_of_order_change_nothing():
    index = MatchingIndex()
    before = index.apply([(5, record(5), {})], [])
    for added in (
        [(5, record(1), {})],
        [(4, record(1), {})],
        [(7, record(1), {}), (6, record(2), {})],
    ):
        with pytest.raises(ValueError, match="ascend"):
            index.apply(added, [5])
        assert index.view is before


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(SPACES)), st.lists(st.binary(max_size=1100), max_size=3))
)
def test_any_fingerprints_give_the_typed_error_or_none(fingerprints):
    index = MatchingIndex()
    try:
        index.apply([(0, fingerprints, {})], [])
    except ProtocolError:
        assert all(space.live == 0 for space in index.view.spaces.values())


def test_a_space_that_does_not_say_what_matches_is_refused():
    for wrong in (
        Space("x", Kind.BINARY, 256, None, None, ""),
        Space("x", Kind.FLOAT, 128, None, None, ""),
        Space("x", Kind.EXACT, 512, None, None, ""),
    ):
        with pytest.raises(ValueError, match="what matches"):
            MatchingIndex({"x": wrong})


def test_more_spaces_need_no_change_here():
    face = Space("face-1", Kind.FLOAT, 128, None, 0.50, "other photos of the person")
    index = MatchingIndex({"face-1": face})
    vector = np.zeros(128, np.float32)
    vector[0] = 1
    view = index.apply(added({7: {"face-1": (encode_float(vector),)}}), [])
    assert pairs(view.search("face-1", vector[None])) == {(0, 7)}


def test_one_view_holds_one_moment_in_all_spaces():
    """While records come and go, a reader never sees one in some of its spaces only."""
    index = MatchingIndex()
    records = {i: record(i, pdqs=1, sscds=1) for i in range(60)}
    wrong, done, answered = [], threading.Event(), []

    def read(seed):
        one_faiss_thread()
        choose = np.random.default_rng(seed)
        while not done.is_set():
            view = index.view
            i = int(choose.integers(60))
            found = owners(view, records[i])
            if found not in ([{i}] * 5, [set()] * 5):
                wrong.append(found)
            answered.append(1)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for i in range(60):
        index.apply([(i, records[i], {})], [i - 3] if i >= 3 else [])
        if i % 10 == 0:
            index.compact()
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert answered


def test_memory_per_record_is_as_stated():
    """A record with one sha256, eight pdq and two sscd: 40 + 320 + 4,120 bytes."""
    index = MatchingIndex()
    fingerprints = {name: values for name, values in record(0).items() if name != "url-1"}
    view = index.apply(added(dict.fromkeys(range(100), fingerprints)), [])
    held = {
        name: sum(s.rows.nbytes + s.nearest.nbytes + s.owners.nbytes for s in space.segments) // 100
        for name, space in view.spaces.items()
    }
    assert held == {"sha256": 40, "pdq-1": 320, "sscd-1": 4_120, "url-1": 0, "face-1": 0}


def test_a_record_at_the_bound_of_the_norm_is_read_by_another_machine_too():
    """What was taken here may be a hair beyond the bound there: no log must end for that."""
    unit = np.eye(1, SPACES["sscd-1"].dimension, dtype=np.float64)[0]
    beyond = (unit * 1.0203).astype("<f2").tobytes()
    with pytest.raises(BadFingerprint):
        check_fingerprints({"sscd-1": (beyond,)})
    view = MatchingIndex().apply(added({7: {"sscd-1": (beyond,)}}), [])
    _, owners = view.search("sscd-1", unit.astype(np.float32)[None])
    assert set(owners) == {7}
