"""Sign codes: which way a randomly rotated vector points, one bit for each of 512 directions.

Two vectors at an angle θ differ in each bit with probability p = θ/π, whatever the vectors are, if
the rotation was drawn without regard to them (Goemans and Williamson 1995). Over the w first
columns of orthonormal frames of dimension d, m of them whole and r columns of another, the number
of differing bits has mean w·p and variance

    w·p·(1 - p) - (m·d + r²/d)·(1 - c²)/π²,    c = cos θ

The second term is what orthogonality takes away: in a whole frame the squares of a vector's
coordinates, and their products with the other's, add up to what is known. It agrees with 200,000
drawn pairs for d = 64, 128, 512 and 768 and c from -0.3 to 0.98 within 2 %
(tests/search/test_signs.py draws them again).

So a record is passed over wrongly only where its code differs in more bits than `radii` allows. The
radius lies `SLACK` standard deviations above the mean of a pair just at the record's threshold,
with the skewness' correction (Cornish and Fisher 1938). A pair further in is safer.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled

WORDS: Final = 8
BITS: Final = 64 * WORDS
"""Of a code. 384 are as fast on photographs and slower on clusters of similar ones."""

LENGTHS: Final = (3, 6, WORDS)
"""Words that are compared: all of them, and two beginnings of a code.

192 bits tell most pairs apart where records match from 0.75 on, 384 where from 0.50 on. A record
has to be within its radius at every length, whichever is compared first.
"""

SLACK: Final = 4.1
"""Standard deviations: 2.1·10⁻⁵ of pairs at the very threshold are missed at each length, so
6.2·10⁻⁵ at most at all three, and fewer further in."""

NORM_TOLERANCE: Final = 1e-3
"""How much longer than 1 a vector may be. Shorter ones only point nearer than they seem."""


def radii(thresholds: NDArray[np.float32], words: int, dimension: int) -> NDArray[np.uint16]:
    """In how many bits the codes of a matching pair may differ.

    Args:
        thresholds: float32[n], least inner product that matches; any number, infinite ones too.
        words: length that is compared.
        dimension: of the frames that the directions are columns of.

    Returns:
        uint16[n], at most 64 · `words`.
    """
    longest = (1 + NORM_TOLERANCE) ** 2
    cosine = np.clip(thresholds.astype(np.float64) / longest, -1.0, 1.0)
    # Below 0 shorter vectors point away further than they seem: nothing can be left out there.
    bits = 64 * words
    whole, rest = divmod(bits, dimension)
    share = np.arccos(cosine) / math.pi
    taken = (whole * dimension + rest**2 / dimension) * (1 - cosine**2) / math.pi**2
    variance = np.maximum(bits * share * (1 - share) - taken, 0.0)
    skewness = np.where(variance > 0, (1 - 2 * share) / np.sqrt(np.maximum(variance, 1e-9)), 0.0)
    above = SLACK + skewness * (SLACK**2 - 1) / 6
    radius = np.where(thresholds > 0, bits * share + above * np.sqrt(variance), bits)
    return np.minimum(np.ceil(radius), bits).astype(np.uint16)


@compiled
def codes_of(rotated: NDArray[np.float32]) -> NDArray[np.uint64]:
    """float32[n, at least `BITS`] rotated vectors → uint64[n, `WORDS`]."""
    codes = np.empty((rotated.shape[0], WORDS), np.uint64)
    for i in range(rotated.shape[0]):
        for word in range(WORDS):
            bits = np.uint64(0)
            for j in range(64):
                bits |= np.uint64(rotated[i, 64 * word + j] > 0) << np.uint64(j)
            codes[i, word] = bits
    return codes
