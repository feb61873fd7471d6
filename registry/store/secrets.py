"""Named secrets that all processes of a registry share, wrapped by the key store."""

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import SECRET


class NewSecret(Protocol):
    """What is written of a secret."""

    @property
    def name(self) -> str:
        """What it is for."""

    @property
    def key_name(self) -> str:
        """The key in the key store that wraps it."""

    @property
    def wrapped(self) -> bytes:
        """Its wrapped value."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret; `key_name` is the key in the key store that wraps it."""

    name: str
    key_name: str
    wrapped: bytes = field(repr=False)


async def all_secrets(connection: AsyncConnection) -> list[SecretRow]:
    """Every secret, by name."""
    rows = await connection.execute(
        select(SECRET.c.name, SECRET.c.key_name, SECRET.c.wrapped).order_by(SECRET.c.name)
    )
    return [SecretRow(*row) for row in rows]


async def insert(connection: AsyncConnection, new: NewSecret) -> None:
    """Writes a new secret.

    Raises:
        StoreRefused: its name or its key's name is taken.
    """
    await connection.execute(
        insert_into(SECRET),
        {"name": new.name, "key_name": new.key_name, "wrapped": new.wrapped},
    )
