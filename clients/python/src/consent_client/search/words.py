"""Codes as 64-bit words, checked once where they enter."""

import operator
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Codes = NDArray[np.uint8]
"""uint8[n, bytes]."""

type Words = NDArray[np.uint64]
"""uint64[n, bytes / 8], C-contiguous and read-only: one type, so that kernels compile once."""

WORD_BYTES: Final = 8
WORD_BITS: Final = 64

MOST_ROWS: Final = 2**30
"""Rows, and where lists of them begin, are kept in 31 bits."""


def words_of(codes: Codes) -> Words:
    """The codes as words in memory's own order; a copy only where they do not lie well.

    Raises:
        ValueError: not uint8[n, bytes] with a positive multiple of 8 bytes, or more than
            `MOST_ROWS`.
    """
    codes = np.asarray(codes)
    if codes.dtype != np.uint8 or codes.ndim != 2:  # noqa: PLR2004
        raise ValueError("codes must be uint8[n, bytes]")
    rows, width = codes.shape
    if not width or width % WORD_BYTES:
        raise ValueError(f"codes must have a multiple of {WORD_BYTES} bytes, not {width}")
    if rows > MOST_ROWS:
        raise ValueError(f"more than {MOST_ROWS} codes")
    words: Words = np.require(np.ascontiguousarray(codes).view(np.uint64), requirements=["A"])
    words = words.view()
    words.flags.writeable = False
    return words


def same_width(queries: Words, words: Words) -> None:
    """Makes sure that two can be compared.

    Raises:
        ValueError: codes of different lengths.
    """
    if queries.shape[1] != words.shape[1]:
        raise ValueError(
            f"queries of {queries.shape[1] * WORD_BYTES} bytes, "
            f"codes of {words.shape[1] * WORD_BYTES}"
        )


def checked_radius(radius: int, words: Words) -> int:
    """The radius as a plain number, at most the bits that there are.

    Raises:
        ValueError: not a whole number, or negative.
    """
    try:
        radius = operator.index(radius)
    except TypeError:
        raise ValueError("the radius must be a whole number of bits") from None
    if radius < 0:
        raise ValueError("the radius must not be negative")
    bits: int = words.shape[1] * WORD_BITS
    return min(radius, bits)
