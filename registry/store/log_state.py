"""Whose log this is, and below which size nobody may answer any more."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import LOG_STATE


async def found(connection: AsyncConnection, origin: str) -> None:
    """Writes the origin, once.

    Raises:
        StoreRefused: it is written already.
    """
    await connection.execute(insert(LOG_STATE), {"id": 1, "origin": origin, "shred_watermark": 0})


async def origin(connection: AsyncConnection) -> str | None:
    """The registry's name, or None before its first start."""
    name: str | None = await connection.scalar(select(LOG_STATE.c.origin))
    return name


async def shred_watermark(connection: AsyncConnection) -> int:
    """1 + the highest terminal index whose record was shredded; 0 if there is none."""
    watermark: int | None = await connection.scalar(select(LOG_STATE.c.shred_watermark))
    return watermark or 0


async def raise_shred_watermark(connection: AsyncConnection, size: int) -> None:
    """Lets nobody answer below a log size any more; a higher watermark stays."""
    await connection.execute(
        update(LOG_STATE).where(LOG_STATE.c.shred_watermark < size).values(shred_watermark=size)
    )
