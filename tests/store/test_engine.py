import asyncio
import contextlib
import logging
import math
import os
import random
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import pytest
from sqlalchemy import insert, text

from registry.errors import (
    ConfigurationError,
    SchemaUnknown,
    StoreBusy,
    StoreCorrupt,
    StoreRefused,
    StoreUnavailable,
)
from registry.store import engine, entries, records, secrets
from registry.store.engine import WRITERS_LOCK, Store, open_store
from registry.store.secrets import SecretRow
from registry.store.tables import SECRET
from tests.store.rows import REGISTER, entry, found, new_record, register


async def append(store: Store, count: int = 1) -> int:
    async with store.write() as connection:
        return await entries.append(connection, [entry(REGISTER) for _ in range(count)])


async def size(store: Store) -> int:
    async with store.read() as connection:
        return await entries.log_size(connection)


async def pragma(store: Store, name: str, *, writing: bool) -> object:
    async with store.write() if writing else store.read() as connection:
        return await connection.scalar(text(f"PRAGMA {name}"))


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


def overwrite(path: Path, start: int) -> None:
    content = bytearray(path.read_bytes())
    content[start:] = os.urandom(len(content) - start)
    path.write_bytes(content)


@pytest.fixture
def path(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite+aiosqlite:///"))


@pytest.mark.parametrize("writing", [True, False])
async def test_sqlite_keeps_promises_on_every_connection(sqlite_url: str, writing: bool) -> None:
    store = open_store(sqlite_url)
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "secure_delete": 1,
        "temp_store": 2,  # MEMORY
    }
    got = {name: await pragma(store, name, writing=writing) for name in wanted}
    await store.dispose()
    assert got == wanted


async def test_sqlite_files_are_their_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
        async with store.write() as connection:
            await connection.execute(text("CREATE TABLE anything (a INTEGER)"))
        files = modes(tmp_path)
        await store.dispose()
    finally:
        os.umask(mask)
    assert files == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file:anything?mode=memory&uri=true",
        "sqlite:///registry.db",
        "mysql+aiomysql://somebody:a-password@host/name",
        "postgresql+psycopg://somebody:a-password@host/name",
        "",
        "a-password",
    ],
)
def test_other_databases_are_refused_without_quoting_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert "a-password" not in "".join(traceback.format_exception(caught.value))


async def test_a_read_is_one_moment(store: Store) -> None:
    await append(store, 3)
    async with store.read() as connection:
        before = await entries.log_size(connection)
        await append(store, 4)
        assert await entries.log_size(connection) == before == 3
        assert await entries.read(connection, 3, 10) == []
    assert await size(store) == 7


async def test_a_read_can_not_write(store: Store) -> None:
    async def write_in_a_read() -> None:
        async with store.read() as connection:
            await entries.append(connection, [entry(REGISTER)])

    with pytest.raises(StoreUnavailable):
        await write_in_a_read()
    assert await size(store) == 0
    assert await append(store) == 0


@pytest.mark.parametrize("error", [ValueError, OSError, TimeoutError, KeyboardInterrupt])
async def test_an_exception_of_the_callers_rolls_back_and_passes(
    store: Store, error: type[BaseException]
) -> None:
    async def fail() -> None:
        async with store.write() as connection:
            await entries.append(connection, [entry(REGISTER)])
            raise error

    with pytest.raises(error):
        await fail()
    assert await size(store) == 0


async def test_200_writers_at_once_leave_no_gap_and_lose_nothing(store_url: str) -> None:
    stores = [open_store(store_url) for _ in range(4)]  # as four processes would
    sent = [[entry(REGISTER) for _ in range(random.randint(1, 3))] for _ in range(200)]

    async def write(store: Store, batch: list[bytes]) -> int:
        async with store.write() as connection:
            return await entries.append(connection, batch)

    firsts = await asyncio.gather(
        *(write(stores[i % len(stores)], batch) for i, batch in enumerate(sent))
    )
    async with stores[0].read() as connection:
        rows = await entries.read(connection, 0, 10_000)
    for store in stores:
        await store.dispose()
    assert [row.index for row in rows] == list(range(sum(map(len, sent))))
    for first, batch in zip(firsts, sent, strict=True):
        assert [row.data for row in rows[first : first + len(batch)]] == batch


async def cancel_at_random(work: Callable[[], Coroutine[Any, Any, None]], times: int) -> None:
    dice = random.Random(times)
    for _ in range(times):
        task = asyncio.create_task(work())
        await asyncio.sleep(dice.random() * 0.02)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        # Anything else would be the lock of one that was cancelled before.
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)


async def test_cancelled_writers_leave_all_or_nothing_and_no_lock(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._PRAGMAS, "busy_timeout", 300)
    monkeypatch.setattr(engine, "LOCK_PATIENCE_SECONDS", 1)
    store = open_store(store_url)
    async with store.write() as connection:
        await found(connection)

    async def write() -> None:
        async with store.write() as connection:
            await register(connection, 2)

    await cancel_at_random(write, 80)
    await write()
    async with store.read() as connection:
        rows = await records.replay(connection, 0, 1000)
    await store.dispose()
    assert [row.index for row in rows] == list(range(len(rows)))
    assert len(rows) % 2 == 0
    assert all(row.record_id and row.ciphertext and row.wrapped for row in rows)


async def test_wherever_a_writer_is_cancelled_it_lets_go_of_the_lock(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._PRAGMAS, "busy_timeout", 300)
    execute = aiosqlite.Connection._execute
    left: float = math.inf

    async def execute_and_be_cancelled(
        self: aiosqlite.Connection, *args: Any, **options: Any
    ) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()  # is delivered while the driver's thread works
        return await execute(self, *args, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", execute_and_be_cancelled)
    store = open_store(sqlite_url)
    outcomes = []  # kept, with all that their tracebacks refer to
    for step in range(1, 100):
        await append(store)  # the lock is free
        left = step
        outcomes += await asyncio.gather(append(store), return_exceptions=True)
        reached, left = left <= 0, math.inf
        if not reached:
            break
    assert step > 5
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[:-1])
    await store.dispose()


async def test_cancelled_readers_are_not_in_the_way_of_a_checkpoint(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._PRAGMAS, "busy_timeout", 300)
    store = open_store(sqlite_url)
    async with store.write() as connection:
        await found(connection)
        await register(connection, 400)

    async def read() -> None:
        async with store.read() as connection:
            await records.replay(connection, 0, 400)

    await cancel_at_random(read, 40)
    await append(store)
    assert await store.checkpoint_wal()
    await store.dispose()


@contextlib.asynccontextmanager
async def locked(url: str):
    """Holds the writers' lock from outside."""
    if url.startswith("sqlite"):
        holder = sqlite3.connect(url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.close()
    else:
        other = await asyncpg.connect(url.replace("+asyncpg", ""))
        await other.execute(f"SELECT pg_advisory_lock({WRITERS_LOCK})")
        yield
        await other.close()


async def test_a_lock_held_elsewhere_is_busy_and_reads_go_on(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._PRAGMAS, "busy_timeout", 200)
    monkeypatch.setattr(engine, "LOCK_PATIENCE_SECONDS", 1)
    store = open_store(store_url)
    async with locked(store_url):
        with pytest.raises(StoreBusy):
            await append(store)
        assert await size(store) == 0
    assert await append(store) == 0
    await store.dispose()


async def test_a_queue_that_does_not_move_is_busy(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUEUE_PATIENCE_SECONDS", 0.1)
    store = open_store(store_url)
    async with store.write():
        with pytest.raises(StoreBusy):
            await append(store)
    assert await append(store) == 0
    await store.dispose()


async def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    missing = tmp_path / "no" / "such" / "folder"
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite+aiosqlite:///{missing / 'registry.db'}")
    for url in (
        f"sqlite+aiosqlite:///{tmp_path}",
        f"postgresql+asyncpg://nobody:a-password@/nothing?host={missing}",
        "postgresql+asyncpg://nobody:a-password@127.0.0.1:1/nothing",
    ):
        store = open_store(url)
        for transaction in (store.read, store.write):
            with pytest.raises(StoreUnavailable) as caught:
                async with transaction():
                    pass
            assert "a-password" not in "".join(traceback.format_exception(caught.value))
        await store.dispose()


async def test_unknown_databases_and_users_are_unavailable(postgresql_url: str) -> None:
    for url in (
        postgresql_url.replace("/test_", "/no_such_database_"),
        postgresql_url.replace("postgres@", "nobody@"),
    ):
        store = open_store(url)
        with pytest.raises(StoreUnavailable):
            await size(store)
        await store.dispose()


async def test_a_database_without_tables_says_so(bare_url: str) -> None:
    store = open_store(bare_url)
    with pytest.raises(SchemaUnknown):
        await size(store)
    await store.dispose()


@pytest.mark.parametrize("start", [0, 4096], ids=["not a database", "pages overwritten"])
async def test_a_damaged_file_is_corrupt(sqlite_url: str, path: Path, start: int) -> None:
    store = open_store(sqlite_url)
    await append(store, 200)
    await store.dispose()
    overwrite(path, start)
    store = open_store(sqlite_url)
    with pytest.raises(StoreCorrupt):
        await size(store)
    await store.dispose()


async def test_a_full_disk_writes_nothing_and_passes(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    async with store.write() as connection:
        await found(connection)
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {pages + 20}"))

    async def write() -> None:
        async with store.write() as connection:
            await register(connection, 50)

    with pytest.raises(StoreUnavailable):
        await write()
    assert await size(store) == 0
    async with store.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
    await write()
    assert await size(store) == 50
    await store.dispose()


async def test_a_lost_connection_is_unavailable_once(postgresql_url: str) -> None:
    store = open_store(postgresql_url)

    async def lose_it() -> None:
        async with store.write() as connection:
            await entries.append(connection, [entry(REGISTER)])
            other = await asyncpg.connect(postgresql_url.replace("+asyncpg", ""))
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await other.close()
            await entries.append(connection, [entry(REGISTER)])

    with pytest.raises(StoreUnavailable):
        await lose_it()
    assert await size(store) == 0
    assert await append(store) == 0
    await store.dispose()


async def test_errors_and_logs_hold_nothing_of_what_was_written(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    record = new_record(0)
    secret = SecretRow("name", os.urandom(16).hex(), os.urandom(48))

    async def break_a_constraint() -> None:
        async with store.write() as connection:
            await records.insert_many(connection, [record])

    async def insert_a_secret() -> None:
        async with store.write() as connection:
            await secrets.insert(connection, secret)

    async def break_a_check() -> None:
        async with store.write() as connection:
            await connection.execute(
                insert(SECRET), {"name": secret.name, "key_name": "k", "wrapped": secret.wrapped}
            )

    caplog.set_level(logging.INFO, "sqlalchemy.engine")  # statements; DEBUG shows rows as well
    caplog.set_level(logging.DEBUG)
    await insert_a_secret()
    errors = []
    for write in (break_a_constraint, break_a_check, insert_a_secret):
        with pytest.raises(StoreRefused) as caught:
            await write()
        errors.append(caught.value)
    async with store.read() as connection:
        assert await secrets.all_secrets(connection) == [secret]
    assert "INSERT INTO secret" in caplog.text
    told = caplog.text + "".join(
        "".join(traceback.format_exception(error)) + str(error) + repr(error) for error in errors
    )
    for value in (record.record_id, record.ciphertext, record.wrapped, secret.wrapped):
        for form in (value.hex(), repr(value)[2:-1], repr(value[:12])[2:-1]):
            assert form not in told
    assert secret.key_name not in told


async def test_checkpointing_empties_the_wal(sqlite_url: str, path: Path) -> None:
    store = open_store(sqlite_url)
    await append(store, 100)
    wal = path.with_name("registry.db-wal")
    assert wal.stat().st_size > 0
    assert await store.checkpoint_wal()
    assert wal.stat().st_size == 0
    assert await size(store) == 100
    await store.dispose()


async def test_a_reader_in_the_way_of_a_checkpoint_is_told(
    sqlite_url: str,
) -> None:
    store = open_store(sqlite_url)
    await append(store)
    async with store.read() as connection:
        await entries.log_size(connection)
        await append(store)
        assert not await store.checkpoint_wal()
    assert await store.checkpoint_wal()
    await store.dispose()


async def test_a_checkpoint_that_waits_for_a_reader_hardly_holds_writers_up(
    sqlite_url: str,
) -> None:
    """Of this process and of another, which is what the second store stands for."""
    store, other = open_store(sqlite_url), open_store(sqlite_url)
    await append(store)
    async with store.read() as connection:
        await entries.log_size(connection)
        await append(store)
        for writer in (store, other):
            await append(writer)  # connected
            started = time.monotonic()
            checkpoint = asyncio.create_task(store.checkpoint_wal())
            await asyncio.sleep(0.03)
            await append(writer)
            assert time.monotonic() - started < engine.LOCK_PATIENCE_SECONDS / 2
            assert not await checkpoint
    assert await store.checkpoint_wal()
    await store.dispose()
    await other.dispose()


async def test_postgresql_needs_no_checkpoint(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    assert await store.checkpoint_wal()
    await store.dispose()


async def test_disposing_leaves_no_thread_and_no_wal(sqlite_url: str, path: Path) -> None:
    before = threading.active_count()
    store = open_store(sqlite_url)
    await asyncio.gather(*(size(store) for _ in range(20)), append(store))
    await store.dispose()
    async with asyncio.timeout(5):  # a thread ends just after it has said that it is done
        while threading.active_count() > before:
            await asyncio.sleep(0.01)
    assert not path.with_name("registry.db-wal").exists()
