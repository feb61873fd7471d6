"""Chains of publications: what they lead to, how much changes, and what they tell of members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.protocol.spaces import SPACES, Kind
from consent_client.snapshots import code_sets
from consent_client.snapshots.codings import coding_of, in_snapshots
from consent_client.snapshots.manifest import MILLION
from consent_client.snapshots.parts import change
from registry.snapshots.plans import (
    FALSE_SHARE,
    LEAST_CHANGES,
    LEAST_EXACT,
    MOST_DELTAS,
    Contents,
    base,
    dummies_in,
    padded_size,
    plan,
    rebuilt,
)

SECRET = bytes(range(32))


def fingerprints(seeds):
    """Of one record for each seed, in every space."""
    rows = {}
    for space in in_snapshots():
        drawn = [np.random.default_rng([seed, len(space.id)]) for seed in sorted(seeds)]
        if space.kind is Kind.FLOAT:
            values = [rng.standard_normal(space.dimension) for rng in drawn]
            data = [(value / np.linalg.norm(value)).astype("<f2").tobytes() for value in values]
        else:
            data = [rng.bytes(space.size) for rng in drawn]
        rows[space.id] = np.frombuffer(b"".join(data), np.uint8).reshape(-1, space.size)
    return rows


def applied(contents, planned):
    """What a client has that applies a plan's changes to what it had."""
    codes = {}
    for name, changed in planned.changes.items():
        empty = code_sets.empty(changed.added.shape[1])
        before = empty if planned.is_base or contents is None else contents.codes[name]
        codes[name] = changed.applied_to(before)
    return codes or contents.codes


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 400), max_size=40), st.sets(st.integers(0, 400))),
        min_size=1,
        max_size=4,
    )
)
def test_every_chain_leads_to_what_a_full_rebuild_gives(steps):
    active, contents, deltas = set(), None, 0
    for come, gone in steps:
        active = (active | come) - gone
        registered = fingerprints(active)
        planned = plan(registered, SECRET, contents, deltas)
        codes = applied(contents, planned)
        deltas = 0 if planned.is_base else deltas + 1
        contents = planned.contents
        dummies = {name: dummies_in(contents, SECRET, name) for name in codes}
        again = rebuilt(registered, SECRET, contents.bits, dummies)
        for name, bits in contents.bits.items():
            assert code_sets.digest(name, bits, codes[name]) == code_sets.digest(
                name, bits, again[name]
            )


def test_a_delta_changes_enough_in_every_space_or_nothing_in_any():
    first = plan(fingerprints(range(20)), SECRET, None, 0)
    one_more = plan(fingerprints(range(21)), SECRET, first.contents, 0)
    assert not one_more.is_base
    assert set(one_more.changes) == {space.id for space in in_snapshots()}
    assert all(changed.rows >= LEAST_CHANGES for changed in one_more.changes.values())
    assert plan(fingerprints(range(21)), SECRET, one_more.contents, 1).changes == {}


def test_what_is_withdrawn_leaves_with_the_next_delta():
    first = plan(fingerprints(range(20)), SECRET, None, 0)
    fewer = plan(fingerprints(range(1, 20)), SECRET, first.contents, 0)
    for name, gone in fingerprints([0]).items():
        code = coding_of(name, first.contents.bits[name]).codes(gone)
        assert code_sets.contains(first.contents.codes[name], code).all()
        assert code_sets.contains(fewer.changes[name].removed, code).all()


def test_dummies_are_drawn_once_and_kept():
    contents, seen = None, {}
    for number in range(4):
        planned = plan(fingerprints(range(number, 20 + number)), SECRET, contents, number)
        contents = planned.contents
        for name in contents.codes:
            count = dummies_in(contents, SECRET, name)
            assert count >= seen.get(name, 0)
            seen[name] = count
    again = base(fingerprints(range(3, 23)), SECRET, contents)
    assert all(dummies_in(again.contents, SECRET, name) >= seen[name] for name in seen)


def test_a_first_base_does_not_say_how_many_records_there_are():
    for records in (0, 1, 300, 3_000):
        made = base({"sha256": _digests(records)}, SECRET, None).contents
        assert len(made.codes["sha256"]) == padded_size("sha256", records) == LEAST_EXACT
        assert len(made.codes["sha256"]) / 2 ** made.bits["sha256"] <= FALSE_SHARE


def test_a_new_base_comes_before_too_many_are_candidates():
    contents, bases = base({}, SECRET, None).contents, []
    for number, records in enumerate((6_000, 12_000, 18_000, 24_000, 30_000)):
        planned = plan({"sha256": _digests(records)}, SECRET, contents, number)
        contents = planned.contents
        bases.append(planned.is_base)
        assert len(contents.codes["sha256"]) / 2 ** contents.bits["sha256"] <= FALSE_SHARE
    assert bases == [False, False, False, True, False]


def test_a_chain_that_is_long_begins_anew_with_the_same_codes():
    first = plan(fingerprints(range(20)), SECRET, None, 0).contents
    planned = plan(fingerprints(range(21)), SECRET, first, MOST_DELTAS)
    assert planned.is_base
    assert planned.contents.bits == first.bits
    for name, codes in first.codes.items():
        assert code_sets.contains(planned.contents.codes[name], codes).all()


@pytest.mark.parametrize("space_id", ["sha256", "url-1"])
def test_over_a_chain_membership_is_no_likelier_than_recall_over_f(space_id):
    """Whoever keeps all publications learns from none of them more than from one.

    The best that an observer of a whole chain can do is to look whether a code is in all of them:
    codings and dummies do not change, so what hits by chance in one hits in all.
    """
    members, strangers = _digests(2_000), _digests(200_000, seed=2)
    contents, in_all = None, None
    registered = [2_000, 2_300, 2_600, 2_900]
    for deltas, count in enumerate(registered):
        others = _digests(count - 2_000, seed=3)
        planned = plan({space_id: np.concatenate([members, others])}, SECRET, contents, deltas)
        contents = planned.contents
        coding = coding_of(space_id, contents.bits[space_id])
        hits = code_sets.contains(contents.codes[space_id], coding.codes(strangers))
        in_all = hits if in_all is None else in_all & hits
        found = code_sets.contains(contents.codes[space_id], coding.codes(members))
        assert found.all()
    first = base({space_id: members}, SECRET, None).contents
    stated = first.facts()[space_id]
    bound = stated.recall_ppm / stated.false_ppm
    assert stated.false_ppm <= FALSE_SHARE * MILLION
    ratio = 1.0 / in_all.mean()
    spread = 3 / np.sqrt(in_all.sum())  # three standard deviations of counting
    assert ratio <= bound * (1 + spread)


def test_changes_are_empty_only_between_equal_sets():
    some, more = _codes([1, 2, 3]), _codes([2, 3, 4])
    assert change(some, some).rows == 0
    changed = change(some, more)
    assert changed.added.tolist() == _codes([4]).tolist()
    assert changed.removed.tolist() == _codes([1]).tolist()


def test_no_space_of_people_is_ever_in_a_plan():
    planned = plan({}, SECRET, None, 0)
    assert not [name for name in planned.contents.codes if not SPACES[name].in_snapshots]
    assert "face-1" not in Contents(planned.contents.bits, planned.contents.codes).facts()


def _digests(count, seed=1):
    return np.frombuffer(np.random.default_rng(seed).bytes(32 * count), np.uint8).reshape(-1, 32)


def _codes(values):
    return np.array(values, np.uint8)[:, None]
