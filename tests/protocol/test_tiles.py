"""Tiles, against the specification's examples, a log made by Tessera, and the tree in memory."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.log import encode_bundle
from consent_client.protocol.merkle import (
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.tiles import (
    MAX_SIZE,
    TILE_WIDTH,
    Bundle,
    Tile,
    bundle_path,
    decode_tile,
    encode_tile,
    new_bundles,
    new_tiles,
    parse_path,
    read_bundle,
    tile_bytes,
    tile_in,
    tile_nodes,
    tile_path,
    tiles_for,
)

TREE = Tree(leaf_hash(index.to_bytes(4)) for index in range(70_000))
LARGEST = 70_000

# Sizes next to where tiles become full are as likely as any others.
sizes = st.integers(0, LARGEST) | st.sampled_from(
    [0, 1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792]
)


class Shelf:
    """Tiles as a log keeps them at one size, with all the partial ones it published or none."""

    def __init__(self, size: int, published: tuple[int, ...] = ()) -> None:
        self.tiles = {}
        for at in (*published, size):
            for tile in new_tiles(0, at):
                self.tiles[tile] = tile_bytes(TREE.node, tile)
        self.read = []

    def __call__(self, level: int, index: int, width: int) -> bytes:
        self.read.append(Tile(level, index, width))
        return self.tiles[Tile(level, index, width)]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(LARGEST)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 0, 1, "tile/0/000.p/1"),
        (2, 999, 255, "tile/2/999.p/255"),
        (1, 1000, 256, "tile/1/x001/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (0, 1_234_067, 8, "tile/0/x001/x234/067.p/8"),
        (7, 0, 127, "tile/7/000.p/127"),
    ],
)
def test_paths_are_those_of_the_specification(level, index, width, path):
    assert tile_path(level, index, width) == path
    assert parse_path(path) == Tile(level, index, width)
    if level == 0:
        entries = path.replace("tile/0", "tile/entries")
        assert bundle_path(index, width) == entries
        assert parse_path(entries) == Bundle(index, width)


@given(st.integers(0, 7), st.integers(0, 2**55), st.integers(1, 256))
def test_what_a_path_names_reads_back(level, index, width):
    try:
        tile = Tile(level, index, width)
    except Malformed:
        assert (index * 256 + width) * 256**level > MAX_SIZE
        return
    assert parse_path(tile.path) == tile
    assert parse_path(bundle_path(index, width)) == Bundle(index, width)


PATHS = st.text("tile/entriesxp.0123456789", max_size=40) | st.builds(
    "tile/{}/{}".format,
    st.sampled_from(["0", "1", "entries", "00", "64"]),
    st.text("x./p0123456789", max_size=20),
)


@given(PATHS | st.text(max_size=40))
def test_a_path_is_refused_or_is_the_one_that_would_be_written(path):
    try:
        named = parse_path(path)
    except Malformed:
        return
    assert named.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/8/000",
        "tile/63/000.p/1",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/7/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/" + "x999/" * 9 + "999",
        "tile/entries/x000/000",
        "tile/entries/000.p/256",
    ],
)
def test_a_path_that_is_not_canonical_is_refused(path):
    with pytest.raises(Malformed):
        parse_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (8, 0, 1), (10**9, 0, 1), (7, 0, 128)],
)
def test_what_no_tree_has_is_no_tile(level, index, width):
    with pytest.raises(Malformed):
        tile_path(level, index, width)


def test_the_tiles_of_a_tree_are_those_the_specification_counts():
    tiles = list(new_tiles(0, 70_000))
    full = [tile for tile in tiles if tile.width == TILE_WIDTH]
    assert [sum(tile.level == level for tile in full) for level in range(3)] == [273, 1, 0]
    assert [tile for tile in tiles if tile not in full] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(new_tiles(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(new_tiles(0, 0)) == []
    bundles = list(new_bundles(0, 70_000))
    assert bundles == [*(Bundle(index) for index in range(273)), Bundle(273, 112)]


@given(sizes, sizes)
def test_new_tiles_are_those_that_only_the_newer_tree_has(one, other):
    old, new = sorted((one, other))
    before = set(new_tiles(0, old))
    assert list(new_tiles(old, new)) == sorted(set(new_tiles(0, new)) - before)
    entries = set(new_bundles(0, new)) - set(new_bundles(0, old))
    assert list(new_bundles(old, new)) == sorted(entries)
    for tile in new_tiles(old, new):
        assert tile_in(tile.level, tile.index, new) == tile


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1), (0, MAX_SIZE + 1)])
def test_a_tree_does_not_shrink(old, new):
    for tiles in (new_tiles, new_bundles):
        with pytest.raises(ValueError, match="does not come after"):
            list(tiles(old, new))


@given(st.integers(0, 16), st.data())
def test_nodes_within_tiles_are_those_of_the_tree(shelf, level, data):
    nodes = tile_nodes(shelf, LARGEST)
    index = data.draw(st.integers(0, (LARGEST >> level) - 1))
    assert nodes(level, index) == TREE.node(level, index)


@given(sizes)
def test_a_tree_has_no_nodes_beyond_its_size(size):
    nodes = tile_nodes(Shelf(size) if size < 1000 else lambda *_: b"", size)
    for level in range(18):
        for index in (size >> level, (size >> level) + 1, -1):
            with pytest.raises(IndexError):
                nodes(level, index)
    with pytest.raises(IndexError):
        nodes(-1, 0)


@given(st.integers(1, LARGEST), st.data())
def test_proofs_come_from_full_tiles_when_partial_ones_are_gone(shelf, size, data):
    """The shelf has the tiles of its last size only: older partial ones were removed."""
    older = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, size - 1))
    # Where the full tile came, the partial one may be gone; until then it must be there.
    kept = {
        tile: tile_bytes(TREE.node, tile)
        for tile in new_tiles(0, size)
        if tile.width < TILE_WIDTH and (tile.index + 1) * TILE_WIDTH > LARGEST >> 8 * tile.level
    }

    def read_tile(level: int, index: int, width: int) -> bytes:
        tile = Tile(level, index, width)
        return kept.get(tile) or shelf(level, index, width)

    nodes = tile_nodes(read_tile, size)
    root = root_at(nodes, size)
    assert root == TREE.root(size)
    proof = inclusion_proof(nodes, index, size)
    verify_inclusion(TREE.node(0, index), index, size, proof, root)
    growth = consistency_proof(nodes, older, size)
    verify_consistency(older, size, growth, TREE.root(older), root)


def test_a_tile_that_is_nowhere_is_a_lookup_error():
    def read_tile(level: int, index: int, width: int) -> bytes:
        raise KeyError(level, index, width)

    with pytest.raises(KeyError, match="256"):
        tile_nodes(read_tile, 300)(0, 299)
    with pytest.raises(KeyError, match="256"):
        tile_nodes(read_tile, 300)(0, 0)


@given(st.integers(1, LARGEST), st.data())
def test_tiles_can_be_fetched_before_they_are_used(shelf, size, data):
    index = data.draw(st.integers(0, size - 1))
    nodes = tile_nodes(lambda *place: tile_bytes(TREE.node, Tile(*place)), size)
    wanted = tiles_for(lambda nodes: inclusion_proof(nodes, index, size), size)
    assert len(wanted) <= 2 * 3
    fetched = {tile: tile_bytes(TREE.node, tile) for tile in wanted}
    proof = inclusion_proof(tile_nodes(lambda *place: fetched[Tile(*place)], size), index, size)
    assert proof == inclusion_proof(nodes, index, size)


def test_a_tile_is_read_once_for_a_proof(shelf):
    shelf.read.clear()
    nodes = tile_nodes(shelf, LARGEST)
    inclusion_proof(nodes, 12_345, LARGEST)
    assert len(shelf.read) == len(set(shelf.read))


@pytest.mark.parametrize("answer", [b"", bytes(31), bytes(32 * 43), bytes(32 * 45), bytes(8192)])
def test_a_tile_of_another_length_is_refused(answer):
    with pytest.raises(Malformed):
        tile_nodes(lambda *_: answer, 300)(0, 299)


@given(st.binary(max_size=200), st.integers(-1, 300))
def test_any_bytes_are_a_tile_or_malformed(data, width):
    for read in (decode_tile, read_bundle):
        with contextlib.suppress(Malformed):
            assert len(read(data, width)) == width


@pytest.mark.parametrize("hashes", [[], [bytes(31)], [bytes(32)] * 257])
def test_what_is_no_tile_is_not_written(hashes):
    with pytest.raises(Malformed):
        encode_tile(hashes)


def test_a_bundle_has_as_many_entries_as_its_path_says():
    entries = [bytes([index]) for index in range(3)]
    assert read_bundle(encode_bundle(entries), 3) == tuple(entries)
    for width in (0, 2, 4, 257):
        with pytest.raises(Malformed):
            read_bundle(encode_bundle(entries), width)
    with pytest.raises(Malformed):
        read_bundle(encode_bundle(entries * 100), 300)
