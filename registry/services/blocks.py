"""A block of candidates as it came in, and the keyed digests that tell it and its rows apart."""

import hmac
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from consent_client.errors import Malformed
from consent_client.protocol.contests import row_contents
from consent_client.protocol.encoding import u32, u64
from consent_client.protocol.screening import Column, block_content
from consent_client.protocol.verdicts import Verdict

ROW_DIGEST_BYTES: Final = 16
"""Nobody without the key can make one that fits, and each guess is a request."""

_ROW_DOMAIN = b"consent-registry/v1/excluded-row\0"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of candidates, columns of one length.

    Attributes:
        audit_path: in a committed screening, from the block to the manifest's root.

    Raises:
        Malformed: no column, two of one space, or a number below 0.
    """

    number: int
    columns: tuple[Column, ...]
    audit_path: tuple[bytes, ...] = field(default=(), repr=False)
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


def row_digests(
    secret: bytes, screening_id: bytes, block: Block, verdicts: npt.NDArray[np.uint8]
) -> bytes:
    """Keyed digests of a block's excluded rows, in the order of the rows.

    Args:
        secret: the registry's own, from its vault.
        screening_id: the session.
        block: as it came in.
        verdicts: uint8[count], its answer.

    Returns:
        `ROW_DIGEST_BYTES` for each.
    """
    rows = np.flatnonzero(verdicts == Verdict.EXCLUDE).tolist()
    contents = row_contents(block.columns, rows)
    return b"".join(
        row_digest(secret, screening_id, block.number, row, content)
        for row, content in zip(rows, contents, strict=True)
    )


def row_digest(secret: bytes, screening_id: bytes, block: int, row: int, content: bytes) -> bytes:
    """HMAC-SHA256 of one row in its place, cut short; `content` as `row_contents` gives it."""
    message = _ROW_DOMAIN + screening_id + u64(block) + u32(row) + content
    return hmac.digest(secret, message, "sha256")[:ROW_DIGEST_BYTES]


def block_digest(secret: bytes, screening_id: bytes, block: Block) -> bytes:
    """HMAC-SHA256 of a block's content in its session: nobody without the key can test guesses."""
    return hmac.digest(secret, screening_id + block.content, "sha256")
