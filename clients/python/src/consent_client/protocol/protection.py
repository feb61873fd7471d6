"""How far from a picture its record is still found: what a registrant is told."""

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """How different a copy may be and still be found in one space."""

    EDITED_COPIES = "EDITED_COPIES"
    """Crops, bars, captions and screenshots too."""
    NEAR_COPIES = "NEAR_COPIES"
    """Only what hardly differs."""


@dataclass(frozen=True, slots=True)
class SpaceProtection:
    """How far a record reaches in one space in which likeness counts."""

    space: str
    reach: Reach
