"""Builders' tokens: made once, shown once, kept only as a hash."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from registry.errors import Conflict, InvalidInput, Unauthenticated
from registry.services.clock import Clock, day_of
from registry.services.names import plain
from registry.store import builders
from registry.store.engine import Store

# crb = consent registry builder; a fixed prefix lets secret scanners find a leaked token.
TOKEN_PREFIX = "crb"  # noqa: S105 (a prefix, not a token)
TOKEN_ID_BYTES = 6
SECRET_BYTES = 32
MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Builder:
    """Who screens: an organisation that assembles training data."""

    id: int
    name: str
    daily_items: int | None


async def add_builder(store: Store, clock: Clock, name: str, daily_items: int | None) -> str:
    """Adds a builder.

    Returns:
        Its token. It can not be had again: the registry keeps only its hash.

    Raises:
        InvalidInput: an empty or overlong name.
        Conflict: the name is taken.
    """
    if not plain(name, MAX_NAME_CHARACTERS):
        message = f"A builder's name has 1 to {MAX_NAME_CHARACTERS} plain characters."
        raise InvalidInput(message)
    token_id, secret = secrets.token_hex(TOKEN_ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    async with store.write() as connection:
        if any(row.name == name for row in await builders.all_builders(connection)):
            message = f"There is a builder named {name!r} already."
            raise Conflict(message)
        await builders.add(connection, name, token_id, _hash(secret), day_of(clock), daily_items)
    return f"{TOKEN_PREFIX}_{token_id}_{secret}"


async def authenticate(store: Store, authorization: str | None) -> Builder:
    """Finds the builder of an `Authorization: Bearer` header.

    Raises:
        Unauthenticated: missing, malformed, unknown or revoked; never said which.
    """
    refused = Unauthenticated("This needs a builder's token.")
    scheme, _, token = (authorization or "").partition(" ")
    prefix, _, rest = token.strip().partition("_")
    token_id, _, secret = rest.partition("_")
    if scheme.lower() != "bearer" or prefix != TOKEN_PREFIX or not token.isascii() or not secret:
        raise refused
    async with store.read() as connection:
        row = await builders.by_token_id(connection, token_id)
    expected = row.token_hash if row else bytes(32)
    genuine = hmac.compare_digest(expected, _hash(secret))
    if row is None or not genuine or row.revoked_day is not None:
        raise refused
    return Builder(row.id, row.name, row.daily_items)


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()
