"""What a sample says of the whole: Clopper and Pearson's exact interval for a proportion.

Biometrika 26 (1934); it holds whatever the proportion and however small the sample.
"""

import math

import numpy as np

_HALVINGS = 100
"""Of the unit interval: further than float64 can tell apart."""


def clopper_pearson(found: int, of: int, confidence: float) -> tuple[float, float]:
    """The interval of proportions under which what was found is not surprising.

    Args:
        found: how many, 0 ≤ found ≤ of.
        of: of how many, at least 1.
        confidence: between 0 and 1.

    Returns:
        Its lower and upper end: the proportions under which so many or more, and so few or fewer,
        come with half of what is left of the confidence.

    Raises:
        ValueError: numbers out of range.
    """
    if not 0 <= found <= of or of < 1 or not 0 < confidence < 1:
        raise ValueError("a proportion of at least one, and a confidence between 0 and 1")
    tail = (1 - confidence) / 2
    low = 0.0 if found == 0 else _solved(found - 1, of, 1 - tail)
    high = 1.0 if found == of else _solved(found, of, tail)
    return low, high


def _solved(most: int, of: int, wanted: float) -> float:
    """The proportion under which at most `most` of `of` come with probability `wanted`."""
    counts = np.arange(most + 1)
    # Logarithms of binomial coefficients, from one to the next: differences of gamma functions of
    # large numbers would lose half of the digits.
    steps = np.log((of - counts[:-1]) / counts[1:])
    ways = np.concatenate([[0.0], np.cumsum(steps)])
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        terms = ways + counts * math.log(middle) + (of - counts) * math.log1p(-middle)
        if float(np.exp(terms).sum()) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2
