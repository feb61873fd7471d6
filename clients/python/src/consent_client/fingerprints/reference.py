"""Pictures that anyone can draw again, bit for bit: what models are compared on.

A model file belongs to a space when it gives these pictures the space's vectors. They are made of
integer arithmetic only, so that no library and no processor draws them differently, and they look
enough like photographs (soft light, texture, objects with edges, colours) that a model's answer is
stable: rounding inside a quantised model moves it little, swapping red and blue moves it a lot.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

PICTURES: Final = 6

_SHAPES: Final = 9  # discs and boxes in each picture, as many things as a plain photograph shows
_OCTAVES: Final = ((6, 96), (3, 36), (3, 12), (4, 3))
"""Weight in sixteenths, and side in pixels of the cells, of each layer of texture. The finest is
strong, or else the rounding of a quantised model would be the only detail between the edges."""

_FULL: Final = 256

# Lehmer's generator with the multiplier of Park and Miller ("minimal standard", 1988).
_MULTIPLIER: Final = 48_271
_MODULUS: Final = (1 << 31) - 1


def _numbers(seed: int) -> Iterator[int]:
    state = seed
    while True:
        state = state * _MULTIPLIER % _MODULUS
        yield state >> 7


def _texture(side: int, cell: int, numbers: Iterator[int]) -> NDArray[np.int64]:
    """Soft noise, int64 of shape (side, side), 0 to 255: random corners, bilinear between them."""
    corners = side // cell + 2
    values = np.array([next(numbers) % _FULL for _ in range(corners**2)]).reshape(corners, corners)
    at, rest = np.divmod(np.arange(side), cell)
    down, across = rest[:, None], rest[None, :]
    top = values[at][:, at] * (cell - across) + values[at][:, at + 1] * across
    bottom = values[at + 1][:, at] * (cell - across) + values[at + 1][:, at + 1] * across
    mixed: NDArray[np.int64] = (top * (cell - down) + bottom * down) // cell**2
    return mixed


def _picture(side: int, seed: int) -> NDArray[np.uint8]:
    numbers = _numbers(seed)
    plane = np.zeros((side, side, 3), dtype=np.int64)
    for channel in range(3):
        for weight, cell in _OCTAVES:
            plane[:, :, channel] += weight * _texture(side, cell, numbers)
    plane //= 16
    down, across = np.mgrid[0:side, 0:side]
    for shape in range(_SHAPES):
        row, column = next(numbers) % side, next(numbers) % side
        reach = side // 16 + next(numbers) % (side // 6)
        colour = np.array([next(numbers) % _FULL for _ in range(3)])
        if shape % 2:
            inside = (down - row) ** 2 + (across - column) ** 2 < reach**2
        else:
            inside = (abs(down - row) < reach) & (abs(across - column) < reach // 2 + 4)
        plane[inside] = (plane[inside] + 2 * colour) // 3
    return plane.astype(np.uint8)


def reference_pictures(side: int) -> NDArray[np.uint8]:
    """The pictures, uint8 of shape (6, side, side, 3), red, green, blue."""
    return np.stack([_picture(side, seed) for seed in range(1, PICTURES + 1)])
