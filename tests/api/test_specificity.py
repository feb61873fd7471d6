"""What is said over HTTP of terms, of protection and of what is too generic: no numbers."""

import json
import re

import numpy as np
import pytest

from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.spaces import SPACES
from tests.support.bank_server import FILE
from tests.support.people import Picture
from tests.support.serving import Server

from .test_requests import OPEN, register_input

REGISTER = """mutation R($input: RegisterInput!) { register(input: $input) { __typename
  ... on Registration { status protection { space reach } }
  ... on Problem { code message } ... on TooGeneric { spaces } } }"""

PAGE = Picture(500)
"""Like one picture of the bank; and `Picture(501)` is like eight."""


def around(seed, similarity, count):
    vector = decode_floats(Picture(seed).sscd, SPACES["sscd-1"])[0]
    others = np.random.default_rng(seed).standard_normal((count, 512))
    others -= np.outer(others @ vector, vector)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    return (similarity * vector + np.sqrt(1 - similarity**2) * others).astype(np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    vectors = np.concatenate([around(500, 0.6, 1), around(501, 0.6, 8)])
    np.savez(folder / "bank.npz", sscd=vectors, pdq=np.zeros((1, 32), np.uint8))
    extra = {FILE: str(folder / "bank.npz")}
    it = Server(folder, extra=extra, program=("tests.support.bank_server", "serve"))
    it.start()
    yield it
    it.stop()


@pytest.fixture(scope="module")
def token(server):
    return server.add_builder("API tests")


def registered(server, picture):
    request = register_input(server, picture.fingerprints)
    return [server.ask(REGISTER, input=request)["data"]["register"] for _ in range(2)]


def test_protection_is_said_and_the_same_on_a_retry(server):
    for picture, reach in ((Picture(1), "EDITED_COPIES"), (PAGE, "NEAR_COPIES")):
        first, again = registered(server, picture)
        assert first["protection"] == [
            {"space": "pdq-1", "reach": "NEAR_COPIES"},
            {"space": "sscd-1", "reach": reach},
        ]
        assert again == first


def test_too_generic_is_a_typed_problem_that_names_spaces_and_no_numbers(server):
    first, again = registered(server, Picture(501))
    assert first == again
    assert first["__typename"] == "TooGeneric"
    assert first["code"] == "TOO_GENERIC"
    assert first["spaces"] == ["sscd-1"]
    assert not re.search(r"[0-9]", first["message"].replace("sscd-1", ""))
    size = server.ask("{ registry { logSize } }")["data"]["registry"]["logSize"]
    registered(server, Picture(501))
    assert server.ask("{ registry { logSize } }")["data"]["registry"]["logSize"] == size


def test_a_session_shows_its_terms(server, token):
    document = OPEN.replace("id logSize", "id terms")
    asked = {
        "dataset": "d",
        "use": "AI_TRAINING",
        "requiredSpaces": ["sscd-1"],
        "candidateCount": 1,
    }
    opened = server.ask(document, token, input=asked)["data"]["openScreening"]
    terms = json.loads(opened["terms"])
    assert terms["bank"] == 1
    assert terms["policy"]["name"] == "small"
    assert terms["requiredSpaces"] == ["sscd-1"]
    assert sorted(terms["spaces"]) == ["pdq-1", "sha256", "sscd-1", "url-1"]


def test_likeness_is_in_no_log(server):
    """Nor a vector of the bank, nor what a picture resembles."""
    text = server.log_file.read_text()
    assert "too_generic" in text.lower() or "refused" not in text
    assert not re.search(r"(?<![0-9:])[01]\.[0-9]{3}", text)  # but for the seconds of a time
    assert encode_float(around(501, 0.6, 1)[0]).hex()[:16] not in text
