"""A builder whose manifest says other things than its pictures: found by looking at pictures."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from consent_client.auditor.certificates import Proven, audit_certificate
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import FolderSource
from consent_client.errors import Unreadable
from consent_client.inspection.samples import audit_images
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.verdicts import Verdict
from tests.support.certifying import Certified, image
from tests.support.published import POLICY, Published, plain

AT = 3


@dataclass
class Honest(Certified):
    """Rows with the F of their files, of which only the SHA-256 is asked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        digests = [row[:32] for row in self.rows]
        self.rows = [digest + image_digest({"sha256": (digest,)}) for digest in digests]
        self.commit()


def proven(tmp_path: Path, certified: Certified) -> tuple[Report, Proven]:
    folder = tmp_path / "screened"
    path = certified.write(folder)
    published = Published(tmp_path / "log")
    published.write([*plain(AT), *certified.entries()])
    report, proved = audit_certificate(
        path.read_bytes(),
        path.name,
        folder / "shipped.manifest",
        folder,
        POLICY,
        FolderSource(published.folder),
    )
    assert proved is not None
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shipped = {row[:32] for row in certified.shipped}
    for number in range(certified.count):
        if certified.digest(number) in shipped:
            (pictures / f"{number}.png").write_bytes(image(number))
    return report, proved


def numbers(report: Report) -> dict[str, float]:
    return dict(report.bounded[-1].numbers)


def test_an_honest_builder(tmp_path: Path) -> None:
    report, proved = proven(tmp_path, Honest(AT))
    looked = audit_images(report, proved, tmp_path / "pictures", bytes(32), 100, 0.95)
    assert report.ok, report.failed[:3]
    assert (looked.size, len(looked.computed)) == (100, 100)
    assert numbers(report)["shareAtMost"] == pytest.approx(0.0362, abs=1e-3)
    other = audit_images(report, proved, tmp_path / "pictures", bytes(31) + b"x", 100, 0.95)
    assert other.computed.keys() != looked.computed.keys()


def test_fingerprints_of_other_pictures(tmp_path: Path) -> None:
    report, proved = proven(tmp_path, Certified(AT))  # its F are made up
    looked = audit_images(report, proved, tmp_path / "pictures", bytes(32), 50, 0.95)
    assert len(looked.other) == 50
    assert {each.fault for each in report.failed} == {Fault.NOT_SHIPPED_AS_SAID}
    assert numbers(report)["shareAtLeast"] > 0.9


def test_pictures_that_are_not_there_and_pictures_too_many(tmp_path: Path) -> None:
    report, proved = proven(tmp_path, Honest(AT))
    pictures = tmp_path / "pictures"
    gone = min(pictures.iterdir())
    gone.unlink()
    (pictures / "strange.png").write_bytes(b"never screened")
    looked = audit_images(report, proved, pictures, bytes(32), proved.manifest.count, 0.95)
    assert len(looked.missing) == 1
    assert {(each.fault, each.where) for each in report.failed if "row" not in each.where} == {
        (Fault.NOT_SHIPPED_AS_SAID, "strange.png")
    }
    assert report.has(Fault.MISSING_FILE)
    with pytest.raises(Unreadable):
        audit_images(report, proved, tmp_path / "nowhere", bytes(32), 5, 0.95)


def test_what_is_excluded_now_is_counted_and_accuses_nobody(tmp_path: Path) -> None:
    report, proved = proven(tmp_path, Honest(AT))
    audit_images(
        report,
        proved,
        tmp_path / "pictures",
        bytes(32),
        100,
        0.95,
        lambda items: [
            (key, Verdict.EXCLUDE if n < 5 else Verdict.CLEAR) for n, (key, _) in enumerate(items)
        ],
    )
    assert report.ok
    assert len(report.notes) == 5
    assert (numbers(report)["found"], numbers(report)["looked"]) == (5, 100)
