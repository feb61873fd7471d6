"""What `benchmarks.faces` counts, and the intervals around it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
BINS = tuple(round(-0.3 + 0.1 * k, 1) for k in range(14))
"""Where the bars of the histogram begin, in cosine."""


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson, Biometrika 1934), at 95 %."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _solved(lambda p: _at_least(hits, of, p), tail)
    high = 1.0 if hits == of else _solved(lambda p: 1 - _at_most(hits, of, p), 1 - tail)
    return low, high


def _at_least(hits: int, of: int, p: float) -> float:
    return 1 - _at_most(hits - 1, of, p)


def _at_most(hits: int, of: int, p: float) -> float:
    return math.fsum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(hits + 1))


def _solved(rising: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, or two people by their two most similar (or least similar) ones."""

    one: str
    other: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors at one threshold, counted in people: photographs of one are not independent.

    Attributes:
        missed: people of whom some pair of photographs is below it, of those with two or more.
        confused: pairs of different people of whom some pair of photographs is at or above it.
        relatives: such pairs within a family.
    """

    threshold: float
    missed: tuple[int, int]
    confused: tuple[int, int]
    relatives: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything the page says."""

    people: int
    photographs: int
    same: list[Pair]
    different: list[Pair]
    relatives: list[Pair]
    rates: list[Rate]
    mirror_gain: list[float]
    mirror_least: float
    middle: float
    edits: dict[str, tuple[int, int, float]]
    widths: dict[int, tuple[int, int, int, float]]
