"""Checkpoints: what a log says its tree is (https://c2sp.org/tlog-checkpoint).

The text of a signed note: the log's origin, the tree's size in decimal, the root in base64, each on
a line, and further lines that are opaque. The log's key has the origin as its name.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from consent_client.errors import BadCheckpoint, Malformed
from consent_client.protocol.encoding import decode_base64, encode_base64, utf8
from consent_client.protocol.merkle import EMPTY_ROOT, HASH_BYTES
from consent_client.protocol.notes import NoteSigner, NoteVerifier, sign_note, verify_note
from consent_client.protocol.origins import check_origin
from consent_client.protocol.tiles import MAX_SIZE

_LINES = 3
_FIRST_PRINTABLE = " "
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def decimal(text: str) -> int:
    """The number that ASCII digits without leading zeros write; `Malformed` from `MAX_SIZE` + 1."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise Malformed("not a decimal number in range")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree at one size.

    Attributes:
        origin: the log's name, by the rule of origins.
        size: leaves, at most 2⁶³-1.
        root: of the tree, 32 bytes.
        extensions: further lines, opaque and not empty; we write none and leave none out.

    Raises:
        BadCheckpoint: values that no log of ours has, or an empty tree with another root than its.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            check_origin(self.origin)
            for line in self.extensions:
                utf8(line)
        except Malformed as error:
            raise BadCheckpoint("a checkpoint whose origin or extension is not one") from error
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise BadCheckpoint("a checkpoint whose size or root is out of range")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise BadCheckpoint("the empty tree has another root")
        for line in self.extensions:
            if not line or any(character < _FIRST_PRINTABLE for character in line):
                raise BadCheckpoint("a checkpoint's extension is a line that is not empty")

    def encode(self) -> str:
        """The note's text."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint behind a note's text; whoever signed it is not looked at.

        Raises:
            BadCheckpoint: anything `encode` would not have written.
        """
        *lines, end = text.split("\n")
        if end or len(lines) < _LINES:
            raise BadCheckpoint("a checkpoint has an origin, a size and a root, each on a line")
        origin, size, root, *extensions = lines
        try:
            return cls(origin, decimal(size), decode_base64(root), tuple(extensions))
        except Malformed as error:
            raise BadCheckpoint("a checkpoint whose size or root is not canonical") from error


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    """The signed note of a checkpoint.

    Raises:
        BadCheckpoint: the signer's name is not the checkpoint's origin.
        BadNote: it makes too long a note.
    """
    if signer.name != checkpoint.origin:
        raise BadCheckpoint("a log signs under its origin")
    return sign_note(checkpoint.encode(), signer)


def open_checkpoint(note: str, verifier: NoteVerifier) -> Checkpoint:
    """The checkpoint of a note that this log signed; other signatures are left aside.

    Raises:
        BadNote: not a note, or not signed by this key.
        BadCheckpoint: its text is no checkpoint, or one of another log than the key's.
    """
    checkpoint = Checkpoint.parse(verify_note(note, verifier))
    if checkpoint.origin != verifier.name:
        raise BadCheckpoint("a checkpoint of another log")
    return checkpoint
