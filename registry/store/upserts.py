"""INSERT … ON CONFLICT, which both databases have and SQLAlchemy spells per dialect."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.engine import SQLITE


def _insert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    dialect = connection.dialect.name
    return sqlite.insert(table) if dialect == SQLITE else postgresql.insert(table)


async def insert_if_absent(
    connection: AsyncConnection, table: Table, row: Mapping[str, Any]
) -> bool:
    """Inserts a row unless its primary key is there.

    Returns:
        Whether it was inserted.
    """
    statement = _insert(connection, table).on_conflict_do_nothing(
        index_elements=list(table.primary_key.columns)
    )
    return (await connection.execute(statement, row)).rowcount == 1


async def insert_or_replace(
    connection: AsyncConnection, table: Table, row: Mapping[str, Any]
) -> None:
    """Inserts a row, or overwrites all of the one with its primary key."""
    statement = _insert(connection, table).values(row)
    key = {column.name for column in table.primary_key.columns}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in row if name not in key},
        )
    )
