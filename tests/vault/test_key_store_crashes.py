"""Killed anywhere, the key store in files holds whole keys or none, and keeps what it acknowledged.

Real processes are killed by SIGKILL: once before each single system call that changes something,
and many times at moments nobody chose.
"""

import random
import subprocess
import sys
import time

import pytest

from registry.errors import KeyMissing
from registry.vault.key_store import FileKeyStore

# Dies before its n-th change. What is opened for writing counts too: that is where a draft appears.
DIES_BEFORE_A_CHANGE = """
import os, pathlib, signal, sys
from registry.vault.key_store import FileKeyStore

def dying(call):
    def change(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return change

store = FileKeyStore(pathlib.Path(sys.argv[1]))
left = int(sys.argv[2])
for name in ("open", "fsync", "rename", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
getattr(store, sys.argv[3])("epoch-1")
"""

CHANGES = 30  # more than any operation has


def dies(folder, change, operation):
    command = [sys.executable, "-c", DIES_BEFORE_A_CHANGE, str(folder), str(change), operation]
    return subprocess.run(command, check=False).returncode != 0


def files(folder):
    return sorted(file.name for file in folder.iterdir() if file.name != ".lock")


def test_killed_before_any_change_of_creating_there_is_a_key_or_none(tmp_path):
    outcomes = set()
    for change in range(1, CHANGES):
        folder = tmp_path / str(change)
        finished = not dies(folder, change, "create")
        left = files(folder)
        store = FileKeyStore(folder)
        assert files(folder) in ([], ["epoch-1.key"])
        assert store.names() == ({"epoch-1"} if "epoch-1.key" in left else set())
        outcomes.add(tuple(name[:7] for name in left))
        store.create("epoch-1")  # again, as its caller will
        wrapped = store.wrap("epoch-1", b"secret", b"")
        assert FileKeyStore(folder).unwrap("epoch-1", wrapped, b"") == b"secret"
        if finished:
            break
    else:
        pytest.fail("it never finished")
    assert outcomes == {(), (".draft-",), ("epoch-1",)}


def test_killed_before_any_change_of_destroying_the_key_is_whole_or_gone(tmp_path):
    outcomes = set()
    for change in range(1, CHANGES):
        folder = tmp_path / str(change)
        store = FileKeyStore(folder)
        store.create("epoch-1")
        wrapped = store.wrap("epoch-1", b"secret", b"")
        finished = not dies(folder, change, "destroy")
        left = files(folder)
        outcomes.add(tuple(name[:7] for name in left))
        store = FileKeyStore(folder)
        if "epoch-1.key" in left:
            assert store.unwrap("epoch-1", wrapped, b"") == b"secret"
        else:
            with pytest.raises(KeyMissing):
                store.unwrap("epoch-1", wrapped, b"")
        store.destroy("epoch-1")
        assert files(folder) == []
        if finished:
            break
    else:
        pytest.fail("it never finished")
    assert outcomes == {("epoch-1",), (".doomed",), ()}


# Says what it is about to do and what it has done, on a pipe that outlives it.
WORKS_UNTIL_KILLED = """
import pathlib, sys
from registry.vault.key_store import FileKeyStore
store = FileKeyStore(pathlib.Path(sys.argv[1]))
start = int(sys.argv[2])
for i in range(start, start + 100_000):
    store.create(f"k-{i}")
    print("created", i, store.wrap(f"k-{i}", b"secret", b"").hex(), flush=True)
    if i % 3 == 0:
        print("destroying", i - 1, flush=True)
        store.destroy(f"k-{i - 1}")
        print("destroyed", i - 1, flush=True)
"""


def test_killed_at_any_moment_nothing_acknowledged_is_lost_or_comes_back(tmp_path):
    chance = random.Random(20)
    created, destroying, destroyed = {}, set(), set()
    for round_number in range(12):
        command = [sys.executable, "-c", WORKS_UNTIL_KILLED, str(tmp_path / "keys")]
        process = subprocess.Popen(
            [*command, str(1 + 100_000 * round_number)], stdout=subprocess.PIPE, text=True
        )
        lines = [process.stdout.readline()]
        time.sleep(chance.random() * 0.05)
        process.kill()
        lines += process.communicate()[0].splitlines(keepends=True)
        for line in lines:
            match line.split() if line.endswith("\n") else []:
                case ["created", number, wrapped]:
                    created[f"k-{number}"] = bytes.fromhex(wrapped)
                case ["destroying", number]:
                    destroying.add(f"k-{number}")
                case ["destroyed", number]:
                    destroyed.add(f"k-{number}")
    store = FileKeyStore(tmp_path / "keys")
    assert len(created) > 12
    assert destroyed
    for name, wrapped in created.items():
        try:
            assert store.unwrap(name, wrapped, b"") == b"secret"
            assert name not in destroyed
        except KeyMissing:
            assert name in destroying
    assert {file.removesuffix(".key") for file in files(tmp_path / "keys")} == store.names()
