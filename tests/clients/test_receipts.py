"""Receipts: verified before anything is believed, and good without the registry."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from consent_client.errors import StateError, WrongAnswer
from consent_client.operations import Registration
from consent_client.protocol.notes import NoteSigner, NoteVerifier, sign_note
from consent_client.protocol.policies import Policy, Standing
from consent_client.protocol.receipts import Receipt, verify_receipt
from consent_client.protocol.tlog_proofs import TlogProof
from consent_client.proven import receipt_of
from consent_client.registrant import Registrant, refusal
from consent_client.saved_records import SavedRecord, Stage
from consent_client.state import State
from tests.clients.conftest import Consent
from tests.support.people import Picture
from tests.support.serving import Server


@pytest.fixture
def registrant(server: Server, state: Path):
    with Registrant(server.url, state=state) as opened:
        opened.ensure_phrase()
        yield opened


def key_of(registrant: Registrant) -> str:
    return registrant.meet().pinned.verifier_key


def test_a_registration_leaves_a_receipt_that_needs_no_registry(registrant: Registrant) -> None:
    record = registrant.protect(Picture(20_001).fingerprints, refusal())
    assert record.receipt is not None
    receipt = Receipt.parse(record.receipt)
    policy = Policy.of_log(NoteVerifier.parse(key_of(registrant)))
    vouched = verify_receipt(receipt, policy)
    assert vouched.standing is Standing.UNWITNESSED
    assert receipt.proof.index == record.register_index
    assert receipt.register.commitment == record.commitment
    assert (receipt.statement, receipt.image_digest) == (record.statement, record.image_digest)
    assert registrant.receipt(record) == receipt
    assert record.opening.hex() not in repr(record) + repr(receipt)


def test_a_receipt_is_proved_again_where_it_is_missing(
    registrant: Registrant, server: Server, tmp_path: Path
) -> None:
    record = registrant.protect(Picture(20_002).fingerprints, refusal())
    registrant.protect(Picture(20_003).fingerprints, refusal())
    registrant.state.save_record(replace(record, receipt=None))
    again = registrant.receipt(record)
    assert again.register == Receipt.parse(record.receipt or "").register
    kept = registrant.state.record(record.origin, record.index)
    assert kept is not None
    assert kept.receipt == again.encode()

    other = State(tmp_path / "other")
    other.create_phrase(registrant.state.phrase())
    with Registrant(server.url, state=other) as elsewhere:
        recovered = {each.register_index: each for each in elsewhere.recover()}
        found = recovered[record.register_index]
        assert found.receipt is None
        assert elsewhere.receipt(found).register == again.register


def test_there_is_no_receipt_of_what_is_not_registered(registrant: Registrant) -> None:
    with pytest.raises(StateError, match="no receipt"):
        registrant.receipt(registrant.save(Picture(20_004).fingerprints, refusal()))


def wrong_proofs(good: TlogProof, other: TlogProof) -> dict[str, str]:
    """What a registry that lies, or is mistaken, might send."""
    forger = NoteSigner("registry.example/test", bytes(32))
    text, _, _ = good.checkpoint.partition("\n\n")
    return {
        "nothing": "",
        "not a proof": "c2sp.org/tlog-proof@v1\n",
        "another entry's": other.encode(),
        "another index": TlogProof(good.index + 1, good.hashes, good.checkpoint).encode(),
        "a hash missing": TlogProof(good.index, good.hashes[1:], good.checkpoint).encode(),
        "another key's": TlogProof(
            good.index, good.hashes, sign_note(text + "\n", forger)
        ).encode(),
        "with extra data": TlogProof(good.index, good.hashes, good.checkpoint, b"extra").encode(),
    }


def test_what_is_not_proved_is_not_believed(
    registrant: Registrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = registrant.protect(Picture(20_005).fingerprints, refusal())
    second = registrant.protect(Picture(20_006).fingerprints, refusal())
    good, other = (Receipt.parse(each.receipt or "").proof for each in (second, first))
    for proof in wrong_proofs(good, other).values():
        with pytest.raises(WrongAnswer):
            receipt_of(second, proof, key_of(registrant))

    honest = Registrant._register
    waiting = registrant.save(Picture(20_007).fingerprints, refusal())

    def lying(self: Registrant, *arguments: object) -> Registration:
        return replace(honest(self, *arguments), proof=other.encode())  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Registrant, "_register", lying)
        with pytest.raises(WrongAnswer):
            registrant.send(waiting)
    kept = registrant.state.record(waiting.origin, waiting.index)
    assert kept is not None
    assert (kept.stage, kept.receipt) == (Stage.SENT, None)
    assert registrant.send(waiting).stage is Stage.REGISTERED


def test_a_damaged_receipt_in_the_state_is_told(registrant: Registrant) -> None:
    record = registrant.protect(Picture(20_008).fingerprints, refusal())
    for damaged in ("x", "", (record.receipt or "")[:-20]):
        with pytest.raises(StateError):
            SavedRecord.from_json(replace(record, receipt=damaged).to_json(), "record.json")
    data = json.loads(record.to_json()) | {"receipt": 7}
    with pytest.raises(StateError):
        SavedRecord.from_json(json.dumps(data).encode(), "record.json")


def test_the_command_shows_writes_and_explains(
    consent: Consent, portrait: Path, tmp_path: Path
) -> None:
    assert consent("protect", portrait).returncode == 0
    shown = consent("receipt", "portrait.png")
    assert shown.returncode == 0
    assert "does not show that nobody withdrew it" in shown.stderr
    written = consent("receipt", "#0", "--out", tmp_path / "portrait.receipt", "--json")
    told = json.loads(written.stdout)
    file = tmp_path / "portrait.receipt"
    assert file.read_text() == told["receipt"]
    assert told["receipt"] in shown.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert Receipt.parse(file.read_text()).proof.index < told["logSize"]
    assert consent("receipt", "nobody.png").returncode == 2
