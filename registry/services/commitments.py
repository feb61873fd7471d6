"""Committed screenings: what is asked was fixed beforehand, and what was answered is fixed after.

FORMATS §6. The builder commits to a manifest, a row `image_sha256 ‖ F` for each image, before the
first answer: so nobody can try images against the registry and call it screening. Blocks follow the
manifest in order, each with its audit path; F is computed here from the fingerprints that came.
Each answer goes into a result leaf under a salt, and the leaves' root into the log when the session
is closed. Of a block only the root over its leaves is kept, never a row: a contest, which changes
leaves, brings the block's rows again.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from consent_client.errors import ProtocolError
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.keys import check_public_key
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    SALT_BYTES,
    commitment,
    row,
    rows_in,
    verify_block,
)
from consent_client.protocol.merkle import HASH_BYTES
from consent_client.protocol.results import Answered, results_block_root
from consent_client.protocol.screening import Column
from registry.errors import InvalidInput
from registry.services.blocks import Block
from registry.store.screenings import ScreeningRow

_FILES: Final = "sha256"

_SECRET_DOMAIN: Final = b"consent-registry/v1/results-secret\0"


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a builder commits to.

    Attributes:
        root: of the manifest, 32 bytes.
        salt: 32 random bytes, which blind the root in the log.
        builder_key: Ed25519, 32 bytes; will sign the certificate.

    Raises:
        InvalidInput: a wrong length, or a key that proves nothing.
    """

    root: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    builder_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.root) != HASH_BYTES or len(self.salt) != SALT_BYTES:
            message = "The root and the salt of a commitment have 32 bytes each."
            raise InvalidInput(message)
        try:
            check_public_key(self.builder_key)
        except ProtocolError as error:
            message = f"The builder's key can not be used: {error}."
            raise InvalidInput(message) from None

    def logged(self, count: int) -> bytes:
        """What the SESSION entry says of it, 32 bytes."""
        return commitment(self.salt, self.root, count)


def results_secret(secret: bytes, screening_id: bytes) -> bytes:
    """A session's secret, 32 bytes: from it come the salts of its result leaves.

    Args:
        secret: the registry's own, from its vault.
        screening_id: the session.
    """
    return hmac.digest(secret, _SECRET_DOMAIN + screening_id, "sha256")


def manifest_block(screening: ScreeningRow, block: Block) -> bytes:
    """The rows of the manifest that a block is, joined.

    Args:
        screening: a committed one.
        block: as it came in, with its audit path.

    Raises:
        InvalidInput: no file's digest for each image, or not as many images as stand there.
        ProtocolError: rows that do not increase, or are not under the root.
    """
    columns = {column.space_id: column for column in block.columns}
    files = columns.get(_FILES)
    if files is None or not files.present.all():
        message = f"A block of a committed screening has {_FILES} of every image."
        raise InvalidInput(message)
    images = [bytes(value) for value in files.codes()]
    values = {name: _values(column) for name, column in columns.items()}
    joined = bytearray()
    for at, image in enumerate(images):
        made = {name: (own[at],) for name, own in values.items() if at in own}
        joined += row(image, image_digest(made))
    rows = bytes(joined)
    check_rows(screening, block.number, rows, block.audit_path)
    return rows


def check_rows(
    screening: ScreeningRow, number: int, rows: bytes, audit_path: Sequence[bytes]
) -> None:
    """Whether rows are a block of the manifest that a screening is committed to.

    Raises:
        ProtocolError: they are not.
    """
    if screening.root is None:
        message = "This screening has no commitment."
        raise InvalidInput(message)
    count = screening.candidate_count
    rows_in(number, count)
    verify_block(rows, number, count, audit_path, screening.root)


def block_results(
    secret: bytes, number: int, rows: bytes, log_size: int, verdicts: npt.NDArray[np.uint8]
) -> bytes:
    """The root over the result leaves of a block, 32 bytes; some 30 ms.

    Args:
        secret: `results_secret`.
        number: of the block.
        rows: of the manifest, joined.
        log_size: the block's; also of rows that were contested since, whose verdicts hold for it or
            for a later one.
        verdicts: uint8[n], after contests.
    """
    answered = Answered(log_size, verdicts.astype(np.uint8).tobytes())
    return results_block_root(secret, number * BLOCK_ROWS, rows, answered)


def _values(column: Column) -> dict[int, bytes]:
    """Position of an image → its fingerprint, in a space of works."""
    size = column.space.size
    data = column.data
    return {
        position: data[at * size : (at + 1) * size]
        for at, position in enumerate(np.flatnonzero(column.present).tolist())
    }
