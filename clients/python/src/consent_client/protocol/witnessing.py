"""What a log asks a witness for: `add-checkpoint` of https://c2sp.org/tlog-witness.

old <size>                  of the newest checkpoint of this log that the witness cosigned
<base64>                    the hashes of the consistency proof from there, none or more
                            an empty line, then the checkpoint, a signed note
"""

from dataclasses import dataclass
from typing import Final, Self

from consent_client.errors import BadProof, Malformed
from consent_client.protocol.checkpoints import Checkpoint, decimal
from consent_client.protocol.encoding import decode_base64, encode_base64, utf8
from consent_client.protocol.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_PROOF_HASHES,
    verify_consistency,
)
from consent_client.protocol.notes import MAX_NOTE_BYTES

MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4_096
"""A note, and 63 hashes of 45 characters."""

SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of a 409 that says from which size the proof has to be."""

_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request as it was read: well-formed, and nothing of it verified.

    Attributes:
        old_size: from which size the proof is.
        proof: of consistency, 32 bytes each.
        note: the checkpoint, a signed note, as it is.

    Raises:
        Malformed: more hashes than there can be, or of another length.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def __post_init__(self) -> None:
        if len(self.proof) > MAX_PROOF_HASHES or any(len(x) != HASH_BYTES for x in self.proof):
            raise Malformed("a consistency proof has at most 63 hashes of 32 bytes")

    def encode(self) -> str:
        """The request's body."""
        lines = [f"{_OLD}{self.old_size}", *map(encode_base64, self.proof)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, body: str) -> Self:
        """The request behind its body; `Malformed` for anything `encode` would not have written."""
        if len(utf8(body)) > MAX_REQUEST_BYTES:
            raise Malformed("a request that is too long")
        head, separator, note = body.partition("\n\n")
        first, *hashes = head.split("\n", MAX_PROOF_HASHES + 1)
        if not separator or not first.startswith(_OLD):
            raise Malformed("not a request to a witness")
        proof = tuple(map(decode_base64, hashes))
        return cls(decimal(first.removeprefix(_OLD)), proof, note)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The largest tree of a log that a witness has cosigned.

    Attributes:
        size: leaves; 0 where it has seen nothing.
        root: 32 bytes.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT

    def grown(self, checkpoint: Checkpoint, proof: tuple[bytes, ...]) -> "Witnessed":
        """What is witnessed once this checkpoint is.

        Raises:
            BadProof: it is not shown that its tree grew out of this one.
        """
        if checkpoint.size == self.size and checkpoint.root != self.root:
            raise BadProof("two trees of one size: the log is forked")
        verify_consistency(self.size, checkpoint.size, proof, self.root, checkpoint.root)
        return Witnessed(checkpoint.size, checkpoint.root)
