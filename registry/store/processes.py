"""Processes that serve, and which key epoch each has acknowledged."""

from dataclasses import dataclass

from sqlalchemy import delete as delete_from
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import PROCESS
from registry.store.upserts import insert_or_replace


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process.

    Attributes:
        epoch: the newest key epoch it has loaded.
        log_size: entries it has replayed.
        heartbeat: when it was last heard of, in Unix seconds.
    """

    process_id: str
    epoch: int
    log_size: int
    heartbeat: float


async def heartbeat(
    connection: AsyncConnection, process_id: str, epoch: int, log_size: int, now: float
) -> None:
    """Says that a process lives; `now` in Unix seconds."""
    await insert_or_replace(
        connection,
        PROCESS,
        {"process_id": process_id, "epoch": epoch, "log_size": log_size, "heartbeat": now},
    )


async def live(connection: AsyncConnection, since: float) -> list[ProcessRow]:
    """The processes heard of at or after `since`, in Unix seconds."""
    rows = await connection.execute(
        select(PROCESS.c.process_id, PROCESS.c.epoch, PROCESS.c.log_size, PROCESS.c.heartbeat)
        .where(PROCESS.c.heartbeat >= since)
        .order_by(PROCESS.c.process_id)
    )
    return [ProcessRow(*row) for row in rows]


async def delete(connection: AsyncConnection, process_id: str) -> None:
    """Says that a process is gone; also if it never was there."""
    await connection.execute(delete_from(PROCESS).where(PROCESS.c.process_id == process_id))


async def delete_before(connection: AsyncConnection, since: float) -> None:
    """Removes the processes last heard of before `since`, in Unix seconds: they were killed."""
    await connection.execute(delete_from(PROCESS).where(PROCESS.c.heartbeat < since))
