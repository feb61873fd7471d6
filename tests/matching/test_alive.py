"""Removal in chunks: what was removed stays removed, earlier states stay, and little is copied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.matching import alive
from registry.matching.alive import ALL


@given(st.lists(st.sets(st.integers(0, 40), max_size=10), max_size=6))
def test_as_a_set_of_rows(removals):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alive, "CHUNK", 8)
        state, left = ALL, set(range(41))
        states = [(state, left)]
        for rows in removals:
            state = state.without(np.array(sorted(rows), np.int64))
            left = left - rows
            states.append((state, left))
        for state, left in states:
            assert set(state.rows(41).tolist()) == left
            assert set(state.rows(20).tolist()) == {row for row in left if row < 20}
            assert state.removed == 41 - len(left)
            numbers = np.array([40, 3, 3, 17], np.int64)
            assert state.of(numbers).tolist() == [row in left for row in numbers.tolist()]


def test_what_was_removed_before_changes_nothing():
    once = ALL.without(np.array([5, 9], np.int64))
    assert once.without(np.array([9], np.int64)) is once
    assert ALL.without(np.empty(0, np.int64)) is ALL


def test_removing_copies_only_the_chunks_concerned():
    rows = np.arange(0, 10 * alive.CHUNK, alive.CHUNK)
    before = ALL.without(rows)
    after = before.without(np.array([3 * alive.CHUNK + 1], np.int64))
    same = [before.chunks[number] is after.chunks[number] for number in range(10)]
    assert same == [number != 3 for number in range(10)]
    assert "array" not in repr(after)
