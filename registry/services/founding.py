"""The first start: origin, first epoch, secrets. Repeating it changes nothing."""

import asyncio
from dataclasses import dataclass, field

from registry.errors import ConfigurationError
from registry.services.clock import Clock, day_of
from registry.store import epochs, log_state
from registry.store import secrets as stored
from registry.store.engine import Store
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
        ConfigurationError: the database was founded under another origin.
        VaultError: the key store refuses, or does not hold this database's keys.
    """
    async with store.write() as connection:
        founded = await log_state.origin(connection)
        if founded is None:
            await log_state.found(connection, origin)
        elif founded != origin:
            message = f"This database belongs to the registry {founded!r}, not to {origin!r}."
            raise ConfigurationError(message)
        if await epochs.current(connection) == 0:
            first = await asyncio.to_thread(keyring.new_epoch, 1, day_of(clock))
            await epochs.insert(connection, first)
        rows: dict[str, vault.SecretRow] = {
            row.name: row for row in await stored.all_secrets(connection)
        }
        for name in (NOTE_SIGNING, CHALLENGES, BLOCK_DIGESTS):
            if name not in rows:
                issued = await asyncio.to_thread(vault.issue, key_store, name)
                await stored.insert(connection, issued)
                rows[name] = issued
        live = await epochs.live(connection)
    await asyncio.to_thread(keyring.load, live)
    opened = {
        name: await asyncio.to_thread(vault.load, key_store, row) for name, row in rows.items()
    }
    return Secrets(opened[NOTE_SIGNING], opened[CHALLENGES], opened[BLOCK_DIGESTS])
