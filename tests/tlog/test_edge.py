"""The edge that grows writes the tiles that the whole tree has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.protocol.log import encode_bundle
from consent_client.protocol.merkle import Tree, leaf_hash
from consent_client.protocol.tiles import (
    TILE_WIDTH,
    new_bundles,
    new_tiles,
    tile_bytes,
    tile_nodes,
    tile_path,
)
from registry.errors import CorruptRegistry
from registry.tlog.edge import Edge

# Around where a tile is full, and where one of the next level is.
SIZES = st.one_of(st.integers(0, 600), st.sampled_from([255, 256, 257, 511, 512, 513]))


def entries(count):
    return [b"cr1" + index.to_bytes(5) for index in range(count)]


def published(steps):
    """All files of a log that grew in these steps."""
    files, edge, data = {}, Edge(), entries(max(steps))
    for step in steps:
        before = edge.size
        edge, full = edge.grow(data[before:step])
        files |= full | edge.partial(since=before)
    return files, edge


@given(st.lists(SIZES, min_size=1, max_size=4).map(sorted))
def test_growing_in_steps_writes_every_file_of_every_step(steps):
    files, edge = published(steps)
    data = entries(steps[-1])
    tree = Tree(map(leaf_hash, data))
    assert edge.root() == tree.root()
    before = 0
    for size in steps:
        for tile in new_tiles(before, size):
            assert files[tile.path] == tile_bytes(tree.node, tile)
        for bundle in new_bundles(before, size):
            start = bundle.index * TILE_WIDTH
            assert files[bundle.path] == encode_bundle(data[start : start + bundle.width])
        before = size


def test_three_levels_of_tiles_grow_together():
    files, edge = published([65_535, 65_537])
    assert edge.root() == Tree(map(leaf_hash, entries(65_537))).root()
    assert {"tile/2/000.p/1", "tile/1/000", "tile/0/256.p/1"} <= files.keys()


@given(SIZES)
def test_an_edge_is_taken_up_from_what_is_published(size):
    files, edge = published([size])
    assert Edge.load(files.__getitem__, size) == edge


@given(st.integers(1, 700), st.data())
def test_every_node_comes_from_tiles(size, data):
    files, _ = published([size])
    tree = Tree(map(leaf_hash, entries(size)))
    nodes = tile_nodes(lambda *place: files[tile_path(*place)], size)
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert nodes(level, index) == tree.node(level, index)


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda data: data[:-1], lambda data: data + b"\0"]
)
def test_a_damaged_edge_is_not_grown(damage):
    files, _ = published([300])
    for path in ("tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"):
        damaged = files | {path: damage(files[path])}
        with pytest.raises(CorruptRegistry):
            Edge.load(damaged.__getitem__, 300)
