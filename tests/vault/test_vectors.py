"""Records at rest agree with the vectors, and every named corruption gives the one typed error."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import EnvelopeError
from registry.vault.envelope import Kek, decrypt_record, unwrap_data_key, wrapped_epoch

VECTORS = Path(__file__).parent.parent / "vectors"
CASES = sorted((VECTORS / "corruptions" / "at-rest").glob("*.json"))


def opened(value):
    """Opens what the input holds: the data key, then the content under it."""
    keks = {int(epoch): Kek(bytes.fromhex(key)) for epoch, key in value["keks"].items()}
    record_id = bytes.fromhex(value["record_id"])
    data_key = unwrap_data_key(keks, record_id, bytes.fromhex(value["wrapped"]))
    if "content" not in value:
        return data_key, None
    content = base64.b64decode(value["content"], validate=True)
    return data_key, decrypt_record(data_key, record_id, content)


def test_the_sample_opens():
    value = json.loads((VECTORS / "at-rest.json").read_text())
    data_key, plaintext = opened(value)
    assert wrapped_epoch(bytes.fromhex(value["wrapped"])) == value["epoch"]
    assert data_key.hex() == value["data_key"]
    assert plaintext == base64.b64decode(value["plaintext"])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_corruption_gives_its_typed_error(path):
    case = json.loads(path.read_text())
    with pytest.raises(EnvelopeError) as caught:
        opened(case["input"])
    assert caught.value.code == case["error"], case["description"]


def test_the_vectors_are_those_that_the_generator_writes():
    maker = Path(__file__).parent / "make_vectors.py"
    command = [sys.executable, maker, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(CASES) > 30
