"""The right edge of the tree: all that is needed to append to a log of any length.

C2SP tlog-tiles, height 8: of each level of tiles only the last one can still grow, and of the
entry bundles too. What is full never changes and is not needed again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from consent_client.errors import ProtocolError
from consent_client.protocol.log import encode_bundle
from consent_client.protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of
from consent_client.protocol.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    bundle_path,
    decode_tile,
    encode_tile,
    read_bundle,
    tile_path,
)
from registry.errors import CorruptRegistry


@dataclass(frozen=True, slots=True)
class Edge:
    """The tiles and the bundle that are not full, in a log of `size` entries.

    Attributes:
        size: entries in the log.
        levels: for each level of tiles, the hashes of its last tile, at most 255.
        bundle: the entries of the last bundle, at most 255.
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()
    bundle: tuple[bytes, ...] = ()

    @classmethod
    def load(cls, read: Callable[[str], bytes], size: int) -> Self:
        """Reads the edge of a published log.

        Args:
            read: bytes of a published file by its path; raises `CorruptRegistry` if it is missing.
            size: entries in it.

        Raises:
            CorruptRegistry: a file is missing or has another length.
        """
        levels = []
        bundle: tuple[bytes, ...] = ()
        try:
            for level in range(-(-size.bit_length() // TILE_HEIGHT)):
                index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
                tile = read(tile_path(level, index, width)) if width else b""
                levels.append(decode_tile(tile, width) if width else ())
            index, width = divmod(size, TILE_WIDTH)
            if width:
                bundle = read_bundle(read(bundle_path(index, width)), width)
        except ProtocolError as error:
            message = f"The published log is damaged: {error}."
            raise CorruptRegistry(message) from None
        return cls(size, tuple(levels), bundle)

    def root(self) -> bytes:
        """The root of the tree."""
        root = None
        for hashes in self.levels:
            frontier = Frontier()
            for value in hashes:
                frontier.append(value)
            for subtree in reversed(frontier.hashes):
                root = subtree if root is None else node_hash(subtree, root)
        return EMPTY_ROOT if root is None else root

    def grow(self, entries: Sequence[bytes]) -> tuple["Edge", dict[str, bytes]]:
        """Appends entries.

        Returns:
            The new edge, and the files that became full: path → bytes.
        """
        levels = [list(level) for level in self.levels]
        bundle = list(self.bundle)
        full = {}
        for index, entry in enumerate(entries, self.size):
            bundle.append(entry)
            if len(bundle) == TILE_WIDTH:
                full[bundle_path(index // TILE_WIDTH, TILE_WIDTH)] = encode_bundle(bundle)
                bundle.clear()
            value, level = leaf_hash(entry), 0
            while True:
                if level == len(levels):
                    levels.append([])
                levels[level].append(value)
                if len(levels[level]) < TILE_WIDTH:
                    break
                path = tile_path(level, index >> TILE_HEIGHT * (level + 1), TILE_WIDTH)
                full[path] = encode_tile(levels[level])
                value = root_of(levels[level])
                levels[level].clear()
                level += 1
        size = self.size + len(entries)
        return Edge(size, tuple(map(tuple, levels)), tuple(bundle)), full

    def partial(self, since: int = 0) -> dict[str, bytes]:
        """The files that are not full, path → bytes.

        Args:
            since: a smaller size, whose files are written already and are left out.
        """
        files = {}
        for level, hashes in enumerate(self.levels):
            count = self.size >> TILE_HEIGHT * level
            if hashes and count != since >> TILE_HEIGHT * level:
                files[tile_path(level, count // TILE_WIDTH, len(hashes))] = encode_tile(hashes)
        if self.bundle and self.size != since:
            path = bundle_path(self.size // TILE_WIDTH, len(self.bundle))
            files[path] = encode_bundle(self.bundle)
        return files
