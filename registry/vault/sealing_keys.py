"""The private halves of the keys that registrants seal to (FORMATS §3)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from consent_client.protocol.encoding import lp
from consent_client.protocol.sealing import SealingSecret, Suite
from registry.errors import KeyDamaged, KeyMissing
from registry.vault.key_store import KeyStore

DESTROYED_DAYS_AFTER_EXPIRY: Final = 1
"""The private half is destroyed 24 hours after the key stops being accepted (FORMATS §3)."""

_DOMAIN = b"consent-registry/v1/sealing-key"
_NAMES = "sealing-"


class SealingKeyRow(Protocol):
    """A sealing key as it is stored."""

    @property
    def key_id(self) -> bytes:
        """8 bytes."""

    @property
    def suite(self) -> int:
        """A `Suite`."""

    @property
    def key_name(self) -> str:
        """Under which key of the key store."""

    @property
    def wrapped_private(self) -> bytes | None:
        """The wrapped private half, None once it is destroyed."""

    @property
    def expiry_day(self) -> int:
        """The first UTC day on which it is refused."""


@dataclass(frozen=True, slots=True)
class StoredSealingKey:
    """A new sealing key, to be stored.

    Attributes:
        key_id: 8 bytes.
        suite: which suite.
        public: the public half.
        key_name: the key in the key store that wraps the private half, its own.
        wrapped_private: the wrapped private half.
        issue_day: the first UTC day on which it is accepted.
        expiry_day: the first on which it is refused.
    """

    key_id: bytes
    suite: Suite
    public: bytes
    key_name: str
    wrapped_private: bytes = field(repr=False)
    issue_day: int
    expiry_day: int


def issue(key_store: KeyStore, suite: Suite, day: int, lifetime_days: int) -> StoredSealingKey:
    """A fresh sealing key, accepted for `lifetime_days` from `day` on.

    A crash before it is stored leaves a key in the key store that nothing uses: see `unknown`.

    Raises:
        KeyStoreError: the key store can not be used.
    """
    secret = SealingSecret.generate(suite)
    name = _NAMES + secret.key_id.hex()
    key_store.create(name)
    wrapped = key_store.wrap(name, secret.private_bytes, lp(_DOMAIN, secret.key_id))
    return StoredSealingKey(
        key_id=secret.key_id,
        suite=suite,
        public=secret.public_bytes,
        key_name=name,
        wrapped_private=wrapped,
        issue_day=day,
        expiry_day=day + lifetime_days,
    )


def load(key_store: KeyStore, row: SealingKeyRow) -> SealingSecret:
    """The private half.

    Raises:
        KeyMissing: it was destroyed.
        KeyDamaged: what was wrapped is no private key of that suite.
        KeyStoreError: the key store can not be used, or what was wrapped does not open.
    """
    if row.wrapped_private is None:
        raise KeyMissing("this sealing key's private half was destroyed")
    private = key_store.unwrap(row.key_name, row.wrapped_private, lp(_DOMAIN, row.key_id))
    try:
        return SealingSecret.from_private_bytes(Suite(row.suite), private)
    except ValueError:  # a ProtocolError is one, too
        raise KeyDamaged("what was wrapped is no private key of that suite") from None


def expired(row: SealingKeyRow, day: int) -> bool:
    """Whether it is not accepted any more on this UTC day; on its expiry day it is not."""
    return day >= row.expiry_day


def must_be_destroyed(row: SealingKeyRow, day: int) -> bool:
    """Whether its private half has to go by this UTC day, and has not yet."""
    return row.wrapped_private is not None and expired(row, day - DESTROYED_DAYS_AFTER_EXPIRY)


def is_lost(row: SealingKeyRow, names: Collection[str]) -> bool:
    """Whether a private half that should be there can not be opened: the key store lost its key."""
    return row.wrapped_private is not None and row.key_name not in names


def forgotten(names: Iterable[str], rows: Iterable[SealingKeyRow]) -> set[str]:
    """Keys in the key store whose private halves the database has forgotten.

    Args:
        names: all of the key store.
        rows: all that are stored.
    """
    return set(names) & {row.key_name for row in rows if row.wrapped_private is None}


def unknown(names: Iterable[str], rows: Iterable[SealingKeyRow]) -> set[str]:
    """Keys for sealing keys that the database never heard of.

    A crash between key store and database leaves one. But to a database that was restored from a
    backup, and to a copy of one, every key issued since is unknown, too: so they are left alone
    until any sealing key of their age has expired.
    """
    stored = {row.key_name for row in rows}
    return {name for name in names if name.startswith(_NAMES)} - stored
