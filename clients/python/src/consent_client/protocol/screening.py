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
from consent_client.protocol.spaces import MAX_FACES, MAX_SPACES, Space, Subject, space

MAX_BLOCK: Final = 10_000
"""Most images in one block: 10 MB of sscd, some tens of milliseconds of matching."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The fingerprints of a block in one space: one per image, or of people any number.

    Attributes:
        space_id: which space.
        present: bool[n], which images have a fingerprint here; in a space of people, in which
            images people were looked for.
        data: their fingerprints in the order of the images, one after the other.
        counts: a space of people: uint8[p], how many fingerprints each present image has, 0 to
            `MAX_FACES`: an image in which nobody is seen was looked at all the same. None in a
            space of works, where it is one each.

    Raises:
        UnknownSpace: a space id that is not known.
        Malformed: `present` is not bool[n] with 1 ≤ n ≤ `MAX_BLOCK`; `counts` is missing, not one
            per present image, or too high; or there are counts in a space of works.
        BadFingerprint: `data` is not as long as the present fingerprints are.
    """

    space_id: str
    present: NDArray[np.bool_]
    data: bytes = field(repr=False)
    counts: NDArray[np.uint8] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        present = self.present
        if present.dtype != np.bool_ or present.ndim != 1 or not 1 <= present.size <= MAX_BLOCK:
            raise Malformed(f"a block has 1 to {MAX_BLOCK} images")
        images = int(np.count_nonzero(present))
        _check_counts(self.counts, self.space, images)
        total = images if self.counts is None else int(self.counts.sum())
        if len(self.data) != total * self.space.size:
            raise BadFingerprint("a column is not as long as the fingerprints present in it")

    @classmethod
    def decode(
        cls,
        space_id: str,
        count: int,
        present: bytes,
        fingerprints: bytes,
        counts: bytes | None = None,
    ) -> Self:
        """A column from the wire.

        Args:
            space_id: which space.
            count: images in the block, n.
            present: presence bitmap of n bits.
            fingerprints: the present fingerprints, one after the other.
            counts: a space of people: a byte per present image; None in a space of works.

        Raises:
            ProtocolError: `Malformed`, `UnknownSpace` or `BadFingerprint`, as above. Norms of
                vectors are looked at by `floats`.
        """
        if not 1 <= count <= MAX_BLOCK:
            raise Malformed(f"a block has 1 to {MAX_BLOCK} images")
        numbers = None if counts is None else np.frombuffer(counts, np.uint8)
        return cls(space_id, unpack_bitmap(present, count), fingerprints, numbers)

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
        """int64[f]: entry k is the image of the k-th fingerprint."""
        rows = np.flatnonzero(self.present).astype(np.int64)
        return rows if self.counts is None else np.repeat(rows, self.counts)

    def codes(self) -> NDArray[np.uint8]:
        """uint8[f, size]: the fingerprints of an exact or binary space, read-only."""
        return np.frombuffer(self.data, np.uint8).reshape(-1, self.space.size)

    def floats(self) -> NDArray[np.float32]:
        """float32[f, dimension] of norm 1: the vectors of a float space.

        Raises:
            BadFingerprint: as `decode_floats`.
        """
        return decode_floats(self.data, self.space)


def block_content(columns: Sequence[Column]) -> bytes:
    """The canonical bytes of a block: the same for the same fingerprints in any order of columns.

    `u32 n ‖ u8 columns`, then for each, ascending by space id,
    `lp(space_id) ‖ bitmap ‖ counts (in a space of people) ‖ u32 length ‖ data`.

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
        counts = b"" if column.counts is None else column.counts.tobytes()
        parts += (lp(column.space_id), column.bitmap, counts, u32(len(column.data)), column.data)
    return b"".join(parts)


def _check_counts(counts: NDArray[np.uint8] | None, of: Space, images: int) -> None:
    if (counts is None) != (of.subject is Subject.WORK):
        raise Malformed("a column of people, and no other, says how many each image has")
    if counts is None:
        return
    if counts.dtype != np.uint8 or counts.shape != (images,):
        raise Malformed("a column of people says how many each present image has, and no more")
    if int(counts.max(initial=0)) > MAX_FACES:
        raise Malformed(f"an image has at most {MAX_FACES} fingerprints of people")
