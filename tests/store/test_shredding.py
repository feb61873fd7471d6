"""What is shredded is gone from SQLite's files, not only from its answers."""

import os
from collections.abc import Sequence
from pathlib import Path

from registry.store import entries, epochs, records
from registry.store.engine import open_store
from tests.store.rows import end, found, register

# A record spans pages: what is looked for must not be longer than any piece a page may hold.
PIECE = 24


def pieces(values: Sequence[bytes]) -> set[bytes]:
    """Samples out of the whole length of each value."""
    return {
        value[at : at + PIECE]
        for value in values
        for at in range(0, len(value) - PIECE + 1, PIECE if len(value) < 100 else 256)
    }


def found_in_files(folder: Path, wanted: set[bytes]) -> set[bytes]:
    contents = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    return {piece for piece in wanted if any(piece in content for content in contents)}


async def test_shredded_bytes_leave_database_wal_and_shared_memory(sqlite_url: str) -> None:
    folder = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).parent
    store = open_store(sqlite_url)
    async with store.write() as connection:
        await found(connection)
    for _ in range(10):
        async with store.write() as connection:
            new = await register(connection, 20)
    await store.checkpoint_wal()  # some of it is in the database's pages, some only in the WAL
    async with store.write() as connection:
        new += await register(connection, 20)
    doomed, kept = new[::2], new[1::2]
    wrapped = pieces([record.wrapped for record in doomed])
    ciphertext = pieces([record.ciphertext for record in doomed])
    assert found_in_files(folder, wrapped) == wrapped
    assert len(found_in_files(folder, ciphertext)) > 0.95 * len(ciphertext)

    async with store.write() as connection:
        await end(connection, [record.register_index for record in doomed])
        await records.shred(connection, [record.register_index for record in doomed])
    assert await store.checkpoint_wal()

    assert found_in_files(folder, wrapped | ciphertext) == set()
    still = pieces([record.wrapped for record in kept])
    assert found_in_files(folder, still) == still
    await store.dispose()
    assert found_in_files(folder, wrapped | ciphertext) == set()


async def test_a_rewrapped_key_leaves_the_files(sqlite_url: str) -> None:
    folder = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).parent
    store = open_store(sqlite_url)
    async with store.write() as connection:
        await found(connection)
        new = await register(connection, 50)
    old = pieces([record.wrapped for record in new])
    assert found_in_files(folder, old) == old
    async with store.write() as connection:
        await epochs.insert(connection, epochs.EpochRow(2, "epoch-2", os.urandom(64), 20_001))
        await records.rewrap(
            connection, 2, [(record.register_index, os.urandom(65)) for record in new]
        )
    await store.checkpoint_wal()
    assert found_in_files(folder, old) == set()
    async with store.read() as connection:
        assert await entries.log_size(connection) == 50
    await store.dispose()
