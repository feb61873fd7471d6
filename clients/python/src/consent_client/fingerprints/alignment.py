"""A face turned upright, scaled and cut out the way the recognising network was trained.

The five landmarks are moved as near as can be onto a fixed template by a similarity transform:
Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI
1991. One resampler is part of the space: where the face has to become more than twice as small, the
picture is first averaged over whole blocks of pixels (`Image.reduce`), then it is bilinear.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.fingerprints.pillow import Image

SIDE: Final = 112
"""Pixels along each side of an aligned face."""

TEMPLATE: Final = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Where the landmarks come to lie: the template of ArcFace and SFace (OpenCV, `FaceRecognizerSF`).
Numbers are of pixels' centres."""


def similarity(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, scale and shift that bring landmarks nearest to the template.

    Args:
        landmarks: float64[5, 2], not all in one point.

    Returns:
        float64[2, 3], for points of the picture as columns (x, y, 1).
    """
    from_middle, to_middle = landmarks.mean(axis=0), TEMPLATE.mean(axis=0)
    here, there = landmarks - from_middle, TEMPLATE - to_middle
    left, lengths, right = np.linalg.svd(there.T @ here / len(here))
    signs = np.array([1.0, math.copysign(1.0, np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (lengths * signs).sum() / here.var(axis=0).sum()
    shift = to_middle - scale * rotation @ from_middle
    return np.column_stack([scale * rotation, shift])


def aligned(picture: Image.Image, landmarks: NDArray[np.float64]) -> Image.Image:
    """The face as 112 x 112 pixels of RGB; black where it reaches beyond the picture.

    Args:
        picture: RGB, upright.
        landmarks: float64[5, 2], in its pixels.
    """
    forward = np.vstack([similarity(landmarks), [0, 0, 1]])
    back = np.linalg.inv(forward)
    # Pillow counts from the corner of the first pixel, the template from its centre.
    back[:2, 2] += 0.5 - back[:2, :2].sum(axis=1) / 2
    factor = int(math.hypot(back[0, 0], back[1, 0]))
    if factor > 1:
        box = _box(back, picture.size, factor)
        picture = picture.reduce(factor, box)
        back[:2, 2] -= box[:2]
        back[:2] /= factor
    return picture.transform(
        (SIDE, SIDE),
        Image.Transform.AFFINE,
        tuple(back[:2].ravel()),
        resample=Image.Resampling.BILINEAR,
    )


def _box(
    back: NDArray[np.float64], size: tuple[int, int], margin: int
) -> tuple[int, int, int, int]:
    """The part of the picture that the aligned face shows, a block of pixels more on each side."""
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]]).T
    x, y = back[:2] @ corners
    width, height = size
    left, top = (
        min(max(0, math.floor(low) - margin), most - 1)
        for low, most in ((x.min(), width), (y.min(), height))
    )
    right, bottom = (
        max(low + 1, min(most, math.ceil(high) + margin))
        for low, high, most in ((left, x.max(), width), (top, y.max(), height))
    )
    return left, top, right, bottom
