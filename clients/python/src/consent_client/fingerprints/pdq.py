"""PDQ, the perceptual hash of 256 bits, as two matrix products (space `pdq-1`).

PDQ (Facebook, 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm")
blurs the luma plane twice with a running box, takes 64 x 64 samples of it, and compares 256
coefficients of their discrete cosine transform with the median. Blur, luma and sampling are all
linear, and they are separable, so the 64 x 64 samples of an image of h x w pixels are

    samples = rows (64 x h) . rgb (h x 3w) . columns (3w x 64)

where `columns` also holds the weights of red, green and blue. Both matrices depend on one length
alone, are zero outside a narrow band, and are remembered. `tests/vectors/pdq.json` holds the
answers of the reference implementation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPACE: Final = "pdq-1"

LEAST_QUALITY: Final = 50
"""Below this PDQ's own measure of detail says that the hash means little (PDQ paper, §4): two
blank pictures would be "copies" of each other. Clients leave the fingerprint out."""

LEAST_SIDE: Final = 5
"""Smallest side in pixels that the reference implementation hashes (MIN_HASHABLE_DIM)."""

ORIENTATIONS: Final = (
    "original",
    "rotated 90",
    "rotated 180",
    "rotated 270",
    "flipped top to bottom",
    "flipped left to right",
    "transposed",
    "transposed the other way",
)
"""The order of `hash_orientations`, which is that of the reference implementation. Rotations are
counter-clockwise. "transposed" mirrors at the diagonal from the top left to the bottom right."""

_SAMPLES: Final = 64  # the side of PDQ's sampled picture
_FREQUENCIES: Final = 16  # the side of the block of coefficients that becomes the bits
_WINDOW_DIVISOR: Final = 128  # PDQ_JAROSZ_WINDOW_SIZE_DIVISOR: a box is 1/128 of the side
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as PDQ
_QUALITY_DIVISOR: Final = 90  # pdqImageDomainQualityMetric's own scale
_BEST_QUALITY: Final = 100

_BAND: Final = 8
"""Samples computed together. Eight of them look at an eighth of the image only; the rest of their
rows of the matrix is zeros."""

_LEAST_TILE: Final = 24
"""Interleaved columns in the narrowest tile, for pictures more than 10,000 pixels high."""

_TILE_WORK: Final = 1 << 18
"""Multiplications in one product. OpenBLAS wakes threads of its own above this (65,536 x
GEMM_MULTITHREAD_THRESHOLD), which would fight with ours; and so small a tile of float32 stays in
the second-level cache."""

_LONGEST_REMEMBERED: Final = 8_192
"""Longest side whose matrix is remembered: one takes 0.8 MB at most, so that a list of pictures of
every size, or a hostile one, keeps no more than 200 MB. Longer ones take up to 0.1 s to build."""

_REMEMBERED_SIZES: Final = 128
"""Matrices remembered for rows, and as many for columns; 40 and 120 kB for 1,000 pixels."""

type Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hash:
    """A PDQ hash.

    Attributes:
        bits: 32 bytes, most significant bit first; its hexadecimal form is the usual one.
        quality: how much there is to see, 0 (blank) to 100.
    """

    bits: bytes = field(repr=False)
    quality: int


@dataclass(frozen=True, slots=True)
class _Band:
    """Some rows of a sampling matrix, without the zeros around them."""

    samples: slice  # which 8 of the 64
    start: int
    weights: NDArray[np.float32]  # (8, stop - start)

    @property
    def stop(self) -> int:
        return self.start + int(self.weights.shape[1])


def _windows(length: int, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """First and one past the last pixel of PDQ's box at each position, clipped at the edges."""
    window = (length + _WINDOW_DIVISOR - 1) // _WINDOW_DIVISOR
    half = (window + 2) // 2
    return (
        np.maximum(positions + half - window, 0),
        np.minimum(positions + half, length),
    )


def sampling_matrix(length: int) -> NDArray[np.float64]:
    """Two passes of the box and the choice of 64 samples, along one side of `length` pixels.

    Returns:
        float64 of shape (64, length); each row sums to 1.
    """
    samples = np.arange(_SAMPLES)
    centres = ((2 * samples + 1) * length) // (2 * _SAMPLES)
    starts, stops = _windows(length, centres)
    edges = np.zeros((_SAMPLES, length + 1))  # differences of the weights along the side
    for offset in range(int((stops - starts).max())):
        inner = starts + offset
        used = inner < stops
        first, last = _windows(length, inner[used])
        weight = 1.0 / ((last - first) * (stops - starts)[used])
        np.add.at(edges, (samples[used], first), weight)
        np.add.at(edges, (samples[used], last), -weight)
    return np.cumsum(edges, axis=1)[:, :length]


def _row_bands(height: int) -> tuple[_Band, ...]:
    return tuple(
        _Band(samples, start, _frozen(weights))
        for samples, start, weights in _bands(sampling_matrix(height))
    )


def _column_bands(width: int) -> tuple[_Band, ...]:
    return tuple(
        _Band(samples, 3 * start, _frozen((weights[:, :, None] * _LUMA).reshape(_BAND, -1)))
        for samples, start, weights in _bands(sampling_matrix(width))
    )


_remembered_row_bands = lru_cache(maxsize=_REMEMBERED_SIZES)(_row_bands)
_remembered_column_bands = lru_cache(maxsize=_REMEMBERED_SIZES)(_column_bands)


def _matrices(height: int, width: int) -> tuple[tuple[_Band, ...], tuple[_Band, ...]]:
    rows = _remembered_row_bands if height <= _LONGEST_REMEMBERED else _row_bands
    columns = _remembered_column_bands if width <= _LONGEST_REMEMBERED else _column_bands
    return rows(height), columns(width)


def _bands(matrix: NDArray[np.float64]) -> Iterator[tuple[slice, int, NDArray[np.float64]]]:
    """Cut a sampling matrix into bands of rows, each without the zeros to its left and right."""
    for first in range(0, _SAMPLES, _BAND):
        rows = matrix[first : first + _BAND]
        (used,) = np.nonzero(rows.max(axis=0) > np.finfo(np.float32).eps)
        start, stop = int(used[0]), int(used[-1]) + 1
        yield slice(first, first + _BAND), start, rows[:, start:stop]


def _frozen(weights: NDArray[np.float64]) -> NDArray[np.float32]:
    narrow = np.ascontiguousarray(weights, dtype=np.float32)
    narrow.flags.writeable = False
    return narrow


def sample(rgb: NDArray[np.uint8]) -> Samples:
    """PDQ's blurred 64 x 64 picture.

    Args:
        rgb: uint8 of shape (h, w, 3).

    Returns:
        float32 of shape (64, 64), luma from 0 to 255.
    """
    height, width, _ = rgb.shape
    flat = np.ascontiguousarray(rgb).reshape(height, 3 * width)
    row_bands, column_bands = _matrices(height, width)
    blurred = np.empty((_SAMPLES, 3 * width), dtype=np.float32)
    for rows in row_bands:
        _blur_rows(rows.weights, flat[rows.start : rows.stop], blurred[rows.samples])
    samples = np.empty((_SAMPLES, _SAMPLES), dtype=np.float32)
    for columns in column_bands:
        np.matmul(
            blurred[:, columns.start : columns.stop].reshape(_SAMPLES // _BAND, _BAND, -1),
            columns.weights.T,
            out=samples[:, columns.samples].reshape(_SAMPLES // _BAND, _BAND, _BAND),
        )
    return samples


def _blur_rows(
    weights: NDArray[np.float32], pixels: NDArray[np.uint8], out: NDArray[np.float32]
) -> None:
    """`weights @ pixels`, tile by tile."""
    tile = max(_LEAST_TILE, _TILE_WORK // weights.size)
    for left in range(0, pixels.shape[1], tile):
        piece = pixels[:, left : left + tile].astype(np.float32)
        np.matmul(weights, piece, out=out[:, left : left + tile])


def _transform_matrix() -> NDArray[np.float32]:
    """Rows 1 to 16 of the discrete cosine transform of 64 values; the constant is left out."""
    frequency = np.arange(1, _FREQUENCIES + 1)[:, None]
    position = 2 * np.arange(_SAMPLES)[None, :] + 1
    scale = np.sqrt(2 / _SAMPLES)
    matrix: NDArray[np.float64] = scale * np.cos(np.pi / 2 / _SAMPLES * frequency * position)
    return matrix.astype(np.float32)


_TRANSFORM: Final = _transform_matrix()


def quality(samples: Samples) -> int:
    """PDQ's measure of detail: the sum of the gradients that are large enough to matter."""
    down = np.trunc((samples[:-1] - samples[1:]) * 100 / 255)
    across = np.trunc((samples[:, :-1] - samples[:, 1:]) * 100 / 255)
    gradients = int(np.abs(down).sum() + np.abs(across).sum())
    return min(_BEST_QUALITY, gradients // _QUALITY_DIVISOR)


def _coefficients(samples: Samples) -> NDArray[np.float32]:
    return np.asarray(_TRANSFORM @ samples @ _TRANSFORM.T, dtype=np.float32)


def _to_bits(coefficients: NDArray[np.float32]) -> bytes:
    """One bit for each coefficient above the lower median, the last coefficient first."""
    flat = coefficients.ravel()
    lower_median = np.partition(flat, flat.size // 2 - 1)[flat.size // 2 - 1]
    return np.packbits((flat > lower_median)[::-1]).tobytes()


def hash_samples(samples: Samples) -> Hash:
    """The hash of a sampled picture, float32 of shape (64, 64)."""
    return Hash(_to_bits(_coefficients(samples)), quality(samples))


def hash_orientations(samples: Samples) -> tuple[Hash, ...]:
    """The hashes of the picture's 8 rotations and mirror images, in the order of `ORIENTATIONS`.

    A mirror changes the sign of every second coefficient along its axis, and transposing the
    picture transposes the coefficients. A symmetrical picture has equal hashes among the 8.
    """
    found = _coefficients(samples)
    signs = np.ones(_FREQUENCIES, dtype=np.float32)
    signs[::2] = -1  # coefficient 1, 3, 5… of the cosine transform is odd about the middle
    down, across = signs[:, None], signs[None, :]
    turned = (
        found,
        (found * across).T,
        found * down * across,
        (found * down).T,
        found * down,
        found * across,
        found.T,
        (found * down * across).T,
    )
    detail = quality(samples)
    return tuple(Hash(_to_bits(np.ascontiguousarray(each)), detail) for each in turned)
