"""Five crops of a picture: what a builder sends who contests an exclusion.

FORMATS §6. Each has 60 % of the picture's width and height. A copy's crops still resemble the
record that it is a copy of; pictures that resemble each other by chance lose that when cropped.
"""

import os
from collections.abc import Mapping
from typing import Final

import numpy as np

from consent_client.fingerprints import sscd
from consent_client.fingerprints.loading import decoded, read_source, source_name
from consent_client.fingerprints.pillow import Image
from consent_client.protocol.fingerprints import encode_float

_SHARE: Final = (3, 5)
"""Of width and height: large enough that a crop shows what the picture shows, small enough that
opposite crops have a fifth of a side in common and no more."""

type Source = bytes | os.PathLike[str] | str
"""A picture's file: its bytes, or its path."""

type Box = tuple[int, int, int, int]
"""Left, upper, right, lower, in pixels; right and lower are no longer inside."""


def crop_boxes(width: int, height: int) -> tuple[Box, ...]:
    """Where the crops lie: top left, top right, bottom left, bottom right, centre.

    Sides are ⌊3·side / 5⌋ pixels, at least one. Where what is left over at the centre is odd, the
    larger half lies right and below.
    """
    wide, high = (max(1, _SHARE[0] * side // _SHARE[1]) for side in (width, height))
    right, bottom = width - wide, height - high
    corners = ((0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2))
    return tuple((left, upper, left + wide, upper + high) for left, upper in corners)


def contest_crops(picture: Image.Image) -> tuple[Image.Image, ...]:
    """The five crops of a picture, which is upright and in RGB, as `loading.decoded` gives it.

    They are cut out before they are made smaller, so that no pixel from outside gets in.
    """
    return tuple(picture.crop(box) for box in crop_boxes(*picture.size))


def crop_fingerprints(
    source: Source, model: sscd.SscdModel, name: str = ""
) -> Mapping[str, tuple[bytes, ...]]:
    """The fingerprints of a picture's five crops.

    Args:
        source: the file's bytes or path; it is read once.
        model: from `sscd.load_model`.
        name: what errors call the file; a path's own name where empty.

    Returns:
        Space id → five fingerprints, in the order of `crop_boxes`.

    Raises:
        ImageError: the file can not be fingerprinted.
    """
    called = name or source_name(source)
    with decoded(read_source(source, called), called) as picture:
        seen = np.concatenate([sscd.view(crop) for crop in contest_crops(picture)])
    return {sscd.SPACE: tuple(encode_float(vector) for vector in model.embed(seen))}
