"""`consent export`, of records as they lie in the state folder, without asking the registry."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from consent_client.exports import aipref, cawg
from consent_client.exports.consent_receipt import Registered, consent_receipt
from consent_client.operations import RecordStatus
from consent_client.protocol.records import commitment
from consent_client.protocol.statements import Stance, Statement, today
from consent_client.registrant import Registrant, refusal
from consent_client.saved_records import SavedRecord, Stage
from consent_client.state import State
from tests.clients.conftest import Consent
from tests.support.people import Picture
from tests.support.serving import Server


@pytest.fixture(scope="module")
def registered(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, SavedRecord]:
    """A state folder with one record, registered once for all tests."""
    folder = tmp_path_factory.mktemp("exports") / "state"
    with Registrant(server.url, state=folder) as registrant:
        registrant.ensure_phrase()
        return folder, registrant.protect(
            Picture(20_101).fingerprints, refusal(), label="portrait.jpg"
        )


@pytest.fixture
def record(registered: tuple[Path, SavedRecord], state: Path) -> SavedRecord:
    folder, saved = registered
    shutil.copytree(folder, state)
    return saved


def test_each_form_is_what_the_module_says(consent: Consent, record: SavedRecord) -> None:
    assert record.statement is not None
    assert record.register_index is not None
    lines = consent("export", "portrait.jpg", "--as", "aipref")
    assert lines.stdout == aipref.header(record.statement) + "\n"
    assert "own site" in lines.stderr
    rule = consent("export", "#0", "--as", "aipref", "--path", "/my pictures/1.jpg", "--json")
    assert json.loads(rule.stdout) == {
        "preference": "train-ai=n",
        "line": "Content-Usage: /my%20pictures/1.jpg train-ai=n",
    }
    assertion = consent("export", "#0", "--as", "cawg")
    assert json.loads(assertion.stdout) == cawg.assertion(record.statement)
    receipt = consent("export", "#0", "--as", "27560")
    named = Registered(record.origin, record.register_index, record.statement)
    made = json.loads(receipt.stdout)
    days = today(time.time()) - 1, today(time.time())  # midnight may pass in between
    assert made in [consent_receipt(named, day) for day in days]


def test_nothing_is_asked_and_nothing_secret_is_printed(
    consent: Consent, record: SavedRecord
) -> None:
    for words in ("aipref", "cawg", "27560"):
        done = consent("export", "#0", "--as", words, "--registry", "http://127.0.0.1:9")
        assert done.returncode == 2  # a registry never met; and it was not asked
        done = consent("export", "#0", "--as", words)
        assert done.returncode == 0
        printed = done.stdout + done.stderr
        secrets = record.opening, record.owner_public_key, record.commitment, record.image_digest
        for secret in secrets:
            assert secret is not None
            assert secret.hex() not in printed
        assert "portrait" not in done.stdout


@pytest.mark.parametrize("words", ["aipref", "cawg", "27560"])
@pytest.mark.parametrize(
    "change",
    [
        {"status": RecordStatus.WITHDRAWN},
        {"status": RecordStatus.EXPIRED},
        {"stage": Stage.LOST},
        {"statement": None, "image_digest": None},
    ],
    ids=["withdrawn", "expired", "lost", "unknown"],
)
def test_what_does_not_count_is_not_said(
    consent: Consent,
    state: Path,
    record: SavedRecord,
    words: str,
    change: dict[str, object],
) -> None:
    State(state).save_record(replace(record, **change))
    done = consent("export", "#0", "--as", words, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "NOTHING_TO_EXPORT"
    assert "train" not in done.stdout


def test_what_has_no_word_is_an_error(consent: Consent, state: Path, record: SavedRecord) -> None:
    said = Statement((Stance.ALLOWED, Stance.UNSAID, Stance.NOT_ALLOWED, Stance.UNSAID))
    assert record.image_digest is not None
    made = commitment(record.opening, said.encode(), record.image_digest)
    State(state).save_record(
        replace(record, label="a", statement=said, commitment=made, request=None, receipt=None)
    )
    assert "AIPREF has no category" in consent("export", "a", "--as", "aipref").stderr
    assert consent("export", "a", "--as", "cawg").returncode == 0
    receipt = consent("export", "a", "--as", "27560").stdout
    assert "cawg.ai_training" in receipt
    assert "cawg.data_mining" not in receipt


@pytest.mark.parametrize(
    "arguments",
    [
        ("#0",),
        ("#7", "--as", "cawg"),
        ("#0", "--as", "odrl"),
        ("#0", "--as", "cawg", "--path", "/"),
    ],
)
def test_wrong_usage_ends_with_2(
    consent: Consent, record: SavedRecord, arguments: tuple[str, ...]
) -> None:
    assert consent("export", *arguments).returncode == 2
