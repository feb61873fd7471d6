"""Proof of work and nonces: bound to a record and a time, and to this registry alone."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidInput, NotYours, ProofOfWorkRejected
from registry.services.challenges import Challenges
from tests.support.clocks import HandClock
from tests.support.people import solve

RECORD, OTHER = bytes(range(16)), bytes(16)


def challenges(secret=bytes(32), digits=1):
    return Challenges(secret, digits, HandClock())


def altered(payload, **parameters):
    value = json.loads(base64.b64decode(payload))
    value["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_solved_work_is_accepted_by_any_process_with_the_secret():
    payload = solve(challenges().issue(RECORD).proof_of_work)
    challenges().check_work(payload, RECORD)


def test_solved_work_is_refused_for_another_record_or_by_another_registry():
    payload = solve(challenges().issue(RECORD).proof_of_work)
    with pytest.raises(ProofOfWorkRejected):
        challenges().check_work(payload, OTHER)
    with pytest.raises(ProofOfWorkRejected):
        challenges(b"x" * 32).check_work(payload, RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"keyPrefix": ""},
        {"keyPrefix": "0"},
        {"cost": 1},
        {"algorithm": "SHA-256"},
        {"algorithm": "SCRYPT", "cost": 2**20},
        {"expiresAt": 10**10},
        {"expiresAt": None},
        {"expiresAt": "never"},
        {"data": {"recordId": OTHER.hex()}},
        {"data": None},
        {"keyPrefix": None},
        {"keyLength": 10**9},
        {"salt": ""},
        {"nonce": "zz"},
        {"keySignature": "00"},
    ],
)
def test_a_client_can_not_make_its_own_work_easier(change):
    payload = altered(solve(challenges(digits=2).issue(RECORD).proof_of_work), **change)
    for record in (RECORD, OTHER):
        with pytest.raises(ProofOfWorkRejected):
            challenges(digits=2).check_work(payload, record)


@given(
    st.one_of(
        st.text(max_size=200), st.binary(max_size=200).map(lambda b: base64.b64encode(b).decode())
    )
)
def test_any_payload_is_refused_by_the_one_error(payload):
    with pytest.raises(ProofOfWorkRejected):
        challenges().check_work(payload, RECORD)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(
        [
            "algorithm",
            "nonce",
            "salt",
            "cost",
            "keyLength",
            "keyPrefix",
            "data",
            "expiresAt",
            "keySignature",
            "memoryCost",
        ]
    ),
    json_values,
)
def test_any_parameter_altered_to_anything_is_refused_by_the_one_error(name, value):
    payload = solve(challenges().issue(RECORD).proof_of_work)
    if json.loads(base64.b64decode(payload))["challenge"]["parameters"].get(name) == value:
        return
    with pytest.raises(ProofOfWorkRejected):
        challenges().check_work(altered(payload, **{name: value}), RECORD)


def test_a_record_id_has_sixteen_bytes():
    for wrong in (b"", bytes(15), bytes(17)):
        with pytest.raises(InvalidInput):
            challenges().issue(wrong)


@given(st.binary(max_size=40))
def test_a_nonce_that_was_not_issued_is_refused(nonce):
    with pytest.raises(NotYours):
        challenges().check_nonce(nonce, RECORD)
