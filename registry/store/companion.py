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
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Table, and_, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.log import Erase, EraseReason
from registry.errors import ConfigurationError, Conflict, StoreBusy
from registry.settings import SQLITE_SCHEME
from registry.store import entries, epochs, log_state, processes, records
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

_SERVING: Final = (
    "A process serves this database, or did until half a minute ago: stop it, wait, and try again."
)

_NEXT_BUILDER = (
    "SELECT setval(pg_get_serial_sequence('builder', 'id'), (SELECT max(id) FROM builder))"
    " WHERE EXISTS (SELECT 1 FROM builder)"
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What bringing a database forward did.

    Attributes:
        entries: log entries that the database did not have.
        ended: records that had ended since, and are not readable any more.
        lost: records registered since, whose ciphertext is in no backup: they were ended by an
            ERASE entry of the reason TECHNICAL, so that their owners hear of it and register anew.
        readable: active records whose data key was brought.
    """

    entries: int
    ended: int
    lost: int
    readable: int


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


async def bring_forward(
    store: Store,
    path: Path,
    alive_since: float,
    before_commit: Callable[[AsyncConnection], Awaitable[None]],
) -> Restored:
    """Brings a restored database to the state of a companion, in one transaction.

    The registry must not be serving. Shredding what has ended is the caller's next step.

    Args:
        store: the restored database.
        path: the companion.
        alive_since: a process heard of since then, in Unix seconds, counts as serving.
        before_commit: looks whether what was brought can be read; raises if not.

    Raises:
        ConfigurationError: no such file, or another registry's.
        Conflict: the database's log is not the beginning of the companion's; the companion is older
            than the database; a process serves.
        StoreError, or what `before_commit` raised. In all cases nothing was changed.
    """
    url = _existing_file(path)
    await upgrade(url)
    companion = open_store(url)
    try:
        async with companion.read() as source, store.write() as into:
            if await processes.live(into, alive_since):
                raise Conflict(_SERVING)
            done = await _bring_forward(source, into)
            await before_commit(into)
            if store.dialect == POSTGRESQL:  # builders came with their numbers
                await into.execute(text(_NEXT_BUILDER))
            return done
    finally:
        await companion.dispose()


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


async def _bring_forward(source: AsyncConnection, into: AsyncConnection) -> Restored:
    if await log_state.origin(source) != await log_state.origin(into):
        raise ConfigurationError("This companion is another registry's.")
    if await epochs.current(source) < await epochs.current(into):
        # Its keys are of epochs that a rotation has destroyed since: every record would be lost.
        raise Conflict("This companion is older than the database: take one made after rotating.")
    start = await entries.log_size(into)
    await _check_prefix(source, into, start)

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
    ended = await _end(source, into)
    lost = await _give_up(into)
    watermark = await log_state.shred_watermark(source)
    await into.execute(
        update(LOG_STATE)
        .where(LOG_STATE.c.shred_watermark < watermark)
        .values(shred_watermark=watermark)
    )
    readable = await into.scalar(
        select(func.count())
        .select_from(DATA_KEY)
        .outerjoin(TERMINAL, TERMINAL.c.register_index == DATA_KEY.c.register_index)
        .where(TERMINAL.c.register_index.is_(None))
    )
    brought = await entries.log_size(into) - lost - start
    return Restored(brought, ended, lost, int(readable or 0))


async def _check_prefix(source: AsyncConnection, into: AsyncConnection, size: int) -> None:
    for start in range(0, size, _PAGE):
        count = min(_PAGE, size - start)
        ours = await entries.read(into, start, count)
        if ours != await entries.read(source, start, count):
            raise Conflict("The log of this database is not the beginning of the companion's.")


async def _end(source: AsyncConnection, into: AsyncConnection) -> int:
    ended = 0
    async for page in _pages(source, TERMINAL, list(TERMINAL.c)):
        for row in page:
            terminal = records.Terminal(
                row["register_index"], row["entry_index"], RecordStatus(row["status"])
            )
            ended += await records.insert_terminal(into, terminal)
    return ended


async def _give_up(into: AsyncConnection) -> int:
    lost = (
        await into.scalars(
            select(RECORD.c.register_index)
            .join_from(RECORD, DATA_KEY)
            .outerjoin(TERMINAL)
            # What has ended is not lost, though it may have a key that is about to be shredded.
            .where(RECORD.c.ciphertext.is_(None), TERMINAL.c.register_index.is_(None))
            .order_by(RECORD.c.register_index)
        )
    ).all()
    erased = [Erase(index, EraseReason.TECHNICAL).encode() for index in lost]
    first = await entries.append(into, erased)
    await records.insert_terminals(
        into,
        [
            records.Terminal(index, first + number, RecordStatus.ERASED)
            for number, index in enumerate(lost)
        ],
    )
    return len(lost)


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
