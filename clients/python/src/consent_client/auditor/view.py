"""Single entries of a log, each proved to be under its checkpoint before it is used."""

from collections.abc import Callable, Iterator
from typing import Final

from consent_client.auditor.sources import Source, ahead, limit_of
from consent_client.errors import BadProof, Malformed, NotPublished, Unreadable
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.log import Entry, decode_entry
from consent_client.protocol.merkle import (
    Nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    read_bundle,
    tile_nodes,
)

MAX_ENTRIES: Final = 2**32
"""Entries of the largest log that is read: nobody has one, and it would be read for weeks."""


class LogView:
    """Reads entries of a log and proves them.

    Args:
        source: the log.
        checkpoint: of it, its signature verified.
    """

    def __init__(self, source: Source, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._source = source
        self._nodes = tile_nodes(self._tile, checkpoint.size)

    def entry(self, index: int) -> Entry:
        """An entry, proved.

        Raises:
            BadProof: it is not there, or not shown to be what was signed; `NotPublished` where
                a file is missing or is none.
            Malformed: it is no entry.
            Unreadable, TransportError: as the source.
        """
        if not 0 <= index < self.checkpoint.size:
            raise BadProof(f"the log of {self.checkpoint.size} entries has no entry {index}")
        entries = self._bundle(index // TILE_WIDTH)
        return decode_entry(entries[index % TILE_WIDTH])

    def entries(self, start: int) -> Iterator[tuple[int, Entry]]:
        """Index and entry from `start` to the end, each bundle proved as it comes.

        Raises:
            BadProof, Malformed, Unreadable, TransportError: as `entry`; `Unreadable` also for a log
                of more than `MAX_ENTRIES`.
        """
        self._check_ends()
        numbers = range(start // TILE_WIDTH, -(-self.checkpoint.size // TILE_WIDTH))
        for number, bundle in zip(numbers, ahead(self._read, numbers), strict=True):
            for at, data in enumerate(self._proved(number, bundle), start=number * TILE_WIDTH):
                if at >= start:
                    yield at, decode_entry(data)

    def backwards(self) -> Iterator[tuple[int, Entry]]:
        """Index and entry from the last one to the first; raises as `entries`."""
        self._check_ends()
        for number in reversed(range(-(-self.checkpoint.size // TILE_WIDTH))):
            entries = self._bundle(number)
            for at in reversed(range(len(entries))):
                yield number * TILE_WIDTH + at, decode_entry(entries[at])

    def check_grown_from(self, seen: Checkpoint) -> None:
        """Whether the log begins with what an earlier checkpoint signed.

        Raises:
            BadProof: it does not, or it is not shown, as `entry`.
            Unreadable, TransportError: as the source.
        """
        size, root = self.checkpoint.size, self.checkpoint.root
        proof: tuple[bytes, ...] = ()
        if seen.size <= size:
            proof = _made(consistency_proof, self._nodes, seen.size, size)
        verify_consistency(seen.size, size, proof, seen.root, root)

    def _check_ends(self) -> None:
        if self.checkpoint.size > MAX_ENTRIES:
            name = self._source.name
            raise Unreadable(f"the log has more than {MAX_ENTRIES} entries", name)

    def _bundle(self, number: int) -> tuple[bytes, ...]:
        return self._proved(number, self._read(number))

    def _width(self, number: int) -> int:
        return min(TILE_WIDTH, self.checkpoint.size - number * TILE_WIDTH)

    def _proved(self, number: int, bundle: bytes) -> tuple[bytes, ...]:
        """The entries of a bundle, which is a part of the tree like a leaf of a smaller one."""
        size = self.checkpoint.size
        entries = read_bundle(bundle, self._width(number))
        parts = -(-size // TILE_WIDTH)
        proof = _made(inclusion_proof, self._parts, number, parts)
        part = root_of([leaf_hash(each) for each in entries])
        verify_inclusion(part, number, parts, proof, self.checkpoint.root)
        return entries

    def _parts(self, level: int, index: int) -> bytes:
        """A node of the tree whose leaves are the roots over bundles, the last perhaps shorter."""
        if (index + 1) << level <= self.checkpoint.size // TILE_WIDTH:
            return self._nodes(level + TILE_HEIGHT, index)
        if level:  # the last part, though shorter, is a leaf like the others
            left, right = (self._parts(level - 1, 2 * index + side) for side in (0, 1))
            return node_hash(left, right)
        leaves = range(index * TILE_WIDTH, self.checkpoint.size)
        return root_of([self._nodes(0, leaf) for leaf in leaves])

    def _tile(self, level: int, index: int, width: int) -> bytes:
        place = Tile(level, index, width)
        data = self._source.read(place.path, limit_of(place.path))
        if data is None and width < TILE_WIDTH:
            raise LookupError(place.path)  # the full one is asked for in its place
        if data is None:
            raise NotPublished(place.path)
        return data

    def _read(self, number: int) -> bytes:
        """A bundle as wide as it is here; cut out of the full one where it has grown since."""
        width = self._width(number)
        path = Bundle(number, width).path
        data = self._source.read(path, limit_of(path))
        if data is None and width < TILE_WIDTH:
            path = Bundle(number).path
            full = self._source.read(path, limit_of(path))
            data = None if full is None else beginning(full, width)
        if data is None:
            raise NotPublished(path)
        return data


def beginning(bundle: bytes, width: int) -> bytes:
    """The first entries of a full bundle; all of it where that is none."""
    at = 0
    for _ in range(width):
        at += 2 + int.from_bytes(bundle[at : at + 2])
    return bundle[:at]


def _made(
    proof: Callable[[Nodes, int, int], tuple[bytes, ...]], nodes: Nodes, one: int, other: int
) -> tuple[bytes, ...]:
    try:
        return proof(nodes, one, other)
    except Malformed as error:
        raise NotPublished("a tile", f"it is none: {error}") from None
