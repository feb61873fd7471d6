"""Which sessions a record excluded images of, and how many: for its owner alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import batched

from sqlalchemy import bindparam, false, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.engine import SQLITE
from registry.store.tables import BUILDER, COMMITTED_SESSION, EXCLUSION, SCREENING

_IN_STATEMENT = 500

_COLUMNS = (
    SCREENING.c.dataset,
    BUILDER.c.name.label("builder"),
    SCREENING.c.use,
    EXCLUSION.c.images,
    EXCLUSION.c.day,
    SCREENING.c.closed_at,
    SCREENING.c.terms,
    COMMITTED_SESSION.c.session_index,
    COMMITTED_SESSION.c.certify_index,
    COMMITTED_SESSION.c.certify_digest,
)


@dataclass(frozen=True, slots=True)
class ExclusionRow:
    """Images that a record excluded from a session.

    Attributes:
        dataset: as the builder named it.
        builder: the organisation's name.
        use: what the session is for.
        images: how many, more than 0.
        day: of the newest, counted from 1970-01-01.
        closed_at: Unix seconds; None while the session is open.
        terms: of the session.
        session_index: of its SESSION entry, where it is committed.
        certify_index: of its newest CERTIFY entry, if there is one.
        certify_digest: of the certificate.
    """

    dataset: str
    builder: str
    use: int
    images: int
    day: int
    closed_at: int | None
    terms: str
    session_index: int | None
    certify_index: int | None
    certify_digest: bytes | None = field(repr=False)


async def add(
    connection: AsyncConnection, screening_id: bytes, images: Mapping[int, int], day: int
) -> None:
    """Counts images; where there are none it writes nothing, with as many statements.

    Args:
        connection: within the transaction that answers.
        screening_id: of the session.
        images: register index → how many more of its images this record excluded.
        day: today.
    """
    make = sqlite.insert if connection.dialect.name == SQLITE else postgresql.insert
    new = make(EXCLUSION)
    statement = new.on_conflict_do_update(
        index_elements=list(EXCLUSION.primary_key.columns),
        set_={"images": EXCLUSION.c.images + new.excluded.images, "day": new.excluded.day},
    )
    rows = [
        {"register_index": index, "screening_id": screening_id, "images": count, "day": day}
        for index, count in images.items()
    ]
    for portion in batched(rows, _IN_STATEMENT):
        await connection.execute(statement, list(portion))
    if not rows:
        columns = list(EXCLUSION.c)
        nothing = select(*columns).where(false())
        await connection.execute(insert(EXCLUSION).from_select(columns, nothing))


async def take_back(
    connection: AsyncConnection, screening_id: bytes, images: Mapping[int, int]
) -> None:
    """Counts images no more; where there are none it changes nothing, with as many statements.

    Args:
        connection: within the transaction that answers.
        screening_id: of the session.
        images: register index → how many of its images this record no longer excludes.
    """
    change = update(EXCLUSION).where(EXCLUSION.c.screening_id == screening_id)
    statement = change.where(
        EXCLUSION.c.register_index == bindparam("record"),
        EXCLUSION.c.images >= bindparam("fewer"),
    ).values(images=EXCLUSION.c.images - bindparam("fewer"))
    rows = [{"record": index, "fewer": count} for index, count in images.items()]
    for portion in batched(rows, _IN_STATEMENT):
        await connection.execute(statement, list(portion))
    if not rows:
        await connection.execute(change.where(false()).values(images=0))


async def of_record(
    connection: AsyncConnection, register_index: int, limit: int
) -> list[ExclusionRow]:
    """The sessions that a record excluded images of, newest first; at most `limit`."""
    rows = await connection.execute(
        select(*_COLUMNS)
        .select_from(EXCLUSION)
        .join(SCREENING, SCREENING.c.id == EXCLUSION.c.screening_id)
        .join(BUILDER, BUILDER.c.id == SCREENING.c.builder_id)
        .outerjoin(COMMITTED_SESSION, COMMITTED_SESSION.c.screening_id == SCREENING.c.id)
        .where(EXCLUSION.c.register_index == register_index, EXCLUSION.c.images > 0)
        .order_by(EXCLUSION.c.day.desc(), SCREENING.c.opened_at.desc(), SCREENING.c.id)
        .limit(limit)
    )
    return [ExclusionRow(**row._mapping) for row in rows]  # noqa: SLF001 (its public name)
