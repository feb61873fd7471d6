"""How far from a picture its record is still found: what a registrant is told."""

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """How different a copy may be and still be found in one space."""

    EDITED_COPIES = "EDITED_COPIES"
    """Crops, bars, captions and screenshots too."""
    NEAR_COPIES = "NEAR_COPIES"
    """Only what hardly differs."""
    NOT_MEASURED = "NOT_MEASURED"
    """By a model of the operator's: what it finds was not measured here."""


@dataclass(frozen=True, slots=True)
class SpaceProtection:
    """How far a record reaches in one space in which likeness counts."""

    space: str
    reach: Reach
