"""Vectors as bytes, and how far their products can be from the true ones.

A rotated vector x is kept as x̂ = s·n, n whole numbers from -127 to 127. With r the norm of what
rounding left over, the inequality of Cauchy and Schwarz bounds the product with a query likewise
kept: |x·q - x̂·q̂| ≤ r(x)·|q| + |x̂|·r(q). That holds for all vectors: no match is lost here.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled
from consent_client.search.signs import NORM_TOLERANCE

GREATEST: Final = 127

_GREATEST_NORM: Final = 1.1
"""Of a kept vector: 1.001, and at most 0.5·√d/127·(its largest coordinate) of rounding."""


class Bytes(NamedTuple):
    """Vectors as bytes.

    Attributes:
        numbers: int8[n, padded].
        scales: float32[n], s.
        errors: float32[n], r with what computing in float32 adds.
    """

    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]
    errors: NDArray[np.float32]


def float_error(dimension: int) -> float:
    """How far a product can be off because a vector was rotated, and products added, in float32.

    Each sum of d products of float32 is off by at most d·2⁻²⁴ times the sum of their sizes (Higham
    2002, 3.1), which for a unit vector and a unit column is at most 1; over d coordinates that is a
    norm of √d·d·2⁻²⁴. The frame's own rounding is less than one more such product.
    """
    return (math.sqrt(dimension) + 4) * dimension * 2.0**-24


def bytes_of(rotated: NDArray[np.float32], padded: int) -> Bytes:
    """Keeps rotated vectors as bytes.

    Args:
        rotated: float32[n, at least `padded`].
        padded: how many of their coordinates are the vector.
    """
    numbers, scales, rests = _quantised(rotated, padded)
    errors = (rests * (1 + NORM_TOLERANCE) + float_error(padded)).astype(np.float32)
    return Bytes(numbers, scales, errors)


def query_errors(errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What queries' errors can make of a product: float32[n]."""
    return (errors * _GREATEST_NORM).astype(np.float32)


@compiled
def _quantised(
    rotated: NDArray[np.float32], padded: int
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float64]]:
    count = rotated.shape[0]
    numbers = np.empty((count, padded), np.int8)
    scales = np.empty(count, np.float32)
    rests = np.empty(count, np.float64)
    for i in range(count):
        greatest = np.float32(1e-30)
        for j in range(padded):
            greatest = max(greatest, abs(rotated[i, j]))
        scale = greatest / np.float32(GREATEST)
        square = 0.0
        for j in range(padded):
            number = np.rint(rotated[i, j] / scale)
            numbers[i, j] = np.int8(number)
            rest = np.float64(rotated[i, j]) - np.float64(number) * np.float64(scale)
            square += rest * rest
        scales[i] = scale
        rests[i] = math.sqrt(square)
    return numbers, scales, rests
