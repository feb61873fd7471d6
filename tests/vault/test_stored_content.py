"""A record at rest: a number for each fingerprint measured, and nothing that is not canonical."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import Malformed, ProtocolError
from consent_client.protocol.encoding import decode_base64
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.records import RecordContent
from registry.vault.stored_content import StoredContent
from tests.support.people import REFUSAL, Picture

VECTORS = Path(__file__).parent.parent / "vectors"
CASES = sorted((VECTORS / "corruptions" / "stored-content").glob("*.json"))

HALVES = st.floats(-1, 1, width=16)


def face(seed):
    return encode_float(np.random.default_rng(seed).standard_normal(128).astype(np.float32))


@st.composite
def measured(draw):
    """A record, and what was measured of it in some of its float spaces."""
    vectors = {
        "sscd-1": [Picture(i).sscd for i in range(draw(st.integers(0, 4)))],
        "face-1": [face(i) for i in range(draw(st.integers(0, 4)))],
        "pdq-1": [Picture(0).pdq] * draw(st.integers(0, 8)),
        "sha256": [Picture(0).sha256],
    }
    fingerprints = {name: tuple(values) for name, values in vectors.items() if values}
    spaces = draw(st.sets(st.sampled_from(["sscd-1", "face-1"]))) & set(fingerprints)
    nearest = {
        name: tuple(draw(st.lists(HALVES, min_size=n, max_size=n)))
        for name, n in ((name, len(fingerprints[name])) for name in spaces)
    }
    content = RecordContent(draw(st.binary(min_size=32, max_size=32)), REFUSAL, fingerprints)
    return StoredContent(content, draw(st.integers(1, 2**32 - 1)), nearest)


@settings(deadline=None)
@given(measured())
def test_what_was_stored_comes_back(record):
    data = record.encode()
    assert len(data) == 8_192
    back = StoredContent.decode(data)
    assert back == record
    assert back.encode() == data


@settings(deadline=None)
@given(measured())
def test_what_was_sealed_is_layout_1(record):
    """What records from before there was a bank lie as; and what a client seals stays that."""
    sealed = record.content.encode()
    assert StoredContent.decode(sealed) == StoredContent(record.content)
    assert StoredContent(record.content).encode() == sealed
    with pytest.raises(ProtocolError):
        RecordContent.decode(record.encode())


def full():
    """The longest list there is, all of it measured."""
    fingerprints = {
        "face-1": tuple(face(i) for i in range(2)),
        "sscd-1": tuple(Picture(i).sscd for i in range(7)),
    }
    return RecordContent(bytes(32), REFUSAL, fingerprints)


def test_the_longest_list_has_room_for_what_was_measured():
    content = full()
    record = StoredContent(content, 1, {"face-1": (0.5,) * 2, "sscd-1": (0.25,) * 7})
    assert StoredContent.decode(record.encode()) == record


@pytest.mark.parametrize(
    "nearest",
    [
        {"sha256": (0.5,)},  # no vectors
        {"pdq-1": (0.5,)},
        {"face-1": (0.5,)},  # not the record's
        {"sscd-1": ()},
        {"sscd-1": (0.5, 0.5)},
        {"sscd-1": (1.5,)},
        {"sscd-1": (float("nan"),)},
        {"elsewhere": (0.5,)},
    ],
)
def test_what_does_not_belong_to_the_record_is_not_stored(nearest):
    content = RecordContent(bytes(32), REFUSAL, Picture(1).fingerprints)
    with pytest.raises(Malformed):
        StoredContent(content, 1, nearest).encode()


def test_a_record_shows_nothing_of_what_was_measured():
    content = RecordContent(bytes(32), REFUSAL, Picture(1).fingerprints)
    assert "0.5" not in repr(StoredContent(content, 1, {"sscd-1": (0.5,)}))


def test_the_stored_vector_agrees():
    """Made from FORMATS §4 by other code."""
    case = json.loads((VECTORS / "stored-content.json").read_text())
    record = StoredContent.decode(decode_base64(case["bytes"]))
    assert record.bank == case["bank"]
    assert {name: list(values) for name, values in record.nearest.items()} == case["nearest"]
    assert record.content.commitment.hex() == case["commitment"]
    assert record.encode() == decode_base64(case["bytes"])


def test_the_vectors_are_those_that_the_generator_writes():
    maker = Path(__file__).parent / "make_stored_content.py"
    command = [sys.executable, maker, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(CASES) > 20


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_corruption_gives_its_typed_error(path):
    case = json.loads(path.read_text())
    with pytest.raises(ProtocolError) as caught:
        StoredContent.decode(decode_base64(case["input"]))
    assert caught.value.code == case["error"], case["description"]


@settings(deadline=None)
@given(measured(), st.integers(0, 8_191), st.integers(0, 7))
def test_a_bit_turned_over_is_refused_or_means_something_else(record, at, bit):
    data = bytearray(record.encode())
    data[at] ^= 1 << bit
    try:
        back = StoredContent.decode(bytes(data))
    except ProtocolError:
        return
    assert back != record or struct.pack("<e", 0.0) in record.encode()  # -0.0 equals 0.0
