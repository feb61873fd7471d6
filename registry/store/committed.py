"""Committed screenings: their place in the log, and the roots over their results."""

from dataclasses import dataclass, field

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import COMMITTED_BLOCK, COMMITTED_SESSION
from registry.store.upserts import insert_if_absent


@dataclass(frozen=True, slots=True)
class CommittedRow:
    """What a committed screening is in the log.

    Attributes:
        builder_key: Ed25519, 32 bytes; signs the certificate.
        session_index: of its SESSION entry.
        close_index: of its CLOSE entry, once it is closed.
        results_root: as that says.
        certify_index: of its newest CERTIFY entry, once there is one.
        certify_digest: as that says.
    """

    screening_id: bytes
    builder_key: bytes = field(repr=False)
    session_index: int
    close_index: int | None = None
    results_root: bytes | None = None
    certify_index: int | None = None
    certify_digest: bytes | None = field(default=None, repr=False)


async def insert_session(connection: AsyncConnection, row: CommittedRow) -> None:
    """Writes a new one beside its screening and its SESSION entry.

    Raises:
        StoreRefused: there is one.
    """
    await connection.execute(
        insert(COMMITTED_SESSION),
        {
            "screening_id": row.screening_id,
            "builder_key": row.builder_key,
            "session_index": row.session_index,
        },
    )


async def session(connection: AsyncConnection, screening_id: bytes) -> CommittedRow | None:
    """The committed screening of this id; None for one without a commitment."""
    rows = await connection.execute(
        select(COMMITTED_SESSION).where(COMMITTED_SESSION.c.screening_id == screening_id)
    )
    row = rows.one_or_none()
    return None if row is None else CommittedRow(**row._mapping)  # noqa: SLF001 (its public name)


async def logged_at(connection: AsyncConnection, session_index: int) -> CommittedRow | None:
    """The committed screening of this SESSION entry."""
    rows = await connection.execute(
        select(COMMITTED_SESSION).where(COMMITTED_SESSION.c.session_index == session_index)
    )
    row = rows.one_or_none()
    return None if row is None else CommittedRow(**row._mapping)  # noqa: SLF001 (its public name)


async def close(
    connection: AsyncConnection, screening_id: bytes, close_index: int, results_root: bytes
) -> None:
    """Says where it was closed, and with which results."""
    await connection.execute(
        update(COMMITTED_SESSION)
        .where(COMMITTED_SESSION.c.screening_id == screening_id)
        .values(close_index=close_index, results_root=results_root)
    )


async def certify(
    connection: AsyncConnection, screening_id: bytes, certify_index: int, digest: bytes
) -> None:
    """Says where its certificate was logged."""
    await connection.execute(
        update(COMMITTED_SESSION)
        .where(COMMITTED_SESSION.c.screening_id == screening_id)
        .values(certify_index=certify_index, certify_digest=digest)
    )


async def put_results(
    connection: AsyncConnection, screening_id: bytes, number: int, results: bytes
) -> None:
    """Writes the root over a block's results, in place of the one before a contest."""
    row = {"screening_id": screening_id, "number": number, "results": results}
    if not await insert_if_absent(connection, COMMITTED_BLOCK, row):
        await connection.execute(
            update(COMMITTED_BLOCK)
            .where(
                COMMITTED_BLOCK.c.screening_id == screening_id, COMMITTED_BLOCK.c.number == number
            )
            .values(results=results)
        )


async def results(connection: AsyncConnection, screening_id: bytes) -> list[bytes]:
    """The roots over the results of all blocks, by number."""
    return list(
        await connection.scalars(
            select(COMMITTED_BLOCK.c.results)
            .where(COMMITTED_BLOCK.c.screening_id == screening_id)
            .order_by(COMMITTED_BLOCK.c.number)
        )
    )


async def blocks_answered(connection: AsyncConnection, screening_id: bytes) -> int:
    """How many blocks were answered; they are answered in order."""
    count: int | None = await connection.scalar(
        select(func.count()).where(COMMITTED_BLOCK.c.screening_id == screening_id)
    )
    return count or 0
