"""What is looked at and filled in, and what of it is taken."""

import csv
import io
from dataclasses import replace

import pytest

from registry.calibration.journal import Portion
from registry.calibration.matching import POLICIES, Hit
from registry.calibration.result import suspects
from registry.calibration.review import (
    COLUMNS,
    Judgement,
    groups_of,
    read_review,
    review_text,
)
from registry.calibration.sheet import HITS_PER_PAGE, Shown, pages_of
from registry.errors import InvalidInput
from registry.services.calibrations import Calibration

SMALL = POLICIES[0].name
HITS = [
    Hit(1, 40, {SMALL: ("sscd-1",)}),
    Hit(2, 70, {SMALL: ("pdq-1", "sha256")}),
    Hit(5, 70, {SMALL: ("sscd-1",)}),
]
KEYS = {1: "=HYPERLINK(1)", 2: "a, b.jpg", 5: "<script>alert(1)</script>.png"}


def written(judgements, **changes):
    rows = list(csv.reader(io.StringIO(review_text(HITS, KEYS))))
    for row, judgement in zip(rows[1:], judgements, strict=True):
        row[-1] = judgement
    for number, cells in changes.items():
        rows[int(number[1:])] = cells
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    def run(data):
        path = tmp_path / "review.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_review(path, HITS)

    return run


def test_the_list_names_groups_and_no_record(read):
    text = review_text(HITS, KEYS)
    rows = list(csv.reader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert groups_of(HITS) == {70: 1, 40: 2}
    assert rows[1] == ["1", "2", "'=HYPERLINK(1)", "sscd-1", ""]
    assert rows[2] == ["2", "1", "a, b.jpg", "pdq-1 sha256", "copy"]  # the same file
    assert "70" not in text
    assert "40" not in text


def test_what_was_filled_in_is_read(read):
    wanted = [Judgement.DIFFERENT, Judgement.COPY, Judgement.UNSURE]
    text = written(["different", "copy", "unsure"])
    assert read(text) == wanted
    spreadsheets = [
        line.replace(",", ";")
        for line in written(
            [" Different", "COPY", "unsure "], r2=["2", "1", "b.jpg", "", "copy"]
        ).splitlines()
    ]
    assert read("\ufeff" + "\r\n".join(spreadsheets) + "\r\n\r\n") == wanted
    head, *rest = text.splitlines()
    assert read("\n".join([head, *reversed(rest)])) == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\xff\xfe",
        b"\0\0",
        b'hit,"group',
        "hit,judgement\n1,copy\n",
        written(["", "copy", "unsure"]),
        written(["perhaps", "copy", "unsure"]),
        written(["copy"] * 3, r1=["2", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["4", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["0", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["-1", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["1e0", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["٣", "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["9" * 5_000, "1", "x", "x", "copy"]),
        written(["copy"] * 3, r1=["1", "copy"]),
        written(["copy"] * 3, r1=[]),
        written(["copy"] * 3) + "3,1,x,x,copy\n",
        written(["copy"] * 3, r1=["1", "1", "x" * 200_000, "x", "copy"]),
    ],
    ids=range(18),
)
def test_a_wrong_review_is_refused(read, wrong):
    with pytest.raises(InvalidInput):
        read(wrong)


def test_no_review_and_one_that_is_too_long(tmp_path, monkeypatch):
    with pytest.raises(InvalidInput):
        read_review(tmp_path / "missing.csv", HITS)
    with pytest.raises(InvalidInput):
        read_review(tmp_path, HITS)
    monkeypatch.setattr("registry.calibration.review.MAX_REVIEW_BYTES", 10)
    (tmp_path / "long.csv").write_text(written(["copy"] * 3))
    with pytest.raises(InvalidInput):
        read_review(tmp_path / "long.csv", HITS)


def test_pages_show_the_samples_pictures_and_run_nothing():
    shown = {row: Shown(key, b"\xff\xd8jpeg" if row != 2 else None) for row, key in KEYS.items()}
    (page,) = pages_of(HITS, shown)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.index("Group 1") < page.index("Hit 2") < page.index("Hit 3") < page.index("Group 2")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    many = [Hit(row, row, {SMALL: ("sscd-1",)}) for row in range(HITS_PER_PAGE + 1)]
    assert len(list(pages_of(many, {row: Shown("x", None) for row in range(len(many))}))) == 2
    assert list(pages_of([], {})) == []


def test_records_with_more_false_hits_than_their_quota_are_named_worst_first():
    calibration = Calibration("r", "s", 900, 0, (), 1, 1, 1, SMALL, ())
    hits = [Hit(row, 7, {SMALL: ("sscd-1",)}) for row in range(2)]
    hits += [Hit(row, 8, {SMALL: ("sscd-1",)}) for row in range(3)]
    hits += [Hit(9, 9, {SMALL: ("sscd-1",)})]
    hits += [Hit(row, 10, {"another": ("sscd-1",)}) for row in range(5)]
    judged = [(hit, Judgement.DIFFERENT) for hit in hits]
    judged += [(Hit(row, 11, {SMALL: ("sscd-1",)}), Judgement.COPY) for row in range(5)]
    found = suspects(calibration, judged)
    assert [(each.record, each.false_images, each.quota) for each in found] == [
        (8, 3, 1),
        (7, 2, 1),
    ]
    larger = suspects(replace(calibration, images=200_000), judged)
    assert [each.record for each in larger] == [8]


def test_a_portion_shows_no_similarity():
    assert set(Portion.__dataclass_fields__) == {
        "count",
        "unreadable",
        "log_size",
        "active_records",
        "policy",
        "hits",
    }
