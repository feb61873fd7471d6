"""An index that grows, shrinks and is compacted answers as brute force does, at every moment."""

import gc
import threading
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry.matching import space_index
from registry.matching.space_index import SpaceIndex
from registry.matching.threads import one_faiss_thread

from .conftest import SUBJECTS, add, make_small, pairs


class Life(RuleBasedStateMachine):
    """Adds, removes, compacts and searches at random; a dictionary is the oracle.

    Every view there ever was is kept with what it held, and must go on answering just that.
    """

    subject = None

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        make_small(self.patch)
        self.index = SpaceIndex(self.subject.make())
        self.held = {}
        self.next_owner = 0
        self.views = [(self.index.view, {})]

    def teardown(self):
        for view, held in self.views:
            self.check(view, held, range(len(self.subject.alphabet)))
        self.patch.undo()

    def check(self, view, held, queries):
        queries = list(queries)
        found = pairs(view.search(self.subject.vectors(queries)))
        assert found == self.subject.expected(held, queries)
        assert view.live == sum(len(numbers) for numbers in held.values())

    @rule(
        records=st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=4), max_size=8),
        gap=st.integers(0, 3),
        chance=st.randoms(use_true_random=False),
        removals=st.integers(0, 3),
    )
    def apply(self, records, gap, chance, removals):
        added = {self.next_owner + gap + i: numbers for i, numbers in enumerate(records)}
        self.next_owner += gap + len(records)
        self.held = {**self.held, **added}
        known = sorted(self.held)
        removed = [chance.choice(known) for _ in range(removals)] if known else []
        removed += [self.next_owner + 5] * (removals > 1)  # who is not here is passed over
        self.held = {owner: n for owner, n in self.held.items() if owner not in removed}
        owners = [owner for owner, numbers in added.items() for _ in numbers]
        numbers = [number for of_record in added.values() for number in of_record]
        view = add(self.index, owners, self.subject.vectors(numbers), removed)
        assert view is self.index.view
        self.views.append((view, self.held))

    @rule()
    def remove_all(self):
        view = add(self.index, [], self.subject.vectors([]), sorted(self.held))
        self.held = {}
        self.views.append((view, {}))

    @rule()
    def compact(self):
        view = self.index.compact()
        self.views.append((view, self.held))
        assert sum(len(segment.owners) for segment in view.segments) == view.live
        sizes = [len(segment.owners) for segment in view.segments]
        assert all(a + b > space_index.SEGMENT_ROWS for a, b in pairwise(sizes))

    @rule(queries=st.lists(st.integers(0, 11), max_size=7))
    def search(self, queries):
        self.check(self.index.view, self.held, queries)

    @invariant()
    def segments_keep_their_bounds(self):
        last = -1
        for segment in self.index.view.segments:
            assert len(segment.owners) <= space_index.SEGMENT_ROWS
            assert (np.diff(segment.owners) >= 0).all()
            assert segment.owners[0] >= last
            last = segment.owners[-1]


class ExactLife(Life):
    subject = SUBJECTS["exact"]


class BinaryLife(Life):
    subject = SUBJECTS["binary"]


class FloatLife(Life):
    subject = SUBJECTS["float"]


for life in (ExactLife, BinaryLife, FloatLife):
    life.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

TestExact = ExactLife.TestCase
TestBinary = BinaryLife.TestCase
TestFloat = FloatLife.TestCase


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17])
def test_segments_at_their_boundaries(small, subject, count):
    index = SpaceIndex(subject.make())
    numbers = [i % 8 for i in range(count)]
    view = add(index, range(count), subject.vectors(numbers))
    assert [len(segment.owners) for segment in view.segments] == [8] * (count // 8) + [
        count % 8
    ] * (count % 8 > 0)
    held = {owner: [number] for owner, number in enumerate(numbers)}
    assert pairs(view.search(subject.vectors(range(8)))) == subject.expected(held, range(8))


def test_adding_copies_nothing_and_is_not_seen_by_earlier_views(small, subject):
    index = SpaceIndex(subject.make())
    before = add(index, [0, 1], subject.vectors([0, 1]))
    after = add(index, [2], subject.vectors([0]))
    assert after.segments[0].rows.base is before.segments[0].rows.base
    assert before.live == 2
    assert after.live == 3
    assert (0, 2) not in pairs(before.search(subject.vectors([0])))
    assert (0, 2) in pairs(after.search(subject.vectors([0])))


def test_each_removal_is_seen_by_later_views_only(small, subject):
    index = SpaceIndex(subject.make())
    views = [add(index, range(4), subject.vectors([0] * 4))]
    views += [add(index, [], subject.vectors([]), [owner]) for owner in (1, 3, 0)]
    held = [{owner for _, owner in pairs(view.search(subject.vectors([0])))} for view in views]
    assert held == [{0, 1, 2, 3}, {0, 2, 3}, {0, 2}, {2}]


def test_rows_that_a_view_sees_can_not_be_written(subject):
    view = add(SpaceIndex(subject.make()), [0], subject.vectors([0]))
    segment = view.segments[0]
    for array in (segment.rows, segment.owners, segment.nearest[:, :1]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_arrays_that_were_added_may_be_used_again(subject):
    index = SpaceIndex(subject.make())
    vectors = subject.vectors([0]).copy()
    owners = np.array([7], np.int64)
    view = index.apply(index.rows(owners, vectors), np.empty(0, np.int64))
    vectors[:] = subject.vectors([1])
    owners[:] = 8
    assert (0, 7) in pairs(view.search(subject.vectors([0])))


def test_removed_vectors_leave_memory_when_their_last_view_is_dropped(small, subject):
    index = SpaceIndex(subject.make())
    add(index, range(20), subject.vectors([i % 4 for i in range(20)]))
    old = add(index, [], subject.vectors([]), [0, 9, 19])
    buffers = [weakref.ref(segment.rows.base) for segment in old.segments]
    expected = pairs(old.search(subject.vectors(range(8))))
    gc.disable()  # what is not freed by counting references is not freed in time
    try:
        view = index.compact()
        assert all(buffer() is not None for buffer in buffers)
        assert pairs(old.search(subject.vectors(range(8)))) == expected
        assert pairs(view.search(subject.vectors(range(8)))) == expected
        del old
        assert [buffer() for buffer in buffers] == [None] * len(buffers)
    finally:
        gc.enable()
    assert sum(len(segment.rows) for segment in view.segments) == 17
    kept = b"".join(segment.rows.base.tobytes() for segment in view.segments)
    if subject.name != "exact":  # the open buffer behind the rows was never written
        assert len(kept) >= 17 * subject.make().width


def test_removing_everything_leaves_nothing(small, subject):
    index = SpaceIndex(subject.make())
    old = add(index, range(20), subject.vectors([0] * 20))
    buffers = [weakref.ref(segment.rows.base) for segment in old.segments]
    add(index, [], subject.vectors([]), range(20))
    del old
    view = index.compact()
    gc.collect()
    assert view.segments == ()
    assert [buffer() for buffer in buffers] == [None] * 3
    view = add(index, [20], subject.vectors([0]))  # and goes on
    assert pairs(view.search(subject.vectors([0]))) == {(0, 20)}


def test_compacting_leaves_alone_what_has_nothing_removed(small, subject):
    index = SpaceIndex(subject.make())
    add(index, range(20), subject.vectors([0] * 20))
    before = index.compact()
    assert all(a is b for a, b in zip(before.segments, index.compact().segments, strict=True))
    add(index, [], subject.vectors([]), [10])
    after = index.compact()
    assert after.segments[0] is before.segments[0]
    assert after.segments[1] is not before.segments[1]
    rewritten = add(index, [20], subject.vectors([1]))
    assert rewritten.segments[-1].rows.base is after.segments[-1].rows.base  # still open


def test_compacting_often_while_growing_copies_little(small, subject):
    """Joining must not rewrite the same rows at every call."""
    index = SpaceIndex(subject.make())
    add(index, range(7), subject.vectors([0] * 7))
    add(index, [], subject.vectors([]), [3])
    rewritten, buffers = 0, []
    for owner in range(7, 87):
        add(index, [owner], subject.vectors([0]))
        for segment in index.compact().segments:
            if not any(segment.rows.base is buffer for buffer in buffers):
                rewritten += len(segment.rows)
                buffers.append(segment.rows.base)
    once = 0 if subject.name != "binary" else 80  # full segments are put into buckets, once
    assert rewritten < 40 + once


def test_what_does_not_fit_is_refused_and_changes_nothing(small, subject):
    index = SpaceIndex(subject.make())
    before = add(index, [3, 3, 5], subject.vectors([0, 1, 2]))
    good = subject.vectors([0, 1])
    for owners, vectors in (
        ([5, 6], good),  # 5 came before
        ([2, 6], good),
        ([7, 6], good),
        ([6], good),
        ([6, 7, 8], good),
        ([6, 7], good.astype(np.float64)),
        ([6, 7], good[:, :-1]),
        ([6, 7], good[0]),
        ([6, 7], good[None]),
    ):
        with pytest.raises(ValueError, match=r"owners|fingerprints"):
            add(index, owners, vectors)
    with pytest.raises(ValueError, match="owners"):
        index.rows(np.array([6.0, 7.0]), good)
    assert index.view is before


def test_a_view_shows_no_fingerprint(subject):
    view = add(SpaceIndex(subject.make()), [0], subject.vectors([1]))
    assert "array" not in repr(view)
    assert "rows" not in repr(view)


@pytest.mark.parametrize("readers", [3])
def test_readers_beside_a_writer_get_what_their_view_holds(small, subject, readers):
    """Threads search views while another thread adds, removes and compacts."""
    random = np.random.default_rng(3)
    index = SpaceIndex(subject.make())
    published = [(index.view, {})]
    queries = list(range(len(subject.alphabet)))
    vectors = subject.vectors(queries)
    wrong, done, answered = [], threading.Event(), []

    def read(seed):
        one_faiss_thread()
        choose = np.random.default_rng(seed)
        while not done.is_set():
            view, held = published[int(choose.integers(max(0, len(published) - 4), len(published)))]
            try:
                if pairs(view.search(vectors)) != subject.expected(held, queries):
                    wrong.append("another answer than its view's")
            except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
                wrong.append(error)
            answered.append(1)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(readers)]
    for thread in threads:
        thread.start()
    held, owner = {}, 0
    for step in range(150):
        numbers = random.integers(0, 12, int(random.integers(0, 6))).tolist()
        added = {owner + i: [number] for i, number in enumerate(numbers)}
        owner += len(numbers)
        held = {**held, **added}
        removed = [o for o in held if random.random() < 0.15]
        held = {o: n for o, n in held.items() if o not in removed}
        view = add(index, list(added), subject.vectors(numbers), removed)
        if step % 7 == 0:
            view = index.compact()
        published.append((view, held))
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(answered) > 10
