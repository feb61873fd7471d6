"""One space's rows as immutable segments: readers hold a view, one writer makes the next.

A `SpaceView` never changes, so a block is answered for exactly one state of the registry without a
lock, however long it takes. The writer adds a segment per change and merges small ones, so that
there are few; a removed row is masked in a copy of its segment's mask, and leaves memory when
`compact` rewrites the segment without it (and the last view that had it is dropped).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import Kernel, Pairs, Rows

SEGMENT_ROWS: Final = 65_536
"""Greatest segment: 128 MB of 512 float32; rewriting one takes some tens of milliseconds."""

MERGE_FACTOR: Final = 4
"""A segment is merged with its older neighbour unless that is more than this many times larger."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that are never changed.

    Attributes:
        built: what the kernel searches.
        owners: int64[n], whose each row is.
        alive: bool[n], or None where all rows are.
    """

    built: Any
    owners: NDArray[np.int64]
    alive: NDArray[np.bool_] | None = None

    @property
    def dead(self) -> int:
        """Rows that were removed and are still there."""
        return 0 if self.alive is None else int(len(self.alive) - np.count_nonzero(self.alive))

    def without(self, owners: NDArray[np.int64]) -> "Segment":
        """The same rows, those of these owners masked."""
        hit = np.isin(self.owners, owners)
        if not hit.any():
            return self
        alive = ~hit if self.alive is None else self.alive & ~hit
        return replace(self, alive=alive)


@dataclass(frozen=True, slots=True)
class SpaceView:
    """A space's rows at one moment; safe to search from any thread."""

    kernel: Kernel
    segments: tuple[Segment, ...] = ()

    def __len__(self) -> int:
        return sum(len(segment.owners) - segment.dead for segment in self.segments)

    def search(self, queries: Rows) -> Pairs:
        """Which queries match whom.

        Args:
            queries: uint8[q, bytes], or float32[q, dimension] of norm 1.

        Returns:
            Rows of `queries` and owners, int64 both; a pair as often as the owner's rows match.
        """
        prepared = self.kernel.prepare(queries)
        found, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for segment in self.segments:
            pairs, rows = self.kernel.search(segment.built, prepared)
            if segment.alive is not None:
                alive = segment.alive[rows]
                pairs, rows = pairs[alive], rows[alive]
            found.append(pairs)
            owners.append(segment.owners[rows])
        return np.concatenate(found), np.concatenate(owners)

    def apply(
        self, owners: NDArray[np.int64], fingerprints: Rows, removed: NDArray[np.int64]
    ) -> "SpaceView":
        """The view after some rows came and others went; this one stays as it is.

        Args:
            owners: int64[n], whose the new rows are.
            fingerprints: the new rows, not prepared.
            removed: int64[m], whose rows go; new rows are not meant.
        """
        segments = self.segments
        if len(removed):
            segments = tuple(segment.without(removed) for segment in segments)
        if len(owners):
            rows = self.kernel.prepare(fingerprints)
            for start in range(0, len(owners), SEGMENT_ROWS):
                part = slice(start, start + SEGMENT_ROWS)
                new = Segment(self.kernel.build(rows[part]), owners[part].copy())
                segments = self._merged((*segments, new))
        return replace(self, segments=segments)

    def compact(self) -> "SpaceView":
        """The view without any masked row."""
        kept = (self._joined([segment]) if segment.dead else segment for segment in self.segments)
        return replace(self, segments=tuple(segment for segment in kept if len(segment.owners)))

    def _merged(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        merged = list(segments)
        while len(merged) > 1:
            older, newer = merged[-2:]
            total = len(older.owners) + len(newer.owners)
            if total > SEGMENT_ROWS or len(older.owners) > MERGE_FACTOR * len(newer.owners):
                break
            merged[-2:] = [self._joined([older, newer])]
        return tuple(merged)

    def _joined(self, segments: Sequence[Segment]) -> Segment:
        rows, owners = [], []
        for segment in segments:
            alive = slice(None) if segment.alive is None else segment.alive
            rows.append(self.kernel.rows(segment.built)[alive])
            owners.append(segment.owners[alive])
        return Segment(self.kernel.build(np.concatenate(rows)), np.concatenate(owners))
