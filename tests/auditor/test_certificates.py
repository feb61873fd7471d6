"""The audit of a certificate: whatever of it is not so is found; and of one's own picture."""

from hashlib import sha256
from pathlib import Path

import pytest

from consent_client.auditor.certificates import audit_certificate
from consent_client.auditor.own import audit_own
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import FolderSource
from consent_client.errors import StateError, Unreadable
from consent_client.manifest_files import write_manifest
from consent_client.protocol.certificates import certify_digest
from consent_client.protocol.log import Certify, Close
from consent_client.protocol.receipts import Receipt
from consent_client.protocol.tlog_proofs import TlogProof
from consent_client.protocol.verdicts import Verdict
from tests.support.certifying import Certified, image
from tests.support.people import REFUSAL
from tests.support.published import POLICY, Published, owner, plain

AT = 300


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    made = Certified(AT)
    made.write(tmp_path / "screened")
    return made


@pytest.fixture
def published(tmp_path: Path, certified: Certified) -> Published:
    made = Published(tmp_path / "log")
    made.write([*plain(AT), *certified.entries(), *plain(300)])
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "screened"


def audited(published: Published, folder: Path, evidence: Path | None = None) -> Report:
    report, proven = audit_certificate(
        (folder / "certificate.json").read_bytes(),
        "certificate.json",
        folder / "shipped.manifest",
        folder if evidence is None else evidence,
        POLICY,
        FolderSource(published.folder),
    )
    assert report.ok == (proven is not None)
    return report


def faults(report: Report) -> list[Fault]:
    return [each.fault for each in report.failed]


def test_a_certificate_with_all_that_belongs_to_it(
    published: Published, certified: Certified, folder: Path
) -> None:
    for evidence in (folder, folder / "evidence"):
        report = audited(published, folder, evidence)
        assert report.ok, report.failed
        verified = " ".join(each.what for each in report.verified)
        assert "every shipped row was answered: 1089 CLEAR, 0 PERMIT" in verified
        assert report.facts["certify"] == AT + 2
    numbers = {name: value for each in report.bounded for name, value in each.numbers.items()}
    assert (numbers["entriesSince"], numbers["exclude"]) == (300 + 2, 11)
    cannot = " ".join(each.what for each in report.unverifiable)
    for part in ("what its manifest says", "lie together", "edited copy", "licence", "trained on"):
        assert part in cannot


def wrong_certificates(certified: Certified) -> dict[str, bytes]:
    good = certified.certificate()
    return {
        "damaged": good[:-9],
        "another signature": good.replace(b'"sig":"', b'"sig":"A', 1),
        "empty": b"",
        "too long": bytes(2**17),
        "another registry": certified.certificate(registry="registry.example/other"),
        "other terms": certified.certificate(terms="{}"),
        "other results": certified.certificate(results_root=bytes(32)),
        "another session": certified.certificate(session_index=AT - 1),
        "beyond the log": certified.certificate(close_index=10_000),
        "closed by another entry": certified.certificate(close_index=AT + 2),
        "never logged": certified.certificate(tool=("another", "1")),
    }


@pytest.mark.parametrize("name", wrong_certificates(Certified(AT)))
def test_a_certificate_that_the_log_does_not_bear_out(
    published: Published, certified: Certified, folder: Path, name: str
) -> None:
    (folder / "certificate.json").write_bytes(wrong_certificates(certified)[name])
    found = faults(audited(published, folder))
    assert found
    assert set(found) <= {Fault.BAD_CERTIFICATE, Fault.CONTRADICTION}


@pytest.mark.parametrize(
    "changed",
    [
        {"terms": "{}"},
        {"results_root": bytes(32)},
        {"registry": "registry.example/other"},
        {"session_index": AT - 1},
        {"spaces": {"sha256": 1}, "close_index": AT + 2},
    ],
)
def test_one_that_was_logged_and_is_not_borne_out(
    published: Published, certified: Certified, folder: Path, changed: dict[str, object]
) -> None:
    """As if the registry had logged whatever the builder sent."""
    lying = certified.certificate(**changed)
    digest = certify_digest(lying)
    entries = [*plain(AT), certified.session.encode(), certified.close.encode()]
    published.write([*entries, *(Certify(at, digest).encode() for at in (AT - 1, AT))])
    (folder / "certificate.json").write_bytes(lying)
    assert Fault.BAD_CERTIFICATE in faults(audited(published, folder))


def test_one_that_was_logged_before_its_session_was_closed(
    published: Published, certified: Certified, folder: Path
) -> None:
    early = certified.certificate(close_index=AT + 2)
    digest = certify_digest(early)
    session, close = certified.session.encode(), certified.close.encode()
    published.write([*plain(AT), session, Certify(AT, digest).encode(), close])
    (folder / "certificate.json").write_bytes(early)
    report = audited(published, folder)
    assert [each.message for each in report.failed] == [
        "it was logged before its session was closed"
    ]


def test_one_that_another_took_the_place_of(
    published: Published, certified: Certified, folder: Path
) -> None:
    later = certified.certificate(
        tool=("later", "1"), supersedes=certify_digest(certified.certificate())
    )
    entries = [*published.entries, Certify(AT, certify_digest(later)).encode()]
    published.write(entries)
    assert faults(audited(published, folder)) == [Fault.SUPERSEDED]
    (folder / "certificate.json").write_bytes(later)
    assert audited(published, folder).ok


def test_a_session_that_was_closed_twice(
    published: Published, certified: Certified, folder: Path
) -> None:
    published.write([*published.entries, Close(AT, AT, bytes(32)).encode()])
    assert faults(audited(published, folder)) == [Fault.BAD_SESSION]


def test_another_manifest_than_the_one_certified(
    published: Published, certified: Certified, folder: Path
) -> None:
    manifest = folder / "shipped.manifest"
    for rows in (certified.shipped[1:], certified.rows):
        manifest.unlink()
        write_manifest(manifest, rows)
        assert faults(audited(published, folder)) == [Fault.NOT_SHIPPED_AS_SAID]
    good = manifest.read_bytes()
    for damaged in (good[:-1], b"", good[:60], good + bytes(64)):
        manifest.write_bytes(damaged)
        assert faults(audited(published, folder)) == [Fault.BAD_MANIFEST]
    manifest.unlink()
    with pytest.raises(StateError):
        audited(published, folder)


def test_evidence_that_does_not_show_it(published: Published, folder: Path) -> None:
    evidence = folder / "evidence"
    good = evidence.read_bytes()
    flipped = bytearray(good)
    flipped[100] ^= 1
    for damaged in (good[:-1], good + b"x", b"", bytes(flipped)):
        evidence.write_bytes(damaged)
        assert faults(audited(published, folder)) == [Fault.BAD_EVIDENCE]
    evidence.unlink()
    with pytest.raises(Unreadable):
        audited(published, folder)


def test_an_entry_that_is_not_what_was_signed(published: Published, folder: Path) -> None:
    published.flip("tile/entries/001", (AT - 256) * 70 + 10)
    assert faults(audited(published, folder)) == [Fault.CONTRADICTION]
    published.write()
    (published.folder / "tile/0/001").unlink()
    report = audited(published, folder)
    assert faults(report) in ([], [Fault.CONTRADICTION])  # where a proof does not need it
    published.write()
    (published.folder / "tile/entries/001").unlink()
    assert faults(audited(published, folder)) == [Fault.CONTRADICTION]


def test_more_shown_of_a_verdict_than_the_certificate_says(
    published: Published, certified: Certified, folder: Path
) -> None:
    verdicts = {Verdict.CLEAR: 1_088, Verdict.PERMIT: 1, Verdict.EXCLUDE: 11, Verdict.UNKNOWN: 0}
    lying = certified.certificate(verdicts=verdicts)
    published.write([*plain(AT), *certified.entries(lying)])
    (folder / "certificate.json").write_bytes(lying)
    assert faults(audited(published, folder)) == [Fault.BAD_EVIDENCE]


# One's own picture


def own_report(folder: Path, own: Path) -> Report:
    return audit_own(
        own,
        (folder / "certificate.json").read_bytes(),
        "certificate.json",
        folder / "shipped.manifest",
    )


def test_a_picture_that_is_shipped_and_one_that_is_not(
    certified: Certified, folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.png"
    shipped = {row[:32] for row in certified.shipped}
    numbers = range(certified.count)
    there = next(n for n in numbers if sha256(image(n)).digest() in shipped)
    excluded = next(n for n in numbers if sha256(image(n)).digest() not in shipped)
    own.write_bytes(image(there))
    assert faults(own_report(folder, own)) == [Fault.SHIPPED]
    own.write_bytes(image(excluded))
    assert own_report(folder, own).ok
    own.write_bytes(b"another picture")
    report = own_report(folder, own)
    assert report.ok
    assert any("no copy of it" in each.what for each in report.unverifiable)


def test_a_receipt_of_a_picture_that_is_shipped(
    certified: Certified, published: Published, folder: Path, tmp_path: Path
) -> None:
    shipped = certified.shipped[5][32:]
    own = tmp_path / "own.receipt"
    for digest, found in ((shipped, [Fault.SHIPPED]), (bytes(32), [])):
        proof = TlogProof(7, (), published.sign(10, bytes(32)))
        own.write_text(Receipt(bytes(32), REFUSAL, digest, owner(1).public, proof).encode())
        report = own_report(folder, own)
        assert faults(report) == found
        if found:
            assert "as it says, before the session began" in report.failed[0].message
        # Nobody signed this one: it is read here, and not verified.
        assert any("receipt is one" in each.what for each in report.unverifiable)
    own.write_text("c2sp.org/tlog-proof@v1\nnonsense")
    assert faults(own_report(folder, own)) == [Fault.BAD_RECEIPT]
    with pytest.raises(Unreadable):
        own_report(folder, tmp_path / "nowhere")


def test_nothing_is_said_of_a_manifest_that_is_not_the_certificates(
    certified: Certified, folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(b"another picture")
    (folder / "shipped.manifest").unlink()
    write_manifest(folder / "shipped.manifest", certified.shipped[1:])
    report = own_report(folder, own)
    assert faults(report) == [Fault.NOT_SHIPPED_AS_SAID]
    assert not any("not among" in each.what for each in report.verified)
