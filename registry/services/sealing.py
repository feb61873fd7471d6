"""The keys that registrants seal to: issued in time, published as a signed note, destroyed in time.

A key is accepted until its expiry day; a new one is issued when the newest has lived half its
life, so that a client always finds one with weeks to go. The private half is destroyed a day after
expiry: from then on what was sealed to it can not be opened by anybody.
"""

import asyncio
from collections.abc import Sequence

import structlog

from consent_client.errors import SealError
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.sealing import (
    SealingKey,
    SealingSecret,
    Suite,
    encode_sealing_keys,
    open_sealed,
)
from registry.errors import KeyMissing, SealingKeyExpired, SealingKeyUnknown, SealRejected
from registry.services.clock import SECONDS_PER_DAY, Clock, day_of
from registry.services.founding import names_in_own
from registry.store import sealing_keys as stored
from registry.store.engine import Store
from registry.vault import sealing_keys as vault
from registry.vault.key_store import KeyStore

log = structlog.get_logger(__name__)

_UNKNOWN = "This registry has no such sealing key; fetch the current ones."


class Sealing:
    """The registry's sealing keys, as this process knows them.

    Args:
        store: where all processes keep them.
        key_store: unwraps the private halves.
        origin: the registry's name, part of what every blob is bound to.
        signer: signs the published note.
        clock: tells the day.
        lifetime_days: how long a key is accepted.
    """

    def __init__(
        self,
        store: Store,
        key_store: KeyStore,
        origin: str,
        signer: NoteSigner,
        clock: Clock,
        lifetime_days: int,
    ) -> None:
        self._store = store
        self._key_store = key_store
        self._origin = origin
        self._signer = signer
        self._clock = clock
        self._lifetime_days = lifetime_days
        self._keys: dict[bytes, stored.SealingKeyRow] = {}
        self._secrets: dict[bytes, SealingSecret] = {}
        self._looked_on = -1
        self.note = ""

    async def refresh(self) -> None:
        """Issues what is missing, destroys what is past, and publishes the note anew.

        Raises:
            StoreError, VaultError: the database or the key store can not be reached.
        """
        today = day_of(self._clock)
        async with self._store.read() as connection:
            rows = await stored.all_keys(connection)
        if self._due(rows, today):
            rows = await self._turn_over(today)
        self._publish(rows, today)

    async def open(
        self, key_id: bytes, sealed: bytes, record_id: bytes, owner_public_key: bytes
    ) -> bytes:
        """Opens a blob.

        Returns:
            The 8,192 bytes of plaintext.

        Raises:
            SealingKeyUnknown, SealingKeyExpired: seal again with a published key.
            SealRejected: it does not open: wrong key, record, owner, or altered on the way.
        """
        if key_id not in self._keys:
            await self.refresh()  # another process may have issued it
        key = self._keys.get(key_id)
        if key is None:
            raise SealingKeyUnknown(_UNKNOWN)
        if vault.expired(key, day_of(self._clock)):
            message = "That sealing key has expired; fetch the current ones and seal again."
            raise SealingKeyExpired(message)
        if key.wrapped_private is None:
            raise SealingKeyUnknown(_UNKNOWN)
        secret = self._secrets.get(key_id)
        if secret is None:
            try:
                secret = await asyncio.to_thread(vault.load, self._key_store, key)
            except KeyMissing:
                self._looked_on = -1  # it is replaced at once, not tomorrow
                await self.refresh()
                raise SealingKeyUnknown(_UNKNOWN) from None
            self._secrets[key_id] = secret
        try:
            return open_sealed(sealed, secret, key_id, self._origin, record_id, owner_public_key)
        except SealError:
            message = "The sealed record does not open."
            raise SealRejected(message) from None

    def _due(self, rows: Sequence[stored.SealingKeyRow], today: int) -> bool:
        # Once a day and at each start in any case: a crash may have left a key over.
        return (
            self._looked_on != today
            or bool(self._aging_suites(rows, today))
            or any(vault.must_be_destroyed(key, today) for key in rows)
        )

    def _aging_suites(self, rows: Sequence[stored.SealingKeyRow], today: int) -> list[Suite]:
        needed = today + self._lifetime_days // 2
        return [
            suite
            for suite in Suite
            if not any(
                key.suite == suite and key.expiry_day > needed and key.wrapped_private is not None
                for key in rows
            )
        ]

    async def _turn_over(self, today: int) -> list[stored.SealingKeyRow]:
        async with self._store.write() as connection:
            rows = await stored.all_keys(connection)  # again, now that nobody else can
            names = await names_in_own(connection, self._key_store)
            lost = [key for key in rows if vault.is_lost(key, names)]
            for key in lost:
                log.error("a sealing key is lost", key=key.key_name, expiry_day=key.expiry_day)
                await stored.forget_private(connection, key.key_id)
            rows = [key for key in rows if key not in lost]
            for suite in self._aging_suites(rows, today):
                issued = await asyncio.to_thread(
                    vault.issue, self._key_store, suite, today, self._lifetime_days
                )
                await stored.insert(connection, issued)
            past = [key for key in rows if vault.must_be_destroyed(key, today)]
            for key in past:
                await stored.forget_private(connection, key.key_id)
            rows = await stored.all_keys(connection)
            # Should the commit fail, only keys are gone that were past anyway.
            await asyncio.to_thread(self._sweep, rows)
        self._looked_on = today
        return rows

    def _sweep(self, rows: Sequence[stored.SealingKeyRow]) -> None:
        names = self._key_store.names()
        lifetime = self._lifetime_days + vault.DESTROYED_DAYS_AFTER_EXPIRY
        before = self._clock.now() - lifetime * SECONDS_PER_DAY
        left_over = {
            name for name in vault.unknown(names, rows) if self._key_store.created_at(name) < before
        }
        for name in vault.forgotten(names, rows) | left_over:
            self._key_store.destroy(name)

    def _publish(self, rows: Sequence[stored.SealingKeyRow], today: int) -> None:
        self._keys = {key.key_id: key for key in rows}
        self._secrets = {
            key_id: secret
            for key_id, secret in self._secrets.items()
            if key_id in self._keys and not vault.expired(self._keys[key_id], today)
        }
        usable = [
            key for key in rows if not vault.expired(key, today) and key.wrapped_private is not None
        ]
        self.note = encode_sealing_keys(
            self._origin,
            [
                SealingKey(Suite(key.suite), key.public, key.issue_day, key.expiry_day)
                for key in usable
            ],
            self._signer,
        )
