"""Samples: fixed by their seed, distinct, even, and large enough."""

from collections import Counter

import pytest

from consent_client.errors import Malformed
from consent_client.protocol.intervals import clopper_pearson
from consent_client.protocol.sampling import sample, sample_seed, sample_size

NONCE = bytes(range(32))


def test_a_seed_depends_on_all_it_is_made_of() -> None:
    seeds = {
        sample_seed(b"entry", "beacon", NONCE),
        sample_seed(b"entr", "ybeacon", NONCE),
        sample_seed(b"entry", "beacon2", NONCE),
        sample_seed(b"entry", "beacon", bytes(32)),
    }
    assert len(seeds) == 4
    for beacon, nonce in (("", NONCE), ("x" * 2_000, NONCE), ("ü", NONCE), ("x", b"short")):
        with pytest.raises(Malformed):
            sample_seed(b"entry", beacon, nonce)


def test_a_sample_is_what_its_seed_says() -> None:
    seed = sample_seed(b"entry", "beacon", NONCE)
    drawn = sample(seed, 1_000_000, 10)
    assert drawn == sample(seed, 1_000_000, 10) == sorted(set(drawn))
    assert drawn != sample(bytes(32), 1_000_000, 10)
    assert sample(seed, 7, 7) == list(range(7))
    assert sample(seed, 7, 0) == []
    with pytest.raises(ValueError, match="larger"):
        sample(seed, 7, 8)


def test_every_row_is_as_likely() -> None:
    counts: Counter[int] = Counter()
    for number in range(4_000):
        counts.update(sample(number.to_bytes(32), 10, 3))
    assert set(counts) == set(range(10))
    assert all(abs(count - 1_200) < 150 for count in counts.values())  # five standard deviations


@pytest.mark.parametrize("share", [0.5, 0.01, 0.001])
def test_a_sample_without_a_fault_gives_the_bound_that_was_wanted(share: float) -> None:
    size = sample_size(share, 0.95, 10**9)
    assert clopper_pearson(0, size, 0.95)[1] <= share < clopper_pearson(0, size - 1, 0.95)[1]
    assert sample_size(share, 0.95, 5) <= 5
    for wrong in ((0, 0.95, 9), (share, 1, 9), (share, 0.95, 0)):
        with pytest.raises(ValueError, match="share"):
            sample_size(*wrong)
