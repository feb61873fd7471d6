"""A random rotation that nobody knows: what makes sign codes and bytes say little of their vectors.

Drawn once per process and dimension out of the operating system's randomness, never written and
never shown. Sign codes miss with the probability that `signs` states only if whoever chooses the
vectors does not know it.
"""

import math
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.aligned import aligned, read_only
from consent_client.search.compiled import compiled
from consent_client.search.lanes import PANEL, products
from consent_client.search.signs import BITS
from consent_client.search.vnni import STEP

_SEED_BITS: Final = 256
_ROWS: Final = 4
"""Vectors rotated together: their sums just fit the processor's registers."""

_four_products = products(_ROWS)
_one_product = products(1)


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """Orthonormal frames that vectors are described in.

    Attributes:
        dimension: of the vectors.
        padded: of the frames, a multiple of 64; vectors are continued with zeros.
        panels: float32[outputs / 64, dimension, 64]: the first `padded` outputs are one frame,
            those behind it are of further frames, as many as sign codes need.
    """

    dimension: int
    padded: int
    panels: NDArray[np.float32] = field(repr=False)

    @classmethod
    def drawn(cls, dimension: int, seed: int | None = None) -> "Rotation":
        """A new one.

        Args:
            dimension: at least 1.
            seed: makes it the same again, for tests and measurements; None for the OS's randomness.
        """
        padded = STEP * math.ceil(dimension / STEP)
        random = np.random.default_rng(secrets.randbits(_SEED_BITS) if seed is None else seed)
        frames = [_frame(random, padded) for _ in range(math.ceil(BITS / padded))]
        matrix = np.concatenate(frames, axis=1)[:dimension].astype(np.float32)
        panels = aligned((matrix.shape[1] // PANEL, dimension, PANEL), np.float32)
        panels[:] = matrix.reshape(dimension, -1, PANEL).transpose(1, 0, 2)
        panels.flags.writeable = False
        return cls(dimension, padded, panels)

    @property
    def outputs(self) -> int:
        """Numbers that a vector is turned into: at least `BITS` and `padded`."""
        return len(self.panels) * PANEL

    def of(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors, rotated.

        Args:
            vectors: float32[n, dimension], C-contiguous.

        Returns:
            float32[n, outputs]; each row the same whatever the others are.
        """
        rotated = np.empty((len(vectors), self.outputs), np.float32)
        _rotate(read_only(vectors), self.panels, rotated)
        return rotated


@cache
def rotation(dimension: int) -> Rotation:
    """This process's rotation of vectors of a dimension."""
    return Rotation.drawn(dimension)


def _frame(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    """An orthonormal frame, uniformly distributed: a product of random reflections (Stewart 1980).

    Faster ways would let the BLAS use all cores, which under load takes seconds for a tenth of one.
    """
    frame = np.eye(size)
    for first in range(size):
        normal = random.standard_normal(size - first)
        sign = math.copysign(1.0, normal[0])
        normal[0] += sign * math.sqrt(np.square(normal).sum())
        normal *= math.sqrt(2 / np.square(normal).sum())
        part = frame[:, first:]
        along = np.einsum("ij,j->i", part, normal)
        part -= along[:, None] * normal
        part *= -sign
    return frame


@compiled
def _rotate(
    vectors: NDArray[np.float32], panels: NDArray[np.float32], rotated: NDArray[np.float32]
) -> None:
    count, dimension = vectors.shape
    part = np.empty((_ROWS, PANEL), np.float32)
    source, target = vectors.ctypes.data, part.ctypes.data
    stride = 4 * dimension
    for panel in range(panels.shape[0]):
        matrix = panels.ctypes.data + panel * dimension * PANEL * 4
        i = 0
        while i < count:
            rows = _ROWS if i + _ROWS <= count else 1
            if rows == _ROWS:
                _four_products(source + i * stride, stride, dimension, matrix, target)
            else:
                _one_product(source + i * stride, stride, dimension, matrix, target)
            for row in range(rows):
                for column in range(PANEL):
                    rotated[i + row, panel * PANEL + column] = part[row, column]
            i += rows
