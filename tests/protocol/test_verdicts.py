import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.statements import Stance
from consent_client.protocol.verdicts import Verdict, combine, combine_block

STANCES = st.lists(st.sampled_from(Stance), max_size=6)


@pytest.mark.parametrize(
    ("stances", "missing", "verdict"),
    [
        ([], False, Verdict.CLEAR),
        ([Stance.UNSAID], False, Verdict.CLEAR),
        ([Stance.ALLOWED], False, Verdict.PERMIT),
        ([Stance.ALLOWED, Stance.NOT_ALLOWED], False, Verdict.EXCLUDE),
        ([], True, Verdict.UNKNOWN),
        ([Stance.ALLOWED], True, Verdict.UNKNOWN),
        ([Stance.NOT_ALLOWED], True, Verdict.EXCLUDE),
    ],
)
def test_how_stances_combine(stances, missing, verdict):
    assert combine(stances, missing) is verdict


@given(STANCES, st.booleans(), st.randoms())
def test_order_and_repetition_do_not_matter(stances, missing, random):
    shuffled = stances * 2
    random.shuffle(shuffled)
    assert combine(shuffled, missing) is combine(stances, missing)


@given(STANCES, st.booleans())
def test_a_refusal_always_excludes(stances, missing):
    assert combine([*stances, Stance.NOT_ALLOWED], missing) is Verdict.EXCLUDE


@given(STANCES, STANCES, st.booleans())
def test_more_records_never_undo_an_exclusion(stances, more, missing):
    if combine(stances, missing) is Verdict.EXCLUDE:
        assert combine(stances + more, missing) is Verdict.EXCLUDE


@given(STANCES)
def test_what_could_not_be_checked_is_never_kept(stances):
    assert combine(stances, required_missing=True) in {Verdict.EXCLUDE, Verdict.UNKNOWN}


@given(STANCES, st.booleans())
def test_what_is_unsaid_changes_nothing(stances, missing):
    assert combine([*stances, Stance.UNSAID], missing) is combine(stances, missing)


BLOCKS = st.integers(1, 20).flatmap(
    lambda count: st.tuples(
        st.lists(st.tuples(st.integers(0, count - 1), st.sampled_from(Stance)), max_size=60),
        st.lists(st.booleans(), min_size=count, max_size=count),
    )
)


def block(hits, unknown):
    rows = np.array([row for row, _ in hits], np.int64)
    stances = np.array([stance for _, stance in hits], np.uint8)
    return combine_block(len(unknown), rows, stances, np.array(unknown, bool))


@given(BLOCKS)
def test_a_block_is_its_rows_one_by_one(case):
    hits, unknown = case
    verdicts = block(hits, unknown)
    assert verdicts.dtype == np.uint8
    assert verdicts.tolist() == [
        combine([stance for at, stance in hits if at == row], missing)
        for row, missing in enumerate(unknown)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (2, [0, 1], [1], [False, False]),
        (2, [2], [1], [False, False]),
        (2, [-1], [1], [False, False]),
        (2, [0], [3], [False, False]),
        (2, [0], [1], [False]),
        (2, [[0]], [[1]], [False, False]),
    ],
)
def test_a_block_that_does_not_agree_with_itself_is_refused(arguments):
    count, rows, stances, unknown = arguments
    with pytest.raises(Malformed):
        combine_block(
            count, np.array(rows, np.int64), np.array(stances, np.uint8), np.array(unknown, bool)
        )


def test_bytes_are_not_taken_for_booleans():
    """Indexing by 0 and 1 instead of by a mask would mark the wrong rows."""
    nothing = np.array([], np.int64)
    with pytest.raises(Malformed):
        combine_block(2, nothing, nothing.astype(np.uint8), np.array([0, 1], np.uint8))
    with pytest.raises(Malformed):
        combine_block(2, np.array([0.0]), np.array([1], np.uint8), np.zeros(2, bool))


def test_a_stance_that_does_not_exist_is_refused():
    with pytest.raises(Malformed):
        combine([3], required_missing=False)
