"""The audit by somebody whose picture it is: is it among what is shipped?"""

from hashlib import file_digest
from pathlib import Path
from typing import Final

from consent_client.auditor.certificates import open_shipped, read_certificate
from consent_client.auditor.receipts import MAX_RECEIPT_BYTES
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import read_file
from consent_client.errors import ProtocolError, Unreadable
from consent_client.protocol.certificates import Certificate
from consent_client.protocol.manifests import IMAGE_BYTES
from consent_client.protocol.receipts import Receipt

_RECEIPT_START: Final = b"c2sp.org/tlog-proof@"


def audit_own(own: Path, data: bytes, name: str, shipped: Path) -> Report:
    """Looks for one's own picture in what a certificate says is shipped.

    Args:
        own: the picture's file, or the receipt of its record.
        data: the certificate, an envelope.
        name: what the report calls the certificate.
        shipped: the manifest of what is shipped.

    Raises:
        Unreadable, StateError: one of the files can not be read.
    """
    report = Report(f"{own.name} in what the certificate {name} ships")
    read = read_certificate(report, data, name)
    receipt = _receipt(report, own)
    image = None if receipt is not None else _digest(own)
    manifest = None if read is None else open_shipped(report, read, shipped)
    if read is None or manifest is None or not report.ok:
        return report
    found = [
        number
        for number, row in enumerate(manifest.rows())
        if row[:IMAGE_BYTES] == image
        or (receipt is not None and row[IMAGE_BYTES:] == receipt.image_digest)
    ]
    what = "F of the receipt" if receipt is not None else "the SHA-256 of the file"
    if found:
        report.fail(Fault.SHIPPED, f"row {found[0]}", f"{what} is there: {_since(receipt, read)}")
    else:
        report.holds(f"{what} is not among the {manifest.count} rows that are shipped")
    _say_limits(report, receipt)
    return report


def _since(receipt: Receipt | None, read: Certificate) -> str:
    if receipt is None:
        return "this very picture is in the data set"
    index, began = receipt.proof.index, f"the session began as {read.session_index}"
    if index < read.session_index:
        return f"registered as entry {index}, as it says, before {began}"
    return f"registered as entry {index}, as it says, after {began}"


def _receipt(report: Report, own: Path) -> Receipt | None:
    """The receipt in a file; None for a file that is another."""
    try:
        with own.open("rb") as file:
            start = file.read(len(_RECEIPT_START))
    except OSError as error:
        raise Unreadable(f"{own} can not be read: {error.strerror}", str(own)) from None
    if start != _RECEIPT_START:
        return None
    text = (read_file(own, MAX_RECEIPT_BYTES) or b"").decode("utf-8", "replace")
    try:
        return Receipt.parse(text)
    except ProtocolError as error:
        report.fail(Fault.BAD_RECEIPT, str(own), str(error))
        return None


def _digest(own: Path) -> bytes:
    try:
        with own.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError as error:
        raise Unreadable(f"{own} can not be read: {error.strerror}", str(own)) from None


def _say_limits(report: Report, receipt: Receipt | None) -> None:
    report.cannot(
        "that no copy of it is shipped",
        "a manifest has digests only: a file that was saved again, cropped or resized has others. "
        "Near copies can be found by who has the pictures: consent audit images.",
    )
    if receipt is not None:
        report.cannot(
            "that the receipt is one",
            "only its F and its index were read: consent audit receipt verifies it.",
        )
        report.cannot(
            "that this very picture is not shipped",
            "F is equal only where builder and owner computed the same fingerprints, and owners "
            "register mirrored ones too. Give the picture's file: its SHA-256 tells.",
        )
    report.cannot(
        "that what is shipped is what was cleared",
        "only the log and the evidence show that: consent audit certificate.",
    )
