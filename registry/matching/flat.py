"""Rows that are searched as they lie: nothing has to be done when some are added."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from registry.matching.kernels import Table, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class FlatWriter:
    """See `Writer`.

    Attributes:
        rows: with room for more.
        open_table: makes a table of some of them.
        closed_table: makes one of all.
    """

    rows: Vectors = field(repr=False)
    open_table: Callable[[Vectors], Table]
    closed_table: Callable[[Vectors], Table]

    @property
    def behind(self) -> bool:
        """See `Writer.behind`."""
        return False

    def take(self, table: Table, rows: NDArray[np.int64]) -> None:
        """See `Writer.take`."""

    def table(self, filled: int) -> Table:
        """See `Writer.table`."""
        return self.open_table(self._first(filled))

    def closed(self, filled: int) -> Table:
        """See `Writer.closed`."""
        return self.closed_table(self._first(filled))

    def _first(self, filled: int) -> Vectors:
        rows = self.rows[:filled]
        rows.flags.writeable = False
        return rows
