"""Limits: counted by network, forgotten with the process, never shown."""

import pytest

from registry.errors import RateLimited
from registry.services.admission import AddressLimit


def test_an_address_is_limited_and_told_how_long():
    limit = AddressLimit("3/minute")
    for _ in range(3):
        limit.admit("192.0.2.1")
    with pytest.raises(RateLimited) as caught:
        limit.admit("192.0.2.1")
    assert 1 <= caught.value.retry_after <= 120
    limit.admit("192.0.2.2")


def test_all_rules_hold():
    limit = AddressLimit("100/minute;4/hour")
    for _ in range(4):
        limit.admit("192.0.2.1")
    with pytest.raises(RateLimited):
        limit.admit("192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),  # one /64 is one client
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_who_counts_as_one_client(one, other, same):
    limit = AddressLimit("1/minute")
    limit.admit(one)
    if same:
        with pytest.raises(RateLimited):
            limit.admit(other)
    else:
        limit.admit(other)


def test_no_address_is_kept():
    limit = AddressLimit("1/minute")
    limit.admit("192.0.2.77")
    kept = repr(vars(limit._limiter.storage))
    assert "192.0.2.77" not in kept
    assert bytes([192, 0, 2, 77]).hex() not in kept
