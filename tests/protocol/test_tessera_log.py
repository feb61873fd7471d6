"""A log that Tessera made, with entries that are not ours: tiles, bundles and checkpoints."""

import itertools

import pytest

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.tiles import (
    TILE_WIDTH,
    Tile,
    bundle_path,
    new_tiles,
    parse_path,
    read_bundle,
    tile_nodes,
    tile_path,
)
from tests.support.shared_data import SHARED

LOG = SHARED / "vectors" / "tessera-log"
SIZES = range(16)

# The key in Tessera's repository, testdata/log.
VERIFIER = NoteVerifier.parse(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)

pytestmark = pytest.mark.skipif(not LOG.exists(), reason="../shared/data is not here")


def read_tile(level: int, index: int, width: int) -> bytes:
    path = LOG / tile_path(level, index, width)
    if not path.exists():
        raise KeyError(path)
    return path.read_bytes()


def checkpoint(size: int):
    return open_checkpoint((LOG / f"checkpoint.{size}").read_text(), VERIFIER)


def test_the_newest_checkpoint_is_the_last():
    assert (LOG / "checkpoint").read_text() == (LOG / "checkpoint.15").read_text()


def test_every_file_has_a_path_that_we_would_write():
    names = {path.relative_to(LOG).as_posix() for path in (LOG / "tile").rglob("*")}
    files = {name for name in names if (LOG / name).is_file()}
    assert {parse_path(name).path for name in files} == files
    assert {tile.path for size in SIZES for tile in new_tiles(0, size)} == {
        name for name in files if "entries" not in name
    }


@pytest.mark.parametrize("size", SIZES)
def test_the_tiles_lead_to_the_root_of_the_checkpoint(size):
    signed = checkpoint(size)
    assert signed.size == size
    assert root_at(tile_nodes(read_tile, size), size) == signed.root


@pytest.mark.parametrize("size", SIZES[1:])
def test_the_entries_are_the_leaves(size):
    entries = read_bundle((LOG / bundle_path(0, size)).read_bytes(), size)
    nodes = tile_nodes(read_tile, size)
    for index, entry in enumerate(entries):
        assert nodes(0, index) == leaf_hash(entry)
        proof = inclusion_proof(nodes, index, size)
        verify_inclusion(leaf_hash(entry), index, size, proof, checkpoint(size).root)


@pytest.mark.parametrize(("old", "new"), [*itertools.combinations_with_replacement(SIZES, 2)])
def test_the_log_only_grew(old, new):
    proof = consistency_proof(tile_nodes(read_tile, new), old, new)
    verify_consistency(old, new, proof, checkpoint(old).root, checkpoint(new).root)


def test_no_tile_is_full_yet():
    with pytest.raises(KeyError):
        read_tile(0, 0, TILE_WIDTH)
    assert Tile(0, 0, 15).path == "tile/0/000.p/15"
