"""The published log as strangers see it: static files, proofs, and checkpoints as they come."""

import base64
import json
import threading

import httpx
import pytest

from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.log import Register, decode_entry
from consent_client.protocol.merkle import (
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.tiles import bundle_path, read_bundle, tile_nodes, tile_path
from consent_client.protocol.tlog_proofs import TlogProof
from tests.api.test_requests import code_of, register_input
from tests.support.people import Picture

REGISTERED = """mutation R($input: RegisterInput!) { register(input: $input) {
  ... on Registration { registerIndex proof } ... on Problem { code message } } }"""
CHECKPOINT = "{ checkpoint { ... on Checkpoint { size root note } } registry { verifierKey } }"
INCLUSION = """query I($index: LogIndex!, $size: LogIndex) {
  inclusionProof(index: $index, size: $size) { __typename
    ... on InclusionProof { index size hashes text } ... on Problem { code } } }"""
CONSISTENCY = """query C($old: LogIndex!, $new: LogIndex!) {
  consistencyProof(oldSize: $old, newSize: $new) { __typename
    ... on ConsistencyProof { oldSize newSize hashes } ... on Problem { code } } }"""
SUBSCRIPTION = "subscription { checkpoints { size note } }"


@pytest.fixture(scope="module")
def registered(server):
    """Answers to three registrations."""
    pictures = [Picture(seed) for seed in (701, 702, 703)]
    return [
        server.ask(REGISTERED, input=register_input(server, picture.fingerprints))["data"][
            "register"
        ]
        for picture in pictures
    ]


@pytest.fixture(scope="module")
def verifier(server):
    key = server.ask("{ registry { verifierKey } }")["data"]["registry"]["verifierKey"]
    return NoteVerifier.parse(key)


def fetch(server, path):
    return httpx.get(f"{server.url}/log/{path}")


def hashes(values):
    return [base64.b64decode(value) for value in values]


def test_a_registration_is_answered_with_its_proof(server, registered, verifier):
    for answer in registered:
        proof = TlogProof.parse(answer["proof"])
        checkpoint = open_checkpoint(proof.checkpoint, verifier)
        assert proof.index == answer["registerIndex"]
        entry = entries(server, checkpoint.size)[proof.index]
        assert isinstance(decode_entry(entry), Register)
        proof.verify(leaf_hash(entry), checkpoint)


def entries(server, size):
    (data,) = [fetch(server, bundle_path(0, width)).content for width in (newest(server).size,)]
    return read_bundle(data, newest(server).size)[:size]


def newest(server) -> Checkpoint:
    text, _, _ = fetch(server, "checkpoint").text.partition("\n\n")
    return Checkpoint.parse(text + "\n")


def test_the_log_can_be_checked_from_static_files_alone(server, registered, verifier):
    note = fetch(server, "checkpoint")
    assert note.headers["cache-control"] == "no-cache"
    checkpoint = open_checkpoint(note.text, verifier)
    nodes = tile_nodes(lambda *place: fetch(server, tile_path(*place)).content, checkpoint.size)
    assert root_at(nodes, checkpoint.size) == checkpoint.root
    tile = fetch(server, tile_path(0, 0, checkpoint.size))
    assert "immutable" in tile.headers["cache-control"]
    assert tile.headers["access-control-allow-origin"] == "*"
    leaves = [leaf_hash(entry) for entry in entries(server, checkpoint.size)]
    assert b"".join(leaves) == tile.content
    assert len(registered) <= checkpoint.size


def test_proofs_can_be_fetched_again_for_any_size(server, registered, verifier):
    shown = server.ask(CHECKPOINT)["data"]
    checkpoint = open_checkpoint(shown["checkpoint"]["note"], verifier)
    assert shown["checkpoint"]["size"] == checkpoint.size
    assert base64.b64decode(shown["checkpoint"]["root"]) == checkpoint.root
    index = registered[0]["registerIndex"]
    newest = server.ask(INCLUSION, index=index)["data"]["inclusionProof"]
    again = TlogProof.parse(newest["text"])
    entry = entries(server, checkpoint.size)[index]
    again.verify(leaf_hash(entry), open_checkpoint(again.checkpoint, verifier))

    old = TlogProof.parse(registered[0]["proof"])
    before = open_checkpoint(old.checkpoint, verifier)
    proof = server.ask(INCLUSION, index=index, size=before.size)["data"]["inclusionProof"]
    verify_inclusion(leaf_hash(entry), index, before.size, hashes(proof["hashes"]), before.root)
    if before.size != checkpoint.size:
        assert proof["text"] is None  # the checkpoint of that size is its owner's to keep
    grown = server.ask(CONSISTENCY, old=before.size, new=checkpoint.size)["data"]
    verify_consistency(
        before.size,
        checkpoint.size,
        hashes(grown["consistencyProof"]["hashes"]),
        before.root,
        checkpoint.root,
    )


def test_nothing_is_proved_of_what_is_not_there(server, registered):
    size = server.ask(CHECKPOINT)["data"]["checkpoint"]["size"]
    assert registered
    for index, of in ((2**53 - 1, None), (size + 9, None), (0, 0), (0, size + 9), (5, 5)):
        answer = server.ask(INCLUSION, index=index, size=of)["data"]["inclusionProof"]
        assert answer == {"__typename": "InvalidInput", "code": "INVALID_INPUT"}
    for old, new in ((1, 2**53 - 1), (3, 2)):
        answer = server.ask(CONSISTENCY, old=old, new=new)["data"]["consistencyProof"]
        assert answer == {"__typename": "InvalidInput", "code": "INVALID_INPUT"}
    for index in (-1, 2**53, 1.5, "1"):
        assert code_of(server.ask(INCLUSION, index=index)) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".lock",
        "nothing",
        "tile/0/1",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x000/000",
        "tile/9/000",
        "tile/0/999",
        "tile/entries/000.p/255",
        "../registry.db",
        "..%2f..%2fkeyring%2fepoch-1.key",
        "%2e%2e/registry.db",
        "tile/0/..%2f..%2fcheckpoint",
        "checkpoint%00",
        "tile/0/" + "x000/" * 50 + "000",
    ],
)
def test_only_published_files_are_served(server, registered, path):
    assert registered
    answer = fetch(server, path)
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert len(answer.content) < 100


def test_the_log_is_read_only(server):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = httpx.request(method, f"{server.url}/log/checkpoint", content=b"x")
        assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED


def test_checkpoints_come_as_they_are_published(server, registered, verifier):
    """Server-sent events: the newest at once, and the next when there is one."""
    seen = []
    assert registered
    with httpx.stream(
        "POST",
        f"{server.url}/graphql",
        json={"query": SUBSCRIPTION},
        headers={"accept": "text/event-stream"},
        timeout=30,
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        adding = threading.Thread(
            target=lambda: server.ask(
                REGISTERED, input=register_input(server, Picture(704).fingerprints)
            )
        )
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            shown = json.loads(line.removeprefix("data: "))["data"]["checkpoints"]
            checkpoint = open_checkpoint(shown["note"], verifier)
            assert checkpoint.size == shown["size"]
            seen.append(checkpoint.size)
            if len(seen) == 1:
                adding.start()
            if len(seen) == 2:
                break
    adding.join()
    assert seen == sorted(set(seen))


def test_a_subscription_obeys_the_limits_of_a_query(server):
    for query, code in (
        (f"subscription {{ checkpoints {{ {'size ' * 1_100} }} }}", "BAD_REQUEST"),
        ("subscription { checkpoints { secret } }", "BAD_REQUEST"),
        ("subscription { checkpoints { secret ", "BAD_REQUEST"),
    ):
        answer = httpx.post(
            f"{server.url}/graphql",
            json={"query": query},
            headers={"accept": "text/event-stream"},
            timeout=30,
        )
        assert code in answer.text
        assert "secret" not in answer.text
