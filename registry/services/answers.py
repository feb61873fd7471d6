"""Answers to blocks and contests, enciphered on their way to the store (`vault.verdicts`)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store import contests, screenings
from registry.vault.verdicts import are_hidden, hide_verdicts, keystream, show_verdicts, xor

_BLOCK: Final = "screening_block.verdicts"
_CONTEST: Final = "contest.verdicts"
_ROWS: Final = "contest.rows"


async def insert_block(
    connection: AsyncConnection, secret: bytes, row: screenings.BlockRow
) -> None:
    """See `screenings.insert_block`; the block was not answered before."""
    stream = _block_stream(secret, row)
    hidden = hide_verdicts(row.verdicts, stream)
    await screenings.insert_block(connection, replace(row, verdicts=hidden))


async def block(
    connection: AsyncConnection, secret: bytes, screening_id: bytes, number: int
) -> screenings.BlockRow | None:
    """See `screenings.block`."""
    row = await screenings.block(connection, screening_id, number)
    return None if row is None else _shown_block(secret, row)


async def blocks(
    connection: AsyncConnection, secret: bytes, screening_id: bytes
) -> AsyncIterator[screenings.BlockRow]:
    """See `screenings.blocks`."""
    async for row in screenings.blocks(connection, screening_id):
        yield _shown_block(secret, row)


async def insert_contest(
    connection: AsyncConnection, secret: bytes, row: contests.ContestRow
) -> None:
    """See `contests.insert`."""
    hidden = replace(
        row,
        rows=xor(row.rows, _contest_stream(secret, _ROWS, row, len(row.rows))),
        verdicts=hide_verdicts(
            row.verdicts, _contest_stream(secret, _CONTEST, row, len(row.verdicts))
        ),
    )
    await contests.insert(connection, hidden)


async def contests_of_block(
    connection: AsyncConnection, secret: bytes, screening_id: bytes, number: int
) -> list[contests.ContestRow]:
    """See `contests.of_block`."""
    rows = await contests.of_block(connection, screening_id, number)
    return [_shown_contest(secret, row) for row in rows]


async def contests_of_screening(
    connection: AsyncConnection, secret: bytes, screening_id: bytes
) -> AsyncIterator[contests.ContestRow]:
    """See `contests.of_screening`."""
    async for row in contests.of_screening(connection, screening_id):
        yield _shown_contest(secret, row)


def _shown_block(secret: bytes, row: screenings.BlockRow) -> screenings.BlockRow:
    return replace(row, verdicts=show_verdicts(row.verdicts, _block_stream(secret, row)))


def _shown_contest(secret: bytes, row: contests.ContestRow) -> contests.ContestRow:
    if not are_hidden(row.verdicts):
        return row
    return replace(
        row,
        rows=xor(row.rows, _contest_stream(secret, _ROWS, row, len(row.rows))),
        verdicts=show_verdicts(
            row.verdicts, _contest_stream(secret, _CONTEST, row, len(row.verdicts))
        ),
    )


def _block_stream(secret: bytes, row: screenings.BlockRow) -> bytes:
    length = len(row.verdicts)
    return keystream(secret, _BLOCK, row.screening_id, row.number, row.digest, row.log_size, length)


def _contest_stream(secret: bytes, kind: str, row: contests.ContestRow, length: int) -> bytes:
    return keystream(
        secret, kind, row.screening_id, row.block_number, row.digest, row.log_size, length
    )
