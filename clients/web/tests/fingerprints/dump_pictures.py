# ruff: noqa: INP001 - a script that the tests of the pages run
"""Write decoded pictures, and what the Python client makes of them, for the tests of the pages.

For the n-th picture `<folder>/<n>.rgb` holds its pixels; `<folder>/pictures.json` says its size,
the hashes of its eight orientations, and those of the reference implementation where
`tests/vectors/pdq.json` has them.
"""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from consent_client.fingerprints import pdq

PROJECT = Path(__file__).resolve().parents[4]
PHOTOS = PROJECT.parent / "shared" / "data" / "photos"
LENGTHS = (5, 6, 63, 64, 65, 127, 128, 129, 1000)


def package_file(package: str, name: str) -> Path:
    """A file of an installed package, which is not imported."""
    top, *inner = package.split(".")
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(top)
    return Path(found.origin).parent.joinpath(*inner, name)


def pictures() -> Iterator[tuple[str, np.ndarray[Any, np.dtype[np.uint8]], list[str] | None]]:
    """Name, pixels, and the reference's hashes where they are known for these very pixels."""
    vectors = json.loads((PROJECT / "tests" / "vectors" / "pdq.json").read_text("ascii"))
    for vector in vectors["vectors"]:
        with Image.open(package_file(vector["package"], vector["file"])) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        lossless = vector["file"].endswith(".png")  # decoders of JPEG differ by a unit
        yield vector["file"], pixels, vector["hashes"] if lossless else None
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as opened:
            yield path.name, np.asarray(opened.convert("RGB")), None
    random = np.random.default_rng(1)
    for height in LENGTHS:
        for width in (LENGTHS[0], LENGTHS[-2], height):
            blocks = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            large = Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)
            yield f"random {height} x {width}", np.asarray(large), None


def main(folder: Path) -> None:
    """Write all of them."""
    told = []
    for number, (name, pixels, reference) in enumerate(pictures()):
        (folder / f"{number}.rgb").write_bytes(pixels.tobytes())
        hashes = pdq.hash_orientations(pdq.sample(pixels))
        told.append(
            {
                "name": name,
                "height": pixels.shape[0],
                "width": pixels.shape[1],
                "quality": hashes[0].quality,
                "hashes": [each.bits.hex() for each in hashes],
                "reference": reference,
            }
        )
    (folder / "pictures.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
