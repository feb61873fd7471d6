# ruff: noqa: INP001 - a script that the tests of the pages run
"""Write pictures of every kind that browsers decode, and what the Python client makes of them.

Into the folder named: the files, and `pictures.json` with the size and the PDQ hash of each.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from consent_client.fingerprints import pdq
from consent_client.fingerprints.loading import load_image

SIZE = (181, 140)
ORIENTATION_TAG = 274


def drawn() -> Image.Image:
    """Something to see: large patches of colour, smoothly joined."""
    patches = np.random.default_rng(5).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(SIZE, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_alpha(image: Image.Image) -> Image.Image:
    """Transparent from the left to the right."""
    alpha = np.broadcast_to(np.linspace(0, 255, SIZE[0]).astype(np.uint8), SIZE[::-1])
    seen = image.copy()
    seen.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return seen


def files() -> dict[str, bytes]:
    """Name → bytes."""
    image = drawn()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    made = {
        "plain.png": encoded(image, "PNG"),
        "grey.png": encoded(image.convert("L"), "PNG"),
        "palette.png": encoded(image.quantize(64), "PNG"),
        "alpha.png": encoded(with_alpha(image), "PNG"),
        "profile.png": encoded(image, "PNG", icc_profile=profile),
        "picture.gif": encoded(image.quantize(64), "GIF"),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "picture.webp": encoded(image, "WEBP", quality=95),
        "picture.avif": encoded(image, "AVIF", quality=95),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        made[f"turned-{orientation}.jpg"] = encoded(image, "JPEG", quality=95, exif=exif)
    return made


def main(folder: Path) -> None:
    """Write all of them."""
    told = {}
    for name, data in files().items():
        (folder / name).write_bytes(data)
        pixels = load_image(data, name)
        hashed = pdq.hash_samples(pdq.sample(pixels))
        told[name] = {
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "hash": hashed.bits.hex(),
            "mean": [float(value) for value in pixels.mean(axis=(0, 1))],
        }
    (folder / "pictures.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
