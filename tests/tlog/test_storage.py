"""What is published stays, whoever writes and whatever ends in the middle."""

import os
import threading

import pytest

from registry.errors import CorruptRegistry, StoreBusy, StoreError
from registry.tlog import storage as storages
from registry.tlog.storage import FolderStorage

TILE = "tile/0/x001/234.p/7"


@pytest.fixture
def storage(tmp_path):
    return FolderStorage(tmp_path / "log")


def test_a_file_is_there_once_it_is_put(storage):
    assert storage.read(TILE) is None
    storage.put({TILE: b"tile", "tile/entries/000": b"bundle"})
    assert storage.read(TILE) == b"tile"
    storage.put({TILE: b"tile"})  # the same again


def test_a_published_byte_never_changes(storage):
    storage.put({TILE: b"tile"})
    with pytest.raises(CorruptRegistry, match="tile/0/x001/234"):
        storage.put({TILE: b"other"})
    assert storage.read(TILE) == b"tile"


def test_a_file_that_another_process_was_faster_with_is_not_replaced(storage, monkeypatch):
    link = os.link

    def slow(source, target):
        target.write_bytes(b"theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", slow)
    with pytest.raises(CorruptRegistry):
        storage.put({TILE: b"ours"})
    assert storage.read(TILE) == b"theirs"


def test_a_checkpoint_replaces_only_the_one_it_grew_from(storage):
    assert storage.checkpoint() is None
    storage.swap_checkpoint(None, "first\n")
    for known in (None, "another\n"):
        with pytest.raises(CorruptRegistry):
            storage.swap_checkpoint(known, "second\n")
    assert storage.checkpoint() == "first\n"
    storage.swap_checkpoint("first\n", "second\n")
    assert storage.checkpoint() == "second\n"


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_what_fails_in_the_middle_leaves_nothing_behind(storage, tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="OSError"):
            storage.put({TILE: b"tile"})
    assert storage.read(TILE) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    storage.put({TILE: b"tile"})
    assert storage.read(TILE) == b"tile"


@pytest.mark.parametrize("killed_at", ["flush", "link", "draft"])
def test_what_a_killed_process_left_is_flushed_before_anyone_relies_on_it(
    tmp_path, monkeypatch, killed_at
):
    """A name that is there is not yet one that a power cut leaves."""

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        if killed_at == "flush":
            patch.setattr(storages, "_flush", kill)
        else:
            patch.setattr(os, "link" if killed_at == "link" else "fsync", kill)
        with pytest.raises(Killed):
            FolderStorage(tmp_path / "log").put({TILE: b"tile"})
    flushed = set()
    monkeypatch.setattr(storages, "_flush", flushed.add)
    storage = FolderStorage(tmp_path / "log")
    storage.put({TILE: b"tile"})
    assert storage.read(TILE) == b"tile"
    file = tmp_path / "log" / TILE
    assert {file.parents[number] for number in range(5)} <= flushed
    flushed.clear()
    storage.put({"tile/0/x001/234.p/8": b"tile"})
    assert flushed == {file.parent}  # what this process flushed, it need not flush again
    flushed.clear()
    storage.put({"tile/0/x002/000": b"tile"})
    assert flushed == {tmp_path / "log/tile/0/x002", tmp_path / "log/tile/0"}


def test_partial_tiles_go_once_the_full_one_is_there(storage):
    storage.put({"tile/0/000.p/1": b"1", "tile/0/000.p/255": b"255", "tile/0/000": b"256"})
    storage.drop_partial(["tile/0/000"])
    assert storage.read("tile/0/000.p/1") is None
    assert storage.read("tile/0/000.p/255") is None
    assert storage.read("tile/0/000") == b"256"


def test_one_publishes_at_a_time(storage, monkeypatch):
    monkeypatch.setattr(storages, "LOCK_PATIENCE_SECONDS", 0.0)
    with storage.lock():
        failures = []

        def other():
            try:
                with storage.lock():
                    pass
            except StoreBusy as error:
                failures.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(failures) == 1
    with storage.lock():
        pass


def test_a_folder_that_can_not_be_used_is_a_typed_error(tmp_path):
    (tmp_path / "log").write_text("a file")
    storage = FolderStorage(tmp_path / "log")
    with pytest.raises(StoreError):
        storage.put({TILE: b"tile"})
    with pytest.raises(StoreError):
        storage.read(TILE)
    with pytest.raises(StoreError):
        storage.checkpoint()
    with pytest.raises(StoreError), storage.lock():
        pass
