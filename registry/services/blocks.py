"""A block of candidates as it came in, and the keyed digest that tells it from another."""

import hmac
from dataclasses import dataclass, field

from consent_client.errors import Malformed
from consent_client.protocol.screening import Column, block_content


@dataclass(frozen=True, slots=True)
class Block:
    """A block of candidates, columns of one length.

    Raises:
        Malformed: no column, two of one space, or a number below 0.
    """

    number: int
    columns: tuple[Column, ...]
    content: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.number < 0:
            message = "blocks are numbered from 0"
            raise Malformed(message)
        object.__setattr__(self, "content", block_content(self.columns))

    @property
    def count(self) -> int:
        """Images in it."""
        return self.columns[0].count


def block_digest(secret: bytes, screening_id: bytes, block: Block) -> bytes:
    """HMAC-SHA256 of a block's content in its session: nobody without the key can test guesses."""
    return hmac.digest(secret, screening_id + block.content, "sha256")
