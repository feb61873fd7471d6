"""White borders that a downloader put around pictures, taken off again.

img2dataset's default (`resize_mode=border`) scales a picture so that its longer side fits a square,
and fills the rest of the square with white. Of such files hardly one lies within PDQ's distance of
its original; with the border taken off most do. Where the border begins follows from the original's
size, which img2dataset writes down beside each picture.
"""

from typing import Final

import numpy as np

from consent_client.fingerprints.pillow import Image

WHITE: Final = 235
"""Mean brightness from which a strip counts as white: JPEG's ringing at the edge stays above it."""

LEAST_BORDER: Final = 2
"""Pixels: a border of one changes no fingerprint, and may be rounding."""

type Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


def content_box(size: tuple[int, int], original: tuple[int, int]) -> Box | None:
    """Where the picture lies in a square that it was fitted into.

    Args:
        size: width and height of the file.
        original: width and height of the picture it was made of.

    Returns:
        None where there can be no border: the file is no square, or the original was one.
    """
    side, height = size
    if side != height or min(original) < 1:
        return None
    scale = side / max(original)
    inner = [max(1, round(length * scale)) for length in original]
    left, top = ((side - length) // 2 for length in inner)
    if max(left, top) < LEAST_BORDER:
        return None
    return left, top, left + inner[0], top + inner[1]


def without_border(picture: Image.Image, original: tuple[int, int]) -> Image.Image:
    """The picture in a file, where a white border lies around it; else the file as it is.

    A file that was cropped to a square instead has something else than white there, and is left
    alone.

    Args:
        picture: RGB.
        original: width and height before it was fitted in.
    """
    box = content_box(picture.size, original)
    if box is None:
        return picture
    pixels = np.asarray(picture)
    left, top, right, bottom = box
    strips = (
        (pixels[:, : left - 1], pixels[:, right + 1 :])
        if left
        else (pixels[: top - 1], pixels[bottom + 1 :])
    )
    if any(strip.size and strip.mean() < WHITE for strip in strips):
        return picture
    return picture.crop(box)
