"""Whether a face is good enough to be registered: large, sharp and seen from the front.

The limits are measured (`docs/faces.md`): beyond them, the vector of a face says too little about
whose it is.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.fingerprints.yunet import Face

LEAST_WIDTH: Final = 16.0
"""Pixels: narrower faces are not looked at when a picture is screened. Of faces made 16 pixels
wide, three in four of those found still match the person's other photographs, at 14 fewer than
half; small faces are not confused more often than large ones."""

LEAST_EYES: Final = 24.0
"""Pixels between the eyes: from here on a face made smaller keeps .96 of itself, at 12 only .75."""

LEAST_SHARPNESS: Final = 25.0
"""Faces of the photographs measured have 239 and more; blurred by one pixel of the aligned face 42
and more (and keep .93 of themselves), by two 10 and less (.71)."""

MOST_TURNED: Final = 0.35
"""Some 40 degrees, where the nose stands out by .45 eye distances. Too few turned faces were at
hand to measure a limit; the template the face is moved onto is one seen from the front."""

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114  # brightness as in JPEG (ITU-R BT.601)


class Flaw(StrEnum):
    """Why a face is not registered."""

    TOO_SMALL = "too small"
    BLURRED = "blurred"
    TURNED = "turned"

    @property
    def advice(self) -> str:
        """What is wrong, and what to do."""
        return _ADVICE[self]


_ADVICE: Final = {
    Flaw.TOO_SMALL: "the face is too small; take the picture in its full size, or one from nearer",
    Flaw.BLURRED: "the face is blurred; take a sharper picture",
    Flaw.TURNED: "the face is turned too far; take a picture in which it looks towards the camera",
}


def flaw(face: Face, cut: NDArray[np.uint8]) -> Flaw | None:
    """What keeps a face from being registered; None: nothing.

    Args:
        face: as it was found.
        cut: uint8[112, 112, 3], the same, aligned.
    """
    if eye_distance(face) < LEAST_EYES:
        return Flaw.TOO_SMALL
    if turned(face) > MOST_TURNED:
        return Flaw.TURNED
    if sharpness(cut) < LEAST_SHARPNESS:
        return Flaw.BLURRED
    return None


def eye_distance(face: Face) -> float:
    """Pixels between the eyes."""
    return float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))


def turned(face: Face) -> float:
    """How far the nose is from the middle between the eyes, along their line, in eye distances.

    0 from the front; 0.5 where the nose lies before an eye, some 50 degrees away.
    """
    right, left, nose = face.landmarks[:3]
    across = left - right
    square = float(across @ across)
    return abs(float((nose - (left + right) / 2) @ across)) / square if square else np.inf


def sharpness(cut: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of an aligned face's brightness (Pech-Pacheco et al., ICPR 2000).

    Args:
        cut: uint8[112, 112, 3].
    """
    grey = cut.astype(np.float64) @ (_RED, _GREEN, _BLUE)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * inner).var())
