"""The pictures that thresholds are chosen with and tested with, in three parts.

No picture is in two of them, and none is in the bank:

- *calibration* and *test*: the quarter of the bank's packages that `scripts.bank` holds out, and
  drawn pictures with numbers beyond the bank's; a picture is of one part or the other by its name.
- *other sources*: packages the bank knows nothing of, and ../shared/data. Nothing was chosen by it.
"""

import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image, ImageStat

from benchmarks.recall import SHARED, read_copies, read_photographs
from scripts.bank.__main__ import chosen, fetched, fonts_of, members
from scripts.bank.drawn import PAINTERS, draw
from scripts.bank.sources import FONT_PACKAGES, SOURCES, held_out

LONGEST: Final = 640
"""Pixels of the longer side at most: the network sees 288, and everything is edited many times."""

LEAST_SIDE: Final = 64
"""Pictures with a shorter side are passed over, as by the bank."""

OF_EACH: Final = 40
"""Pictures of a kind in each part, where there are so many."""

EDITED: Final = {"photograph": 32, "portrait": 12, "people": 12, "product": 12, "art": 12}
"""How many pictures of a kind are also edited, in each part: what people register most."""

EDITED_OF_OTHERS: Final = 4
"""The same of the other kinds."""

FIRST_DRAWN: Final = 100_000
"""Drawn pictures from this number on are not in the bank: even ones calibrate, odd ones test."""

OTHERS: Final = (
    ("mate-backgrounds", "*/nature/*", "photograph"),
    ("lomiri-wallpapers-16.04", "*.jpg", "photograph"),
    ("lomiri-wallpapers-20.04", "*.jpg", "photograph"),
    ("ukui-wallpapers", "*", "art"),
    ("mate-backgrounds", "*/abstract/*", "art"),
    ("mate-backgrounds", "*/desktop/*", "art"),
    ("gnome-user-docs", "*/help/C/*", "screenshot"),
    ("imagemagick-6-doc", "*", "figure"),
    ("gnuplot-doc", "*", "chart"),
)
"""Packages the bank knows nothing of: package, pattern, kind."""


SECOND_VERSIONS: Final = (
    "*/families/*-person-group.jpg",
    "*/families/extra-*",
    "*/families/findsimilar.jpg",
    "*/Elephants_*",
    "*/Ubuntu-Mate-Radioactive-*",
    "*/Ubuntu-Mate-Warm-*",
    "*/images/bluebells_*",
    "*/images/logo-*",
    "*/images/logo.png",
    "*/Magick++/ImageMagick.png",
    "*/images/objects.png",
    "*/images/wizard.png",
)
"""Not counted: pictures that are among the others in another version, as was seen by looking at all
pairs that matched. Excluding a copy is no error."""

_VERSION: Final = re.compile(r"(@2x|[-_]?\d{2,4}x\d{2,4}|[-_]\d{2,3})+$")
"""At the end of a name: which size of a picture it is."""

_LEAST_CONTRAST: Final = 4
"""Least standard deviation of grey levels. With less it is as good as blank, and all blank pictures
are one. White drawings without a ground become blank on white."""


class Part(StrEnum):
    """What a picture is used for."""

    CALIBRATION = "calibration"
    TEST = "test"
    OTHER = "other sources"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is registered and screened.

    Attributes:
        part: what it is used for.
        kind: as in the bank.
        source: package and path, or what drew it: unique.
        data: a file.
        left_out: it is not counted, since it is blank, or there in another version.
    """

    part: Part
    kind: str
    source: str
    data: bytes = field(repr=False)
    left_out: bool = False


def part_of(package: str, name: str) -> Part:
    """The part of a picture that is held out of the bank."""
    odd = hashlib.sha256(f"{package} {name}".encode()).digest()[1] % 2
    return Part.TEST if odd else Part.CALIBRATION


def versions(names: Iterable[str]) -> set[str]:
    """Those of a package's pictures that are there twice: larger, or in another folder."""
    same: dict[str, list[str]] = defaultdict(list)
    for name in names:
        same[_VERSION.sub("", PurePosixPath(name).stem.lower())].append(name)
    return {name for group in same.values() if len(group) > 1 for name in group}


def drawn_part(number: int) -> Part:
    """The part of a drawn picture from `FIRST_DRAWN` on."""
    return Part.TEST if number % 2 else Part.CALIBRATION


def pictures(packages: Path) -> Iterator[Picture]:
    """All of them; packages that are missing in the folder are fetched into it."""
    names = {source.package for source in SOURCES} | {package for package, _, _ in OTHERS}
    files = fetched(packages, sorted(names | set(FONT_PACKAGES)))
    yield from _held_out(files)
    yield from _drawn(fonts_of([files[name] for name in FONT_PACKAGES], packages / "fonts"))
    yield from _shared()
    yield from _others(files)


def edited(found: Iterable[Picture]) -> Iterator[Picture]:
    """Those of the pictures that are also edited: evenly over each part and kind."""
    groups: dict[tuple[Part, str], list[Picture]] = defaultdict(list)
    for picture in found:
        groups[picture.part, picture.kind].append(picture)
    for (_, kind), group in groups.items():
        most = min(len(group), EDITED.get(kind, EDITED_OF_OTHERS))
        yield from (group[place * len(group) // most] for place in range(most))


def _held_out(files: dict[str, Path]) -> Iterator[Picture]:
    counts: Counter[tuple[Part, str]] = Counter()
    # A kind of several packages is taken from each of them.
    shares = Counter(kind for _, kind in {(source.package, source.kind) for source in SOURCES})
    for package, sources in groupby(SOURCES, lambda source: source.package):
        everything = [name for name, _ in members(files[package])]
        twice = versions(everything)
        names = [name for name in everything if held_out(package, name)]
        wanted = chosen(names, list(sources))
        taken = dict(members(files[package], wanted))
        of_package: Counter[tuple[Part, str]] = Counter()
        for name, source in wanted.items():
            part = part_of(package, name)
            key = (part, source.kind)
            most = -(-OF_EACH // shares[source.kind])
            if of_package[key] >= most or counts[key] >= OF_EACH:
                continue
            data = reduced(taken[name], source.least_side)
            if data is not None:
                of_package[key] += 1
                counts[key] += 1
                left_out = name in twice or blank(data)
                yield Picture(part, source.kind, f"{package} {name}", data, left_out)


def _drawn(fonts: list[Path]) -> Iterator[Picture]:
    for kind in PAINTERS:
        for number in range(FIRST_DRAWN, FIRST_DRAWN + 2 * OF_EACH):
            data = saved(draw(kind, number, fonts))
            source = f"drawn {kind} {number}"
            yield Picture(drawn_part(number), f"{kind}, drawn", source, data, blank(data))


def _shared() -> Iterator[Picture]:
    originals, _ = read_copies(SHARED / "copies")
    for original in [*read_photographs(SHARED / "photos"), *originals]:
        yield Picture(Part.OTHER, "photograph", f"shared {original.name}", original.data)
    faces = SHARED / "faces"
    for path in sorted([*faces.glob("*.jpg"), *faces.glob("families/*.jpg")]):
        data = reduced(path.read_bytes())
        if data is not None:
            source = f"shared {path.relative_to(SHARED)}"
            yield Picture(Part.OTHER, "people", source, data, second_version(source))


def _others(files: dict[str, Path]) -> Iterator[Picture]:
    for package, pattern, kind in OTHERS:
        names = sorted(n for n, _ in members(files[package]) if fnmatchcase(n, pattern))
        taken = dict(members(files[package], names))
        for name in names:
            data = reduced(taken[name]) if taken[name] else None
            if data is not None:
                left_out = second_version(name) or blank(data)
                yield Picture(Part.OTHER, kind, f"{package} {name}", data, left_out)


def second_version(name: str) -> bool:
    """Whether the same picture is among the others already."""
    return any(fnmatchcase(name, pattern) for pattern in SECOND_VERSIONS)


def reduced(data: bytes, least_side: int = LEAST_SIDE) -> bytes | None:
    """A picture at most `LONGEST` long, on white; None for what is too small or is none."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if min(opened.size) < least_side:
                return None
            opened.draft("RGB", (2 * LONGEST, 2 * LONGEST))
            picture = opened.convert("RGBA")
    except (OSError, ValueError):
        return None
    picture.thumbnail((LONGEST, LONGEST))
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    return saved(flat)


def blank(data: bytes) -> bool:
    """Whether there is as good as nothing to see."""
    with Image.open(io.BytesIO(data)) as picture:
        return ImageStat.Stat(picture.convert("L")).stddev[0] < _LEAST_CONTRAST


def saved(picture: Image.Image) -> bytes:
    """A picture as a file, without loss."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
