"""The script behind docs/recall.md counts what it says it counts."""

import pytest

from benchmarks import recall
from consent_client.fingerprints import exact, pdq, sscd

from . import photographs


def test_wilsons_interval():
    """Values from Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert recall.Count(hits, of).interval() == pytest.approx((low, high), abs=6e-5)


def test_a_match_is_the_registrys():
    record = recall.Records([3, 3, 8], [bytes(32), b"\xff" * 32, b"\x0f" * 32])
    at_the_radius = b"\x7f\xff\xff\xff" + bytes(28)  # 31 bits from nothing
    beyond = b"\xff\xff\xff\xff" + bytes(28)
    assert recall.matches(pdq.SPACE, record, at_the_radius).tolist() == [3]
    assert recall.matches(pdq.SPACE, record, beyond).tolist() == []
    assert recall.matches(exact.SPACE, record, b"\x0f" * 32).tolist() == [8]
    assert recall.matches(exact.SPACE, record, b"\x0e" * 32).tolist() == []


def test_two_photographs():
    originals = [
        recall.Original(which[1], recall._jpeg(photographs.photograph(*which)))
        for which in (photographs.CAT, photographs.TEMPLE)
    ]
    real = [recall.RealEdit(1, "real: none", originals[1].data)]
    results = recall.measure(originals, real)
    spaces = [name for name in recall.COLUMNS if name in results.names]
    assert set(results.found) == {recall.SAME, "real: none", *recall.EDITS}
    for name in (*spaces, recall.EITHER):
        assert results.found[recall.SAME][name] == recall.Count(2, 2)
        assert results.found["real: none"][name] == recall.Count(1, 1)
        assert results.false_pairs[name] == recall.Count(0, 2 * (1 + len(recall.EDITS)) + 1)
    assert results.found["mirrored"][pdq.SPACE] == recall.Count(2, 2)
    if sscd.SPACE in spaces:
        assert results.found["caption below"][sscd.SPACE] == recall.Count(2, 2)
    page = recall.markdown(results, "the command")
    assert "| mirrored | 0/2 = 0 % (0 to 66) | 2/2 = 100 % (34 to 100) |" in page
    assert '"records": 2' in recall.as_json(results)
