"""Records, their data keys and their ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.log import EntryType
from registry.store import log_state
from registry.store.tables import (
    DATA_KEY,
    ENTRY,
    EXCLUSION,
    POSITIVE,
    RECORD,
    TERMINAL,
    RecordStatus,
)
from registry.store.upserts import insert_if_absent

# Values in one IN (…): well below SQLite's 32,766 and asyncpg's 32,767 parameters.
_IN_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to be written, encrypted, beside the REGISTER entry of its index."""

    register_index: int
    record_id: bytes
    owner_public_key: bytes
    commitment: bytes
    ciphertext: bytes = field(repr=False)
    epoch: int
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record without its content.

    Attributes:
        terminal_index: the entry that ended it, or None while it is active.
    """

    register_index: int
    record_id: bytes
    owner_public_key: bytes
    commitment: bytes
    status: RecordStatus
    terminal_index: int | None


@dataclass(frozen=True, slots=True)
class Terminal:
    """How and where a record ends."""

    register_index: int
    entry_index: int
    status: RecordStatus


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record's content as it is stored."""

    ciphertext: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key to be rewrapped."""

    register_index: int
    record_id: bytes
    wrapped: bytes = field(repr=False)


class ReplayRow(NamedTuple):
    """An entry and, for a REGISTER entry, what is left of its record; a tuple because of speed.

    Attributes:
        record_id: None where the entry registers nothing.
        ciphertext: None once the record is shredded.
        wrapped: None once the record is shredded.
        terminal_index: the entry that ended the record, at any log size, or None.
        terminal_status: of `RecordStatus`, or None.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    type: int
    data: bytes
    record_id: bytes | None
    ciphertext: bytes | None
    wrapped: bytes | None
    terminal_index: int | None
    terminal_status: int | None

    def __repr__(self) -> str:
        """Without the bytes."""
        return f"ReplayRow(index={self.index}, type={self.type})"


_WITH_TERMINAL = select(
    RECORD.c.register_index,
    RECORD.c.record_id,
    RECORD.c.owner_public_key,
    RECORD.c.commitment,
    TERMINAL.c.status,
    TERMINAL.c.entry_index,
).join_from(RECORD, TERMINAL, TERMINAL.c.register_index == RECORD.c.register_index, isouter=True)

# Plain text: no result is converted on its way, the driver's own tuples come out. The range is
# said of every table, since PostgreSQL does not carry it over an outer join and would read all of
# a table for each portion.
_REPLAY = text(
    'SELECT e."index", e.type, e.data, r.record_id, r.ciphertext, k.wrapped,'
    " t.entry_index, t.status"
    " FROM entry AS e"
    ' LEFT JOIN record AS r ON r.register_index = e."index"'
    " AND r.register_index >= :start AND r.register_index < :stop"
    ' LEFT JOIN data_key AS k ON k.register_index = e."index"'
    " AND k.register_index >= :start AND k.register_index < :stop"
    ' LEFT JOIN terminal AS t ON t.register_index = e."index"'
    " AND t.register_index >= :start AND t.register_index < :stop"
    ' WHERE e."index" >= :start AND e."index" < :stop'
    ' ORDER BY e."index"'
)


async def by_record_id(connection: AsyncConnection, record_id: bytes) -> RecordRow | None:
    """The record of this id."""
    found = await by_record_ids(connection, [record_id])
    return found.get(record_id)


async def by_record_ids(
    connection: AsyncConnection, record_ids: Iterable[bytes]
) -> dict[bytes, RecordRow]:
    """Those of these ids that are registered, by id."""
    found: dict[bytes, RecordRow] = {}
    for portion in batched(record_ids, _IN_LIMIT):
        rows = await connection.execute(_WITH_TERMINAL.where(RECORD.c.record_id.in_(portion)))
        found.update((row.record_id, _record_row(row)) for row in rows)
    return found


async def by_register_index(connection: AsyncConnection, register_index: int) -> RecordRow | None:
    """The record that this entry registers."""
    rows = await connection.execute(_WITH_TERMINAL.where(RECORD.c.register_index == register_index))
    row = rows.one_or_none()
    return None if row is None else _record_row(row)


async def exists(connection: AsyncConnection, register_index: int) -> bool:
    """Whether this entry registers a record, whatever became of it."""
    return await by_register_index(connection, register_index) is not None


async def sealed(connection: AsyncConnection, register_index: int) -> Sealed | None:
    """The record's encrypted content, or None once it is shredded (or never was)."""
    rows = await connection.execute(
        select(RECORD.c.ciphertext, DATA_KEY.c.wrapped)
        .join_from(RECORD, DATA_KEY)
        .where(RECORD.c.register_index == register_index, RECORD.c.ciphertext.is_not(None))
    )
    row = rows.one_or_none()
    return None if row is None else Sealed(row.ciphertext, row.wrapped)


async def insert_many(connection: AsyncConnection, new: Sequence[NewRecord]) -> None:
    """Writes records and their data keys; their REGISTER entries and epoch must be there.

    Raises:
        StoreRefused: a record id or an index is taken, or a length is wrong.
    """
    if not new:
        return
    await connection.execute(
        insert(RECORD),
        [
            {
                "register_index": record.register_index,
                "record_id": record.record_id,
                "owner_public_key": record.owner_public_key,
                "commitment": record.commitment,
                "ciphertext": record.ciphertext,
            }
            for record in new
        ],
    )
    await connection.execute(
        insert(DATA_KEY),
        [
            {
                "register_index": record.register_index,
                "epoch": record.epoch,
                "wrapped": record.wrapped,
            }
            for record in new
        ],
    )


async def replay(connection: AsyncConnection, start: int, stop: int) -> list[ReplayRow]:
    """The entries start … stop-1 with what is left of their records, in order.

    `stop - start` rows of some 8 KB each are held in memory.
    """
    rows = await connection.execute(_REPLAY, {"start": start, "stop": stop})
    return [ReplayRow._make(row) for row in rows]


async def lost(connection: AsyncConnection) -> list[int]:
    """REGISTER indices of the records that nothing ended and whose content is nowhere, ascending.

    There are none but in a database that was restored: a look at each entry, for nothing else.
    """
    rows = await connection.scalars(
        select(ENTRY.c.index)
        .outerjoin(RECORD, RECORD.c.register_index == ENTRY.c.index)
        .outerjoin(TERMINAL, TERMINAL.c.register_index == ENTRY.c.index)
        .where(
            ENTRY.c.type == EntryType.REGISTER,
            RECORD.c.ciphertext.is_(None),  # also where there is no record
            TERMINAL.c.register_index.is_(None),
        )
        .order_by(ENTRY.c.index)
    )
    return list(rows)


async def count_readable(connection: AsyncConnection) -> int:
    """How many records nothing ended and have a data key."""
    rows = await connection.scalar(
        select(func.count())
        .select_from(DATA_KEY)
        .outerjoin(TERMINAL, TERMINAL.c.register_index == DATA_KEY.c.register_index)
        .where(TERMINAL.c.register_index.is_(None))
    )
    return int(rows or 0)


async def insert_terminal(connection: AsyncConnection, terminal: Terminal) -> bool:
    """Ends a record, unless it has ended before: the first wins.

    Returns:
        Whether this one ended it.
    """
    return await insert_if_absent(connection, TERMINAL, _terminal_row(terminal))


async def insert_terminals(connection: AsyncConnection, terminals: Sequence[Terminal]) -> None:
    """Ends records none of which has ended before.

    Raises:
        StoreRefused: one of them has.
    """
    if terminals:
        await connection.execute(insert(TERMINAL), [_terminal_row(row) for row in terminals])


async def unshredded(
    connection: AsyncConnection, limit: int | None = None, below: int | None = None
) -> list[int]:
    """Register indices of the records that have ended and were not shredded yet, ascending.

    Args:
        connection: of any transaction.
        below: only those that ended by an entry before this one; None: all.
        limit: how many at most; a day on which very many expire is shredded in several
            transactions, so that the writers' lock is not held for seconds.
    """
    wanted = (
        select(TERMINAL.c.register_index)
        .where(text("NOT shredded"))
        .order_by(TERMINAL.c.register_index)
        .limit(limit)
    )
    if below is not None:
        wanted = wanted.where(TERMINAL.c.entry_index < below)
    return list(await connection.scalars(wanted))


async def shred(connection: AsyncConnection, register_indices: Iterable[int]) -> None:
    """Removes data keys and ciphertexts of ended records and raises the shred watermark.

    What was counted of candidates that matched them goes too, and what they excluded.

    Repeating it changes nothing. On SQLite what is removed is overwritten, and gone from the files
    after `Store.checkpoint_wal`. On PostgreSQL it is dead until the next VACUUM.

    Raises:
        ValueError: one of these records has not ended; nothing was changed for its portion.
    """
    for portion in batched(sorted(set(register_indices)), _IN_LIMIT):
        ended: ColumnElement[bool] = TERMINAL.c.register_index.in_(portion)
        count, newest = (
            await connection.execute(
                select(func.count(), func.max(TERMINAL.c.entry_index)).where(ended)
            )
        ).one()
        if count != len(portion):
            message = "Only a record that has ended can be shredded."
            raise ValueError(message)
        await connection.execute(delete(DATA_KEY).where(DATA_KEY.c.register_index.in_(portion)))
        await connection.execute(
            update(RECORD)
            .where(RECORD.c.register_index.in_(portion), RECORD.c.ciphertext.is_not(None))
            .values(ciphertext=None)
        )
        for counted in (POSITIVE, EXCLUSION):
            await connection.execute(delete(counted).where(counted.c.register_index.in_(portion)))
        await connection.execute(update(TERMINAL).where(ended).values(shredded=True))
        await log_state.raise_shred_watermark(connection, newest + 1)


async def wrapped_below(connection: AsyncConnection, epoch: int, limit: int) -> list[WrappedKey]:
    """Data keys still wrapped under an epoch older than this one; at most `limit`."""
    rows = await connection.execute(
        select(RECORD.c.register_index, RECORD.c.record_id, DATA_KEY.c.wrapped)
        .join_from(DATA_KEY, RECORD)
        .where(DATA_KEY.c.epoch < epoch)
        .limit(limit)
    )
    return [WrappedKey(*row) for row in rows]


async def count_keys(connection: AsyncConnection) -> int:
    """How many data keys there are: the active records, and those ended but not shredded yet."""
    return int(await connection.scalar(select(func.count()).select_from(DATA_KEY)) or 0)


async def count_wrapped_below(connection: AsyncConnection, epoch: int) -> int:
    """How many data keys are wrapped under an epoch older than this one."""
    rows = await connection.execute(
        select(func.count()).select_from(DATA_KEY).where(DATA_KEY.c.epoch < epoch)
    )
    return int(rows.scalar_one())


async def rewrap(
    connection: AsyncConnection, epoch: int, rewrapped: Sequence[tuple[int, bytes]]
) -> None:
    """Replaces wrapped data keys, given by register index, by those of a newer epoch.

    A key that was shredded meanwhile stays away, one that is as new already stays as it is.
    """
    if rewrapped:
        await connection.execute(
            update(DATA_KEY)
            .where(DATA_KEY.c.register_index == bindparam("at"), DATA_KEY.c.epoch < epoch)
            .values(epoch=epoch, wrapped=bindparam("new")),
            [{"at": register_index, "new": wrapped} for register_index, wrapped in rewrapped],
        )


def _terminal_row(terminal: Terminal) -> Mapping[str, Any]:
    return {
        "register_index": terminal.register_index,
        "entry_index": terminal.entry_index,
        "status": int(terminal.status),
        "shredded": False,
    }


def _record_row(row: Row[*tuple[Any, ...]]) -> RecordRow:
    return RecordRow(
        register_index=row.register_index,
        record_id=row.record_id,
        owner_public_key=row.owner_public_key,
        commitment=row.commitment,
        status=RecordStatus.ACTIVE if row.status is None else RecordStatus(row.status),
        terminal_index=row.entry_index,
    )
