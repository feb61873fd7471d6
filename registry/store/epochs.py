"""Key epochs; what wraps their keys is the vault's affair."""

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import DATA_KEY, EPOCH, RECORD


class NewEpoch(Protocol):
    """What is written of an epoch."""

    @property
    def epoch(self) -> int:
        """Its number, from 1."""

    @property
    def key_name(self) -> str:
        """The key in the key store that wraps it."""

    @property
    def wrapped(self) -> bytes:
        """Its wrapped key."""

    @property
    def created_day(self) -> int:
        """UTC day number."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A live key epoch.

    Attributes:
        key_name: the key in the key store that wraps it.
        wrapped: its wrapped key.
        created_day: UTC day number.
    """

    epoch: int
    key_name: str
    wrapped: bytes = field(repr=False)
    created_day: int


async def current(connection: AsyncConnection) -> int:
    """The newest epoch, destroyed or not; 0 before the first."""
    newest: int | None = await connection.scalar(select(func.max(EPOCH.c.epoch)))
    return newest or 0


async def live(connection: AsyncConnection) -> list[EpochRow]:
    """The epochs that were not destroyed, ascending."""
    rows = await connection.execute(
        select(EPOCH.c.epoch, EPOCH.c.key_name, EPOCH.c.wrapped, EPOCH.c.created_day)
        .where(EPOCH.c.wrapped.is_not(None))
        .order_by(EPOCH.c.epoch)
    )
    return [EpochRow(*row) for row in rows]


async def destroyed(connection: AsyncConnection) -> list[tuple[int, str]]:
    """Number and key name of the epochs that were destroyed, ascending."""
    rows = await connection.execute(
        select(EPOCH.c.epoch, EPOCH.c.key_name)
        .where(EPOCH.c.wrapped.is_(None))
        .order_by(EPOCH.c.epoch)
    )
    return [(row.epoch, row.key_name) for row in rows]


async def samples(connection: AsyncConnection) -> list[tuple[bytes, bytes]]:
    """Record id and wrapped data key of one record of each epoch that has any."""
    first = select(func.min(DATA_KEY.c.register_index)).group_by(DATA_KEY.c.epoch)
    rows = await connection.execute(
        select(RECORD.c.record_id, DATA_KEY.c.wrapped)
        .join_from(DATA_KEY, RECORD)
        .where(DATA_KEY.c.register_index.in_(first))
    )
    return [(row.record_id, row.wrapped) for row in rows]


async def insert(connection: AsyncConnection, new: NewEpoch) -> None:
    """Writes a new epoch.

    Raises:
        StoreRefused: its number or its key's name is taken.
    """
    await connection.execute(
        insert_into(EPOCH),
        {
            "epoch": new.epoch,
            "key_name": new.key_name,
            "wrapped": new.wrapped,
            "created_day": new.created_day,
            "destroyed_day": None,
        },
    )


async def mark_destroyed(connection: AsyncConnection, epoch: int, day: int) -> None:
    """Forgets an epoch's wrapped key; the row stays, so that its number is never used again."""
    await connection.execute(
        update(EPOCH)
        .where(EPOCH.c.epoch == epoch, EPOCH.c.wrapped.is_not(None))
        .values(wrapped=None, destroyed_day=day)
    )
