"""Five crops of a picture: what a builder sends who contests an exclusion.

FORMATS §6. Each has 60 % of the picture's width and height. A copy's crops still resemble the
record that it is a copy of; pictures that resemble each other by chance lose that when cropped.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from consent_client.errors import UnknownSpace
from consent_client.fingerprints import sscd
from consent_client.fingerprints.images import (
    ImageFingerprints,
    Models,
    Source,
    fingerprint_image,
    load_models,
)
from consent_client.fingerprints.loading import decoded, read_source, source_name
from consent_client.fingerprints.pillow import Image
from consent_client.protocol.contests import CONTEST_SPACES
from consent_client.protocol.fingerprints import encode_float

_SHARE: Final = (3, 5)
"""Of width and height: large enough that a crop shows what the picture shows, small enough that
corners overlap by a fifth of a side only."""

type Box = tuple[int, int, int, int]
"""Left, upper, right, lower, in pixels; right and lower are no longer inside."""


@dataclass(frozen=True, slots=True)
class ContestFingerprints:
    """What is sent of one picture to contest its exclusion.

    Attributes:
        image: as it was screened.
        crops: space id → five fingerprints, in the order of `crop_boxes`.
    """

    image: ImageFingerprints
    crops: Mapping[str, tuple[bytes, ...]] = field(repr=False)


def crop_boxes(width: int, height: int) -> tuple[Box, ...]:
    """Where the crops lie: top left, top right, bottom left, bottom right, centre.

    Sides are ⌊3·side / 5⌋ pixels, at least one; what is left over at the centre lies right and
    below.
    """
    wide, high = (max(1, _SHARE[0] * side // _SHARE[1]) for side in (width, height))
    right, bottom = width - wide, height - high
    corners = ((0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2))
    return tuple((left, upper, left + wide, upper + high) for left, upper in corners)


def contest_crops(picture: Image.Image) -> tuple[Image.Image, ...]:
    """The five crops of a picture, which is upright, in RGB, as `loading.decoded` gives it.

    They are cut out before they are made smaller, so that no pixel from outside leaks in.
    """
    return tuple(picture.crop(box) for box in crop_boxes(*picture.size))


def contest_fingerprints(
    source: Source, spaces: Collection[str], *, name: str = "", models: Models | None = None
) -> ContestFingerprints:
    """A picture's fingerprints as it was screened, and those of its crops.

    Args:
        source: the file's bytes or path; it is read once.
        spaces: those it was screened in, `sscd-1` among them.
        name: what errors call the file; a path's own name where empty.
        models: from `load_models`; None: the installed ones.

    Raises:
        UnknownSpace: not spaces of pictures, or `sscd-1` is not among them.
        ImageError: the file can not be fingerprinted, or a model is missing.
    """
    if sscd.SPACE not in spaces or sscd.SPACE not in CONTEST_SPACES:
        raise UnknownSpace(f"crops have fingerprints in {', '.join(CONTEST_SPACES)}")
    loaded = load_models(spaces) if models is None else models
    called = name or source_name(source)
    data = read_source(source, called)
    image = fingerprint_image(data, spaces, name=called, models=loaded)
    with decoded(data, called) as picture:
        seen = np.concatenate([sscd.view(crop) for crop in contest_crops(picture)])
    vectors = loaded[sscd.SPACE].embed(seen)
    return ContestFingerprints(
        image, {sscd.SPACE: tuple(encode_float(vector) for vector in vectors)}
    )
