"""Named secrets of 32 bytes that all processes of a registry share."""

import secrets
from dataclasses import dataclass, field
from typing import Final, Protocol

from consent_client.protocol.encoding import lp
from registry.vault.key_store import KeyStore

SECRET_BYTES: Final = 32
_DOMAIN = b"consent-registry/v1/secret"


class SecretRow(Protocol):
    """A secret as it is stored."""

    @property
    def name(self) -> str:
        """What it is for."""

    @property
    def key_name(self) -> str:
        """Under which key of the key store."""

    @property
    def wrapped(self) -> bytes:
        """The wrapped secret."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A new secret, to be stored."""

    name: str
    key_name: str
    wrapped: bytes = field(repr=False)


def issue(key_store: KeyStore, name: str) -> StoredSecret:
    """A fresh secret.

    Raises:
        KeyStoreError: the key store can not be used.
    """
    key_name = f"secret-{name}"
    key_store.create(key_name)
    wrapped = key_store.wrap(key_name, secrets.token_bytes(SECRET_BYTES), lp(_DOMAIN, name))
    return StoredSecret(name, key_name, wrapped)


def load(key_store: KeyStore, row: SecretRow) -> bytes:
    """The secret, 32 bytes.

    Raises:
        KeyMissing: its key is gone.
        KeyStoreError: the key store can not be used.
    """
    return key_store.unwrap(row.key_name, row.wrapped, lp(_DOMAIN, row.name))
