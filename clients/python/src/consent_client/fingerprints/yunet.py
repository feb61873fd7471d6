"""YuNet: where the faces in a picture are, and their eyes, noses and mouths.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research,
2023.
A picture is looked at in several sizes, for the network sees faces of some 10 to 320 pixels: a
portrait that fills the picture is seen in a small copy, a face in a crowd in a large one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import ModelMismatch
from consent_client.fingerprints.pillow import Image

LEAST_SCORE: Final = 0.6
"""Below it, a detection is no face; the value that OpenCV's samples of this model use."""

MOST_OVERLAP: Final = 0.3
"""Two detections that share more of their area (intersection over union) are one face."""

SIDES: Final = (320, 640)
"""Longer side of the copies every picture is looked at in, smaller pictures being enlarged.
Measured on the portraits: cut to the face alone, a face is found with .94 at 320 and .74 at 640, a
third of them not at all at 1,280; at 640, faces from 12 pixels of width (a 53rd of the side) are
found."""

LARGE_SIDE: Final = 1_280
"""Longer side of a third copy, for pictures that are larger than the others: at 1,280, faces from 8
pixels of width (a 160th of the side) are found. It costs four times as much as the one at 640."""

LANDMARKS: Final = 5
"""The person's right eye (left in the picture), left eye, nose, right and left corner of the
mouth."""

_STRIDES: Final = (8, 16, 32)
_KINDS: Final = ("cls", "obj", "bbox", "kps")
_STEP: Final = 32  # a copy's sides are filled up with black to multiples of the largest stride
_LARGEST_EXPONENT: Final = 10.0  # of a box's size in strides: no box of a real face comes near


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in a picture; all lengths are in the picture's own pixels.

    Attributes:
        score: how sure the network is, 0 to 1.
        left: of its box, which may reach beyond the picture; likewise `top`, `width`, `height`.
        landmarks: float64[5, 2], x and y of each, see `LANDMARKS`.
    """

    score: float
    left: float
    top: float
    width: float
    height: float
    landmarks: NDArray[np.float64] = field(repr=False)

    @property
    def area(self) -> float:
        """Of its box."""
        return self.width * self.height


class Detector:
    """A loaded YuNet. It may be called from several threads at once."""

    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        self._name = name
        (self._input,) = (each.name for each in session.get_inputs())
        self._outputs = [f"{kind}_{stride}" for stride in _STRIDES for kind in _KINDS]

    def raw(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The network's own answer.

        Args:
            pixels: float32[1, 3, height, width], blue, green, red, 0 to 255; sides divisible by 32.

        Returns:
            For each stride 8, 16, 32 in turn: class, objectness, boxes and landmarks.

        Raises:
            ModelMismatch: the network does not run on it.
        """
        try:
            answer = self._session.run(self._outputs, {self._input: pixels})
        # onnxruntime raises errors of many kinds, which have no common root but this one.
        except Exception as problem:
            raise ModelMismatch(f"{self._name}: the model does not run", self._name) from problem
        return list(answer)

    def faces(self, picture: Image.Image) -> list[Face]:
        """All faces found in a picture (RGB, upright), largest first.

        Raises:
            ModelMismatch: as `raw`.
        """
        sides = (*SIDES, LARGE_SIDE) if max(picture.size) > SIDES[-1] else SIDES
        found = [face for side in sides for face in self._in_copy(picture, side)]
        return sorted(_distinct(found), key=lambda face: -face.area)

    def _in_copy(self, picture: Image.Image, side: int) -> list[Face]:
        scale = side / max(picture.size)
        width, height = (max(1, round(length * scale)) for length in picture.size)
        copy = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        columns, rows = -(-width // _STEP), -(-height // _STEP)
        pixels = np.zeros((1, 3, rows * _STEP, columns * _STEP), np.float32)
        pixels[0, :, :height, :width] = copy[:, :, ::-1].transpose(2, 0, 1)
        answer = self.raw(pixels)
        faces: list[Face] = []
        for number, stride in enumerate(_STRIDES):
            heads = answer[number * len(_KINDS) : (number + 1) * len(_KINDS)]
            faces += _decoded(heads, stride, columns * _STEP // stride, scale)
        return faces


def _decoded(
    heads: Sequence[NDArray[np.float32]], stride: int, across: int, scale: float
) -> Iterable[Face]:
    """The faces in the answer for one stride, `across` cells in a row, in the picture's pixels."""
    kind, thing, boxes, landmarks = (head[0] for head in heads)
    scores = np.sqrt(kind[:, 0].clip(0, 1) * thing[:, 0].clip(0, 1))
    for cell in np.flatnonzero(scores > LEAST_SCORE):
        row, column = divmod(int(cell), across)
        unit = stride / scale
        middle = np.array([column, row], np.float64)
        points = landmarks[cell].astype(np.float64).reshape(LANDMARKS, 2)
        offset = boxes[cell].astype(np.float64)
        width, height = np.exp(offset[2:].clip(max=_LARGEST_EXPONENT)) * unit
        x, y = (middle + offset[:2]) * unit
        yield Face(
            float(scores[cell]),
            float(x - width / 2),
            float(y - height / 2),
            float(width),
            float(height),
            (points + middle) * unit,
        )


def _distinct(found: Iterable[Face]) -> list[Face]:
    """The surest detection of each face."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(_overlap(face, other) <= MOST_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(one: Face, other: Face) -> float:
    """Intersection over union of two boxes."""
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (one.area + other.area - shared)
