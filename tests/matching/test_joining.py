"""Compaction in three steps: what happens between them is not lost, and nothing is found twice."""

import numpy as np
import pytest

from registry.matching import binary, floats, kernels, space_index
from registry.matching.binary import BinaryKernel, IndexedTable
from registry.matching.floats import FloatKernel
from registry.matching.policies import Thresholds
from registry.matching.space_index import SpaceIndex

from .conftest import add, pairs

SIZE = 64


@pytest.fixture(autouse=True)
def _segments(monkeypatch):
    monkeypatch.setattr(space_index, "SEGMENT_ROWS", SIZE)
    monkeypatch.setattr(binary, "JOINED", 16)


def codes(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def held(view, vectors):
    """Owners found by their own fingerprints."""
    return {owner for row, owner in pairs(view.search(vectors)) if row == owner}


def test_binary_segments_are_joined_and_indexed():
    index = SpaceIndex(BinaryKernel(32, 31))
    vectors = codes(10 * SIZE + 7)
    add(index, range(len(vectors)), vectors)
    view = index.compact()
    assert [len(segment.owners) for segment in view.segments] == [10 * SIZE, 7]
    assert isinstance(view.segments[0].table, IndexedTable)
    assert held(view, vectors) == set(range(len(vectors)))
    assert index.compact().segments[0] is view.segments[0]  # settled
    more = codes(SIZE, seed=1)
    add(index, range(len(vectors), len(vectors) + SIZE), more)
    view = index.compact()
    assert [len(segment.owners) for segment in view.segments] == [10 * SIZE, SIZE, 7]
    together = np.concatenate([vectors, more])
    assert held(view, together) == set(range(len(together)))


def test_a_joined_segment_has_a_greatest_size():
    index = SpaceIndex(BinaryKernel(32, 31))
    vectors = codes(20 * SIZE)
    add(index, range(len(vectors)), vectors)
    view = index.compact()
    assert [len(segment.owners) for segment in view.segments] == [4 * SIZE, 16 * SIZE]
    assert held(view, vectors) == set(range(len(vectors)))


def test_each_row_is_copied_a_few_times_only():
    index = SpaceIndex(BinaryKernel(32, 31))
    copied, known = 0, set()
    vectors = codes(16 * SIZE)
    for start in range(0, len(vectors), SIZE // 2):
        rows = range(start, start + SIZE // 2)
        add(index, rows, vectors[rows.start : rows.stop])
        for segment in index.compact().segments:
            if id(segment.rows.base) not in known:
                known.add(id(segment.rows.base))
                copied += len(segment.owners)
    assert copied < 6 * len(vectors)
    assert held(index.view, vectors) == set(range(len(vectors)))


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("space", ["binary", "float"])
def test_what_comes_and_goes_while_segments_are_written_anew(space, behind, monkeypatch):
    monkeypatch.setattr(floats, "_AT_ONCE", 0 if behind else 10**6)
    monkeypatch.setattr(kernels, "TILE_ROWS", 50)
    vectors = codes(5 * SIZE + 40)
    index = SpaceIndex(BinaryKernel(32, 31))
    if space == "float":
        vectors = np.random.default_rng(0).standard_normal((len(vectors), 64)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        index = SpaceIndex(FloatKernel(64, Thresholds.at(0.9)))
    add(index, range(4 * SIZE + 10), vectors[: 4 * SIZE + 10])
    add(index, [], vectors[:0], [3, SIZE, 4 * SIZE + 1])
    left = set(range(4 * SIZE + 10)) - {3, SIZE, 4 * SIZE + 1}
    plan = index.plan()
    assert held(index.view, vectors) == left
    add(index, [], vectors[:0], [4, 2 * SIZE, 4 * SIZE + 2])
    later = range(4 * SIZE + 10, len(vectors))
    between = add(index, later, vectors[later.start :], [5])
    left = left - {4, 2 * SIZE, 4 * SIZE + 2, 5} | set(later)
    compacted = plan.build()
    assert held(index.view, vectors) == left
    view = index.install(compacted)
    assert held(view, vectors) == held(between, vectors) == left
    more = add(index, [len(vectors)], vectors[:1], [6])
    assert (0, len(vectors)) in pairs(more.search(vectors[:1]))
    view = index.compact()
    assert held(view, vectors) == left - {6}
    assert sum(len(segment.owners) for segment in view.segments) == view.live == len(left)
    assert all(segment.table.settled for segment in view.segments[:-1])


def test_all_that_was_planned_may_be_gone_when_it_is_put_in_place():
    index = SpaceIndex(BinaryKernel(32, 31))
    vectors = codes(2 * SIZE)
    add(index, range(len(vectors)), vectors)
    compacted = index.plan().build()
    add(index, [], vectors[:0], range(len(vectors)))
    assert index.install(compacted).segments == ()
    assert held(add(index, [500], vectors[:1]), vectors) == set()
    assert pairs(index.view.search(vectors[:1])) == {(0, 500)}


def test_many_rows_at_once_wait_for_compaction(monkeypatch):
    monkeypatch.setattr(floats, "_AT_ONCE", 8)
    index = SpaceIndex(FloatKernel(64, Thresholds.at(0.9)))
    vectors = np.eye(40, 64, dtype=np.float32)
    view = add(index, range(30), vectors[:30])
    assert not view.segments[0].table.settled
    assert held(view, vectors) == set(range(30))
    view = index.compact()
    assert view.segments[0].table.settled
    assert held(view, vectors) == set(range(30))
    view = add(index, range(30, 38), vectors[30:38])  # few are taken in as they come
    assert all(segment.table.settled for segment in view.segments)
    assert held(index.compact(), vectors) == set(range(38))
