"""The audit of what is shipped by its pictures: the only one that sees whether digests are theirs.

Needs the extra `images`, and `sscd` where the certificate is about that space. A sample is drawn by
a seed that neither builder nor auditor could choose; what it shows is said as an interval.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Final

from consent_client.adapters.folder import pictures_below
from consent_client.auditor.certificates import Proven
from consent_client.auditor.reports import Fault, Report
from consent_client.builder import Candidate
from consent_client.errors import ImageError, Unreadable
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.manifest_files import ManifestFile
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.intervals import clopper_pearson
from consent_client.protocol.manifests import IMAGE_BYTES
from consent_client.protocol.sampling import sample
from consent_client.protocol.spaces import SPACES, Kind
from consent_client.protocol.verdicts import Verdict

type Screen = Callable[[Sequence[tuple[int, Candidate]]], Iterable[tuple[int, Verdict]]]
"""Rows and fingerprints → rows and what a registry answers for them now."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of a sample.

    Attributes:
        size: rows that were drawn.
        missing: rows of which there is no file, or none that can be read.
        other: rows whose file has other fingerprints than they say.
        computed: row → fingerprints, of all others.
    """

    size: int
    missing: list[int] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    computed: dict[int, Candidate] = field(default_factory=dict)


def audit_images(
    report: Report,
    proven: Proven,
    folder: Path,
    seed: bytes,
    size: int,
    confidence: float,
    screen: Screen | None = None,
) -> Looked:
    """Adds to a certificate's report what its pictures show.

    Args:
        report: of the certificate; nothing in it failed.
        proven: what was proved of it.
        folder: the pictures that are shipped.
        seed: of the sample, 32 bytes.
        size: of the sample; the number of rows for all.
        confidence: of the intervals.
        screen: asks a registry about what was fingerprinted; None: nobody is asked.

    Raises:
        Unreadable, SourceError: a picture or folder can not be read.
        MissingModel: the certificate is about a space that can not be computed here.
    """
    files, extra = _files(report, folder, proven.manifest)
    if not extra:
        report.holds(f"each of the {len(files)} different files is a row of the manifest")
    looked = look(report, proven, files, sample(seed, proven.manifest.count, size))
    _bound(report, looked, proven, confidence)
    if screen is not None and looked.computed:
        _screen(report, looked, screen, confidence)
    return looked


def look(
    report: Report, proven: Proven, files: Mapping[bytes, Path], numbers: Sequence[int]
) -> Looked:
    """Fingerprints the files of these rows again."""
    wanted = set(numbers)
    rows = {n: row for n, row in enumerate(proven.manifest.rows()) if n in wanted}
    looked = Looked(len(rows))
    there = {n: files[row[:IMAGE_BYTES]] for n, row in rows.items() if row[:IMAGE_BYTES] in files}
    for number in sorted(rows.keys() - there.keys()):
        looked.missing.append(number)
        report.fail(Fault.MISSING_FILE, f"row {number}", "no file has its SHA-256")
    spaces = sorted(proven.certificate.spaces)
    exact = all(SPACES[name].kind is not Kind.FLOAT for name in spaces)
    for number, found in fingerprint_many(there.items(), spaces):
        if isinstance(found, ImageError):
            looked.missing.append(number)
            report.fail(Fault.NOT_SHIPPED_AS_SAID, f"row {number}", str(found))
            continue
        looked.computed[number] = found.fingerprints
        if exact and image_digest(found.fingerprints) != rows[number][IMAGE_BYTES:]:
            looked.other.append(number)
            message = "its file has other fingerprints than were screened"
            report.fail(Fault.NOT_SHIPPED_AS_SAID, f"row {number}", message)
    return looked


def _files(
    report: Report, folder: Path, manifest: ManifestFile
) -> tuple[dict[bytes, Path], list[Path]]:
    """Pictures by SHA-256, and those that are no row."""
    if not folder.is_dir():
        raise Unreadable(f"{folder} is no folder", str(folder))
    files: dict[bytes, Path] = {}
    for path in pictures_below(folder):
        try:
            with path.open("rb") as opened:
                files.setdefault(file_digest(opened, "sha256").digest(), path)
        except OSError as error:
            raise Unreadable(f"{path} can not be read: {error.strerror}", str(path)) from None
    strange = dict(files)
    for row in manifest.rows():
        strange.pop(row[:IMAGE_BYTES], None)
    for path in strange.values():
        message = "it is shipped, and no row of the manifest"
        report.fail(Fault.NOT_SHIPPED_AS_SAID, path.relative_to(folder).as_posix(), message)
    return files, list(strange.values())


_FLOATS: Final = (
    "similarities are computed with floating point, of which machines make different bytes: only "
    "what is screened again tells."
)


def _bound(report: Report, looked: Looked, proven: Proven, confidence: float) -> None:
    spaces = proven.certificate.spaces
    exact = [name for name in sorted(spaces) if SPACES[name].kind is not Kind.FLOAT]
    if len(exact) < len(spaces):
        report.cannot("that fingerprints are those of the pictures, to the byte", _FLOATS)
        wrong = len(looked.missing)
        what = "shipped rows without a file that can be read"
    else:
        wrong = len(looked.missing) + len(looked.other)
        what = "shipped rows whose fingerprints are not those of their file"
    low, high = clopper_pearson(wrong, looked.size, confidence)
    report.bound(
        what,
        looked=looked.size,
        of=proven.manifest.count,
        found=wrong,
        shareAtLeast=low,
        shareAtMost=high,
        confidence=confidence,
    )


def _screen(report: Report, looked: Looked, screen: Screen, confidence: float) -> None:
    """Asks about what was fingerprinted: an exclusion now may be of a record that came since."""
    verdicts = dict(screen(list(looked.computed.items())))
    excluded = sorted(n for n, verdict in verdicts.items() if verdict is Verdict.EXCLUDE)
    for number in excluded:
        message = "the registry excludes it now: opted out since, or wrongly cleared"
        report.note(Fault.MISSED, f"row {number}", message)
    low, high = clopper_pearson(len(excluded), len(verdicts), confidence)
    report.bound(
        "shipped rows that the registry excludes now; some may have been opted out since",
        looked=len(verdicts),
        found=len(excluded),
        shareAtLeast=low,
        shareAtMost=high,
        confidence=confidence,
    )
