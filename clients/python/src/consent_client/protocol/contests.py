"""Contests: excluded rows of a block, sent again together with the fingerprints of five crops.

FORMATS §6. A crop of a copy still resembles the record it is a copy of; a chance resemblance of two
whole images does not survive cropping. So an exclusion that rests on resemblance alone falls where
no view of the image comes near enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import BadFingerprint, Malformed
from consent_client.protocol.encoding import lp, u8, u32
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.screening import Column, block_content
from consent_client.protocol.spaces import SPACES, Kind, Space, Subject, space

CROPS: Final = 5
"""Crops of an image, in this order: top left, top right, bottom left, bottom right, centre."""

MAX_CONTESTED: Final = 1_000
"""Most rows in one contest: with their crops 6 MB of sscd, as much as a block of 6,000 images."""

CONTEST_SPACES: Final = tuple(
    each.id
    for each in SPACES.values()
    if each.kind is Kind.FLOAT and each.subject is Subject.WORK and each.own is None
)
"""Spaces in which a match is a matter of degree, so that crops say more: ascending. What crops of
a space of somebody's own would say, nobody measured."""


@dataclass(frozen=True, slots=True, eq=False)
class CropColumn:
    """The crops of contested rows in one space.

    Attributes:
        space_id: one of `CONTEST_SPACES`.
        data: the fingerprints of each row's `CROPS` crops, in order, row after row.

    Raises:
        UnknownSpace: a space id that is not known.
        Malformed: crops mean nothing in this space.
        BadFingerprint: `data` is not whole rows.
    """

    space_id: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.space.id not in CONTEST_SPACES:
            raise Malformed(f"crops are sent in {', '.join(CONTEST_SPACES)} and nowhere else")
        if len(self.data) % (CROPS * self.space.size):
            raise BadFingerprint(f"crops come as {CROPS} fingerprints for each row")

    @property
    def space(self) -> Space:
        """The space itself."""
        return space(self.space_id)

    @property
    def rows(self) -> int:
        """Rows that it has crops of."""
        return len(self.data) // (CROPS * self.space.size)

    def floats(self) -> NDArray[np.float32]:
        """float32[rows · `CROPS`, dimension] of norm 1.

        Raises:
            BadFingerprint: as `decode_floats`.
        """
        return decode_floats(self.data, self.space)


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Rows of one block that are contested.

    Attributes:
        block: the block's number.
        rows: bitmap over the block's rows, as it goes over the wire: which are contested.
        columns: their fingerprints exactly as they were screened, of k rows each.
        crops: one for each of `CONTEST_SPACES` that `columns` has, for the rows present in it.

    Raises:
        Malformed: a block below 0, too many rows, columns that do not fit together, crops of other
            spaces or other rows than the columns', or a row without anything to crop.
    """

    block: int
    rows: bytes = field(repr=False)
    columns: tuple[Column, ...]
    crops: tuple[CropColumn, ...]
    content: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.block < 0:
            raise Malformed("blocks are numbered from 0")
        content = block_content(self.columns)
        if self.count > MAX_CONTESTED:
            raise Malformed(f"a contest has 1 to {MAX_CONTESTED} rows")
        wanted = {
            column.space_id: int(np.count_nonzero(column.present))
            for column in self.columns
            if column.space_id in CONTEST_SPACES
        }
        if sorted(crop.space_id for crop in self.crops) != sorted(wanted):
            raise Malformed("a contest has crops in each space that has them, once")
        if any(crop.rows != wanted[crop.space_id] for crop in self.crops):
            raise Malformed(f"a contest has {CROPS} crops of each row")
        croppable = np.zeros(self.count, np.bool_)
        for column in self.columns:
            if column.space_id in CONTEST_SPACES:
                croppable |= column.present
        if not croppable.all():
            raise Malformed("a row without a fingerprint in a space with crops can not fall")
        parts = [u32(len(self.rows)), self.rows, content, u8(len(self.crops))]
        for crop in sorted(self.crops, key=lambda each: each.space_id):
            parts += (lp(crop.space_id), u32(len(crop.data)), crop.data)
        object.__setattr__(self, "content", b"".join(parts))

    @property
    def count(self) -> int:
        """Rows contested, k."""
        return self.columns[0].count


def row_contents(columns: Sequence[Column], rows: Sequence[int]) -> list[bytes]:
    """The canonical bytes of single rows: the same in a block and in a contest of it.

    `lp(space id) ‖ lp(its fingerprints, joined)` for each space in which the row is present,
    ascending by id.

    Args:
        columns: of one length, one per space.
        rows: positions in them.
    """
    parts = [bytearray() for _ in rows]
    for column in sorted(columns, key=lambda each: each.space_id):
        size = column.space.size
        counts = np.zeros(column.count, np.int64)
        counts[column.present] = 1 if column.counts is None else column.counts
        ends = np.cumsum(counts) * size
        for part, row in zip(parts, rows, strict=True):
            if column.present[row]:
                data = column.data[int(ends[row] - counts[row] * size) : int(ends[row])]
                part.extend(lp(column.space_id, data))
    return [bytes(part) for part in parts]
