"""The first start: origin, first epoch, secrets. Repeating it changes nothing."""

import asyncio
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.notes import NoteSigner
from registry.errors import ConfigurationError, KeyStoreError
from registry.services.clock import Clock, day_of
from registry.store import epochs, log_state
from registry.store import secrets as stored
from registry.store.engine import Store
from registry.vault import identity
from registry.vault import secrets as vault
from registry.vault.key_store import KeyStore
from registry.vault.keyring import Keyring

NOTE_SIGNING = "note-signing"
CHALLENGES = "challenges"
BLOCK_DIGESTS = "block-digests"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Three secrets of 32 bytes that all processes of a registry share."""

    note_signing: bytes = field(repr=False)
    challenges: bytes = field(repr=False)
    block_digests: bytes = field(repr=False)


async def found(
    store: Store, key_store: KeyStore, keyring: Keyring, clock: Clock, origin: str
) -> Secrets:
    """Makes what is missing and loads the keyring.

    Raises:
        ConfigurationError: the database was founded under another origin, or the key store is
            another database's.
        VaultError: the key store refuses, or does not hold this database's keys.
    """
    async with store.write() as connection:
        founded = await log_state.origin(connection)
        rows: dict[str, vault.SecretRow] = {
            row.name: row for row in await stored.all_secrets(connection)
        }
        names = await asyncio.to_thread(key_store.names)
        if founded is None:
            identity.check_unused(names)
            await log_state.found(connection, origin)
        elif founded != origin:
            message = f"This database belongs to the registry {founded!r}, not to {origin!r}."
            raise ConfigurationError(message)
        else:
            identity.check_own(names, identity.mark_of(rows[NOTE_SIGNING]))
        if await epochs.current(connection) == 0:
            first = await asyncio.to_thread(keyring.new_epoch, 1, day_of(clock))
            await epochs.insert(connection, first)
        for name in (NOTE_SIGNING, CHALLENGES, BLOCK_DIGESTS):
            if name not in rows:
                issued = await asyncio.to_thread(vault.issue, key_store, name)
                await stored.insert(connection, issued)
                rows[name] = issued
        # Under the lock: without it a rotation might destroy a key between reading and loading.
        await asyncio.to_thread(keyring.load, await epochs.live(connection))
    opened = {
        name: await asyncio.to_thread(vault.load, key_store, row) for name, row in rows.items()
    }
    # Last: from here on the keys are known to be this database's, and the database is founded.
    await asyncio.to_thread(identity.mark, key_store, identity.mark_of(rows[NOTE_SIGNING]))
    return Secrets(opened[NOTE_SIGNING], opened[CHALLENGES], opened[BLOCK_DIGESTS])


async def note_signer(store: Store, key_store: KeyStore, origin: str) -> NoteSigner:
    """Who signs this registry's checkpoints and sealing keys, for a command beside the server.

    Raises:
        VaultError: the key store can not be used, or lacks the key.
    """
    async with store.read() as connection:
        return await note_signer_of(connection, key_store, origin)


async def note_signer_of(
    connection: AsyncConnection, key_store: KeyStore, origin: str
) -> NoteSigner:
    """The same, as a transaction that is not committed sees it."""
    rows = {row.name: row for row in await stored.all_secrets(connection)}
    return NoteSigner(origin, await asyncio.to_thread(vault.load, key_store, rows[NOTE_SIGNING]))


async def block_secret(store: Store, key_store: KeyStore) -> bytes:
    """The key of what is kept of screenings, for a command beside the server.

    Raises:
        VaultError: the key store can not be used, or lacks the key.
    """
    async with store.read() as connection:
        rows = {row.name: row for row in await stored.all_secrets(connection)}
    return await asyncio.to_thread(vault.load, key_store, rows[BLOCK_DIGESTS])


async def check_key_store(connection: AsyncConnection, key_store: KeyStore) -> None:
    """Looks whether a key store is this database's, as far as it is marked.

    Raises:
        ConfigurationError: it is another database's.
        KeyStoreError: it can not be used.
    """
    names = await asyncio.to_thread(key_store.names)
    identity.check_own(names, await _mark(connection))


async def names_in_own(connection: AsyncConnection, key_store: KeyStore) -> set[str]:
    """The names of all keys, where the key store is marked as this database's.

    So what is not among them is lost, and not merely somewhere else: an empty folder where a
    volume should be mounted has no mark.

    Raises:
        ConfigurationError: it is another database's.
        KeyStoreError: it is not marked, or can not be used.
    """
    names = await asyncio.to_thread(key_store.names)
    mark = await _mark(connection)
    identity.check_own(names, mark)
    if mark not in names:
        raise KeyStoreError("the key store is not marked as this registry's")
    return names


async def _mark(connection: AsyncConnection) -> str:
    rows = {row.name: row for row in await stored.all_secrets(connection)}
    return identity.mark_of(rows[NOTE_SIGNING])
