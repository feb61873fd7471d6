"""The private halves of the keys that registrants seal to (FORMATS §3)."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from consent_client.protocol.encoding import lp
from consent_client.protocol.sealing import SealingSecret, Suite
from registry.errors import KeyMissing
from registry.vault.key_store import KeyStore

DESTROYED_DAYS_AFTER_EXPIRY: Final = 1
"""The private half lives one day longer than the key is accepted: for what was under way."""

_DOMAIN = b"consent-registry/v1/sealing-key"


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

    Raises:
        KeyStoreError: the key store can not be used.
    """
    secret = SealingSecret.generate(suite)
    name = f"sealing-{secret.key_id.hex()}"
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
        KeyStoreError: the key store can not be used.
        ProtocolError: what was wrapped is no private key of that suite.
    """
    if row.wrapped_private is None:
        raise KeyMissing("this sealing key's private half was destroyed")
    private = key_store.unwrap(row.key_name, row.wrapped_private, lp(_DOMAIN, row.key_id))
    return SealingSecret.from_private_bytes(Suite(row.suite), private)


def expired(row: SealingKeyRow, day: int) -> bool:
    """Whether it is not accepted any more on this UTC day."""
    return day >= row.expiry_day


def must_be_destroyed(row: SealingKeyRow, day: int) -> bool:
    """Whether its private half has to go by this UTC day, and has not yet."""
    return row.wrapped_private is not None and expired(row, day - DESTROYED_DAYS_AFTER_EXPIRY)
