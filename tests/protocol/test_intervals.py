"""The interval, against the quantiles of the beta distribution that define it."""

import pytest
from scipy.stats import beta

from consent_client.protocol.intervals import clopper_pearson


@pytest.mark.parametrize(
    ("found", "of"),
    [(0, 1), (1, 1), (0, 20_000), (1, 20_000), (3, 4), (37, 1_000_000), (500, 1_000), (20, 20)],
)
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_it_is_clopper_and_pearsons(found, of, confidence):
    low, high = clopper_pearson(found, of, confidence)
    tail = (1 - confidence) / 2
    wanted = (
        0.0 if found == 0 else beta.ppf(tail, found, of - found + 1),
        1.0 if found == of else beta.ppf(1 - tail, found + 1, of - found),
    )
    assert (low, high) == pytest.approx(wanted, rel=1e-9, abs=1e-15)
    assert low <= found / of <= high


@pytest.mark.parametrize("wrong", [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 5, 1.0)])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="proportion"):
        clopper_pearson(*wrong)
