"""A proof that an entry is in a log, to be checked without the log (https://c2sp.org/tlog-proof).

c2sp.org/tlog-proof@v1
extra <base64>              only where there is extra data
index <decimal>
<base64>                    the hashes of the inclusion proof, from the leaf up, none or more
                            an empty line, then the checkpoint, a signed note, as it is
"""

from dataclasses import dataclass, field
from typing import Final, Self

from consent_client.errors import Malformed
from consent_client.protocol.checkpoints import Checkpoint, decimal
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.merkle import HASH_BYTES, MAX_PROOF_HASHES, verify_inclusion
from consent_client.protocol.notes import split_note
from consent_client.protocol.tiles import MAX_SIZE

MAX_EXTRA_BYTES: Final = 16_384
"""Of data that nothing about the format vouches for; a receipt has 106."""

_TITLE = "c2sp.org/tlog-proof@v1"
_EXTRA = "extra "
_INDEX = "index "
_MAX_EXTRA_TEXT = (MAX_EXTRA_BYTES + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as it was read: well-formed, and nothing of it verified.

    Attributes:
        index: of the entry, from 0.
        hashes: of the inclusion proof, 32 bytes each.
        checkpoint: the signed note, as it is.
        extra: opaque and not vouched for; empty where there is none.

    Raises:
        Malformed: an index, hashes or extra data out of range.
        BadNote: the checkpoint is no signed note.
        BadCheckpoint: the note's text is no checkpoint.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_SIZE:
            raise Malformed("a proof's index is out of range")
        if len(self.hashes) > MAX_PROOF_HASHES or any(len(x) != HASH_BYTES for x in self.hashes):
            raise Malformed("a proof has at most 63 hashes of 32 bytes")
        if len(self.extra) > MAX_EXTRA_BYTES:
            raise Malformed("a proof's extra data is too long")
        text, _ = split_note(self.checkpoint)
        Checkpoint.parse(text)

    def encode(self) -> str:
        """The proof's text."""
        lines = [_TITLE]
        if self.extra:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines += map(encode_base64, self.hashes)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> Self:
        """The proof behind its text.

        Raises:
            Malformed, BadNote, BadCheckpoint: anything `encode` would not have written.
        """
        head, separator, checkpoint = text.partition("\n\n")
        title, *lines = head.split("\n", MAX_PROOF_HASHES + 3)
        if not separator or title != _TITLE:
            raise Malformed("not a proof of a log")
        extra = b""
        if lines and lines[0].startswith(_EXTRA):
            extra = _decode_extra(lines.pop(0).removeprefix(_EXTRA))
        if not lines or not lines[0].startswith(_INDEX):
            raise Malformed("a proof without an index")
        index = decimal(lines.pop(0).removeprefix(_INDEX))
        return cls(index, tuple(map(decode_base64, lines)), checkpoint, extra)

    def verify(self, leaf: bytes, checkpoint: Checkpoint) -> None:
        """Whether a leaf hash is at this index of a checkpoint's tree.

        Args:
            leaf: hash of the entry.
            checkpoint: this proof's own, after its signatures were verified.

        Raises:
            BadProof: it is not shown.
        """
        verify_inclusion(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root)


def _decode_extra(text: str) -> bytes:
    if not text or len(text) > _MAX_EXTRA_TEXT:
        raise Malformed("extra data that is empty or too long")
    return decode_base64(text)
