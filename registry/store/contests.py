"""Contests and their answers, and the keyed digests of the rows that can be contested."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import CONTEST, EXCLUDED

# Contests read at a time when a screening is counted: a bitmap and a thousand verdicts each.
_PAGE = 256


@dataclass(frozen=True, slots=True)
class ContestRow:
    """The answer to a contest.

    Attributes:
        digest: keyed digest of what was sent, 32 bytes.
        rows: bitmap over the block's rows: which were contested.
        verdicts: one byte per contested row, in order.
        log_size: the log size the answer holds for.
    """

    screening_id: bytes
    block_number: int
    digest: bytes = field(repr=False)
    rows: bytes = field(repr=False)
    verdicts: bytes = field(repr=False)
    log_size: int


_COLUMNS = (
    CONTEST.c.screening_id,
    CONTEST.c.block_number,
    CONTEST.c.digest,
    CONTEST.c.rows,
    CONTEST.c.verdicts,
    CONTEST.c.log_size,
)


async def insert_excluded(
    connection: AsyncConnection, screening_id: bytes, block_number: int, digests: bytes
) -> None:
    """Writes the digests of a block's excluded rows, 16 bytes each, in the order of the rows.

    Of none there is a row, too: the time of an answer is not to tell of what it was about.

    Raises:
        StoreRefused: there is no such block, or it has them already.
    """
    await connection.execute(
        insert_into(EXCLUDED),
        {"screening_id": screening_id, "block_number": block_number, "digests": digests},
    )


async def excluded(connection: AsyncConnection, screening_id: bytes, block_number: int) -> bytes:
    """What `insert_excluded` wrote; empty where a block excluded nothing, or is not there."""
    digests: bytes | None = await connection.scalar(
        select(EXCLUDED.c.digests).where(
            EXCLUDED.c.screening_id == screening_id, EXCLUDED.c.block_number == block_number
        )
    )
    return digests or b""


async def insert(connection: AsyncConnection, row: ContestRow) -> None:
    """Writes the answer to a contest.

    Raises:
        StoreRefused: there is no such block, or this contest was answered before.
    """
    await connection.execute(
        insert_into(CONTEST),
        {
            "screening_id": row.screening_id,
            "block_number": row.block_number,
            "digest": row.digest,
            "rows": row.rows,
            "verdicts": row.verdicts,
            "log_size": row.log_size,
        },
    )


async def of_block(
    connection: AsyncConnection, screening_id: bytes, block_number: int
) -> list[ContestRow]:
    """All contests about one block; a row is in one of them at most."""
    rows = await connection.execute(
        select(*_COLUMNS).where(
            CONTEST.c.screening_id == screening_id, CONTEST.c.block_number == block_number
        )
    )
    return [ContestRow(*row) for row in rows]


async def of_screening(
    connection: AsyncConnection, screening_id: bytes
) -> AsyncIterator[ContestRow]:
    """All contests of a screening; a few hundred at a time are held in memory."""
    last = (-1, b"")
    while True:
        number, digest = last
        rows = await connection.execute(
            select(*_COLUMNS)
            .where(
                CONTEST.c.screening_id == screening_id,
                (CONTEST.c.block_number > number)
                | ((CONTEST.c.block_number == number) & (CONTEST.c.digest > digest)),
            )
            .order_by(CONTEST.c.block_number, CONTEST.c.digest)
            .limit(_PAGE)
        )
        page = [ContestRow(*row) for row in rows]
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        last = page[-1].block_number, page[-1].digest
