"""From which similarity on a record matches, as data: by space, and by how many records there are.

Two pictures that have nothing to do with each other are seldom alike, but there are kinds of
pictures of which many are: pages of text, charts, one shop's products. How alike a record is to
the nearest picture of the specificity bank, its `nearest`, says which kind it is of, and so from
which similarity on a match means something (DESIGN, "Fingerprint spaces"; docs/specificity.md).

The more records there are, the more pairs can be alike by chance: policies for larger registries
are stricter. A session keeps the one it was opened under.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import UnknownSpace
from consent_client.protocol.spaces import OWN_SPACES, SPACES, Kind, Space

BORDER: Final = 0.05
"""How near a similarity lies to where a record matches for the verdict to tell something of the
record: three standard deviations of what a step in any direction, from a candidate at .55 to the
border at .50, changes it by."""

BORDER_BITS: Final = 2
"""The same in a binary space: a bit more or less turns the verdict."""

STANDS_FROM: Final = 0.60
"""Similarity that some view of a contested picture has to reach for a match to stand
(docs/specificity.md, "How the numbers were chosen")."""

NO_BANK: Final = np.float32(-1)
"""`nearest` in a space without a bank: as unlike anything as can be."""


@dataclass(frozen=True, slots=True)
class Band:
    """What records match at whose `nearest` is at most `up_to`.

    Attributes:
        up_to: greatest `nearest` it is for.
        floor: least similarity that matches.
        margin: how far above `nearest` a match is, at the least.
        ceiling: similarity that matches in any case: copies that hardly differ.
    """

    up_to: float
    floor: float
    margin: float
    ceiling: float = 1.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which similarity on a float space's records match.

    Attributes:
        bands: ascending by `up_to`, the last for all that is above the others.

    Raises:
        ValueError: no band, bands out of order, or numbers that are not similarities.
    """

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        ends = [band.up_to for band in self.bands]
        if not ends or any(not before < after for before, after in pairwise(ends)):
            raise ValueError("bands ascend, and there is one")
        for band in self.bands:
            if not (-1 <= band.floor <= band.ceiling <= 1 and -BORDER <= band.margin <= 2):  # noqa: PLR2004
                raise ValueError("a band's numbers are no similarities")

    @classmethod
    def at(cls, similarity: float) -> "Thresholds":
        """The same for every record."""
        return cls((Band(1.0, similarity, 0.0, similarity),))

    def lowered(self, by: float) -> "Thresholds":
        """The same, everything lower by so much."""
        return Thresholds(
            tuple(
                Band(band.up_to, band.floor - by, band.margin - by, band.ceiling - by)
                for band in self.bands
            )
        )

    @property
    def least(self) -> float:
        """What no threshold is below."""
        return min(band.floor for band in self.bands)

    def of(self, nearest: NDArray[np.float32]) -> NDArray[np.float32]:
        """The least similarity at which each record matches.

        Args:
            nearest: float32[n], of each record's vector.

        Returns:
            float32[n].
        """
        if len(self.bands) == 1:  # most are; it spares half of the memory that dense hits take
            (only,) = self.bands
            same: NDArray[np.float32] = nearest + np.float32(only.margin)
            return np.clip(same, np.float32(only.floor), np.float32(only.ceiling), out=same)
        ends = np.array([band.up_to for band in self.bands[:-1]], np.float32)
        at = np.searchsorted(ends, nearest)
        floor, margin, ceiling = (
            np.array([getattr(band, name) for band in self.bands], np.float32)[at]
            for name in ("floor", "margin", "ceiling")
        )
        thresholds: NDArray[np.float32] = np.clip(nearest + margin, floor, ceiling)
        return thresholds


@dataclass(frozen=True, slots=True)
class Policy:
    """What matches in each float space; named, so that a session can say what it was promised.

    Attributes:
        name: what it is called in terms.
        version: counted up when its numbers change.
        spaces: float space → thresholds.
        stands_from: similarity from which a contested match stands.

    Raises:
        ValueError: what contests stand from is no similarity.
    """

    name: str
    version: int
    spaces: Mapping[str, Thresholds]
    stands_from: float = STANDS_FROM

    def __post_init__(self) -> None:
        if not -1 <= self.stands_from <= 1:
            raise ValueError("what contests stand from is no similarity")

    def thresholds(self, space_id: str) -> Thresholds | None:
        """Of a float space; None for one in which nothing but its own rule decides.

        Raises:
            UnknownSpace: a float space that this policy says nothing of.
        """
        if space_id in SPACES and SPACES[space_id].kind is not Kind.FLOAT:
            return None
        found = self.spaces.get(space_id)
        if found is None:
            raise UnknownSpace("nothing was agreed about what matches in this space")
        return found

    def stricter(self, space_id: str, similarity: float) -> "Policy":
        """This one, but in one space all that is at least so similar matches, and nothing else."""
        spaces = {**self.spaces, space_id: Thresholds.at(similarity)}
        return replace(self, spaces=spaces)


_SMALL = Thresholds((Band(1.0, 0.50, 0.25, 0.94),))
_LARGER = Thresholds((Band(0.40, 0.50, 0.25, 0.98), Band(1.0, 0.75, 0.30, 0.98)))

BY_SIZE: Final = (
    (10_000, Policy("small", 2, MappingProxyType({"sscd-1": _SMALL}))),
    (1_000_000, Policy("medium", 2, MappingProxyType({"sscd-1": _LARGER}))),
)
"""Policies with how many records of `sscd-1` they were measured for, ascending."""

BEYOND: Final = Policy("beyond", 2, MappingProxyType({"sscd-1": _LARGER}))
"""For more than that: nothing measured says how often it is wrong."""


def policy_for(records: int, face_threshold: float) -> Policy:
    """The policy for a registry of this many active records with vectors in `sscd-1`.

    Args:
        records: how many.
        face_threshold: least cosine of faces that match.

    Returns:
        Numbers for every float space. In one of the operator's own, for which there is neither bank
        nor measurement, every record matches at the threshold of its space file.
    """
    policy = next((each for most, each in BY_SIZE if records <= most), BEYOND)
    own = {name: least_thresholds(SPACES[name]) for name in OWN_SPACES}
    return replace(policy, spaces={**policy.spaces, **own}).stricter("face-1", face_threshold)


def least_thresholds(space: Space) -> Thresholds:
    """What a float space is searched at: below it no policy lets anything match.

    Raises:
        ValueError: the space does not say what matches.
    """
    if space.threshold is None:
        raise ValueError(f"the space {space.id} does not say what matches")
    first = BY_SIZE[0][1].spaces.get(space.id)
    return Thresholds.at(space.threshold) if first is None else first
