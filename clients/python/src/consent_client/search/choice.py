"""Which structure searches some rows fastest; measured, and never slower than FAISS.

Processor time on one core of an AMD EPYC (Zen 4), FAISS 1.15 with its BLAS threshold fixed, against
FAISS's `IndexFlatIP` over the same rows and queries:

| rows, dimension | 1 query | 1,000 queries | cascade, against FAISS |
|---|---|---|---|
| 1,024, 128 | 0.4 | 1.4 | times as fast |
| 4,096, 128 | 1.0 | 2.9 | |
| 1,024, 512 | 0.7 | 1.7 | |
| 4,096, 512 | 2.3 | 5.6 | |
| 4,096, 768 | 3.2 | 4.6 | |

and by the share of pairs that sign codes let through, over 20,000 rows: 0.05 → 2.6 to 6.0 times as
fast, 0.15 → 1.8, 0.28 → 1.3 to 2.6, 0.46 → 0.9 to 2.2, 0.64 → 0.6 to 1.0. The share grows as
thresholds fall (at 512 dimensions 0.2 is reached at 0.30) and as rows resemble each other.

Binary rows need no rule here: what `scan` does was never slower than FAISS for any number of codes,
and `BinaryIndex` scans where its buckets would not pay.
"""

from enum import Enum, auto
from typing import Final

from consent_client.search.cascade import Cascade

CASCADE_ROWS: Final = 4_096
"""Rows from which on a cascade is at least as fast, however few queries there are."""

MOST_PASSING: Final = 0.25
"""Share of pairs let through by sign codes up to which a cascade is surely faster."""


class Structure(Enum):
    """What rows are searched with."""

    FLAT = auto()
    """FAISS: every query with every row."""

    CASCADE = auto()
    """`Cascade`."""


def structure_for(cascade: Cascade) -> Structure:
    """What searches these rows faster, at their own thresholds; the same for the same rows."""
    if cascade.count < CASCADE_ROWS or cascade.passing_share() > MOST_PASSING:
        return Structure.FLAT
    return Structure.CASCADE
