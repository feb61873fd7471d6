"""Blocks of candidates, as columns: one space, a presence bitmap, and the fingerprints present.

FORMATS §6. A block is answered once; the digest of `block_content` tells a retry from another
block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import BadFingerprint, Malformed
from consent_client.protocol.encoding import lp, pack_bitmap, u8, u32, unpack_bitmap
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import MAX_SPACES, Space, space

MAX_BLOCK: Final = 10_000
"""Most images in one block: 10 MB of sscd, some tens of milliseconds of matching."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The fingerprints of a block in one space, at most one per image.

    Attributes:
        space_id: which space.
        present: bool[n], which images have a fingerprint here.
        data: their fingerprints in the order of the images, one after the other.

    Raises:
        UnknownSpace: a space id that is not known.
        Malformed: `present` is not bool[n] with 1 ≤ n ≤ `MAX_BLOCK`.
        BadFingerprint: `data` is not as long as the present fingerprints are.
    """

    space_id: str
    present: NDArray[np.bool_]
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        present = self.present
        if present.dtype != np.bool_ or present.ndim != 1 or not 1 <= present.size <= MAX_BLOCK:
            raise Malformed(f"a block has 1 to {MAX_BLOCK} images")
        if len(self.data) != int(np.count_nonzero(present)) * self.space.size:
            raise BadFingerprint("a column is not as long as the fingerprints present in it")

    @classmethod
    def decode(cls, space_id: str, count: int, present: bytes, fingerprints: bytes) -> Self:
        """A column from the wire.

        Args:
            space_id: which space.
            count: images in the block, n.
            present: presence bitmap of n bits.
            fingerprints: the present fingerprints, one after the other.

        Raises:
            ProtocolError: `Malformed`, `UnknownSpace` or `BadFingerprint`, as above. Norms of
                vectors are looked at by `floats`.
        """
        if not 1 <= count <= MAX_BLOCK:
            raise Malformed(f"a block has 1 to {MAX_BLOCK} images")
        return cls(space_id, unpack_bitmap(present, count), fingerprints)

    @property
    def space(self) -> Space:
        """The space itself."""
        return space(self.space_id)

    @property
    def count(self) -> int:
        """Images in the block, n."""
        return int(self.present.size)

    @property
    def bitmap(self) -> bytes:
        """Presence as it goes over the wire."""
        return pack_bitmap(self.present)

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64[p]: the images that are present; entry k is the image of the k-th fingerprint."""
        return np.flatnonzero(self.present).astype(np.int64)

    def codes(self) -> NDArray[np.uint8]:
        """uint8[p, size]: the fingerprints of an exact or binary space, read-only."""
        return np.frombuffer(self.data, np.uint8).reshape(-1, self.space.size)

    def floats(self) -> NDArray[np.float32]:
        """float32[p, dimension] of norm 1: the vectors of a float space.

        Raises:
            BadFingerprint: as `decode_floats`.
        """
        return decode_floats(self.data, self.space)


def block_content(columns: Sequence[Column]) -> bytes:
    """The canonical bytes of a block: the same for the same fingerprints in any order of columns.

    `u32 n ‖ u8 columns`, then for each, ascending by space id,
    `lp(space_id) ‖ bitmap ‖ u32 length ‖ data`.

    Raises:
        Malformed: no column, too many, two of one space, or columns of different length.
    """
    if not 1 <= len(columns) <= MAX_SPACES:
        raise Malformed(f"a block has 1 to {MAX_SPACES} columns")
    ordered = sorted(columns, key=lambda column: column.space_id)
    count = ordered[0].count
    if len({column.space_id for column in ordered}) != len(ordered):
        raise Malformed("a block has one column per space")
    if any(column.count != count for column in ordered):
        raise Malformed("the columns of a block are of one length")
    parts = [u32(count), u8(len(ordered))]
    for column in ordered:
        parts += (lp(column.space_id), column.bitmap, u32(len(column.data)), column.data)
    return b"".join(parts)
