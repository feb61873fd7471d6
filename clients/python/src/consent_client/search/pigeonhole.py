"""How a code is cut into chunks so that near codes agree, almost, in one of them.

General pigeonhole: where chunk c allows t_c differences and the sum of (t_c + 1) is radius + 1, two
codes within the radius differ in at most t_c bits of some chunk c, or else they would differ in
more than the radius. So a query looks only at codes whose chunk c is within t_c of its own.
(Qin, Xiao, Wang, Wang, "GPH: Similarity Search in Hamming Space", ICDE 2018; multi-index hashing:
Norouzi, Punjani, Fleet, CVPR 2012.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

PROBE_NS: Final = 5.0
CANDIDATE_NS: Final = 30.0
SCANNED_ROW_NS: Final = 0.2
"""What looking whether a bucket is occupied, a code in one, and a code in a scan cost.

Only their ratios matter, for choosing a plan; one core with AVX-512, `benchmarks.search_binary`.
"""

WIDEST_CHUNK: Final = 26
"""Bits: its bitmap takes 8 MB; a wider one is in no cache."""

_MOST_PROBES: Final = 2**16
"""In all chunks for a query; beyond it scanning has long been cheaper."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Chunks of a code, side by side from bit 0 on.

    Attributes:
        widths: bits of each; what is left over of the code belongs to none.
        radii: differences each allows; the sum of radius + 1 is the whole radius + 1.
    """

    widths: tuple[int, ...]
    radii: tuple[int, ...]

    @property
    def probes(self) -> int:
        """Buckets that a query looks at."""
        return sum(map(_ball, self.widths, self.radii))

    def cost(self, rows: int) -> float:
        """Expected nanoseconds for a query over so many random codes."""
        share = sum(
            _ball(width, radius) / (1 << width)
            for width, radius in zip(self.widths, self.radii, strict=True)
        )
        return PROBE_NS * self.probes + CANDIDATE_NS * rows * share


def plan(rows: int, bits: int, radius: int) -> Plan | None:
    """The cheapest plan for so many codes; None where scanning them is cheaper."""
    best, least = None, SCANNED_ROW_NS * rows
    for candidate in _plans(bits, radius, _widest(rows)):
        cost = candidate.cost(rows)
        if cost < least:
            best, least = candidate, cost
    return best


def masks(width: int, radius: int) -> NDArray[np.uint32]:
    """All words of `width` bits with at most `radius` set, ascending by how many are."""
    found = [
        sum(1 << bit for bit in bits)
        for ones in range(radius + 1)
        for bits in combinations(range(width), ones)
    ]
    return np.array(found, np.uint32)


def _plans(bits: int, radius: int, widest: int) -> Iterator[Plan]:
    """Plans in which `high` chunks of one width allow one difference more than the other ones."""
    for chunks in range(1, min(radius + 1, bits) + 1):
        low_radius, high = divmod(radius + 1 - chunks, chunks)
        low = chunks - high
        for low_width in range(low_radius + 1, min(widest, bits // low) + 1):
            high_widths = _even(min(bits - low * low_width, high * widest), high)
            if high and high_widths[-1] <= low_radius + 1:
                continue
            found = Plan(
                (*high_widths, *[low_width] * low),
                (*[low_radius + 1] * high, *[low_radius] * low),
            )
            if found.probes <= _MOST_PROBES:
                yield found


def _widest(rows: int) -> int:
    """Bits of a chunk whose bitmap and ranks take 3 bytes a code at most."""
    return min(WIDEST_CHUNK, rows.bit_length() + 3)


def _even(bits: int, chunks: int) -> list[int]:
    """Widths that sum to `bits`, the wider ones first."""
    if not chunks:
        return []
    width, wider = divmod(bits, chunks)
    return [width + 1] * wider + [width] * (chunks - wider)


def _ball(width: int, radius: int) -> int:
    """Words within a radius of one."""
    return sum(comb(width, ones) for ones in range(radius + 1))
