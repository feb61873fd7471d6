"""Connections and transactions, on SQLite and on PostgreSQL.

There are two ways in. `Store.read` is a consistent snapshot that can not write. `Store.write` is
the writers' lock: one writer at a time over all processes, so "the next index" is safe to compute
and under it nothing else changes. SQLite has such a lock of its own (BEGIN IMMEDIATE), PostgreSQL
takes an advisory one. Both are let go by the end of the transaction, however it ends: by a killed
process too.

Within a process the writers queue for a single connection, in order of arrival.
"""

import contextlib
import logging
import os
import sqlite3
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from registry.errors import ConfigurationError
from registry.store.database_errors import translate, unavailable

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_DRIVERS = {"sqlite+aiosqlite": SQLITE, "postgresql+asyncpg": POSTGRESQL}

# "consent" in ASCII: PostgreSQL's advisory locks are numbers that all users of a database share.
WRITERS_LOCK = int.from_bytes(b"consent")

# A writer holds the lock for tens of milliseconds; who waits this long waits for something stuck.
LOCK_PATIENCE_SECONDS = 5
# A migration may copy a table of a million records.
MIGRATION_PATIENCE_SECONDS = 300
# Writers of one process queue in front of the lock: hundreds of them at some ms each.
QUEUE_PATIENCE_SECONDS = 30
# A transaction left open by a process that hangs gives the writers' lock back after this.
IDLE_TRANSACTION_SECONDS = 60

# Reads are short, and several processes share PostgreSQL's default of 100 connections.
READERS = 8

_FILE_MODE = 0o600

# FULL: a receipt is a promise, a commit must survive power loss. secure_delete: what is shredded
# is overwritten. temp_store: nothing is spilled into files of SQLite's choosing.
_PRAGMAS: Mapping[str, str | int] = {
    "busy_timeout": LOCK_PATIENCE_SECONDS * 1000,
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "secure_delete": "ON",
    "temp_store": "MEMORY",
}
_READER_PRAGMAS = {**_PRAGMAS, "query_only": "ON"}
# SQLite holds the writers' lock while it waits for readers to leave the write-ahead log.
_CHECKPOINT_PRAGMAS = {"busy_timeout": 100}
# Rebuilding a table drops the old one, which with foreign keys on would delete what refers to it.
_MIGRATION_PRAGMAS = {
    **_PRAGMAS,
    "busy_timeout": MIGRATION_PATIENCE_SECONDS * 1000,
    "foreign_keys": "OFF",
}

# aiosqlite logs every statement with its parameters at DEBUG. SQLAlchemy logs rows there, but only
# where its own logger, not the root, is set to DEBUG.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)


class Store:
    """A database, opened. Use `open_store`.

    Attributes:
        dialect: "sqlite" or "postgresql".
    """

    def __init__(
        self,
        dialect: str,
        readers: AsyncEngine,
        writers: AsyncEngine,
        checkpointers: AsyncEngine | None = None,
    ) -> None:
        self.dialect = dialect
        self._checkpointers = checkpointers
        self._readers = readers
        self._writers = writers

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A snapshot: everything read in it is of one moment. It can not write.

        Raises:
            StoreError: also for what is executed on the connection.
        """
        async with _transaction(self._readers) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """The writers' lock; committed at the end, rolled back on any exception.

        Not reentrant: a task that holds it must not ask for it again. Reads may be made beside it.

        Raises:
            StoreBusy: another writer held the lock for too long; nothing was written.
            StoreError: also for what is executed on the connection.
        """
        async with _transaction(self._writers) as connection:
            yield connection

    async def checkpoint_wal(self) -> bool:
        """Empties SQLite's write-ahead log, which keeps deleted pages until then.

        Waits a moment for the readers that still need it; all writers, of other processes too, wait
        with it. On PostgreSQL there is nothing to do.

        Returns:
            Whether the log is empty now; where not, a reader or writer was in the way: do it again.

        Raises:
            StoreError: the database can not be reached.
        """
        if self._checkpointers is None:
            return True
        async with _connected(self._checkpointers) as connection:
            # Not within a transaction, which is what SQLAlchemy would begin.
            raw = await connection.get_raw_connection()
            cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
            (busy, _, _) = await cursor.fetchone()
            await cursor.close()
        return not busy

    async def dispose(self) -> None:
        """Closes every connection."""
        await self._readers.dispose()
        if self._checkpointers is not None:
            await self._checkpointers.dispose()
        await self._writers.dispose()


def open_store(url: str) -> Store:
    """Opens a database; its tables are `registry.store.migrate`'s affair.

    Args:
        url: `sqlite+aiosqlite:///path` or `postgresql+asyncpg://user@host/name`. SQLite in memory
            is not supported: every connection would see a database of its own.

    Raises:
        ConfigurationError: another kind of URL, or a driver that is not installed.
        StoreUnavailable: the SQLite file can not be created.
    """
    parsed, dialect = _parse(url)
    if dialect == SQLITE:
        _create_private(parsed)
        return Store(
            dialect,
            _sqlite_engine(parsed, "BEGIN", _READER_PRAGMAS, READERS),
            _sqlite_engine(parsed, "BEGIN IMMEDIATE", _PRAGMAS, 1),
            _sqlite_engine(parsed, "BEGIN", {**_PRAGMAS, **_CHECKPOINT_PRAGMAS}, 1),
        )
    return Store(
        dialect, _postgresql_readers(parsed), _postgresql_writers(parsed, LOCK_PATIENCE_SECONDS)
    )


@asynccontextmanager
async def migrating(url: str) -> AsyncIterator[AsyncConnection]:
    """The writers' lock on a connection that may change tables: patient, foreign keys off.

    Raises:
        ConfigurationError: as `open_store`.
        StoreError: as `Store.write`.
    """
    parsed, dialect = _parse(url)
    if dialect == SQLITE:
        _create_private(parsed)
        engine = _sqlite_engine(parsed, "BEGIN IMMEDIATE", _MIGRATION_PRAGMAS, 1)
    else:
        engine = _postgresql_writers(parsed, MIGRATION_PATIENCE_SECONDS)
    try:
        async with _transaction(engine) as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    inside = False
    try:
        async with engine.connect() as connection:
            inside = True
            yield connection
            inside = False
    except SQLAlchemyError as error:
        raise translate(error) from None
    except OSError:
        if inside:  # the caller's own
            raise
        raise unavailable() from None


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with _connected(engine) as connection, connection.begin():
        yield connection


def _parse(url: str) -> tuple[URL, str]:
    try:
        parsed = make_url(url)
    except ArgumentError:
        message = "The database URL can not be read."
        raise ConfigurationError(message) from None
    if parsed.drivername not in _DRIVERS:
        message = f"A database URL starts with {' or '.join(f'{name}://' for name in _DRIVERS)}."
        raise ConfigurationError(message)
    dialect = _DRIVERS[parsed.drivername]
    if dialect == SQLITE and (
        parsed.database in (None, "", ":memory:") or str(parsed.database).startswith("file:")
    ):
        message = "SQLite is supported in a file only, not in memory; name the file's path."
        raise ConfigurationError(message)
    return parsed, dialect


def _create_private(url: URL) -> None:
    """Creates the file readable by its owner alone; SQLite gives its WAL the same mode."""
    path = Path(str(url.database))
    with contextlib.suppress(FileExistsError):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _FILE_MODE))
        except FileExistsError:
            raise
        except OSError:
            raise unavailable() from None


def _engine(url: URL, size: int, **options: Any) -> AsyncEngine:
    try:
        return create_async_engine(
            url,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=QUEUE_PATIENCE_SECONDS,
            **options,
        )
    except ModuleNotFoundError as error:
        message = (
            f"The database driver {error.name} is not installed; "
            "install consent-registry with the extra `postgresql`."
        )
        raise ConfigurationError(message) from None


def _sqlite_engine(
    url: URL, begin: str, pragmas: Mapping[str, str | int], size: int
) -> AsyncEngine:
    engine = _engine(url, size, connect_args={"factory": _connection_type(pragmas)})

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connection_type(pragmas: Mapping[str, str | int]) -> type[sqlite3.Connection]:
    class Prepared(_PromptlyClosed):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            # The driver begins nothing by itself; the engine's "begin" event says which BEGIN.
            self.isolation_level = None
            for name, value in pragmas.items():
                self.execute(f"PRAGMA {name}={value}").close()

    return Prepared


class _PromptlyClosed(sqlite3.Connection):
    """A connection whose cursors are closed with it.

    SQLite keeps a closed connection, with its locks, as long as a statement of it is unfinished;
    a task that is cancelled while it waits for rows leaves one to the garbage collector. The
    writers' lock can not wait for that.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        cursor = super().cursor(*args, **kwargs)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()
        super().close()


def _postgresql_readers(url: URL) -> AsyncEngine:
    return _engine(
        url,
        READERS,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        connect_args={"server_settings": {"default_transaction_read_only": "on"}},
    )


def _postgresql_writers(url: URL, patience_seconds: int) -> AsyncEngine:
    # READ COMMITTED: a statement after the lock sees what the writer before us committed.
    settings = {
        "lock_timeout": f"{patience_seconds}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS}s",
    }
    engine = _engine(
        url,
        1,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"server_settings": settings},
    )

    @event.listens_for(engine.sync_engine, "begin")
    def take_writers_lock(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")

    return engine
