"""The registered fingerprints of one space, changed by one thread while others search.

Fingerprints lie in segments. The last one is open: new rows are written behind those that views
already see, so adding copies nothing. Removing copies a mask, a byte per row. Removed rows stay in
memory until `compact` writes their segment anew and the last view of the old one is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import Kernel, Nearest, Vectors
from registry.matching.policies import NO_BANK
from registry.matching.segments import Segment, SpaceView

SEGMENT_ROWS: Final = 65_536
"""Most rows in a segment: 128 MiB of 512 float32, which removing one row copies once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Buffer:
    """Where an open segment's rows are written; never touched memory costs nothing."""

    rows: Vectors = field(repr=False)
    nearest: Nearest = field(repr=False)
    owners: NDArray[np.int64] = field(repr=False)

    @classmethod
    def empty(cls, kernel: Kernel, size: int) -> "_Buffer":
        """Room for `size` rows."""
        return cls(
            np.empty((size, kernel.width), kernel.dtype),
            np.empty((size, kernel.nearest_width), np.float32),
            np.empty(size, np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Checked rows, to be added.

    Attributes:
        rows: kernel.dtype[n, kernel.width].
        nearest: float32[n, kernel.nearest_width].
        owners: int64[n], ascending.
    """

    rows: Vectors = field(repr=False)
    nearest: Nearest = field(repr=False)
    owners: NDArray[np.int64] = field(repr=False)


class SpaceIndex:
    """The fingerprints of one space.

    Args:
        kernel: how they are compared.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._view = SpaceView(kernel)
        self._buffer: _Buffer | None = None  # of the view's last segment, where that is open
        self._greatest_owner = -1

    @property
    def view(self) -> SpaceView:
        """What it holds now."""
        return self._view

    def rows(
        self,
        owners: NDArray[np.int64],
        vectors: Vectors,
        nearest: NDArray[np.float32] | None = None,
    ) -> Rows:
        """Checks what is to be added and turns it into rows for `apply`.

        Args:
            owners: int64[n], whose the vectors are: above all before, ascending, repeats allowed.
            vectors: their fingerprints, as `Kernel.rows` takes them.
            nearest: float32[n], similarity of each to the nearest in the bank, -1 to 1; None where
                the space has no bank.

        Raises:
            ValueError: owners out of order or not one per vector, the same of `nearest`, or as
                `Kernel.rows`.
        """
        rows = self._kernel.rows(vectors)
        if nearest is None:
            nearest = np.full(len(rows), NO_BANK)
        if nearest.dtype != np.float32 or nearest.shape != (len(rows),):
            raise ValueError("nearest must be float32[n], one for each fingerprint")
        if not (np.abs(nearest) <= 1).all():  # not-a-number would match nothing
            raise ValueError("nearest must be between -1 and 1")
        if owners.dtype != np.int64 or owners.shape != (len(rows),):
            raise ValueError("owners must be int64[n], one for each fingerprint")
        if len(owners) and (owners[0] <= self._greatest_owner or (np.diff(owners) < 0).any()):
            raise ValueError("owners must ascend: the log adds records in the order of its indices")
        return Rows(rows, nearest[:, None][:, : self._kernel.nearest_width], owners)

    def apply(self, new: Rows, removed: NDArray[np.int64]) -> SpaceView:
        """Adds rows, then removes owners.

        Args:
            new: from the method `rows`.
            removed: int64[m], whose rows to remove; who has none is passed over.

        Returns:
            The new view; earlier ones stay as they are.
        """
        segments, buffer = self._appended(new)
        if removed.size:
            segments = [segment.without(removed) for segment in segments]
        if new.owners.size:
            self._greatest_owner = int(new.owners[-1])
        self._buffer, self._view = buffer, SpaceView(self._kernel, tuple(segments))
        return self._view

    def compact(self) -> SpaceView:
        """Writes segments that hold removed rows anew without them, and joins small neighbours.

        Returns:
            The new view, with the same answers.
        """
        groups: list[list[Segment]] = []
        for segment in self._view.segments:
            if groups and sum(part.live for part in (*groups[-1], segment)) <= SEGMENT_ROWS:
                groups[-1].append(segment)
            elif segment.live:
                groups.append([segment])
        segments = [self._rewritten(group) for group in groups[:-1]]
        buffer = self._buffer
        if groups and _untouched(groups[-1]):
            segments += groups[-1]
        elif groups:
            buffer = _Buffer.empty(
                self._kernel, SEGMENT_ROWS
            )  # stays open: what comes next is written behind
            segments.append(self._gathered(groups[-1], buffer))
        else:
            buffer = None
        self._buffer, self._view = buffer, SpaceView(self._kernel, tuple(segments))
        return self._view

    def _appended(self, new: Rows) -> tuple[list[Segment], _Buffer | None]:
        segments, buffer = list(self._view.segments), self._buffer
        start = 0
        while start < len(new.owners):
            if buffer is None or len(segments[-1].owners) == SEGMENT_ROWS:
                buffer = _Buffer.empty(self._kernel, SEGMENT_ROWS)
                segments.append(self._segment(buffer, 0, None))
            last = segments.pop()
            used = len(last.owners)
            stop = start + min(len(new.owners) - start, SEGMENT_ROWS - used)
            filled = used + stop - start
            buffer.rows[used:filled] = new.rows[start:stop]  # no view looks there yet
            buffer.nearest[used:filled] = new.nearest[start:stop]
            buffer.owners[used:filled] = new.owners[start:stop]
            alive = last.alive
            if alive is not None:
                alive = np.concatenate([alive, np.ones(stop - start, np.bool_)])
            segments.append(self._segment(buffer, filled, alive))
            start = stop
        return segments, buffer

    def _rewritten(self, group: Sequence[Segment]) -> Segment:
        if _untouched(group):
            return group[0]
        size = sum(part.live for part in group)
        return self._gathered(group, _Buffer.empty(self._kernel, size))

    def _gathered(self, group: Sequence[Segment], buffer: _Buffer) -> Segment:
        used = 0
        for part in group:
            filled = used + part.live
            if part.alive is None:
                buffer.rows[used:filled] = part.rows
                buffer.nearest[used:filled] = part.nearest
                buffer.owners[used:filled] = part.owners
            else:
                kept = np.flatnonzero(part.alive)  # "clip": or NumPy copies once more
                np.take(part.rows, kept, axis=0, out=buffer.rows[used:filled], mode="clip")
                buffer.nearest[used:filled] = part.nearest[kept]
                np.take(part.owners, kept, out=buffer.owners[used:filled], mode="clip")
            used = filled
        return self._segment(buffer, used, None)

    def _segment(self, buffer: _Buffer, filled: int, alive: NDArray[np.bool_] | None) -> Segment:
        seen = (buffer.rows[:filled], buffer.nearest[:filled], buffer.owners[:filled])
        for array in seen:
            array.setflags(write=False)
        rows, nearest, owners = seen
        return Segment(rows, nearest, owners, self._kernel.table(rows, nearest), alive)


def _untouched(group: Sequence[Segment]) -> bool:
    """Whether there is nothing to rewrite: one segment, nothing removed."""
    return len(group) == 1 and group[0].alive is None
