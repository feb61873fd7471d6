"""The audit of a receipt: what it shows by itself, and what a log says of its record now."""

from typing import Final

from consent_client.auditor.logs import day_text, read_checkpoint, vouched_for
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import CHECKPOINT, Source
from consent_client.auditor.view import LogView
from consent_client.errors import BadProof, BadSignature, ProtocolError, WeakKey
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.log import Day, Erase, Withdraw, check_withdrawal
from consent_client.protocol.notes import split_note
from consent_client.protocol.policies import Policy
from consent_client.protocol.receipts import Receipt, verify_receipt
from consent_client.protocol.statements import Purpose, Use

MAX_RECEIPT_BYTES: Final = 2**20
"""More than a note and a proof take."""


def audit_receipt(text: str, name: str, policy: Policy, source: Source | None = None) -> Report:
    """Audits a receipt.

    Args:
        text: the receipt.
        name: what the report calls it.
        policy: whose signatures are believed.
        source: a log to look in; None: offline, by the receipt alone.

    Raises:
        Unreadable, TransportError: the log can not be read.
    """
    report = Report(f"The receipt {name}")
    try:
        receipt = Receipt.parse(text)
        vouched = vouched_for(report, receipt.proof.checkpoint, policy, name)
        if vouched is None:
            return report
        verify_receipt(receipt, policy)
    except ProtocolError as error:
        report.fail(Fault.BAD_RECEIPT, name, str(error))
        return report
    index, size = receipt.proof.index, vouched.checkpoint.size
    report.facts |= {"index": index} | _statement(receipt)
    report.holds(f"this statement about F was entry {index} of the log when that had {size}")
    report.cannot(
        "which picture it is about",
        "a receipt holds F, the digest of fingerprints; who has the list can compute it.",
    )
    report.cannot(
        "that who shows it is its owner", "it can be copied. Let them sign something of yours."
    )
    report.cannot(
        "that the statement is true or rightful",
        "anyone can state something about a picture; the basis is what they claim.",
    )
    if source is None:
        report.cannot(
            "that the record is still active", "only the log says what became of it: --log SOURCE."
        )
        return report
    _look_up(report, receipt, policy, source)
    return report


def _statement(receipt: Receipt) -> dict[str, str | int]:
    statement = receipt.statement
    facts: dict[str, str | int] = {
        f"use.{use.cawg}": statement.stance(use).text for use in Use if statement.stance(use)
    }
    facts["basis"] = statement.basis.name.lower().replace("_", "-")
    if statement.given_for is not Purpose.UNSAID:
        facts["givenFor"] = statement.given_for.name.lower().replace("_", "-")
    if statement.valid_until:
        facts["validUntil"] = day_text(statement.valid_until)
    return facts


def _look_up(report: Report, receipt: Receipt, policy: Policy, source: Source) -> None:
    """Looks for what became of the record."""
    where = f"{source.name}/{CHECKPOINT}"
    seen = Checkpoint.parse(split_note(receipt.proof.checkpoint)[0])
    vouched = vouched_for(report, read_checkpoint(source), policy, where)
    if vouched is None:
        return
    now = vouched.checkpoint
    if now.origin != seen.origin:
        report.fail(Fault.BAD_CHECKPOINT, where, "it is the log of another registry")
        return
    if now.size < seen.size:
        message = f"the log has {now.size} entries, the receipt's had {seen.size}: it went back"
        report.fail(Fault.ROLLED_BACK, where, message)
        return
    if now.size == seen.size and now.root != seen.root:
        message = f"two signed checkpoints of {now.size} entries with different roots"
        report.fail(Fault.FORKED, where, message)
        return
    view = LogView(source, now)
    try:
        view.check_grown_from(seen)
    except BadProof as error:
        message = f"it is not shown that it grew out of the receipt's log: {error}"
        report.fail(Fault.INCONSISTENT, where, message)
        return
    report.holds(f"the log of {now.size} entries grew out of the receipt's")
    try:
        ended = _ending(report, receipt, view)
    except ProtocolError as error:
        report.fail(Fault.CONTRADICTION, where, str(error))
        return
    report.facts |= {"status": "ACTIVE" if ended is None else ended[0]}
    if ended is None:
        report.holds(f"the record is active in the log of {now.size} entries")
    else:
        status, at, how = ended
        report.facts |= {"endedBy": at}
        report.holds(f"the record is {status} since entry {at}: {how}")


def _ending(report: Report, receipt: Receipt, view: LogView) -> tuple[str, int, str] | None:
    """How the record ended first: status, entry and in words; None where it did not."""
    index = receipt.proof.index
    for at, entry in view.entries(index + 1):
        match entry:
            case Withdraw(register_index=ended) if ended == index:
                try:
                    check_withdrawal(view.checkpoint.origin, entry, receipt.register)
                except (BadSignature, WeakKey) as error:
                    report.fail(Fault.FORGED_WITHDRAWAL, f"entry {at}", str(error))
                else:
                    return "WITHDRAWN", at, "its owner signed that"
            case Erase(register_index=ended, reason=reason) if ended == index:
                why = reason.name.lower().replace("_", " ")
                return "ERASED", at, f"by the operator, who gives as reason: {why}"
            case Day(day=day) if receipt.statement.expired(day):
                return "EXPIRED", at, f"day {day_text(day)} began, its last one is behind"
            case _:
                pass
    return None
