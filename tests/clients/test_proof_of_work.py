"""The proof of work: solved, bounded, and nothing a registry sends breaks the client."""

import json

import altcha
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client import proof_of_work
from consent_client.errors import TransportError, WorkTooHard
from consent_client.proof_of_work import expected_attempts, solve

RECORD = bytes(range(16))


def challenge(**changes: object) -> str:
    made = altcha.create_challenge(
        "PBKDF2/SHA-256", 10, key_prefix="0", data={"recordId": RECORD.hex()}, hmac_secret=b"s"
    )
    value = made.to_dict()
    value["parameters"] |= changes
    return json.dumps(value)


def test_it_is_solved_and_counted() -> None:
    counts: list[int] = []
    payload = solve(challenge(), RECORD, counts.append)
    assert altcha.verify_solution(altcha.Payload.from_base64(payload), hmac_secret=b"s").verified
    assert counts == list(range(1, len(counts) + 1))
    assert expected_attempts(challenge()) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"recordId": "00"}},
        {"data": None},
        {"cost": 0},
        {"cost": "many"},
        {"keyPrefix": "zz"},
        {"keyPrefix": "0" * 17},
        {"keyLength": 10**9},
        {"nonce": "not hex"},
        {"salt": None},
        {"algorithm": None},
    ],
    ids=str,
)
def test_another_challenge_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TransportError):
        solve(challenge(**changes), RECORD)


@pytest.mark.parametrize(
    "changes", [{"cost": 10**9}, {"algorithm": "SCRYPT", "memoryCost": 2**30}, {"algorithm": "X"}]
)
def test_hard_work_is_refused_before_it_begins(changes: dict[str, object]) -> None:
    with pytest.raises(WorkTooHard):
        solve(challenge(**changes), RECORD)


def test_endless_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_of_work, "MAX_SECONDS", 0.2)
    with pytest.raises(WorkTooHard):
        solve(challenge(keyPrefix="0" * 16), RECORD)


@given(
    st.one_of(
        st.text(max_size=50), st.just("[" * 4_000), st.just("{}"), st.just('{"parameters":1}')
    )
)
def test_any_text_raises_nothing_else(text: str) -> None:
    with pytest.raises(TransportError):
        solve(text, RECORD)
