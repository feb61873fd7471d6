"""A withdrawal as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.keys import derive_owner
from consent_client.protocol.records import withdraw_message
from consent_client.withdrawals import SignedWithdrawal

OWNER = derive_owner(bytes(16), "registry.example", 3)
COMMITMENT = bytes(range(32))
SIGNED = SignedWithdrawal(
    "registry.example",
    OWNER.public,
    COMMITMENT,
    OWNER.sign(withdraw_message("registry.example", COMMITMENT)),
)
TEXT = SIGNED.to_text()


@pytest.mark.parametrize("around", ["{}", "A note to myself\n\n{}", "  {}", "{}\n\nmore"])
def test_it_is_read_again(around: str) -> None:
    assert SignedWithdrawal.from_text(around.format(TEXT)) == SIGNED
    assert SignedWithdrawal.from_text(around.format(TEXT).replace("\n", "\r\n")) == SIGNED


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("Aa0+/=: \n"))
def test_a_changed_character_is_refused(place: int, character: str) -> None:
    changed = TEXT[:place] + character + TEXT[place + 1 :]
    if changed.split() != TEXT.split():
        with pytest.raises(Malformed):
            SignedWithdrawal.from_text(changed)


@given(st.text(max_size=300))
def test_any_text_raises_nothing_else(text: str) -> None:
    with pytest.raises(Malformed):
        SignedWithdrawal.from_text(text)
    with pytest.raises(Malformed):
        SignedWithdrawal.from_text("consent-registry/v1/withdrawal\n" + text)
