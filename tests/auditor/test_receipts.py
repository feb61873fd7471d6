"""The audit of a receipt, offline and against a log that tells the truth or does not."""

from pathlib import Path

import pytest

from consent_client.auditor.receipts import audit_receipt
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import FolderSource
from consent_client.protocol.keys import owner_tag
from consent_client.protocol.log import Erase, EraseReason, Register, Withdraw
from consent_client.protocol.merkle import Tree, inclusion_proof, leaf_hash
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.policies import Policy
from consent_client.protocol.receipts import Receipt
from consent_client.protocol.records import commitment, withdraw_message
from consent_client.protocol.statements import Statement
from consent_client.protocol.tlog_proofs import TlogProof
from tests.support.people import REFUSAL, until
from tests.support.published import (
    ORIGIN,
    POLICY,
    Published,
    day,
    owner,
    plain,
    register,
)

AT = 40
OPENING, DIGEST = bytes(32), bytes(range(32))


def registered(statement: Statement = REFUSAL) -> list[bytes]:
    """A log in which our record is entry `AT`."""
    committed = commitment(OPENING, statement.encode(), DIGEST)
    return [*plain(AT), Register(committed, owner_tag(owner(1).public)).encode()]


def receipt_in(
    published: Published, entries: list[bytes], statement: Statement = REFUSAL
) -> Receipt:
    """The receipt that the owner assembled when the log was these entries."""
    tree = Tree(leaf_hash(entry) for entry in entries)
    note = published.sign(len(entries), tree.root())
    proof = TlogProof(AT, inclusion_proof(tree.node, AT, len(entries)), note)
    return Receipt(OPENING, statement, DIGEST, owner(1).public, proof)


def withdrawal(number: int = 1) -> bytes:
    committed = commitment(OPENING, REFUSAL.encode(), DIGEST)
    signature = owner(number).sign(withdraw_message(ORIGIN, committed))
    return Withdraw(AT, owner(1).public, signature).encode()


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path / "log")


def audited(receipt: Receipt, published: Published | None = None) -> Report:
    source = None if published is None else FolderSource(published.folder)
    return audit_receipt(receipt.encode(), "mine", POLICY, source)


def faults(report: Report) -> list[Fault]:
    return [each.fault for each in report.failed]


def test_a_receipt_needs_nobody(published: Published) -> None:
    report = audited(receipt_in(published, registered()))
    assert report.ok
    assert (report.facts["index"], report.facts["use.ai_training"]) == (AT, "notAllowed")
    assert any(each.what.startswith("that the record is still") for each in report.unverifiable)


def test_a_receipt_that_shows_something_else_is_none(published: Published) -> None:
    good = receipt_in(published, registered())
    forms = {
        "another statement": Receipt(
            OPENING, until(30_000), DIGEST, owner(1).public, good.proof
        ).encode(),
        "another picture": Receipt(
            OPENING, REFUSAL, bytes(32), owner(1).public, good.proof
        ).encode(),
        "another owner": Receipt(OPENING, REFUSAL, DIGEST, owner(2).public, good.proof).encode(),
        "cut off": good.encode()[:-40],
        "nothing": "",
    }
    for name, text in forms.items():
        report = audit_receipt(text, name, POLICY)
        assert set(faults(report)) <= {Fault.BAD_RECEIPT, Fault.BAD_CHECKPOINT}
        assert faults(report), name
    stranger = Policy.of_log(NoteSigner(ORIGIN, bytes(32)).verifier)
    assert faults(audit_receipt(good.encode(), "x", stranger)) == [Fault.BAD_CHECKPOINT]


def endings() -> dict[str, tuple[list[bytes], Statement, str, int | None]]:
    erased = Erase(AT, EraseReason.COURT_ORDER).encode()
    short = until(100)
    return {
        "none": (plain(300), REFUSAL, "ACTIVE", None),
        "withdrawn": ([*plain(300), withdrawal(), erased], REFUSAL, "WITHDRAWN", AT + 301),
        "erased": ([erased, withdrawal()], REFUSAL, "ERASED", AT + 1),
        "expired": ([day(100), day(101), day(102)], short, "EXPIRED", AT + 2),
        "not yet": ([day(99), day(100)], short, "ACTIVE", None),
        "another's": ([Erase(AT - 1, EraseReason.ABUSE).encode()], REFUSAL, "ACTIVE", None),
    }


@pytest.mark.parametrize("name", endings())
def test_what_became_of_the_record(published: Published, name: str) -> None:
    later, statement, status, by = endings()[name]
    receipt = receipt_in(published, registered(statement), statement)
    published.write([*registered(statement), *later])
    report = audited(receipt, published)
    assert report.ok, report.failed
    assert report.facts["status"] == status
    assert report.facts.get("endedBy") == by


def test_a_forged_withdrawal_is_told_and_does_not_count(published: Published) -> None:
    published.write([*registered(), withdrawal(2)])
    report = audited(receipt_in(published, registered()), published)
    assert faults(report) == [Fault.FORGED_WITHDRAWAL]
    assert report.facts["status"] == "ACTIVE"


def test_a_log_that_does_not_contain_the_receipts(published: Published) -> None:
    receipt = receipt_in(published, registered())
    published.write(plain(10))
    assert faults(audited(receipt, published)) == [Fault.ROLLED_BACK]
    published.write([*plain(AT), register(5).encode()])
    assert faults(audited(receipt, published)) == [Fault.FORKED]
    published.write([*plain(AT), register(5).encode(), *plain(300)])
    assert faults(audited(receipt, published)) == [Fault.INCONSISTENT]
    other = Published(published.folder, signer=NoteSigner("registry.example/other", bytes(32)))
    other.write(registered())
    assert faults(audited(receipt, other)) == [Fault.BAD_CHECKPOINT]
    both = Policy((*POLICY.logs, *Policy.of_log(other.signer.verifier).logs), {}, {}, "none")
    report = audit_receipt(receipt.encode(), "mine", both, FolderSource(other.folder))
    assert "another registry" in report.failed[0].message


def test_entries_that_are_not_what_was_signed_say_nothing(published: Published) -> None:
    published.write([*registered(), *plain(300)])
    published.flip("tile/entries/001.p/85", 30)
    report = audited(receipt_in(published, registered()), published)
    assert faults(report) == [Fault.CONTRADICTION]
    assert "status" not in report.facts
