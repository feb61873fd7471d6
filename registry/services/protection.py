"""What protection a record has, said to its owner: how far from the picture it is still found."""

from collections.abc import Mapping, Sequence
from typing import Final

from consent_client.protocol.protection import Reach, SpaceProtection
from consent_client.protocol.spaces import SPACES, Kind, Space, Subject

EDITED_UP_TO: Final = 0.35
"""Greatest likeness to the bank at which edited copies are found, whatever the registry's size.
Above it are documents, charts, clipart, signs and tight crops of faces (docs/specificity.md)."""


def protection(
    fingerprints: Mapping[str, object], nearest: Mapping[str, Sequence[float]]
) -> tuple[SpaceProtection, ...]:
    """How far a record reaches in each space in which likeness counts, by id.

    Args:
        fingerprints: of the record, by space.
        nearest: what is nearest to them in the bank.

    Returns:
        Nothing of exact spaces, which find the same and nothing else, nor of people.
    """
    return tuple(
        SpaceProtection(name, _reach(SPACES[name], nearest.get(name, ())))
        for name in sorted(fingerprints)
        if SPACES[name].kind is not Kind.EXACT and SPACES[name].subject is Subject.WORK
    )


def _reach(space: Space, nearest: Sequence[float]) -> Reach:
    if space.own is not None:
        return Reach.NOT_MEASURED
    if space.kind is Kind.FLOAT and max(nearest, default=-1.0) <= EDITED_UP_TO:
        return Reach.EDITED_COPIES
    return Reach.NEAR_COPIES
