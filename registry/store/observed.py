"""What the database holds that operators watch: sizes and counts, in one look."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import distinct, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store import entries
from registry.store.tables import BUILDER, HOLD, TERMINAL, Rate

WHOLE = "whole"
"""Kind of the holds that are about no single record: a block that matched too much of everything,
or the operator's own decision."""

HOLD_KINDS = (*(rate.name.lower() for rate in Rate), WHOLE)
"""Whose budget would have been exceeded, see `tables.Rate`; or `WHOLE`."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was counted.

    Attributes:
        log_size: entries in the log.
        unshredded: records that have ended and still have their data keys.
        waiting, released: kind → holds that wait for the operator, and those that were released.
        builders_held: builders whose token is valid, with a hold that waits.
    """

    log_size: int
    unshredded: int
    waiting: Mapping[str, int]
    released: Mapping[str, int]
    builders_held: int


async def observe(connection: AsyncConnection) -> Observed:
    """Counts; every kind of hold is there, also those that never were."""
    unshredded = await connection.scalar(
        select(func.count()).select_from(TERMINAL).where(text("NOT shredded"))
    )
    held = await connection.scalar(
        select(func.count(distinct(HOLD.c.builder_id)))
        .join_from(HOLD, BUILDER)
        .where(HOLD.c.released_at.is_(None), BUILDER.c.revoked_day.is_(None))
    )
    whole, released = HOLD.c.register_index.is_(None), HOLD.c.released_at.is_not(None)
    rows = await connection.execute(
        select(HOLD.c.rate, whole, released, func.count()).group_by(HOLD.c.rate, whole, released)
    )
    counts = {of_released: dict.fromkeys(HOLD_KINDS, 0) for of_released in (False, True)}
    for rate, of_whole, of_released, number in rows:
        counts[bool(of_released)][WHOLE if of_whole else Rate(rate).name.lower()] += number
    return Observed(
        log_size=await entries.log_size(connection),
        unshredded=unshredded or 0,
        waiting=counts[False],
        released=counts[True],
        builders_held=held or 0,
    )
