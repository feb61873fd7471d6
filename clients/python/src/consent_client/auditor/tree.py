"""Whether published tiles are what the entries make, and which file is wrong where they are not.

Entries are hashed from the left, and every tile is compared as soon as its hashes are there. Where
a bundle and its tile differ, one of them is wrong: the tile above says which, and above all tiles
the checkpoint's root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consent_client.auditor.reports import Fault, Report
from consent_client.errors import Malformed
from consent_client.protocol.merkle import EMPTY_ROOT, Frontier, root_of
from consent_client.protocol.tiles import TILE_HEIGHT, TILE_WIDTH, Bundle, Tile, decode_tile

type FetchTile = Callable[[Tile], bytes | None]


@dataclass(frozen=True, slots=True)
class _Dispute:
    """A bundle and its tile that differ.

    Attributes:
        bundle: where the entries are.
        tile: where their hashes are.
        first: the first entry that differs.
        changed: how many differ.
        believed: what the tile adds to the tree: its root if it is full, else its hashes.
    """

    bundle: Bundle
    tile: Tile
    first: int
    changed: int
    believed: tuple[bytes, ...] = field(repr=False)


class TreeCheck:
    """Compares a log's tiles with its entries; memory grows with what is wrong only.

    Args:
        fetch: gives a tile of level 1 or above, None where there is none.
        report: what is wrong is said there.

    Attributes:
        entries: the tree that the entries make.
        tiles: how many tiles were read.
    """

    def __init__(self, fetch: FetchTile, report: Report) -> None:
        self.entries = Frontier()
        self.tiles = 0
        self._fetch = fetch
        self._report = report
        self._levels: list[list[bytes]] = [[]]
        self._open: dict[int, _Dispute] = {}  # by bundle; the tile above has not decided them
        self._against_bundles: list[_Dispute] = []

    @property
    def size(self) -> int:
        """Entries so far."""
        return self.entries.size

    def add(self, leaves: Sequence[bytes], tile: bytes | None) -> bool:
        """Takes in the hashes of the next bundle's entries, and the tile over them.

        Args:
            leaves: 256, or fewer for the last bundle.
            tile: of level 0, as it was read; None where there is none.

        Returns:
            Whether the two agree.
        """
        place = Tile(0, self.size // TILE_WIDTH, len(leaves))
        read = self._read(place, tile)
        if read is not None and read != tuple(leaves):
            self._open[place.index] = self._dispute(place, leaves, read)
        self.entries.extend(leaves)
        self._levels[0].extend(leaves)
        if len(leaves) == TILE_WIDTH:
            self._fold(0)
        return read == tuple(leaves)

    def finish(self, root: bytes) -> bool:
        """Compares the last tiles, and the root with a checkpoint's.

        Returns:
            Whether the root of the entries is that of the checkpoint.
        """
        for level in range(1, len(self._levels)):
            if self._levels[level]:
                self._compare(level)
        disputes = list(self._open.values())
        if self.entries.root() == root:
            self._blame_tiles([*disputes, *self._against_bundles])
            return True
        self._blame_bundles(self._against_bundles)
        if self._root() == root:
            self._blame_tiles(disputes)
        elif disputes and self._root(believed=True) == root:
            self._blame_bundles(disputes)
        else:
            self._blame_neither(disputes)
        return False

    def _dispute(self, place: Tile, leaves: Sequence[bytes], read: tuple[bytes, ...]) -> _Dispute:
        pairs = enumerate(zip(leaves, read, strict=True), start=self.size)
        changed = [at for at, (ours, theirs) in pairs if ours != theirs]
        believed = (root_of(read),) if place.width == TILE_WIDTH else read
        bundle = Bundle(place.index, place.width)
        return _Dispute(bundle, place, changed[0], len(changed), believed)

    def _fold(self, level: int) -> None:
        """Puts a full run of hashes to the level above."""
        node = root_of(self._levels[level])
        self._levels[level] = []
        if level + 1 == len(self._levels):
            self._levels.append([])
        above = self._levels[level + 1]
        above.append(node)
        if len(above) == TILE_WIDTH:
            self._compare(level + 1)
            self._fold(level + 1)

    def _compare(self, level: int) -> None:
        """Compares what stands on a level, a whole tile or the last one, with what is published."""
        hashes = self._levels[level]
        first = (self.size >> TILE_HEIGHT * level) - len(hashes)
        place = Tile(level, first // TILE_WIDTH, len(hashes))
        read = self._read(place, self._fetch(place))
        wrong = False
        for at, theirs in enumerate(read or ()):
            dispute = self._open.get(first + at) if level == 1 else None
            if dispute is not None and (theirs,) == dispute.believed:
                self._against_bundles.append(self._open.pop(first + at))
                hashes[at] = theirs
            elif dispute is not None and theirs == hashes[at]:
                self._blame_tiles([self._open.pop(first + at)])
            wrong = wrong or theirs != hashes[at]
        if wrong:
            message = "it has other hashes than what is below it makes"
            self._report.fail(Fault.BAD_TILE, place.path, message)

    def _root(self, *, believed: bool = False) -> bytes:
        """The root over what stands on all levels, parts of which only the last is shorter.

        Args:
            believed: of a bundle and a tile that still differ, take the tile.
        """
        last: list[bytes] = []
        for level, hashes in enumerate(self._levels):
            first = (self.size >> TILE_HEIGHT * level) - len(hashes)
            taken = list(hashes)
            for index, dispute in self._open.items() if believed else ():
                full = dispute.tile.width == TILE_WIDTH
                if level == 0 and not full:
                    taken = list(dispute.believed)
                elif level == 1 and full and first <= index < first + len(hashes):
                    [taken[index - first]] = dispute.believed
            if taken or last:
                last = [root_of([*taken, *last])]
        return last[0] if last else EMPTY_ROOT

    def _read(self, place: Tile, data: bytes | None) -> tuple[bytes, ...] | None:
        if data is None:
            message = "the checkpoint signs it, and it is not there"
            self._report.fail(Fault.MISSING_FILE, place.path, message)
            return None
        try:
            read = decode_tile(data, place.width)
        except Malformed as error:
            self._report.fail(Fault.BAD_TILE, place.path, str(error))
            return None
        self.tiles += 1
        return read

    def _blame_tiles(self, disputes: list[_Dispute]) -> None:
        for each in disputes:
            message = "it has other hashes than its entries, which lead to what is above it"
            self._report.fail(Fault.BAD_TILE, each.tile.path, message)

    def _blame_bundles(self, disputes: list[_Dispute]) -> None:
        for each in disputes:
            more = f", and {each.changed - 1} more" if each.changed > 1 else ""
            message = f"entry {each.first} is not what was logged{more}"
            self._report.fail(Fault.BAD_BUNDLE, each.bundle.path, message)

    def _blame_neither(self, disputes: list[_Dispute]) -> None:
        for each in disputes:
            message = f"it and {each.tile.path} contradict each other; neither leads to the root"
            self._report.fail(Fault.CONTRADICTION, each.bundle.path, message)
        message = f"its root is not that of the {self.size} published entries"
        self._report.fail(Fault.WRONG_ROOT, "checkpoint", message)
