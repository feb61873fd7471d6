"""Contests: whatever comes in, one typed error or a contest whose content tells it from others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import ProtocolError
from consent_client.protocol.contests import (
    CONTEST_SPACES,
    CROPS,
    MAX_CONTESTED,
    Contest,
    CropColumn,
    row_contents,
)
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import PERSON_SPACES, SPACES, Kind

SIZES = st.sampled_from([0, 1, 31, 32, 1023, 1024, 5 * 1024, 10 * 1024])


def column(name, present, fill=1):
    data = bytes([fill]) * (sum(present) * SPACES[name].size)
    counts = np.ones(sum(present), np.uint8) if name in PERSON_SPACES else None
    return Column(name, np.array(present), data, counts)


@given(
    block=st.integers(-2, 2**40),
    rows=st.binary(max_size=4),
    names=st.lists(st.sampled_from(sorted(SPACES)), max_size=3),
    present=st.lists(st.booleans(), min_size=1, max_size=3),
    crops=st.lists(st.tuples(st.sampled_from([*sorted(SPACES), "", "clip"]), SIZES), max_size=3),
)
def test_any_values_make_a_contest_or_a_protocol_error(block, rows, names, present, crops):
    try:
        contest = Contest(
            block,
            rows,
            tuple(column(name, present) for name in names),
            tuple(CropColumn(name, bytes(size)) for name, size in crops),
        )
    except ProtocolError:
        return
    assert contest.count == len(present) <= MAX_CONTESTED
    assert block >= 0
    assert sorted(each.space_id for each in contest.crops) == sorted(
        set(names) & set(CONTEST_SPACES)
    )
    for each in contest.crops:
        assert each.rows == sum(present)
        assert len(each.data) == each.rows * CROPS * SPACES[each.space_id].size
    assert any(all(c.present) for c in contest.columns if c.space_id in CONTEST_SPACES)


def contest(block=0, rows=b"\x01", fill=1, crop=1, names=("sha256", "sscd-1")):
    columns = tuple(column(name, [True], fill) for name in names)
    return Contest(block, rows, columns, (CropColumn("sscd-1", bytes([crop]) * CROPS * 1024),))


def test_content_tells_contests_apart_and_not_how_columns_are_ordered():
    one = contest()
    others = [
        contest(rows=b"\x02"),
        contest(rows=b"\x01\x00"),
        contest(fill=2),
        contest(crop=2),
        contest(names=("sscd-1",)),
    ]
    assert len({each.content for each in (one, *others)}) == 1 + len(others)
    assert contest(names=("sscd-1", "sha256")).content == one.content


def test_more_rows_than_a_contest_has_are_refused():
    present = [True] * (MAX_CONTESTED + 1)
    crops = CropColumn("sscd-1", bytes(len(present) * CROPS * 1024))
    with pytest.raises(ProtocolError):
        Contest(0, bytes(200), (column("sscd-1", present),), (crops,))
    Contest(
        0,
        bytes(200),
        (column("sscd-1", present[1:]),),
        (CropColumn("sscd-1", crops.data[CROPS * 1024 :]),),
    )


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=3))
def test_a_rows_content_is_its_own_wherever_it_stands(presents):
    names = ("pdq-1", "sha256", "sscd-1")[: len(presents)]
    block = []
    for name, present in zip(names, presents, strict=True):
        parts = [bytes([row + 1]) * SPACES[name].size for row in range(4) if present[row]]
        block.append(Column(name, np.array(present), b"".join(parts)))
    contents = row_contents(block, range(4))
    for row in range(4):
        alone = [
            Column(
                name,
                np.array([present[row]]),
                bytes([row + 1]) * SPACES[name].size if present[row] else b"",
            )
            for name, present in zip(names, presents, strict=True)
        ]
        assert row_contents(alone, [0]) == [contents[row]]
    filled = [content for content in contents if content]
    assert len(set(filled)) == len(filled)


def test_crops_have_meaning_only_where_matching_is_a_matter_of_degree():
    assert CONTEST_SPACES == ("sscd-1",)
    for name in CONTEST_SPACES:
        assert SPACES[name].kind is Kind.FLOAT
        assert name not in PERSON_SPACES
    assert "data" not in repr(CropColumn("sscd-1", bytes(5 * 1024)))
