"""Screenings and the answers to their blocks. What was asked is never stored."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import SCREENING, SCREENING_BLOCK
from registry.store.upserts import insert_if_absent

# Blocks read at a time when a screening is counted: 2.5 MB of verdicts at most.
_PAGE = 256


@dataclass(frozen=True, slots=True)
class ScreeningRow:
    """A builder's session.

    Attributes:
        use: of `consent_client.protocol.statements.Use`.
        required_spaces: ids of the spaces every image must have a fingerprint in.
        opt_in_spaces: ids of the spaces of people that are looked in, too.
        terms: what the session was promised, canonical JSON.
        root: of the committed manifest, 32 bytes, or None.
        opened_at, closed_at: Unix seconds.
    """

    id: bytes
    builder_id: int
    dataset: str
    use: int
    required_spaces: tuple[str, ...]
    candidate_count: int
    opened_at: int
    closed_at: int | None
    opt_in_spaces: tuple[str, ...]
    terms: str
    root: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlockRow:
    """The answer to a block.

    Attributes:
        digest: keyed digest of what was asked, 32 bytes.
        count: images in it.
        present: for each space sent, images with a fingerprint in it.
        log_size: the log size the answer holds for.
        verdicts: one byte per image.
    """

    screening_id: bytes
    number: int
    digest: bytes
    count: int
    present: Mapping[str, int]
    log_size: int
    verdicts: bytes


_SCREENING_COLUMNS = (
    SCREENING.c.id,
    SCREENING.c.builder_id,
    SCREENING.c.dataset,
    SCREENING.c.use,
    SCREENING.c.required_spaces,
    SCREENING.c.candidate_count,
    SCREENING.c.opened_at,
    SCREENING.c.closed_at,
    SCREENING.c.opt_in_spaces,
    SCREENING.c.terms,
    SCREENING.c.root,
)
_BLOCK_COLUMNS = (
    SCREENING_BLOCK.c.screening_id,
    SCREENING_BLOCK.c.number,
    SCREENING_BLOCK.c.digest,
    SCREENING_BLOCK.c.count,
    SCREENING_BLOCK.c.present,
    SCREENING_BLOCK.c.log_size,
    SCREENING_BLOCK.c.verdicts,
)


async def insert(connection: AsyncConnection, row: ScreeningRow) -> None:
    """Writes a new screening.

    Raises:
        StoreRefused: its id is taken, or there is no such builder.
    """
    await connection.execute(
        insert_into(SCREENING),
        {
            "id": row.id,
            "builder_id": row.builder_id,
            "dataset": row.dataset,
            "use": int(row.use),
            "required_spaces": ",".join(row.required_spaces),
            "candidate_count": row.candidate_count,
            "answered": 0,
            "opened_at": row.opened_at,
            "closed_at": row.closed_at,
            "opt_in_spaces": ",".join(row.opt_in_spaces),
            "terms": row.terms,
            "root": row.root,
        },
    )


async def by_id(connection: AsyncConnection, screening_id: bytes) -> ScreeningRow | None:
    """The screening of this id, whoever's it is."""
    rows = await connection.execute(
        select(*_SCREENING_COLUMNS).where(SCREENING.c.id == screening_id)
    )
    row = rows.one_or_none()
    return None if row is None else _screening_row(row)


async def of_dataset(connection: AsyncConnection, dataset: str, limit: int) -> list[ScreeningRow]:
    """Sessions for a data set of this name, newest first; at most `limit`."""
    rows = await connection.execute(
        select(*_SCREENING_COLUMNS)
        .where(SCREENING.c.dataset == dataset)
        .order_by(SCREENING.c.opened_at.desc(), SCREENING.c.id)
        .limit(limit)
    )
    return [_screening_row(row) for row in rows]


async def close(connection: AsyncConnection, screening_id: bytes, at: int) -> None:
    """Closes a screening at a time in Unix seconds; once closed, the first time stays."""
    await connection.execute(
        update(SCREENING)
        .where(SCREENING.c.id == screening_id, SCREENING.c.closed_at.is_(None))
        .values(closed_at=at)
    )


async def block(connection: AsyncConnection, screening_id: bytes, number: int) -> BlockRow | None:
    """The answer to a block, if it was answered."""
    rows = await connection.execute(
        select(*_BLOCK_COLUMNS).where(
            SCREENING_BLOCK.c.screening_id == screening_id, SCREENING_BLOCK.c.number == number
        )
    )
    row = rows.one_or_none()
    return None if row is None else _block_row(row)


async def insert_block(connection: AsyncConnection, row: BlockRow) -> BlockRow:
    """Writes the answer to a block, unless the block was answered before: the first wins.

    Returns:
        The answer that is stored: this one, or the earlier one.

    Raises:
        StoreRefused: no such screening, or more images than it announced.
    """
    inserted = await insert_if_absent(
        connection,
        SCREENING_BLOCK,
        {
            "screening_id": row.screening_id,
            "number": row.number,
            "digest": row.digest,
            "count": row.count,
            "present": json.dumps(dict(row.present), sort_keys=True, separators=(",", ":")),
            "log_size": row.log_size,
            "verdicts": row.verdicts,
        },
    )
    if inserted:
        await connection.execute(
            update(SCREENING)
            .where(SCREENING.c.id == row.screening_id)
            .values(answered=SCREENING.c.answered + row.count)
        )
        return row
    stored = await block(connection, row.screening_id, row.number)
    return row if stored is None else stored


async def answered(connection: AsyncConnection, screening_id: bytes) -> int:
    """Images in the blocks that were answered; 0 if there is no such screening."""
    count: int | None = await connection.scalar(
        select(SCREENING.c.answered).where(SCREENING.c.id == screening_id)
    )
    return count or 0


async def blocks(connection: AsyncConnection, screening_id: bytes) -> AsyncIterator[BlockRow]:
    """The answers to all blocks, by number; a few hundred at a time are held in memory."""
    last = -1
    while True:
        rows = await connection.execute(
            select(*_BLOCK_COLUMNS)
            .where(SCREENING_BLOCK.c.screening_id == screening_id, SCREENING_BLOCK.c.number > last)
            .order_by(SCREENING_BLOCK.c.number)
            .limit(_PAGE)
        )
        page = [_block_row(row) for row in rows]
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        last = page[-1].number


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(",")) if joined else ()


def _screening_row(row: Row[*tuple[Any, ...]]) -> ScreeningRow:
    return ScreeningRow(
        id=row.id,
        builder_id=row.builder_id,
        dataset=row.dataset,
        use=row.use,
        required_spaces=_names(row.required_spaces),
        candidate_count=row.candidate_count,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        opt_in_spaces=_names(row.opt_in_spaces),
        terms=row.terms,
        root=row.root,
    )


def _block_row(row: Row[*tuple[Any, ...]]) -> BlockRow:
    # By position: `count` is a method of the row.
    screening_id, number, digest, count, present, log_size, verdicts = row
    return BlockRow(
        screening_id=screening_id,
        number=number,
        digest=digest,
        count=count,
        present=json.loads(present),
        log_size=log_size,
        verdicts=verdicts,
    )
