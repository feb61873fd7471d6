"""Tiles of a log's tree and bundles of its entries: C2SP tlog-tiles, height 8.

A tile of level L holds up to 256 consecutive hashes of the tree's level 8·L; the levels between are
hashed again by whoever reads. Tiles are static: a full one never changes, and a partial one, `.p/W`
in its path, may be removed once the full one is there. What tiles say is only as good as the
checkpoint that a proof made from them leads to.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from consent_client.errors import Malformed
from consent_client.protocol.log import decode_bundle
from consent_client.protocol.merkle import HASH_BYTES, Nodes, root_of

TILE_HEIGHT: Final = 8

TILE_WIDTH: Final = 1 << TILE_HEIGHT
"""Hashes in a full tile, and entries in a full bundle."""

MAX_SIZE: Final = 2**63 - 1
"""Leaves of the largest tree that proofs are defined for."""

type ReadTile = Callable[[int, int, int], bytes]
"""Level, index and width (1 to 256) of a tile → its bytes; `LookupError` where there is no such
tile. Whatever else it raises goes through."""

_LEVELS = 8  # a hash of the ninth would cover 2⁶⁴ leaves
_KEPT_TILES = 64  # a proof needs at most two tiles on each of eight levels

_WIDTH = r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_INDEX = r"(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
_TILE_PATH = re.compile(rf"tile/(?P<level>0|[1-9][0-9]?)/{_INDEX}{_WIDTH}")
_BUNDLE_PATH = re.compile(rf"tile/entries/{_INDEX}{_WIDTH}")
_MAX_PATH = 64  # the greatest index has 17 digits


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A place in the tree that a tile holds.

    Attributes:
        level: of the tile, from 0; its hashes are on level 8·`level` of the tree.
        index: within the level, from 0.
        width: hashes in it, 1 to 256; fewer than 256 make it partial.

    Raises:
        Malformed: out of range, or beyond every tree of at most `MAX_SIZE` leaves.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check_place(self.level, self.index, self.width)

    @property
    def path(self) -> str:
        """Below the log's prefix: `tile/0/x001/234.p/5`."""
        return f"tile/{self.level}/{_index_path(self.index, self.width)}"


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """A run of entries that lie in one file; index and width as those of a `Tile` of level 0."""

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check_place(0, self.index, self.width)

    @property
    def path(self) -> str:
        """Below the log's prefix: `tile/entries/x001/234.p/5`."""
        return f"tile/entries/{_index_path(self.index, self.width)}"


def _check_place(level: int, index: int, width: int) -> None:
    if level < 0 or index < 0 or not 1 <= width <= TILE_WIDTH:
        raise Malformed("a tile's level, index or width is out of range")
    if level >= _LEVELS or (index * TILE_WIDTH + width) << TILE_HEIGHT * level > MAX_SIZE:
        raise Malformed("a tile beyond the largest tree")


def _index_path(index: int, width: int) -> str:
    *above, last = _groups(index)
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "".join(f"x{group:03}/" for group in above) + f"{last:03}{partial}"


def _groups(index: int) -> list[int]:
    """The index in thousands, most significant first."""
    groups = [index % 1000]
    while index := index // 1000:
        groups.append(index % 1000)
    return groups[::-1]


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile below the log's prefix; `Malformed` as `Tile`."""
    return Tile(level, index, width).path


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle below the log's prefix; `Malformed` as `Bundle`."""
    return Bundle(index, width).path


def parse_path(path: str) -> Tile | Bundle:
    """What a path names.

    Raises:
        Malformed: any path that `tile_path` and `bundle_path` would not write: leading zeros, a
            width of 0 or 256, groups without `x`, other digits.
    """
    match = None
    if len(path) <= _MAX_PATH and path.isascii():
        match = _TILE_PATH.fullmatch(path) or _BUNDLE_PATH.fullmatch(path)
    if match is None:
        raise Malformed("not the path of a tile")
    fields = match.groupdict()
    index = int(fields["index"].replace("x", "").replace("/", ""))
    width = int(fields["width"] or TILE_WIDTH)
    level = fields.get("level")
    named = Bundle(index, width) if level is None else Tile(int(level), index, width)
    if named.path != path:
        raise Malformed("a tile's path that is not canonical")
    return named


def tile_in(level: int, index: int, size: int) -> Tile:
    """The tile at a place of the tree of `size` leaves, as wide as it is there.

    Raises:
        IndexError: that tree has no such tile.
    """
    left = (size >> TILE_HEIGHT * level) - index * TILE_WIDTH
    if left < 1 or index < 0:
        raise IndexError(level, index)
    return Tile(level, index, min(left, TILE_WIDTH))


def new_tiles(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` has not, from the leaves up.

    With `old` 0: all tiles of the tree. On each level all but the last are full.

    Raises:
        ValueError: the tree does not grow from `old` to `new`.
    """
    _check_growth(old, new)
    level = 0
    while old < new:
        for index in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
            yield Tile(level, index, min(TILE_WIDTH, new - index * TILE_WIDTH))
        level, old, new = level + 1, old // TILE_WIDTH, new // TILE_WIDTH


def new_bundles(old: int, new: int) -> Iterator[Bundle]:
    """The entry bundles that a log of `new` entries has and one of `old` has not.

    Raises:
        ValueError: the log does not grow from `old` to `new`.
    """
    _check_growth(old, new)
    if old < new:
        for index in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
            yield Bundle(index, min(TILE_WIDTH, new - index * TILE_WIDTH))


def _check_growth(old: int, new: int) -> None:
    if not 0 <= old <= new <= MAX_SIZE:
        message = f"A tree of {new} does not come after one of {old}."
        raise ValueError(message)


def encode_tile(hashes: Iterable[bytes]) -> bytes:
    """Hashes → tile; `Malformed` unless they are 1 to 256 of 32 bytes."""
    parts = list(hashes)
    if not 1 <= len(parts) <= TILE_WIDTH or any(len(part) != HASH_BYTES for part in parts):
        raise Malformed("a tile has 1 to 256 hashes of 32 bytes")
    return b"".join(parts)


def decode_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """Tile → its `width` hashes; `Malformed` where it has another length or width is not 1..256."""
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_BYTES:
        raise Malformed("a tile of the wrong length")
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))


def tile_bytes(nodes: Nodes, tile: Tile) -> bytes:
    """The bytes of a tile of a tree whose nodes are at hand."""
    first = tile.index * TILE_WIDTH
    level = TILE_HEIGHT * tile.level
    return encode_tile(nodes(level, index) for index in range(first, first + tile.width))


def read_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """Entry bundle → its `width` encoded entries.

    Raises:
        Malformed: another number of entries than the path said, or a width that is not 1..256.
    """
    entries = decode_bundle(data)
    if not 1 <= width <= TILE_WIDTH or len(entries) != width:
        raise Malformed("a bundle with another number of entries")
    return entries


def tile_nodes(read_tile: ReadTile, size: int) -> Nodes:
    """The nodes of the tree of `size` leaves, from its tiles.

    A partial tile is asked for as wide as it was at `size`; where that is gone, for the full tile
    came, the full one is asked for. A few tiles are kept, for the nodes of a proof share them.

    Args:
        read_tile: gives a tile's bytes; `LookupError` where there is no such tile.
        size: leaves of the tree.

    Returns:
        A function that raises `IndexError` for a node that is not in the tree, `LookupError` for a
        tile that is in the tree and nowhere to be had, and `Malformed` for one that is no tile.
    """

    @lru_cache(maxsize=_KEPT_TILES)
    def hashes(level: int, index: int) -> tuple[bytes, ...]:
        width = tile_in(level, index, size).width
        try:
            return decode_tile(read_tile(level, index, width), width)
        except LookupError:
            if width == TILE_WIDTH:
                raise
        return decode_tile(read_tile(level, index, TILE_WIDTH), TILE_WIDTH)[:width]

    def node(level: int, index: int) -> bytes:
        if level < 0 or not 0 <= index < size >> level:
            raise IndexError(level, index)
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, first = divmod(index << height, TILE_WIDTH)
        return root_of(hashes(tile_level, tile_index)[first : first + (1 << height)])

    return node


def tiles_for(use: Callable[[Nodes], object], size: int) -> tuple[Tile, ...]:
    """The tiles that something made from a tree's nodes will read, to fetch them at once.

    Args:
        use: asks for nodes, and not for others when their hashes are others: making a root or a
            proof. It runs over zeros.
        size: leaves of the tree.
    """
    asked = set()

    def read_tile(level: int, index: int, width: int) -> bytes:
        asked.add(Tile(level, index, width))
        return bytes(width * HASH_BYTES)

    use(tile_nodes(read_tile, size))
    return tuple(sorted(asked))
