"""Sealing keys: public halves, and private halves wrapped by the key store."""

from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import insert as insert_into
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import SEALING_KEY


class NewSealingKey(Protocol):
    """What is written of a sealing key."""

    @property
    def key_id(self) -> bytes:
        """8 bytes, as in the published note."""

    @property
    def suite(self) -> int:
        """Of `consent_client.protocol.sealing.Suite`."""

    @property
    def public(self) -> bytes:
        """Its public half."""

    @property
    def key_name(self) -> str:
        """The key in the key store that wraps it."""

    @property
    def wrapped_private(self) -> bytes | None:
        """Its wrapped private half."""

    @property
    def issue_day(self) -> int:
        """UTC day number."""

    @property
    def expiry_day(self) -> int:
        """UTC day number."""


@dataclass(frozen=True, slots=True)
class SealingKeyRow:
    """A sealing key.

    Attributes:
        key_name: the key in the key store that wraps its private half.
        wrapped_private: None once it is destroyed.
        issue_day, expiry_day: UTC day numbers.
    """

    key_id: bytes
    suite: int
    public: bytes
    key_name: str
    wrapped_private: bytes | None = field(repr=False)
    issue_day: int
    expiry_day: int


async def all_keys(connection: AsyncConnection) -> list[SealingKeyRow]:
    """Every sealing key there ever was, oldest first."""
    rows = await connection.execute(
        select(
            SEALING_KEY.c.key_id,
            SEALING_KEY.c.suite,
            SEALING_KEY.c.public,
            SEALING_KEY.c.key_name,
            SEALING_KEY.c.wrapped_private,
            SEALING_KEY.c.issue_day,
            SEALING_KEY.c.expiry_day,
        ).order_by(SEALING_KEY.c.issue_day, SEALING_KEY.c.suite, SEALING_KEY.c.key_id)
    )
    return [SealingKeyRow(*row) for row in rows]


async def insert(connection: AsyncConnection, new: NewSealingKey) -> None:
    """Writes a new sealing key.

    Raises:
        StoreRefused: its id or its key's name is taken.
    """
    await connection.execute(
        insert_into(SEALING_KEY),
        {
            "key_id": new.key_id,
            "suite": int(new.suite),
            "public": new.public,
            "key_name": new.key_name,
            "wrapped_private": new.wrapped_private,
            "issue_day": new.issue_day,
            "expiry_day": new.expiry_day,
        },
    )


async def forget_private(connection: AsyncConnection, key_id: bytes) -> None:
    """Removes the wrapped private half; the public one stays, so that its id means "expired"."""
    await connection.execute(
        update(SEALING_KEY).where(SEALING_KEY.c.key_id == key_id).values(wrapped_private=None)
    )
