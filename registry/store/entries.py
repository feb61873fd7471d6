"""The log, as a table of entries with dense indices."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.log import MAGIC
from registry.store.tables import ENTRY

# FORMATS §5: "cr1" ‖ u8 type ‖ body.
_TYPE_AT = len(MAGIC)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry of the log."""

    index: int
    type: int
    data: bytes


async def log_size(connection: AsyncConnection) -> int:
    """How many entries there are, which is the next index."""
    newest: int | None = await connection.scalar(select(func.max(ENTRY.c.index)))
    return 0 if newest is None else newest + 1


async def append(connection: AsyncConnection, encoded: Sequence[bytes]) -> int:
    """Appends entries in their order; needs the writers' lock, which makes the indices dense.

    Args:
        connection: of `Store.write`.
        encoded: each as in FORMATS §5, its type at byte 3.

    Returns:
        The index of the first; the others follow without gaps.

    Raises:
        ValueError: bytes that are not an entry.
    """
    first = await log_size(connection)
    for data in encoded:
        if not data.startswith(MAGIC) or len(data) <= _TYPE_AT:
            message = "An entry of the log begins with its magic and its type."
            raise ValueError(message)
    if encoded:
        await connection.execute(
            insert(ENTRY),
            [
                {"index": index, "type": data[_TYPE_AT], "data": data}
                for index, data in enumerate(encoded, first)
            ],
        )
    return first


async def read(connection: AsyncConnection, start: int, count: int) -> list[EntryRow]:
    """Up to `count` entries from `start` on, in order."""
    rows = await connection.execute(
        select(ENTRY.c.index, ENTRY.c.type, ENTRY.c.data)
        .where(ENTRY.c.index >= start, ENTRY.c.index < start + count)
        .order_by(ENTRY.c.index)
    )
    return [EntryRow(*row) for row in rows]


async def read_data(connection: AsyncConnection, start: int, count: int) -> list[bytes]:
    """Up to `count` encoded entries from `start` on, in order; for pages of many thousands."""
    rows = await connection.scalars(
        select(ENTRY.c.data)
        .where(ENTRY.c.index >= start, ENTRY.c.index < start + count)
        .order_by(ENTRY.c.index)
    )
    return list(rows)


async def newest_of_type(connection: AsyncConnection, kind: int) -> bytes | None:
    """The newest encoded entry of a type, or None; looks through the log from its end."""
    data: bytes | None = await connection.scalar(
        select(ENTRY.c.data).where(ENTRY.c.type == kind).order_by(ENTRY.c.index.desc()).limit(1)
    )
    return data


async def of_type(connection: AsyncConnection, kind: int) -> list[EntryRow]:
    """All entries of a type of which there are few, by index.

    The type is written into the statement, as an index of some rows is used for none else.
    """
    rows = await connection.execute(
        select(ENTRY.c.index, ENTRY.c.type, ENTRY.c.data)
        .where(ENTRY.c.type == literal(kind, literal_execute=True))
        .order_by(ENTRY.c.index)
    )
    return [EntryRow(*row) for row in rows]
