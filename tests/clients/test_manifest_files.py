"""Manifests in files: sorted on the disk, written whole, read in blocks."""

import random
import stat
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client import manifest_files
from consent_client.errors import BadManifest, StateError
from consent_client.manifest_files import (
    HEADER_BYTES,
    MAGIC,
    open_manifest,
    sort_manifest,
    write_manifest,
)
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    BlockPaths,
    block_root,
    root_of_rows,
    row,
    verify_block,
)

DIGESTS = st.binary(min_size=32, max_size=32)


def rows(count):
    return [row(i.to_bytes(32), sha256(b"%d" % i).digest()) for i in range(1, count + 1)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "screened.manifest"


def test_a_manifest_is_read_as_it_was_written(path):
    count = 2 * BLOCK_ROWS + 3
    written = write_manifest(path, rows(count))
    found = open_manifest(path)
    assert found == written
    assert (found.count, list(found.rows())) == (count, rows(count))
    blocks = list(found.blocks())
    assert blocks == [found.block(number) for number in range(3)]
    assert path.read_bytes() == MAGIC + count.to_bytes(8) + b"".join(rows(count))
    paths = BlockPaths(count, map(block_root, blocks))
    assert (paths.root, count) == root_of_rows(found.rows())
    verify_block(found.block(2), 2, count, paths.path(2), paths.root)
    with pytest.raises(BadManifest):
        found.block(3)


def test_a_manifest_of_nothing_is_one(path):
    assert list(write_manifest(path, []).rows()) == []
    assert open_manifest(path).count == 0


@given(st.dictionaries(DIGESTS, DIGESTS, max_size=40), st.randoms(), st.integers(1, 9))
def test_rows_in_any_order_are_sorted_and_stand_once(tmp_path_factory, found, chance, run_rows):
    path = tmp_path_factory.mktemp("sorted") / "m"
    expected = [row(image, found[image]) for image in sorted(found)]
    given_rows = [*expected, *expected[::2]]
    chance.shuffle(given_rows)
    assert list(sort_manifest(path, given_rows, run_rows).rows()) == expected
    assert [each.name for each in path.parent.iterdir()] == ["m"]


def test_more_runs_than_are_merged_at_once(path, monkeypatch):
    monkeypatch.setattr(manifest_files, "FAN_IN", 3)
    shuffled = rows(500)
    random.Random(1).shuffle(shuffled)
    assert list(sort_manifest(path, shuffled, 20).rows()) == rows(500)


def test_an_image_with_two_lists_of_fingerprints_is_refused(path):
    good = rows(5)
    with pytest.raises(BadManifest, match="two different lists of fingerprints") as caught:
        sort_manifest(path, [*good, good[3][:32] + bytes(32)], 2)
    assert caught.value.row == 4
    assert good[3][:32].hex() not in str(caught.value)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("value", [bytes(63), bytes(65), b""], ids=len)
def test_rows_of_another_length_are_refused(path, value):
    for write in (write_manifest, sort_manifest):
        with pytest.raises(BadManifest) as caught:
            write(path, [*rows(2), value])
        assert caught.value.row == 2
    assert list(path.parent.iterdir()) == []


def test_what_fails_leaves_what_was_there(path):
    write_manifest(path, rows(3))
    before = path.read_bytes()

    def failing():
        yield from rows(2)
        raise KeyboardInterrupt

    for write in (write_manifest, sort_manifest):
        with pytest.raises(KeyboardInterrupt):
            write(path, failing())
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_manifests_are_private_and_replace_only_what_is_ours(path):
    write_manifest(path, rows(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(StateError):
        write_manifest(path, rows(2))
    assert open_manifest(path).count == 1  # a published one can be read
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(StateError):
        sort_manifest(link, rows(2))
    with pytest.raises(StateError):
        write_manifest(path.with_name("nowhere") / "m", rows(2))
    with pytest.raises(StateError):
        sort_manifest(path.with_name("nowhere") / "m", rows(2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:0],
        lambda data: data[: HEADER_BYTES - 1],
        lambda data: data[:-1],
        lambda data: data[:-64],
        lambda data: data + bytes(64),
        lambda data: b"C" + data[1:],
        lambda data: MAGIC + (2**64 - 1).to_bytes(8) + data[HEADER_BYTES:],
    ],
)
def test_files_that_are_no_manifest_are_refused(path, spoil):
    write_manifest(path, rows(3))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadManifest):
        open_manifest(path)


def test_a_file_that_can_not_be_read_is_said_so(path):
    with pytest.raises(StateError):
        open_manifest(path)
    with pytest.raises(StateError):
        open_manifest(path.parent)


def test_rows_out_of_order_are_seen_as_they_pass(path):
    one, two, three = rows(3)
    path.write_bytes(MAGIC + (3).to_bytes(8) + one + three + two)
    found = open_manifest(path)
    with pytest.raises(BadManifest) as caught:
        list(found.blocks())
    assert caught.value.row == 2


def test_a_file_that_was_cut_since_it_was_opened_is_seen(path):
    found = write_manifest(path, rows(3))
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(BadManifest):
        list(found.rows())
    with pytest.raises(BadManifest):
        found.block(0)
