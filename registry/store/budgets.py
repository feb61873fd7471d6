"""What builders' candidates matched, counted per record; and builders who are held.

A candidate is a keyed digest: nobody without the key, which lies in the vault, can test guesses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from sqlalchemy import delete, false, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.engine import SQLITE
from registry.store.tables import BUILDER, HOLD, POSITIVE, Rate

_IN_LIMIT = 500
"""Values in one statement; SQLite takes 32,766 variables."""


@dataclass(frozen=True, slots=True)
class Need:
    """Why a builder is held.

    Attributes:
        register_index: the record whose budget would have been exceeded; None: another reason.
        rate: which of its budgets.
        allowance: what the release of it allows; None: no change.
    """

    register_index: int | None
    rate: Rate
    allowance: int | None


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold: nothing new is answered to this builder until its operator has released it.

    Attributes:
        builder: its name.
        register_index: the record whose budget would have been exceeded; None: all of them
            together, or the operator's own decision.
        rate: which of its budgets.
        held_at, released_at: Unix seconds.
        allowance: candidates that may match that record once this was released; None: no change.
    """

    builder: str
    register_index: int | None
    rate: Rate
    held_at: int
    released_at: int | None
    allowance: int | None


async def count(
    connection: AsyncConnection, builder_id: int, told: Mapping[Rate, Iterable[tuple[int, bytes]]]
) -> None:
    """Counts candidates; those that are counted already are not counted again.

    Where there are none it writes nothing, with as many statements.

    Args:
        connection: within the transaction that answers.
        builder_id: who asks.
        told: as what → register index and digest of each candidate.
    """
    make = sqlite.insert if connection.dialect.name == SQLITE else postgresql.insert
    statement = make(POSITIVE).on_conflict_do_nothing(
        index_elements=list(POSITIVE.primary_key.columns)
    )
    rows = [
        {
            "builder_id": builder_id,
            "register_index": register_index,
            "rate": rate,
            "candidate": candidate,
        }
        for rate, candidates in told.items()
        for register_index, candidate in candidates
    ]
    for portion in batched(rows, _IN_LIMIT):
        await connection.execute(statement, list(portion))
    if not rows:
        columns = list(POSITIVE.c)
        nothing = select(*columns).where(false())
        await connection.execute(insert(POSITIVE).from_select(columns, nothing))


async def counted(
    connection: AsyncConnection, builder_id: int, registers: Sequence[int]
) -> dict[tuple[Rate, int], int]:
    """(rate, register index) → distinct candidates of this builder, where there are any."""
    found: dict[tuple[Rate, int], int] = {}
    for portion in batched(registers, _IN_LIMIT) if registers else [()]:
        rows = await connection.execute(
            select(POSITIVE.c.rate, POSITIVE.c.register_index, func.count())
            .where(
                POSITIVE.c.builder_id == builder_id,
                POSITIVE.c.register_index.in_(portion),
            )
            .group_by(POSITIVE.c.rate, POSITIVE.c.register_index)
        )
        found.update(
            ((Rate(rate), register_index), number) for rate, register_index, number in rows
        )
    return found


async def allowances(
    connection: AsyncConnection, builder_id: int
) -> Mapping[tuple[Rate, int], int]:
    """(rate, register index) → candidates that an operator's release has allowed this builder."""
    rows = await connection.execute(
        select(HOLD.c.rate, HOLD.c.register_index, func.max(HOLD.c.allowance).label("allowance"))
        .where(
            HOLD.c.builder_id == builder_id,
            HOLD.c.released_at.is_not(None),
            HOLD.c.register_index.is_not(None),
            HOLD.c.allowance.is_not(None),
        )
        .group_by(HOLD.c.rate, HOLD.c.register_index)
    )
    return {(Rate(row.rate), row.register_index): row.allowance for row in rows}


async def forget(connection: AsyncConnection, registers: Sequence[int]) -> None:
    """Removes what was counted for records that have ended."""
    await connection.execute(delete(POSITIVE).where(POSITIVE.c.register_index.in_(registers)))


async def is_held(connection: AsyncConnection, builder_id: int) -> bool:
    """Whether a hold of this builder waits for the operator."""
    held = await connection.scalar(
        select(HOLD.c.id)
        .where(HOLD.c.builder_id == builder_id, HOLD.c.released_at.is_(None))
        .limit(1)
    )
    return held is not None


async def hold(
    connection: AsyncConnection,
    builder_id: int,
    at: int,
    needs: Sequence[Need],
) -> None:
    """Holds a builder.

    Args:
        connection: of a writing transaction.
        builder_id: whom.
        at: Unix seconds.
        needs: for which records.
    """
    await connection.execute(
        insert(HOLD),
        [
            {
                "builder_id": builder_id,
                "register_index": need.register_index,
                "rate": need.rate,
                "held_at": at,
                "allowance": need.allowance,
            }
            for need in needs
        ],
    )


async def release(connection: AsyncConnection, builder_id: int, at: int) -> int:
    """Releases all holds of a builder; returns how many there were."""
    released = await connection.execute(
        update(HOLD)
        .where(HOLD.c.builder_id == builder_id, HOLD.c.released_at.is_(None))
        .values(released_at=at)
    )
    return released.rowcount


async def holds(connection: AsyncConnection, *, released: bool) -> list[HoldRow]:
    """Holds in the order they were made; only those that wait, or also the released ones."""
    query = select(
        BUILDER.c.name,
        HOLD.c.register_index,
        HOLD.c.rate,
        HOLD.c.held_at,
        HOLD.c.released_at,
        HOLD.c.allowance,
    ).join_from(HOLD, BUILDER)
    if not released:
        query = query.where(HOLD.c.released_at.is_(None))
    rows = await connection.execute(query.order_by(HOLD.c.id))
    return [
        HoldRow(name, register_index, Rate(rate), held_at, released_at, allowance)
        for name, register_index, rate, held_at, released_at, allowance in rows
    ]
