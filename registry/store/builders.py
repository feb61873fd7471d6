"""Builders and the hashes of their tokens."""

from dataclasses import dataclass, field

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import BUILDER


@dataclass(frozen=True, slots=True)
class BuilderRow:
    """A builder.

    Attributes:
        token_id: the public half of its token, by which it is found.
        created_day: UTC day number.
        revoked_day: UTC day number, or None while the token is good.
        daily_items: images it may screen per day, or None for the registry's default.
    """

    id: int
    name: str
    token_id: str
    token_hash: bytes = field(repr=False)
    created_day: int
    revoked_day: int | None
    daily_items: int | None


_COLUMNS = (
    BUILDER.c.id,
    BUILDER.c.name,
    BUILDER.c.token_id,
    BUILDER.c.token_hash,
    BUILDER.c.created_day,
    BUILDER.c.revoked_day,
    BUILDER.c.daily_items,
)


async def add(
    connection: AsyncConnection,
    name: str,
    token_id: str,
    token_hash: bytes,
    created_day: int,
    daily_items: int | None,
) -> int:
    """Writes a new builder.

    Returns:
        Its id.

    Raises:
        StoreRefused: the name or the token's id is taken.
    """
    written = await connection.execute(
        insert(BUILDER).returning(BUILDER.c.id),
        {
            "name": name,
            "token_id": token_id,
            "token_hash": token_hash,
            "created_day": created_day,
            "daily_items": daily_items,
        },
    )
    return int(written.scalar_one())


async def by_token_id(connection: AsyncConnection, token_id: str) -> BuilderRow | None:
    """The builder with this token's id, revoked or not."""
    rows = await connection.execute(select(*_COLUMNS).where(BUILDER.c.token_id == token_id))
    row = rows.one_or_none()
    return None if row is None else BuilderRow(*row)


async def all_builders(connection: AsyncConnection) -> list[BuilderRow]:
    """Every builder, in the order they were added."""
    rows = await connection.execute(select(*_COLUMNS).order_by(BUILDER.c.id))
    return [BuilderRow(*row) for row in rows]


async def revoke(connection: AsyncConnection, name: str, day: int) -> bool:
    """Ends a builder's token; once revoked, the first day stays.

    Returns:
        Whether there was one to end.
    """
    revoked = await connection.execute(
        update(BUILDER)
        .where(BUILDER.c.name == name, BUILDER.c.revoked_day.is_(None))
        .values(revoked_day=day)
    )
    return revoked.rowcount == 1
