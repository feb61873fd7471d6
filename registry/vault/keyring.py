"""The epochs' keys (KEK), plain in memory, wrapped everywhere else."""

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from consent_client.protocol.encoding import lp, u32
from registry.errors import EnvelopeError
from registry.vault.envelope import KEY_BYTES, Kek
from registry.vault.key_store import KeyStore

_DOMAIN = b"consent-registry/v1/epoch"


class WrappedEpoch(Protocol):
    """An epoch as it is stored: number, name of the key that wraps its key, and the wrapped key."""

    @property
    def epoch(self) -> int:
        """Its number, from 1."""

    @property
    def key_name(self) -> str:
        """Under which key of the key store."""

    @property
    def wrapped(self) -> bytes:
        """The wrapped KEK."""


@dataclass(frozen=True, slots=True)
class EpochKey:
    """A new epoch, to be stored.

    Attributes:
        epoch: its number, from 1.
        key_name: the key in the key store that wraps its key; destroying that ends the epoch.
        wrapped: its wrapped key.
        created_day: UTC day number.
    """

    epoch: int
    key_name: str
    wrapped: bytes = field(repr=False)
    created_day: int


class Keyring:
    """The keys of the epochs that are not destroyed.

    Readers see an immutable mapping that is swapped whole: who took it before a swap goes on with
    the old one. Python can not wipe memory, so forgetting a key is best effort: its bytes may
    linger until their memory is used again. What makes an epoch unreadable is that its key in the
    key store is destroyed, not that this process forgot it.

    Args:
        key_store: wraps and unwraps them.
    """

    def __init__(self, key_store: KeyStore) -> None:
        self._key_store = key_store
        self._keks: Mapping[int, Kek] = MappingProxyType({})
        self._wrapped: Mapping[int, bytes] = {}
        self._loading = threading.Lock()

    @property
    def keks(self) -> Mapping[int, Kek]:
        """Epoch → key."""
        return self._keks

    @property
    def current_epoch(self) -> int:
        """The newest epoch known here, 0 before any was loaded."""
        return max(self._keks, default=0)

    def load(self, epochs: Sequence[WrappedEpoch]) -> None:
        """Knows these epochs from now on, and no others.

        An epoch that is known already is not asked for again, unless another key is stored for it
        now: a key that was made but never stored must not outlive the one that was.

        Raises:
            KeyMissing: an epoch's key was destroyed; read the epochs again.
            KeyStoreError: the key store can not be used.
            EnvelopeError: what was wrapped is no key.
            In all cases the keyring is as it was.
        """
        with self._loading:
            wrapped = {row.epoch: row.wrapped for row in epochs}
            if len(wrapped) != len(epochs):
                raise EnvelopeError("an epoch is there twice")
            keks = {
                row.epoch: self._keks[row.epoch]
                if self._wrapped.get(row.epoch) == row.wrapped
                else Kek(self._key_store.unwrap(row.key_name, row.wrapped, _context(row.epoch)))
                for row in epochs
            }
            self._keks, self._wrapped = MappingProxyType(keks), wrapped

    def new_epoch(self, epoch: int, day: int) -> EpochKey:
        """A fresh epoch; it counts once it is stored and loaded.

        Interrupted before it is stored and asked for again, it uses the same key of the key store
        for a new KEK: nothing was wrapped under the lost one.

        Raises:
            KeyStoreError: the key store can not be used.
        """
        name = f"epoch-{epoch}"
        self._key_store.create(name)
        wrapped = self._key_store.wrap(name, secrets.token_bytes(KEY_BYTES), _context(epoch))
        return EpochKey(epoch, name, wrapped, day)


def _context(epoch: int) -> bytes:
    return lp(_DOMAIN, u32(epoch))
