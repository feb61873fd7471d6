"""A receipt: the owner's proof that a statement about an image was registered (FORMATS §5).

A tlog-proof whose extra data is `r 32 ‖ statement 10 ‖ F 32 ‖ owner public key 32`: what the
REGISTER entry is computed from. F is the digest of the image's fingerprints and not their list: a
receipt can be shown without showing what the image looks like. It holds r, so whoever has it can
test a guess: it is its owner's to show. The owner assembles it; the registry's own proofs carry no
extra data.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from consent_client.errors import Malformed
from consent_client.protocol.encoding import Reader
from consent_client.protocol.keys import (
    OPENING_BYTES,
    PUBLIC_KEY_BYTES,
    check_public_key,
    owner_tag,
)
from consent_client.protocol.log import MAX_INDEX, Register
from consent_client.protocol.merkle import leaf_hash
from consent_client.protocol.policies import Policy, Vouched, vouch
from consent_client.protocol.records import commitment
from consent_client.protocol.statements import STATEMENT_BYTES, Statement
from consent_client.protocol.tlog_proofs import TlogProof

IMAGE_DIGEST_BYTES: Final = 32

EXTRA_BYTES: Final = OPENING_BYTES + STATEMENT_BYTES + IMAGE_DIGEST_BYTES + PUBLIC_KEY_BYTES


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an owner keeps and shows.

    Attributes:
        opening: r, 32 bytes.
        statement: what was stated.
        image_digest: F, 32 bytes.
        owner_public_key: Ed25519, 32 bytes.
        proof: of the REGISTER entry, without extra data.

    Raises:
        Malformed: a wrong length, an index no log of ours has, or a proof with extra data.
        WeakKey: an owner key that proves nothing.
    """

    opening: bytes = field(repr=False)
    statement: Statement
    image_digest: bytes = field(repr=False)
    owner_public_key: bytes = field(repr=False)
    proof: TlogProof

    def __post_init__(self) -> None:
        if len(self.opening) != OPENING_BYTES or len(self.image_digest) != IMAGE_DIGEST_BYTES:
            raise Malformed("a receipt's r and F have 32 bytes")
        check_public_key(self.owner_public_key)
        if self.proof.extra or self.proof.index > MAX_INDEX:
            raise Malformed("a receipt's proof is one of our log, without extra data")

    @property
    def register(self) -> Register:
        """The REGISTER entry that this is a receipt for."""
        committed = commitment(self.opening, self.statement.encode(), self.image_digest)
        return Register(committed, owner_tag(self.owner_public_key))

    def encode(self) -> str:
        """The receipt's text, a tlog-proof."""
        extra = self.opening + self.statement.encode() + self.image_digest + self.owner_public_key
        return TlogProof(self.proof.index, self.proof.hashes, self.proof.checkpoint, extra).encode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The receipt behind its text: well-formed, and nothing of it verified.

        Raises:
            ProtocolError: as `TlogProof.parse`; `Malformed` for extra data of another length,
                `BadStatement`, `WeakKey`.
        """
        proof = TlogProof.parse(text)
        reader = Reader(proof.extra)
        opening = reader.take(OPENING_BYTES)
        statement = Statement.decode(reader.take(STATEMENT_BYTES))
        image_digest = reader.take(IMAGE_DIGEST_BYTES)
        owner_public_key = reader.take(PUBLIC_KEY_BYTES)
        reader.end()
        bare = TlogProof(proof.index, proof.hashes, proof.checkpoint)
        return cls(opening, statement, image_digest, owner_public_key, bare)


def verify_receipt(receipt: Receipt, policy: Policy) -> Vouched:
    """Whether the statement was in the log, and who says so.

    It is about the log at the checkpoint's size: that the record was withdrawn later, it can not
    say, nor that the statement did not expire. That the presenter is the owner takes a signature of
    the owner's key; which image it is takes the list of fingerprints, whose digest is F.

    Raises:
        BadNote, BadCheckpoint: as `vouch`.
        BadProof: the REGISTER entry is not shown to be in the tree of the checkpoint.
    """
    vouched = vouch(policy, receipt.proof.checkpoint)
    leaf = leaf_hash(receipt.register.encode())
    receipt.proof.verify(leaf, vouched.checkpoint)
    return vouched
