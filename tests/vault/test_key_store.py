"""The key store in files keeps the contract of `KeyStore`."""

import os
import stat
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import KeyDamaged, KeyMissing, KeyStoreError, UnsafeKeyStore
from registry.vault import key_store
from registry.vault.key_store import MAX_PLAINTEXT, FileKeyStore, KeyStore

NAMES = ("epoch-1", "epoch-2", "sealing-00ff", "a", "9" * 100)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keyring"


@pytest.fixture
def store(folder):
    return FileKeyStore(folder)


def test_it_is_a_key_store(store):
    kept: KeyStore = store
    assert kept.deletion_delay_days == 0


def test_what_is_wrapped_comes_back(store):
    store.create("epoch-1")
    for plaintext in (b"", b"k", bytes(32), bytes(MAX_PLAINTEXT)):
        wrapped = store.wrap("epoch-1", plaintext, b"context")
        assert len(wrapped) >= len(plaintext) + 28  # a nonce and a tag
        assert store.unwrap("epoch-1", wrapped, b"context") == plaintext
        assert store.wrap("epoch-1", plaintext, b"context") != wrapped
    with pytest.raises(KeyStoreError):
        store.wrap("epoch-1", bytes(MAX_PLAINTEXT + 1), b"context")


def test_under_another_name_or_context_it_does_not_open(store):
    for name in NAMES:
        store.create(name)
    wrapped = store.wrap("epoch-1", b"secret", b"context")
    for name, context in (("epoch-2", b"context"), ("epoch-1", b"Context"), ("epoch-1", b"")):
        with pytest.raises(KeyStoreError) as caught:
            store.unwrap(name, wrapped, context)
        assert not isinstance(caught.value, KeyMissing)


def test_altered_or_cut_it_does_not_open(store):
    store.create("epoch-1")
    wrapped = store.wrap("epoch-1", b"secret", b"")
    for at in range(len(wrapped)):
        for spoilt in (
            wrapped[:at],
            wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :],
            wrapped + wrapped[: at + 1],
        ):
            with pytest.raises(KeyStoreError):
                store.unwrap("epoch-1", spoilt, b"")


@given(data=st.binary(max_size=100))
def test_any_bytes_give_the_typed_error(tmp_path_factory, data):
    store = FileKeyStore(tmp_path_factory.getbasetemp() / "any-bytes")
    store.create("epoch-1")
    with pytest.raises(KeyStoreError):
        store.unwrap("epoch-1", data, b"")


def test_creating_again_keeps_the_key(store, folder):
    store.create("epoch-1")
    wrapped = store.wrap("epoch-1", b"secret", b"")
    store.create("epoch-1")
    FileKeyStore(folder).create("epoch-1")
    assert store.unwrap("epoch-1", wrapped, b"") == b"secret"


def test_what_was_destroyed_is_missing(store, folder):
    for name in NAMES:
        store.create(name)
    wrapped = store.wrap("epoch-1", b"secret", b"")
    store.destroy("epoch-1")
    store.destroy("epoch-1")
    store.destroy("never-made")
    assert store.names() == set(NAMES) - {"epoch-1"}
    for attempt in (
        lambda: store.unwrap("epoch-1", wrapped, b""),
        lambda: store.wrap("epoch-1", b"secret", b""),
    ):
        with pytest.raises(KeyMissing):
            attempt()
    store.create("epoch-1")  # the name is free again, the key is another
    with pytest.raises(KeyStoreError):
        store.unwrap("epoch-1", wrapped, b"")


def test_destroying_overwrites_the_file_before_it_is_removed(store, folder):
    store.create("epoch-1")
    other_name = folder.parent / "still-here"
    os.link(folder / "epoch-1.key", other_name)
    key = other_name.read_bytes()
    store.destroy("epoch-1")
    assert len(other_name.read_bytes()) == len(key) == 32
    assert other_name.read_bytes() != key


@pytest.mark.parametrize(
    "name", ["", "A", "epoch_1", "../epoch", "a/b", ".lock", "-a", "é", "a" * 101, "a\n", "a\0"]
)
def test_names_that_could_lead_elsewhere_are_refused(store, folder, name):
    before = sorted(folder.rglob("*"))
    for attempt in (
        lambda: store.create(name),
        lambda: store.destroy(name),
        lambda: store.wrap(name, b"", b""),
        lambda: store.unwrap(name, b"", b""),
    ):
        with pytest.raises(KeyStoreError):
            attempt()
    assert sorted(folder.rglob("*")) == before


def test_folder_and_files_are_closed_to_others_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        store = FileKeyStore(folder)
        store.create("epoch-1")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def every_use(store):
    return (
        lambda: store.wrap("epoch-1", b"secret", b""),
        lambda: store.unwrap("epoch-1", bytes(60), b""),
        lambda: store.create("epoch-1"),
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_may_touch_is_refused(store, folder, mode):
    store.create("epoch-1")
    (folder / "epoch-1.key").chmod(mode)
    for use in every_use(store):
        with pytest.raises(UnsafeKeyStore):
            use()
    store.destroy("epoch-1")  # but can be got rid of
    assert store.names() == set()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o777])
def test_a_folder_that_others_may_enter_is_refused(store, folder, mode):
    store.create("epoch-1")
    folder.chmod(mode)
    for use in (*every_use(store), store.names, lambda: FileKeyStore(folder)):
        with pytest.raises(UnsafeKeyStore):
            use()


def test_a_link_in_a_keys_place_is_refused(store, folder):
    store.create("epoch-1")
    elsewhere = folder.parent / "elsewhere"
    (folder / "epoch-1.key").rename(elsewhere)
    (folder / "epoch-1.key").symlink_to(elsewhere)
    for use in (*every_use(store), lambda: store.destroy("epoch-1")):
        with pytest.raises(UnsafeKeyStore):
            use()
    assert len(elsewhere.read_bytes()) == 32


def test_a_link_in_the_folders_place_is_refused(store, folder):
    store.create("epoch-1")
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")
    for use in (*every_use(store), store.names, lambda: FileKeyStore(folder)):
        with pytest.raises(UnsafeKeyStore):
            use()


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "keyring").write_bytes(b"")
    with pytest.raises(UnsafeKeyStore):
        FileKeyStore(tmp_path / "keyring")


def test_a_pipe_or_folder_in_a_keys_place_is_refused_and_does_not_hang(store, folder):
    os.mkfifo(folder / "epoch-1.key", 0o600)
    for use in (*every_use(store), lambda: store.destroy("epoch-1")):
        with pytest.raises(UnsafeKeyStore):
            use()
    (folder / "epoch-1.key").unlink()
    (folder / "epoch-1.key").mkdir(0o700)
    for use in (*every_use(store), lambda: store.destroy("epoch-1")):
        with pytest.raises(KeyStoreError):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["epoch-1.key", "."])
def test_what_belongs_to_another_user_is_refused(store, folder, what):
    store.create("epoch-1")
    os.chown(folder / what, 12_345, -1)
    for use in every_use(store):
        with pytest.raises(UnsafeKeyStore):
            use()


@pytest.mark.parametrize("size", [0, 1, 31, 33, 4096])
def test_a_key_cut_short_or_too_long_is_refused(store, folder, size):
    store.create("epoch-1")
    (folder / "epoch-1.key").write_bytes(bytes(size))
    for use in every_use(store):
        with pytest.raises(KeyDamaged):
            use()
    store.destroy("epoch-1")
    assert store.names() == set()


def test_a_read_only_key_can_be_destroyed(store, folder):
    store.create("epoch-1")
    (folder / "epoch-1.key").chmod(0o400)
    store.destroy("epoch-1")
    assert sorted(file.name for file in folder.iterdir()) == [".lock"]


def test_a_folder_that_can_not_be_made_gives_the_typed_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeyStoreError):
        FileKeyStore(tmp_path / "file" / "keyring")


def test_a_folder_that_is_gone_gives_the_typed_error(store, folder):
    store.create("epoch-1")
    folder.rename(folder.parent / "elsewhere")
    for use in (*every_use(store), store.names, lambda: store.destroy("epoch-1")):
        with pytest.raises(KeyStoreError):
            use()


def test_errors_and_descriptions_show_no_key(store, folder):
    store.create("epoch-1")
    key = (folder / "epoch-1.key").read_bytes()
    with pytest.raises(KeyStoreError) as caught:
        store.unwrap("epoch-1", bytes(60), b"")
    for text in (repr(store), str(caught.value), repr(caught.value)):
        assert key.hex()[:8] not in text
        assert repr(key)[2:10] not in text


def test_what_a_crash_left_beside_the_places_is_swept(store, folder):
    """Also a draft that a crash made a second name of a key by a hard link would be a stray."""
    (folder / ".draft-0011").write_bytes(bytes(7))
    (folder / ".doomed-0022").write_bytes(bytes(32))
    assert store.names() == set()
    FileKeyStore(folder)
    assert sorted(file.name for file in folder.iterdir()) == [".lock"]


def test_files_of_others_in_the_folder_are_no_keys_and_stay(store, folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "NOTES.key").write_text("mine")
    store.create("epoch-1")
    assert store.names() == {"epoch-1"}
    assert (folder / "notes.txt").read_text() == "mine"


def test_readers_beside_a_destroyer_get_the_secret_or_a_missing_key(store):
    """Never "does not open": a key being overwritten is out of its place before."""
    wrong = []
    done = threading.Event()

    def read(name, wrapped):
        while not done.is_set():
            try:
                assert store.unwrap(name, wrapped, b"") == b"secret"
            except KeyMissing:
                return
            except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
                wrong.append(error)
                return

    threads = []
    for i in range(30):
        store.create(f"k-{i}")
        wrapped = store.wrap(f"k-{i}", b"secret", b"")
        threads.append(threading.Thread(target=read, args=(f"k-{i}", wrapped)))
        threads[-1].start()
        store.destroy(f"k-{i}")
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_reader_that_came_first_is_waited_for(store, monkeypatch):
    """Its file is open already; overwriting it now would give it another key."""
    opened, check = threading.Event(), key_store._check

    def slow_check(path, found, is_kind):
        check(path, found, is_kind)
        if is_kind is stat.S_ISREG:
            opened.set()
            time.sleep(0.3)

    store.create("epoch-1")
    wrapped = store.wrap("epoch-1", b"secret", b"")
    monkeypatch.setattr(key_store, "_check", slow_check)
    destroyer = threading.Thread(target=lambda: (opened.wait(), store.destroy("epoch-1")))
    destroyer.start()
    assert store.unwrap("epoch-1", wrapped, b"") == b"secret"
    destroyer.join()
    assert store.names() == set()


CREATE_AND_WRAP = """
import pathlib, sys
from registry.vault import key_store
from registry.vault.key_store import FileKeyStore
store = FileKeyStore(pathlib.Path(sys.argv[1]))
sys.stdin.readline()
for i in range(20):
    store.create(f"k-{i}")
    print(f"k-{i}", store.wrap(f"k-{i}", b"secret", b"").hex())
"""


def test_processes_that_create_the_same_keys_at_once_agree(folder):
    command = [sys.executable, "-c", CREATE_AND_WRAP, str(folder)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert len(lines) == 60
    store = FileKeyStore(folder)
    for line in lines:
        name, wrapped = line.split()
        assert store.unwrap(name, bytes.fromhex(wrapped), b"") == b"secret"
