"""All spaces together: what a registry can find at one log size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.fingerprints import Fingerprints, decode_floats
from consent_client.protocol.spaces import SPACES, Kind, Space
from registry.matching.kernels import Pairs, Rows, kernel_of
from registry.matching.segments import SpaceView


@dataclass(frozen=True, slots=True)
class IndexView:
    """All spaces at one moment; never changes, safe from any thread."""

    spaces: Mapping[str, SpaceView]

    def search(self, space_id: str, queries: Rows) -> Pairs:
        """Which queries match which records in one space.

        Args:
            space_id: of `SPACES`.
            queries: uint8[q, bytes], or float32[q, dimension] of norm 1.

        Returns:
            Rows of `queries` and register indices, int64 both; pairs may repeat.
        """
        return self.spaces[space_id].search(queries)


class MatchingIndex:
    """The newest view, and the one writer that makes the next.

    Memory per record with one sha256, eight pdq and two sscd fingerprints: 48 + 320 + 4,112 bytes.
    """

    def __init__(self) -> None:
        self._view = IndexView({space.id: SpaceView(kernel_of(space)) for space in SPACES.values()})

    @property
    def view(self) -> IndexView:
        """The newest view."""
        return self._view

    def apply(self, added: Sequence[tuple[int, Fingerprints]], removed: Iterable[int]) -> IndexView:
        """Adds and removes records; one caller at a time.

        Args:
            added: register index and fingerprints of each new record.
            removed: register indices of records that have ended.

        Returns:
            The new view.

        Raises:
            BadFingerprint: a vector that is no unit vector; nothing was changed.
        """
        gone = np.fromiter(removed, np.int64)
        spaces = {}
        for space in SPACES.values():
            owners, rows = _rows(space, added)
            spaces[space.id] = self._view.spaces[space.id].apply(owners, rows, gone)
        self._view = IndexView(spaces)
        return self._view

    def compact(self) -> IndexView:
        """Lets the rows of removed records leave memory; one caller at a time."""
        self._view = IndexView({name: view.compact() for name, view in self._view.spaces.items()})
        return self._view


def _rows(
    space: Space, records: Sequence[tuple[int, Fingerprints]]
) -> tuple[NDArray[np.int64], Rows]:
    owners: list[int] = []
    data: list[bytes] = []
    for register_index, fingerprints in records:
        own = fingerprints.get(space.id, ())
        owners += [register_index] * len(own)
        data += own
    joined = b"".join(data)
    if space.kind is Kind.FLOAT:
        return np.array(owners, np.int64), decode_floats(joined, space)
    return np.array(owners, np.int64), np.frombuffer(joined, np.uint8).reshape(-1, space.size)
