"""Manifests: the rows a committed screening is about, and their tree (FORMATS §6).

A row is `image_sha256 ‖ F`, 64 bytes, and a manifest's rows strictly increase by image_sha256
alone: an image stands in it once. Their tree is RFC 6962's, a row being a leaf's data. Rows travel
in blocks of 8,192, of which only the last may be shorter: such a block is a subtree, its root a
node of the tree, so its audit path is the inclusion proof of that root among the blocks' roots.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import batched
from typing import Final

from consent_client.errors import BadManifest
from consent_client.protocol.encoding import u64
from consent_client.protocol.merkle import (
    HASH_BYTES,
    Frontier,
    Tree,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_inclusion,
)

IMAGE_BYTES: Final = 32
"""An image's SHA-256, by which rows are ordered."""

ROW_BYTES: Final = 64

BLOCK_ROWS: Final = 2**13
"""A power of two, so that blocks are subtrees, and below the most images of a block on the wire."""

SALT_BYTES: Final = 32

MIN_CERTIFIED_ROWS: Final = 1_000
"""Fewer could single an image out: a session about one image says what was said of that image."""

_COMMITMENT_DOMAIN: Final = b"consent-registry/manifest/v1\0"


def row(image_sha256: bytes, fingerprints_digest: bytes) -> bytes:
    """A row of 64 bytes.

    Args:
        image_sha256: SHA-256 of the image's file, 32 bytes.
        fingerprints_digest: F of its fingerprints (FORMATS §1), 32 bytes.

    Raises:
        BadManifest: one of another length.
    """
    if len(image_sha256) != IMAGE_BYTES or len(fingerprints_digest) != HASH_BYTES:
        raise BadManifest("a row is made of two hashes of 32 bytes")
    return image_sha256 + fingerprints_digest


def rows_of(block: bytes) -> Iterator[bytes]:
    """The rows of 64 bytes that a block is joined from."""
    return (block[at : at + ROW_BYTES] for at in range(0, len(block), ROW_BYTES))


def ascending(rows: Iterable[bytes]) -> Iterator[bytes]:
    """The same rows, checked as they pass.

    Raises:
        BadManifest: a row of another length, or one that does not come after that before it.
    """
    last = b""
    for number, value in enumerate(rows):
        if len(value) != ROW_BYTES:
            raise BadManifest("a row has 64 bytes", number)
        image = value[:IMAGE_BYTES]
        if image <= last:
            raise BadManifest("rows must strictly increase by the image's digest", number)
        last = image
        yield value


def in_blocks(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Rows joined into blocks: `BLOCK_ROWS` each, the last perhaps fewer."""
    return (b"".join(part) for part in batched(rows, BLOCK_ROWS))


def block_root(block: bytes) -> bytes:
    """The root over a block's rows.

    Args:
        block: 1 to `BLOCK_ROWS` rows, joined.

    Raises:
        BadManifest: no rows, too many, or a part of one.
    """
    if not 1 <= len(block) <= BLOCK_ROWS * ROW_BYTES or len(block) % ROW_BYTES:
        raise BadManifest(f"a block has 1 to {BLOCK_ROWS} rows of {ROW_BYTES} bytes")
    return root_of([leaf_hash(value) for value in rows_of(block)])


def root_of_rows(rows: Iterable[bytes]) -> tuple[bytes, int]:
    """The root over a manifest's rows, and how many there are; a block of them is held.

    Raises:
        BadManifest: as `ascending`.
    """
    tree = Frontier()
    for part in batched(ascending(rows), BLOCK_ROWS):
        tree.extend([leaf_hash(value) for value in part])
    return tree.root(), tree.size


def commitment(salt: bytes, root: bytes, count: int) -> bytes:
    """What a SESSION entry says of a manifest: H(domain ‖ salt ‖ root ‖ u64 n).

    Args:
        salt: 32 random bytes, which blind it.
        root: of the manifest's tree.
        count: its rows, n.

    Raises:
        BadManifest: a salt or root of another length, or fewer than one row.
    """
    if len(salt) != SALT_BYTES or len(root) != HASH_BYTES or count < 1:
        raise BadManifest("a commitment is to a root and at least one row, under 32 random bytes")
    return sha256(_COMMITMENT_DOMAIN + salt + root + u64(count)).digest()


def blocks_in(count: int) -> int:
    """How many blocks a manifest of `count` rows has."""
    return -(-count // BLOCK_ROWS)


def rows_in(number: int, count: int) -> int:
    """How many rows block `number` of a manifest of `count` rows has.

    Raises:
        BadManifest: there is no such block.
    """
    if not 0 <= number < blocks_in(count):
        raise BadManifest("a block beyond the manifest")
    return min(BLOCK_ROWS, count - number * BLOCK_ROWS)


class BlockPaths:
    """Audit paths of a manifest's blocks, from the blocks' roots: 4 MB for 10⁸ rows.

    Args:
        count: rows of the manifest, n.
        block_roots: `block_root` of each block, in order.

    Raises:
        BadManifest: another number of roots than such a manifest has blocks.
    """

    def __init__(self, count: int, block_roots: Iterable[bytes]) -> None:
        self._tree = Tree(block_roots)
        if count < 1 or len(self._tree) != blocks_in(count):
            raise BadManifest("not as many roots as the manifest has blocks")
        self.count = count
        self.root = self._tree.root()

    def path(self, number: int) -> tuple[bytes, ...]:
        """The audit path of block `number`.

        Raises:
            BadManifest: there is no such block.
        """
        rows_in(number, self.count)
        return inclusion_proof(self._tree.node, number, len(self._tree))


def verify_block(block: bytes, number: int, count: int, path: Sequence[bytes], root: bytes) -> None:
    """Whether these rows are block `number` of the manifest of `count` rows with that root.

    That rows increase from one block to the next is not seen here, but where the evidence is
    verified, which reads them all.

    Raises:
        BadManifest: too few or too many rows, or rows that do not increase; `row` counts from the
            manifest's beginning.
        BadProof: they are not under the root.
    """
    if len(block) != rows_in(number, count) * ROW_BYTES:
        raise BadManifest("a block with another number of rows than stand at its place")
    last = b""
    for at, value in enumerate(rows_of(block), start=number * BLOCK_ROWS):
        image = value[:IMAGE_BYTES]
        if image <= last:
            raise BadManifest("rows must strictly increase by the image's digest", at)
        last = image
    verify_inclusion(block_root(block), number, blocks_in(count), path, root)
