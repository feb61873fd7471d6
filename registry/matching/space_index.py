"""The registered fingerprints of one space, changed by one thread while others search.

Fingerprints lie in segments. The last one is open: new rows are written behind those that views
already see, so adding copies nothing. Removing copies a mask of 64 KiB for each 65,536 rows
concerned. Removed rows stay in memory until compaction writes their segment anew and the last view
of the old one is dropped.

Compaction also joins segments where a space's structure gains by it. That takes seconds for
millions of rows, so it comes in three steps of which only the middle one is long, and needs nobody
to wait: `plan`, `Compaction.build`, `install`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.matching.alive import ALL, Alive
from registry.matching.kernels import Kernel, Nearest, Table, Vectors, Writer
from registry.matching.policies import NO_BANK
from registry.matching.segments import Segment, SpaceView

SEGMENT_ROWS: Final = 65_536
"""Most rows that are added to a segment: 128 MiB of 512 float32, which compacting copies once.

Segments that were joined have up to `Kernel.joined` times as many.
"""

_WORTH_JOINING: Final = 2
"""A segment is joined to the younger ones behind it where it is at most that many times as large
as they are together: so a row is copied a number of times that grows with the logarithm only."""


@dataclass(frozen=True, slots=True, eq=False)
class _Buffer:
    """Where an open segment's rows are written; never touched memory costs nothing."""

    rows: Vectors = field(repr=False)
    nearest: Nearest = field(repr=False)
    owners: NDArray[np.int64] = field(repr=False)
    writer: Writer = field(repr=False)

    @classmethod
    def empty(cls, kernel: Kernel, size: int) -> "_Buffer":
        """Room for `size` rows."""
        rows = np.empty((size, kernel.width), kernel.dtype)
        nearest = np.empty((size, kernel.nearest_width), np.float32)
        return cls(rows, nearest, np.empty(size, np.int64), kernel.writer(rows, nearest))


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


@dataclass(frozen=True, slots=True, eq=False)
class Compaction:
    """Segments to be written anew.

    Attributes:
        kernel: of the space.
        groups: neighbours that become one segment each; what is in them when this is made.
    """

    kernel: Kernel = field(repr=False)
    groups: Sequence[Sequence[Segment]] = ()

    def build(self) -> "Compacted":
        """Writes them; in any thread, while the index goes on."""
        return Compacted(self.groups, tuple(_joined(self.kernel, group) for group in self.groups))


@dataclass(frozen=True, slots=True, eq=False)
class Compacted:
    """Segments written anew.

    Attributes:
        groups: out of which each was made.
        segments: the new ones.
    """

    groups: Sequence[Sequence[Segment]] = ()
    segments: Sequence[Segment] = ()


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
        """Writes segments that hold removed rows anew without them, and joins neighbours.

        Returns:
            The new view, with the same answers.
        """
        return self.install(self.plan().build())

    def plan(self) -> Compaction:
        """Compacts the open segment, which is quick, and says what else there is to compact."""
        groups = self._groups()
        last = groups.pop() if groups else []
        segments = [segment for group in groups for segment in group]
        buffer = None
        if _fits(last) and not _untouched(last):
            # stays open: what comes next is written behind
            buffer = _Buffer.empty(self._kernel, SEGMENT_ROWS)
            segments.append(_gathered(last, buffer))
        elif _fits(last) and last[-1] is self._view.segments[-1] and self._has_room:
            buffer = self._buffer
            segments += last
        elif last:
            segments += last
            groups.append(last)
        self._buffer, self._view = buffer, SpaceView(self._kernel, tuple(segments))
        return Compaction(
            self._kernel,
            tuple(
                tuple(group)
                for group in self._worth_joining(groups)
                if not _untouched(group) or not group[0].table.settled
            ),
        )

    def install(self, compacted: Compacted) -> SpaceView:
        """Puts segments written anew in the place of those they were made of.

        Args:
            compacted: what came of the last `plan`; what was removed since then stays removed.

        Returns:
            The new view, with the same answers.
        """
        segments = list(self._view.segments)
        for group, new in zip(compacted.groups, compacted.segments, strict=True):
            tables = [segment.table for segment in segments]
            start = tables.index(group[0].table)
            now = segments[start : start + len(group)]
            gone = [_removed_since(old, young) for old, young in zip(group, now, strict=True)]
            segments[start : start + len(group)] = [new.without(np.concatenate(gone))]
        live = tuple(segment for segment in segments if segment.live)
        if not live or live[-1] is not segments[-1]:
            self._buffer = None  # nothing is left in the segment that was open
        self._view = SpaceView(self._kernel, live)
        return self._view

    @property
    def _has_room(self) -> bool:
        """Whether the last segment is open and stays so: neither full nor to be made anew."""
        if self._buffer is None or self._buffer.writer.behind:
            return False
        return len(self._view.segments[-1].owners) < SEGMENT_ROWS

    def _groups(self) -> list[list[Segment]]:
        """Neighbours that fit into one segment together; without those in which nothing is left."""
        groups: list[list[Segment]] = []
        for segment in self._view.segments:
            if not segment.live:
                continue
            if groups and sum(part.live for part in (*groups[-1], segment)) <= SEGMENT_ROWS:
                groups[-1].append(segment)
            else:
                groups.append([segment])
        return groups

    def _worth_joining(self, groups: Sequence[Sequence[Segment]]) -> list[list[Segment]]:
        """Groups, joined as far as the kernel gains by it; from the youngest on."""
        joined: list[list[Segment]] = []
        together = 0
        for group in reversed(groups):
            own = sum(part.live for part in group)
            most = self._kernel.joined * SEGMENT_ROWS
            if joined and own <= _WORTH_JOINING * together and own + together <= most:
                joined[-1][:0] = group
                together += own
            else:
                joined.append(list(group))
                together = own
        return joined[::-1]

    def _appended(self, new: Rows) -> tuple[list[Segment], _Buffer | None]:
        segments, buffer = list(self._view.segments), self._buffer
        start = 0
        while start < len(new.owners):
            if buffer is None or len(segments[-1].owners) == SEGMENT_ROWS:
                buffer = _Buffer.empty(self._kernel, SEGMENT_ROWS)
                segments.append(_segment(buffer, 0, ALL, buffer.writer.table(0)))
            last = segments.pop()
            used = len(last.owners)
            stop = start + min(len(new.owners) - start, SEGMENT_ROWS - used)
            filled = used + stop - start
            buffer.rows[used:filled] = new.rows[start:stop]  # no view looks there yet
            buffer.nearest[used:filled] = new.nearest[start:stop]
            buffer.owners[used:filled] = new.owners[start:stop]
            segments.append(_segment(buffer, filled, last.alive, buffer.writer.table(filled)))
            start = stop
        return segments, buffer


def _joined(kernel: Kernel, group: Sequence[Segment]) -> Segment:
    """One segment of what is left in some, with the table that suits rows which stay."""
    if _untouched(group):  # then nothing need be copied
        rows, nearest = group[0].rows, group[0].nearest
        return replace(group[0], table=kernel.table(rows, nearest))
    buffer = _Buffer.empty(kernel, sum(part.live for part in group))
    filled = _copied(group, buffer)
    return _segment(buffer, filled, ALL, buffer.writer.closed(filled))


def _gathered(group: Sequence[Segment], buffer: _Buffer) -> Segment:
    filled = _copied(group, buffer)
    return _segment(buffer, filled, ALL, buffer.writer.table(filled))


def _copied(group: Sequence[Segment], buffer: _Buffer) -> int:
    """Copies what is left in some segments; how many rows that were."""
    used = 0
    for part in group:
        filled = used + part.live
        kept = part.alive.rows(len(part.owners))
        # "clip": or NumPy copies once more
        np.take(part.rows, kept, axis=0, out=buffer.rows[used:filled], mode="clip")
        buffer.nearest[used:filled] = part.nearest[kept]
        np.take(part.owners, kept, out=buffer.owners[used:filled], mode="clip")
        buffer.writer.take(part.table, kept)
        used = filled
    return used


def _segment(buffer: _Buffer, filled: int, alive: Alive, table: Table) -> Segment:
    seen = (buffer.rows[:filled], buffer.nearest[:filled], buffer.owners[:filled])
    for array in seen:
        array.setflags(write=False)
    rows, nearest, owners = seen
    return Segment(rows, nearest, owners, table, alive)


def _removed_since(old: Segment, young: Segment) -> NDArray[np.int64]:
    """Owners who lost rows from one state of a segment to a later one: int64[n]."""
    before, after = (each.alive.rows(len(each.owners)) for each in (old, young))
    return np.unique(young.owners[np.setdiff1d(before, after, assume_unique=True)])


def _fits(group: Sequence[Segment]) -> bool:
    """Whether what is left in some segments is anything, and can stay open as one."""
    return 0 < sum(part.live for part in group) <= SEGMENT_ROWS


def _untouched(group: Sequence[Segment]) -> bool:
    """Whether there is nothing to rewrite: one segment, nothing removed."""
    return len(group) == 1 and not group[0].alive.removed
