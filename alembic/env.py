"""Runs migrations, for `registry.store.migrate` and for the `alembic` command.

`registry.store.migrate` hands its connection over in the configuration's attributes. The `alembic`
command, for whoever writes a migration, takes the database from CONSENT_REGISTRY_DATABASE_URL.
Either way the writers' lock is held, and all of it is one transaction on both databases.
"""

import asyncio
import os
from typing import Any, Literal

import sqlmodel
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from alembic import context
from registry.store.engine import SQLITE, migrating
from registry.store.tables import METADATA

DATABASE_URL = "CONSENT_REGISTRY_DATABASE_URL"


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """SQLModel's string type becomes the plain one: migrations need not import SQLModel."""
    if kind == "type" and isinstance(item, sqlmodel.AutoString):
        return "sa.String()" if item.length is None else f"sa.String(length={item.length})"
    return False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_item=render_item,
        # SQLite can alter little in place; there a table is copied. PostgreSQL needs no copy.
        render_as_batch=connection.dialect.name == SQLITE,
        transactional_ddl=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def write_sql() -> None:
    """Writes the statements instead of executing them: `alembic upgrade head --sql`."""
    context.configure(
        url=os.environ[DATABASE_URL],
        target_metadata=METADATA,
        literal_binds=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_named_database() -> None:
    async with migrating(os.environ[DATABASE_URL]) as connection:
        await connection.run_sync(migrate)


if context.is_offline_mode():
    write_sql()
elif (handed_over := context.config.attributes.get("connection")) is not None:
    migrate(handed_over)
else:
    asyncio.run(migrate_named_database())
