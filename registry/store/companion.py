"""A companion: everything of a registry but the ciphertexts, in one small SQLite file.

Rotation makes old backups dark, for all records: their data keys are wrapped under epochs that are
destroyed. So what is large and never changes, the ciphertexts, is backed up with the database as
seldom as one likes, and what is small and changes, the companion, after each rotation and as often
as one can bear to lose. Restored is the newest companion onto any backup of the database: what was
withdrawn meanwhile has no key any more, the others have.

A companion holds wrapped keys, public keys, commitments and the log: nothing that can be read
without the key store.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Table, and_, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.errors import ConfigurationError, Conflict, StoreBusy
from registry.settings import SQLITE_SCHEME
from registry.store import entries, epochs, log_state, records
from registry.store.engine import POSTGRESQL, Store, open_store
from registry.store.migrate import upgrade
from registry.store.tables import (
    BUILDER,
    DATA_KEY,
    ENTRY,
    EPOCH,
    LOG_STATE,
    RECORD,
    SEALING_KEY,
    SECRET,
    TERMINAL,
    RecordStatus,
)

# In the order in which rows may refer to each other.
_TABLES: Final = (
    LOG_STATE,
    EPOCH,
    SEALING_KEY,
    SECRET,
    BUILDER,
    ENTRY,
    RECORD,
    DATA_KEY,
    TERMINAL,
)
# Few rows, which the companion knows better than an older database.
_REPLACED: Final = (EPOCH, SEALING_KEY, SECRET, BUILDER)

_PAGE = 2_000

_NEXT_BUILDER = (
    "SELECT setval(pg_get_serial_sequence('builder', 'id'), (SELECT max(id) FROM builder))"
    " WHERE EXISTS (SELECT 1 FROM builder)"
)


@dataclass(frozen=True, slots=True)
class Brought:
    """What a companion brought.

    Attributes:
        entries: log entries that the database did not have.
        ended: records that had ended since.
    """

    entries: int
    ended: int


async def write_companion(store: Store, path: Path) -> int:
    """Writes the companion of this moment; other processes may go on writing meanwhile.

    Args:
        store: whose.
        path: a new file; it is there only when it is whole.

    Returns:
        The log size it holds.

    Raises:
        ConfigurationError: there is such a file already.
        StoreError: the database or the file can not be used.
    """
    draft = path.with_name(path.name + ".part")
    url = _new_file(path, draft)
    try:
        await upgrade(url)
        target = open_store(url)
        try:
            async with store.read() as source, target.write() as into:
                for table in _TABLES:
                    columns = [column for column in table.c if column is not RECORD.c.ciphertext]
                    async for page in _pages(source, table, columns):
                        await into.execute(insert(table), page)
                size = await entries.log_size(source)
            if not await target.checkpoint_wal():
                raise StoreBusy("somebody else reads the companion that is being written")
        finally:
            await target.dispose()
        draft.rename(path)
        await asyncio.to_thread(_flush_folder, path.parent)
    finally:
        for leftover in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm"))):
            leftover.unlink(missing_ok=True)
    return size


@contextlib.asynccontextmanager
async def opened(path: Path) -> AsyncIterator[AsyncConnection]:
    """A companion to read from, brought to the tables of this version.

    Raises:
        ConfigurationError: there is no such file.
        StoreError: it is no companion, or can not be read.
    """
    url = _existing_file(path)
    await upgrade(url)
    companion = open_store(url)
    try:
        async with companion.read() as connection:
            yield connection
    finally:
        await companion.dispose()


async def bring_forward(source: AsyncConnection, into: AsyncConnection) -> Brought:
    """Brings a restored database to the state of a companion.

    Records whose ciphertext is in no backup have a key afterwards and nothing that it opens; ending
    them is the caller's next step, and shredding what has ended the one after it.

    Args:
        source: of the companion.
        into: of the database, with the writers' lock; what raised must be rolled back.

    Raises:
        ConfigurationError: it is another registry's.
        Conflict: neither log is the beginning of the other; or the companion is older than the
            database's keys.
        StoreError: one of them can not be used.
    """
    if await log_state.origin(source) != await log_state.origin(into):
        raise ConfigurationError("This companion is another registry's.")
    if await epochs.current(source) < await epochs.current(into):
        # Its keys are of epochs that a rotation has destroyed since: every record would be lost.
        raise Conflict("This companion is older than the database: take one made after rotating.")
    start, size = await entries.log_size(into), await entries.log_size(source)
    await _check_prefix(source, into, min(start, size))
    if size < start:
        return Brought(0, 0)  # all that it knows is there: it was restored before, for instance

    await into.execute(delete(DATA_KEY))
    for table in _REPLACED:
        async for page in _pages(source, table, list(table.c)):
            await _replace(into, table, page)
    for table, key in ((ENTRY, ENTRY.c.index), (RECORD, RECORD.c.register_index)):
        columns = [column for column in table.c if column is not RECORD.c.ciphertext]
        async for page in _pages(source, table, columns, after=start - 1, key=key):
            await into.execute(insert(table), page)
    async for page in _pages(source, DATA_KEY, list(DATA_KEY.c)):
        await into.execute(insert(DATA_KEY), page)
    # What was shredded here, after the companion was made, stays shredded.
    shredded = select(TERMINAL.c.register_index).where(TERMINAL.c.shredded)
    await into.execute(delete(DATA_KEY).where(DATA_KEY.c.register_index.in_(shredded)))
    ended = await _end(source, into)
    await log_state.raise_shred_watermark(into, await log_state.shred_watermark(source))
    if into.dialect.name == POSTGRESQL:  # builders came with their numbers
        await into.execute(text(_NEXT_BUILDER))
    return Brought(size - start, ended)


def _flush_folder(folder: Path) -> None:
    """Makes a name outlive a power cut; the file's content was flushed by SQLite."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new_file(path: Path, draft: Path) -> str:
    if path.exists() or draft.exists():
        raise ConfigurationError(f"There is a file {path} or {draft} already.")
    return f"{SQLITE_SCHEME}{draft.absolute()}"


def _existing_file(path: Path) -> str:
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    return f"{SQLITE_SCHEME}{path.absolute()}"


async def _check_prefix(source: AsyncConnection, into: AsyncConnection, size: int) -> None:
    for start in range(0, size, _PAGE):
        count = min(_PAGE, size - start)
        ours = await entries.read(into, start, count)
        if ours != await entries.read(source, start, count):
            raise Conflict("The log of this database is not that of the companion.")


async def _end(source: AsyncConnection, into: AsyncConnection) -> int:
    ended = 0
    async for page in _pages(source, TERMINAL, list(TERMINAL.c)):
        for row in page:
            terminal = records.Terminal(
                row["register_index"], row["entry_index"], RecordStatus(row["status"])
            )
            ended += await records.insert_terminal(into, terminal)
    return ended


async def _replace(into: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    keys = list(table.primary_key)
    for row in rows:
        same = and_(*(column == row[column.name] for column in keys))
        if await into.scalar(select(func.count()).select_from(table).where(same)):
            await into.execute(update(table).where(same).values(**row))
        else:
            await into.execute(insert(table), row)


async def _pages(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[Column[Any]],
    *,
    after: Any = None,
    key: Column[Any] | None = None,
) -> AsyncIterator[list[dict[str, Any]]]:
    """All rows in pages, in the order of the primary key's only column."""
    key = next(iter(table.primary_key)) if key is None else key
    while True:
        query = select(*columns).order_by(key).limit(_PAGE)
        if after is not None:
            query = query.where(key > after)
        rows = (await connection.execute(query)).mappings().all()
        if not rows:
            return
        yield [dict(row) for row in rows]
        after = rows[-1][key.name]
