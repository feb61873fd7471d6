"""Which rows of a segment were not removed, in chunks, so that removing one copies little."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

CHUNK: Final = 65_536
"""Rows in a chunk, a byte each: what removing a row copies, whatever the segment's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Alive:
    """Immutable.

    Attributes:
        chunks: number of a chunk → bool[`CHUNK`], for those of which something was removed. Rows
            that do not exist yet are alive.
        removed: how many rows were removed.
    """

    chunks: Mapping[int, NDArray[np.bool_]] = field(default=MappingProxyType({}), repr=False)
    removed: int = 0

    def without(self, rows: NDArray[np.int64]) -> "Alive":
        """This, less some rows; itself where all of them were removed before.

        Args:
            rows: int64[n], each once.
        """
        rows = rows[self.of(rows)]
        if not rows.size:
            return self
        chunks = dict(self.chunks)
        numbers, places = rows // CHUNK, rows % CHUNK
        for number in np.unique(numbers).tolist():
            known = chunks.get(number)
            chunk = np.ones(CHUNK, np.bool_) if known is None else known.copy()
            chunk[places[numbers == number]] = False
            chunks[number] = chunk
        return Alive(MappingProxyType(chunks), self.removed + len(rows))

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some rows are alive: bool[n]."""
        alive = np.ones(len(rows), np.bool_)
        if not self.chunks:
            return alive
        numbers = rows // CHUNK
        for number in np.unique(numbers).tolist():
            chunk = self.chunks.get(number)
            if chunk is not None:
                here = numbers == number
                alive[here] = chunk[rows[here] % CHUNK]
        return alive

    def rows(self, size: int) -> NDArray[np.int64]:
        """The numbers of the rows below `size` that are alive, ascending: int64[n]."""
        alive = np.ones(size, np.bool_)
        for number, chunk in self.chunks.items():
            here = alive[number * CHUNK : (number + 1) * CHUNK]
            here[:] = chunk[: len(here)]
        return np.flatnonzero(alive)


ALL: Final = Alive()
"""Nothing was removed."""
