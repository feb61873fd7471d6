"""Manifests: rows, their tree, and blocks of them under its root."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadManifest, BadProof, ProtocolError
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    ROW_BYTES,
    BlockPaths,
    ascending,
    block_root,
    blocks_in,
    commitment,
    in_blocks,
    root_of_rows,
    row,
    rows_in,
    verify_block,
)
from consent_client.protocol.merkle import EMPTY_ROOT, leaf_hash, root_of

DIGESTS = st.binary(min_size=32, max_size=32)
ROWS = st.dictionaries(DIGESTS, DIGESTS, max_size=30).map(
    lambda found: [row(image, found[image]) for image in sorted(found)]
)


@cache
def many(count):
    """A manifest of `count` rows."""
    return [row(i.to_bytes(32), sha256(b"%d" % i).digest()) for i in range(1, count + 1)]


@given(ROWS)
def test_the_root_is_that_of_the_rows_as_leaves(rows):
    assert root_of_rows(rows) == (root_of([leaf_hash(value) for value in rows]), len(rows))


def test_the_root_of_no_rows_is_the_empty_one():
    assert root_of_rows([]) == (EMPTY_ROOT, 0)


@pytest.mark.parametrize("count", [BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 5])
def test_blocks_are_under_the_root_of_the_rows(count):
    rows = many(count)
    blocks = list(in_blocks(rows))
    paths = BlockPaths(count, map(block_root, blocks))
    root, size = root_of_rows(rows)
    assert (paths.root, paths.count) == (root, size)
    assert len(blocks) == blocks_in(count)
    for number, block in enumerate(blocks):
        assert len(block) == rows_in(number, count) * ROW_BYTES
        verify_block(block, number, count, paths.path(number), root)


def test_a_block_stands_at_its_place_only():
    count = 3 * BLOCK_ROWS + 5
    blocks = list(in_blocks(many(count)))
    paths = BlockPaths(count, map(block_root, blocks))

    def check(block, number, path_of, n=count, root=paths.root):
        verify_block(block, number, n, paths.path(path_of), root)

    check(blocks[1], 1, 1)
    with pytest.raises(BadProof):
        check(blocks[1], 0, 0)
    with pytest.raises(BadProof):
        check(blocks[1], 1, 0)
    with pytest.raises(BadProof):
        check(blocks[1], 1, 1, root=bytes(32))
    with pytest.raises(BadManifest):
        check(blocks[3], 2, 2)
    with pytest.raises(BadManifest):
        check(blocks[1][:-ROW_BYTES], 1, 1)
    with pytest.raises(BadManifest):
        check(blocks[1] + blocks[2][:ROW_BYTES], 1, 1)
    with pytest.raises(BadManifest):
        check(blocks[3], 4, 3)
    with pytest.raises(BadManifest):
        check(blocks[0], -1, 0)
    with pytest.raises((BadManifest, BadProof)):
        check(blocks[3], 3, 3, n=count + 1)
    with pytest.raises(BadProof):  # of half as many blocks, the path is too long
        check(blocks[0], 0, 0, n=BLOCK_ROWS)
    with pytest.raises(BadManifest):
        paths.path(4)


def test_a_block_whose_rows_do_not_increase_is_refused_though_it_is_under_the_root():
    rows = many(10)
    for spoilt in (
        [*rows[:4], rows[5], rows[4], *rows[6:]],
        [*rows[:5], rows[4][:32] + bytes(32), *rows[6:]],
    ):
        block = b"".join(spoilt)
        with pytest.raises(BadManifest) as caught:
            verify_block(block, 0, 10, (), block_root(block))
        assert caught.value.row == 5
        assert spoilt[5].hex() not in str(caught.value)


@given(ROWS, st.randoms())
def test_rows_pass_only_in_order(rows, chance):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    if shuffled == rows:
        assert list(ascending(shuffled)) == rows
    else:
        with pytest.raises(BadManifest):
            list(ascending(shuffled))


@given(ROWS.filter(len), st.data())
def test_an_image_stands_once_whatever_its_fingerprints(rows, data):
    at = data.draw(st.integers(0, len(rows) - 1))
    twice = [*rows[: at + 1], rows[at][:32] + data.draw(DIGESTS), *rows[at + 1 :]]
    with pytest.raises(BadManifest) as caught:
        list(ascending(twice))
    assert caught.value.row == at + 1


@pytest.mark.parametrize("value", [b"", bytes(63), bytes(65)], ids=len)
def test_rows_of_another_length_are_refused(value):
    with pytest.raises(BadManifest):
        list(ascending([value]))
    with pytest.raises(BadManifest):
        block_root(value)
    with pytest.raises(BadManifest):
        row(value[:31], bytes(32))


def test_a_block_has_at_most_its_rows():
    with pytest.raises(BadManifest):
        block_root(b"".join(many(BLOCK_ROWS + 1)))


@given(DIGESTS, DIGESTS, st.integers(1, 2**53 - 1))
def test_a_commitment_is_blinded_and_tells_root_and_number(salt, root, count):
    value = commitment(salt, root, count)
    domain = b"consent-registry/manifest/v1\0"
    assert value == sha256(domain + salt + root + count.to_bytes(8)).digest()


@pytest.mark.parametrize(
    ("salt", "root", "count"),
    [(31, 32, 1), (33, 32, 1), (32, 31, 1), (32, 32, 0), (32, 32, -1), (32, 32, 2**64)],
)
def test_other_commitments_are_not_made(salt, root, count):
    with pytest.raises(ProtocolError):
        commitment(bytes(salt), bytes(root), count)


def test_paths_need_a_root_for_each_block():
    for count, roots in ((0, 0), (1, 0), (1, 2), (BLOCK_ROWS, 2), (BLOCK_ROWS + 1, 1)):
        with pytest.raises(BadManifest):
            BlockPaths(count, [bytes(32)] * roots)
