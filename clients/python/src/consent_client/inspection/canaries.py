"""Canaries: opted-out pictures, edited, that are offered to a builder to see which it leaves out.

Beside them go controls, edited likewise and never registered: a builder that drops controls too
drops pictures for other reasons, and then its recall says little.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from consent_client.adapters.folder import pictures_below
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import read_file
from consent_client.errors import OutputError, Unreadable
from consent_client.fingerprints.loading import decoded, read_source
from consent_client.fingerprints.pillow import Image, ImageDraw
from consent_client.manifest_files import ManifestFile
from consent_client.protocol.intervals import clopper_pearson
from consent_client.protocol.manifests import IMAGE_BYTES

LIST_NAME: Final = "canaries.json"

MAX_LIST_BYTES: Final = 2**26
"""A few hundred thousand canaries."""

_KIND: Final = "consent-client/canaries/v1"
_KEEP: Final = 92  # a quality of JPEG that by itself changes next to nothing


def _saved(picture: Image.Image, quality: int = _KEEP) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _halved(picture: Image.Image) -> Image.Image:
    size = max(1, picture.width // 2), max(1, picture.height // 2)
    return picture.resize(size, Image.Resampling.LANCZOS)


def _cropped(picture: Image.Image, share: float) -> Image.Image:
    """The middle, `share` of each side."""
    left, top = (round(side * (1 - share) / 2) for side in picture.size)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def _barred(picture: Image.Image) -> Image.Image:
    """A black bar over the lowest tenth, as under a caption."""
    made = picture.copy()
    top = picture.height - max(1, picture.height // 10)
    ImageDraw.Draw(made).rectangle((0, top, picture.width, picture.height), fill="black")
    return made


EDITS: Final[Mapping[str, Callable[[Image.Image], bytes]]] = {
    "saved again, JPEG 90": lambda picture: _saved(picture, 90),
    "JPEG 30": lambda picture: _saved(picture, 30),
    "half the size": lambda picture: _saved(_halved(picture)),
    "mirrored": lambda picture: _saved(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "grey": lambda picture: _saved(picture.convert("L")),
    "cropped to 90 % of each side": lambda picture: _saved(_cropped(picture, 0.9)),
    "cropped to 70 % of each side": lambda picture: _saved(_cropped(picture, 0.7)),
    "black bar": lambda picture: _saved(_barred(picture)),
}


@dataclass(frozen=True, slots=True)
class Canary:
    """A picture that is offered to a builder.

    Attributes:
        file: its name in the folder; says nothing of what it is.
        sha256: of the file, hex.
        source: the picture it was made from.
        edit: how.
        control: never registered.
    """

    file: str
    sha256: str
    source: str
    edit: str
    control: bool


def make_canaries(registered: Path, controls: Path | None, out: Path) -> list[Canary]:
    """Writes edited copies of pictures, and beside the folder `out` the list of what they are.

    Args:
        registered: pictures that were opted out before.
        controls: pictures that were not, of the same kind; None: there are none.
        out: a new folder, to be offered as it is. The list must not be shown to the builder.

    Raises:
        OutputError: the folder is there already, or can not be written.
        ImageError, SourceError: a picture or folder can not be read.
    """
    made = []
    try:
        out.mkdir(parents=True)
        for canary, data in _made(registered, controls):
            (out / canary.file).write_bytes(data)
            made.append(canary)
        value = {"kind": _KIND, "canaries": [asdict(each) for each in made]}
        list_of(out).write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"{out} can not be written: {error.strerror}") from None
    return made


def list_of(folder: Path) -> Path:
    """Where the list of a folder of canaries lies: beside it, not in it."""
    return folder.with_name(f"{folder.name}.{LIST_NAME}")


def _made(registered: Path, controls: Path | None) -> Iterator[tuple[Canary, bytes]]:
    for folder, control in ((registered, False), (controls, True)):
        for path in [] if folder is None else sorted(pictures_below(folder)):
            with decoded(read_source(path, ""), path.name) as picture:
                for edit, make in EDITS.items():
                    data = make(picture)
                    digest = sha256(data).hexdigest()
                    yield Canary(f"{digest[:16]}.jpg", digest, path.name, edit, control), data


def read_canaries(folder: Path) -> list[Canary]:
    """The canaries of a folder, from the list beside it.

    Raises:
        Unreadable: there is no such list, or it is none.
    """
    path = list_of(folder)
    data = read_file(path, MAX_LIST_BYTES)
    try:
        value: Any = json.loads(data or b"null")
        if value["kind"] == _KIND:
            return [_checked(Canary(**each)) for each in value["canaries"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise Unreadable(f"{path} is no list of canaries", str(path))


def _checked(canary: Canary) -> Canary:
    bytes.fromhex(canary.sha256)
    if not all(isinstance(text, str) for text in (canary.file, canary.source, canary.edit)):
        raise TypeError
    if not isinstance(canary.control, bool):
        raise TypeError
    return canary


def shipped_digests(shipped: ManifestFile | Path) -> Iterator[bytes]:
    """SHA-256 of what a builder ships: a manifest's rows, or a folder's files."""
    if isinstance(shipped, ManifestFile):
        yield from (row[:IMAGE_BYTES] for row in shipped.rows())
        return
    for path in pictures_below(shipped):
        yield sha256(read_source(path, "")).digest()


def audit_canaries(canaries: list[Canary], shipped: Iterable[bytes], confidence: float) -> Report:
    """How many of the canaries a builder left out.

    Args:
        canaries: all that were offered.
        shipped: SHA-256 of what the builder ships.
        confidence: of the intervals.
    """
    report = Report("Canaries")
    digests = {bytes.fromhex(each.sha256) for each in canaries}
    there = {digest.hex() for digest in shipped if digest in digests}
    planted = [each for each in canaries if not each.control]
    for each in planted:
        if each.sha256 in there:
            message = f"{each.edit}, of {each.source}: opted out, and shipped"
            report.fail(Fault.MISSED, each.file, message)
    _recall(report, "opted-out copies that were left out", planted, there, confidence)
    for edit in EDITS:
        of = [each for each in planted if each.edit == edit]
        _recall(report, f"of these: {edit}", of, there, confidence)
    controls = [each for each in canaries if each.control]
    _recall(report, "controls that were left out, too", controls, there, confidence)
    if not controls:
        report.cannot(
            "that they were left out for having been opted out",
            "there were no controls: the builder may drop such pictures for other reasons.",
        )
    report.cannot(
        "that the builder treats all pictures alike",
        "canaries that are recognised can be treated apart. Names and bytes tell nothing, but what "
        "they show, where they come from and when might.",
    )
    return report


def _recall(
    report: Report, what: str, of: list[Canary], there: set[str], confidence: float
) -> None:
    if of:
        out = sum(each.sha256 not in there for each in of)
        low, high = clopper_pearson(out, len(of), confidence)
        report.bound(what, leftOut=out, of=len(of), atLeast=low, atMost=high, confidence=confidence)
