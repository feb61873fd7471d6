"""The keyring knows the epochs that are stored and not destroyed, and shows none of their keys."""

import threading
from dataclasses import replace

import pytest

from registry.errors import EnvelopeError, KeyMissing, KeyStoreError
from registry.vault.envelope import new_data_key, unwrap_data_key, wrap_data_key
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring

RECORD = bytes(16)


@pytest.fixture
def key_store(tmp_path):
    return FileKeyStore(tmp_path / "keyring")


@pytest.fixture
def keyring(key_store):
    return Keyring(key_store)


def wrap(keyring, epoch):
    key = new_data_key()
    return key, wrap_data_key(keyring.keks[epoch], epoch, RECORD, key)


def test_an_empty_keyring_has_no_epoch(keyring):
    assert keyring.current_epoch == 0
    assert dict(keyring.keks) == {}


def test_a_new_epoch_counts_once_it_is_loaded(keyring):
    row = keyring.new_epoch(1, 20_000)
    assert (row.epoch, row.created_day, row.key_name) == (1, 20_000, "epoch-1")
    assert keyring.current_epoch == 0
    keyring.load([row])
    assert keyring.current_epoch == 1


def test_another_process_with_the_same_rows_reads_what_was_wrapped(keyring, key_store):
    rows = [keyring.new_epoch(epoch, 1) for epoch in (1, 2)]
    keyring.load(rows)
    key, wrapped = wrap(keyring, 2)
    other = Keyring(FileKeyStore(key_store._path))
    other.load(rows)
    assert unwrap_data_key(other.keks, RECORD, wrapped) == key


def test_epochs_have_different_keys(keyring):
    rows = [keyring.new_epoch(epoch, 1) for epoch in (1, 2)]
    keyring.load(rows)
    _, wrapped = wrap(keyring, 1)
    with pytest.raises(EnvelopeError):
        unwrap_data_key({1: keyring.keks[2]}, RECORD, wrapped)


def test_a_destroyed_epoch_is_forgotten_and_opens_nowhere(keyring, key_store):
    rows = [keyring.new_epoch(epoch, 1) for epoch in (1, 2)]
    keyring.load(rows)
    _, wrapped = wrap(keyring, 1)
    key_store.destroy(rows[0].key_name)
    keyring.load(rows[1:])
    assert set(keyring.keks) == {2}
    with pytest.raises(EnvelopeError):
        unwrap_data_key(keyring.keks, RECORD, wrapped)
    restored = Keyring(key_store)  # from a backup of the database, whose row still has the key
    with pytest.raises(KeyMissing):
        restored.load(rows)
    assert restored.current_epoch == 0


def test_who_took_the_keys_before_a_change_goes_on_with_them(keyring):
    rows = [keyring.new_epoch(epoch, 1) for epoch in (1, 2)]
    keyring.load(rows)
    key, wrapped = wrap(keyring, 1)
    before = keyring.keks
    keyring.load(rows[1:])
    assert unwrap_data_key(before, RECORD, wrapped) == key
    with pytest.raises(TypeError):
        before[3] = before[2]


def test_a_known_epoch_is_not_asked_for_again(keyring, key_store):
    rows = [keyring.new_epoch(epoch, 1) for epoch in (1, 2)]
    keyring.load(rows)
    key_store.destroy("epoch-1")
    keyring.load(rows)
    assert set(keyring.keks) == {1, 2}


def test_an_epoch_that_was_made_again_has_the_stored_key(keyring, key_store):
    """Rotation was interrupted after loading and before storing, and began again elsewhere."""
    lost = keyring.new_epoch(1, 1)
    keyring.load([lost])
    stored = Keyring(key_store).new_epoch(1, 1)
    keyring.load([stored])
    key, wrapped = wrap(keyring, 1)
    other = Keyring(key_store)
    other.load([stored])
    assert unwrap_data_key(other.keks, RECORD, wrapped) == key


def test_a_row_moved_to_another_epoch_does_not_open(keyring):
    first, second = (keyring.new_epoch(epoch, 1) for epoch in (1, 2))
    for spoilt in (
        replace(first, epoch=2),
        replace(first, key_name="epoch-2"),
        replace(second, wrapped=first.wrapped),
        replace(first, wrapped=first.wrapped[:-1]),
        replace(first, wrapped=b""),
    ):
        with pytest.raises(KeyStoreError):
            keyring.load([spoilt])


def test_a_failed_load_changes_nothing(keyring):
    first, second = (keyring.new_epoch(epoch, 1) for epoch in (1, 2))
    keyring.load([first])
    for spoilt in ([first, replace(second, wrapped=b"")], [first, first]):
        with pytest.raises((KeyStoreError, EnvelopeError)):
            keyring.load(spoilt)
        assert set(keyring.keks) == {1}


def test_what_is_wrapped_and_is_no_key_is_refused(keyring, key_store):
    row = keyring.new_epoch(1, 1)
    context = b"\0\0\0\x19consent-registry/v1/epoch\0\0\0\x04\0\0\0\x01"
    assert len(key_store.unwrap("epoch-1", row.wrapped, context)) == 32
    short = key_store.wrap("epoch-1", bytes(16), context)
    with pytest.raises(EnvelopeError):
        keyring.load([replace(row, wrapped=short)])


def test_readers_beside_a_loader_see_whole_keyrings(keyring):
    rows = [keyring.new_epoch(epoch, 1) for epoch in range(1, 9)]
    keyring.load(rows[:2])
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(tuple(keyring.keks))
            assert keyring.current_epoch >= 2

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for newest in range(2, 9):
        keyring.load(rows[newest - 2 : newest])
    done.set()
    for thread in threads:
        thread.join()
    assert seen <= {(newest - 1, newest) for newest in range(2, 9)}


def test_no_key_is_shown(keyring):
    row = keyring.new_epoch(1, 1)
    keyring.load([row])
    assert repr(keyring.keks) == "mappingproxy({1: Kek()})"
    assert "wrapped" not in repr(row)
    assert "0x" in repr(keyring)
