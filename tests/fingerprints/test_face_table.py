"""The script behind docs/faces.md counts what it says it counts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs consent-client[face]")
faces = pytest.importorskip("benchmarks.faces")
face_figures = pytest.importorskip("benchmarks.face_figures")
faces_page = pytest.importorskip("benchmarks.faces_page")

DOCS = Path(__file__).parents[2] / "docs"


def test_clopper_and_pearsons_interval():
    """Closed forms at the ends; 4 of 20 as in Newcombe (1998), and 81 of 263."""
    for hits, of, low, high in (
        (0, 8, 0.0, 1 - 0.025 ** (1 / 8)),
        (8, 8, 0.025 ** (1 / 8), 1.0),
        (1, 29, 0.0009, 0.1776),
        (81, 263, 0.2527, 0.3676),
    ):
        assert face_figures.clopper_pearson(hits, of) == pytest.approx((low, high), abs=6e-5)


def seen(name, family, *vectors):
    who = faces.Person(name, family, ())
    return [
        faces.Seen(who, Path(f"{name}-{k}.jpg"), unit(vector), unit(vector))
        for k, vector in enumerate(vectors)
    ]


def unit(vector):
    return np.array(vector, np.float32) / np.float32(np.linalg.norm(vector))


def test_errors_are_counted_in_people():
    """A person is missed once, however many of their pairs are, and so is a confused couple."""
    everybody = [
        *seen("one", "x", [1, 0, 0], [1, 0.1, 0], [0, 0, 1]),  # two pairs of three are missed
        *seen("other", "x", [1, 0, 0.1], [1, 0, 0]),  # a relative, confused in many pairs
        *seen("stranger", "y", [0, 1, 0]),
    ]
    found = faces.rate(everybody, 0.5)
    assert found.missed == (1, 2)
    assert found.confused == (1, 3)
    assert found.relatives == (1, 1)
    same, different, relatives = faces.pairs(everybody)
    assert (len(same), len(different), len(relatives)) == (3 + 1, 3 + 2, 3 * 2)


def test_the_middle_is_of_the_others():
    everybody = [*seen("one", "x", [1, 0, 0]), *seen("two", "y", [0, 1, 0], [0, 1, 0])]
    assert faces.middle(everybody) == pytest.approx(0)
    # The middle of (1, 0), (0, 1) and (0, 1) is (1, 2), a little off the diagonal.
    between = [*everybody, *seen("three", "z", [1, 1, 0])]
    assert faces.middle(between) == pytest.approx(3 / np.sqrt(10))


def test_the_page_is_of_this_script():
    page = (DOCS / "faces.md").read_text(encoding="utf-8")
    fixed = [line for line in faces_page.PAGE.splitlines() if line and "{" not in line]
    missing = [line for line in fixed if line not in page]
    assert missing == []
    assert "| **0.5** |" in page
