"""Unknown record or wrong signature: byte for byte the same answer, after the same work."""

import base64
import statistics
import time

import httpx
import pytest

from consent_client.protocol.records import read_message, withdraw_message
from tests.support.people import Person, Picture, solve

ORIGIN = "registry.example/test"
CHALLENGE = """query($id: Base64!) { challenge(recordId: $id) {
  ... on Challenge { proofOfWork nonce } } }"""
REGISTER = """mutation($input: RegisterInput!) { register(input: $input) { __typename } }"""
RECORD = """query($input: ReadRecordInput!) { record(input: $input) { __typename
  ... on OwnRecord { recordId status } ... on Problem { code message } } }"""
WITHDRAW = """mutation($input: WithdrawInput!) { withdraw(input: $input) { __typename
  ... on Withdrawal { recordId status } ... on Problem { code message } } }"""

# Each median is over this many requests, the two kinds taken in turn, on one connection.
ROUNDS = 40

# Medians over a loaded machine's loopback differ by some 10 %; a look into the database that only
# one of the two took would show as a factor of about 2.
GENEROUS = 3.0


def b64(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def registered(server):
    info = server.ask("{ registry { verifierKey sealingKeys } }")["data"]["registry"]
    owner, request = Person().seal(
        ORIGIN, info["sealingKeys"], info["verifierKey"], Picture(1).fingerprints
    )
    work = server.ask(CHALLENGE, id=b64(owner.record_id))["data"]["challenge"]["proofOfWork"]
    server.ask(REGISTER, input=request.to_json() | {"proofOfWork": solve(work)})
    return owner, request


def nonce_for(server, owner):
    answer = server.ask(CHALLENGE, id=b64(owner.record_id))
    return base64.b64decode(answer["data"]["challenge"]["nonce"])


def reading(server, owner, *, genuine):
    nonce = nonce_for(server, owner)
    signature = owner.sign(read_message(ORIGIN, owner.record_id, nonce))
    return RECORD, {
        "recordId": b64(owner.record_id),
        "ownerPublicKey": b64(owner.public),
        "nonce": b64(nonce),
        "signature": b64(signature if genuine else owner.sign(b"something else")),
    }


def withdrawing(owner, commitment, *, genuine):
    signature = owner.sign(withdraw_message(ORIGIN, commitment))
    return WITHDRAW, {
        "ownerPublicKey": b64(owner.public),
        "commitment": b64(commitment),
        "signature": b64(signature if genuine else owner.sign(b"something else")),
    }


def post(client, query, variables):
    return client.post("/graphql", json={"query": query, "variables": {"input": variables}})


def whole(answer):
    """Everything of an answer that could tell something."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


def cases(server, registered):
    """The ways of asking for what one has no right to, by name."""
    known, request = registered
    stranger = Person().owner(ORIGIN, 0)
    stale = dict(reading(server, known, genuine=True)[1], nonce=b64(bytes(20)))
    other = dict(reading(server, known, genuine=True)[1], nonce=b64(nonce_for(server, stranger)))
    return {
        "record": [
            reading(server, known, genuine=False),
            reading(server, stranger, genuine=False),
            reading(server, stranger, genuine=True),
            (RECORD, stale),
            (RECORD, other),
            (RECORD, stale | {"nonce": ""}),
            (RECORD, stale | {"nonce": b64(bytes(200))}),
        ],
        "withdraw": [
            withdrawing(known, request.commitment, genuine=False),
            withdrawing(stranger, request.commitment, genuine=False),
            withdrawing(stranger, request.commitment, genuine=True),
            withdrawing(known, bytes(32), genuine=True),
            withdrawing(stranger, bytes(32), genuine=False),
        ],
    }


@pytest.mark.parametrize("verb", ["record", "withdraw"])
def test_every_refusal_is_the_same_bytes(server, registered, verb):
    with httpx.Client(base_url=server.url) as client:
        answers = [whole(post(client, *case)) for case in cases(server, registered)[verb]]
    assert b"NOT_YOURS" in answers[0][2]
    assert all(answer == answers[0] for answer in answers)
    # Nothing happened to the record.
    query, variables = reading(server, registered[0], genuine=True)
    assert server.ask(query, input=variables)["data"]["record"]["status"] == "ACTIVE"


@pytest.mark.parametrize("verb", ["record", "withdraw"])
def test_a_wrong_signature_takes_as_long_for_a_known_as_for_an_unknown_record(
    server, registered, verb, capsys
):
    """Measured at the client's end of the loopback, in turn, medians of `ROUNDS` each."""
    both = cases(server, registered)[verb][:2]
    seconds = [[], []]
    with httpx.Client(base_url=server.url) as client:
        for case in both * 3:
            post(client, *case)
        for _ in range(ROUNDS):
            for case, taken in zip(both, seconds, strict=True):
                started = time.perf_counter()
                post(client, *case)
                taken.append(time.perf_counter() - started)
    known, unknown = map(statistics.median, seconds)
    with capsys.disabled():
        print(f" [{verb}: known {known * 1e3:.2f} ms, unknown {unknown * 1e3:.2f} ms]", end="")
    assert 1 / GENEROUS < known / unknown < GENEROUS
