"""What the operator's commands do, each on a store of its own beside the serving processes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.log import EraseReason
from registry.errors import ConfigurationError, InvalidInput
from registry.services import builders as tokens
from registry.services.clock import Clock, day_of
from registry.services.erasure import erase
from registry.services.founding import check_key_store, found, note_signer
from registry.services.publishing import open_publisher
from registry.services.recovering import Restored, recover
from registry.services.rotation import Progress, Rotation, rotate
from registry.services.shredding import shred_ended
from registry.services.snapshots import Published, open_snapshots
from registry.settings import Settings
from registry.store import budgets, builders, log_state
from registry.store.companion import write_companion
from registry.store.engine import Store, open_store
from registry.store.migrate import upgrade
from registry.store.tables import Rate
from registry.tlog.storage import FolderStorage
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring


async def initialise(settings: Settings, clock: Clock) -> None:
    """Migrates the database and founds the registry; repeating it changes nothing.

    Raises:
        ConfigurationError: the database was founded under another origin.
        StoreError, VaultError: the database or the key store can not be used.
    """
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    await upgrade(settings.database_url)
    key_store = FileKeyStore(settings.keyring_dir)
    async with _opened(settings) as store:
        await found(store, key_store, Keyring(key_store), clock, settings.origin)


async def erase_record(settings: Settings, register_index: int, reason: EraseReason) -> int:
    """See `services.erasure`; publishes and shreds at once, where no process serves."""
    async with founded(settings) as store:
        index = await erase(store, register_index, reason)
        await publish_and_shred(settings, store)
        return index


async def rotate_keys(
    settings: Settings, clock: Clock, patience_seconds: float, progress: Progress
) -> Rotation:
    """See `services.rotation.rotate`."""
    async with founded(settings) as store:
        key_store = FileKeyStore(settings.keyring_dir)
        return await rotate(store, key_store, clock, patience_seconds, progress)


async def add_builder(settings: Settings, clock: Clock, name: str, daily_items: int | None) -> str:
    """See `services.builders.add_builder`; founds the registry if it was not."""
    await initialise(settings, clock)
    async with founded(settings) as store:
        return await tokens.add_builder(store, clock, name, daily_items)


async def list_builders(settings: Settings) -> list[builders.BuilderRow]:
    """All builders, by name."""
    async with founded(settings) as store, store.read() as connection:
        return await builders.all_builders(connection)


async def revoke_builder(settings: Settings, clock: Clock, name: str) -> None:
    """Revokes a builder's token.

    Raises:
        InvalidInput: there is no such builder.
    """
    async with founded(settings) as store, store.write() as connection:
        if not await builders.revoke(connection, name, day_of(clock)):
            message = f"There is no builder named {name!r} with a valid token."
            raise InvalidInput(message)


async def hold_builder(settings: Settings, clock: Clock, name: str) -> None:
    """Holds a builder: nothing new is answered to it until it is released.

    Raises:
        InvalidInput: there is no such builder.
    """
    async with founded(settings) as store, store.write() as connection:
        builder_id = await _builder_id(connection, name)
        await budgets.hold(
            connection, builder_id, int(clock.now()), [budgets.Need(None, Rate.FREE, None)]
        )


async def release_builder(settings: Settings, clock: Clock, name: str) -> int:
    """Releases a builder; what it was held for is answered when it is sent again.

    Returns:
        How many holds there were.

    Raises:
        InvalidInput: there is no such builder.
    """
    async with founded(settings) as store, store.write() as connection:
        builder_id = await _builder_id(connection, name)
        return await budgets.release(connection, builder_id, int(clock.now()))


async def list_holds(settings: Settings, *, released: bool) -> list[budgets.HoldRow]:
    """Holds that wait for the operator, or also those that were released."""
    async with founded(settings) as store, store.read() as connection:
        return await budgets.holds(connection, released=released)


async def _builder_id(connection: AsyncConnection, name: str) -> int:
    for row in await builders.all_builders(connection):
        if row.name == name:
            return row.id
    message = f"There is no builder named {name!r}."
    raise InvalidInput(message)


async def publish_snapshot(settings: Settings, clock: Clock) -> Published:
    """See `services.snapshots.SnapshotPublisher.publish`."""
    async with founded(settings) as store:
        signer = await note_signer(store, FileKeyStore(settings.keyring_dir), settings.origin)
        publisher = open_publisher(settings, store, signer)
        return await open_snapshots(settings, store, publisher, signer, clock).publish()


async def back_up(settings: Settings, path: Path) -> int:
    """See `store.companion.write_companion`."""
    async with founded(settings) as store:
        return await write_companion(store, path)


async def restore(
    settings: Settings, clock: Clock, path: Path | None, *, log_lost: bool = False
) -> Restored:
    """Brings a restored database forward, publishes that, and shreds what has ended since.

    Whatever interrupts it, it can be run again.

    Args:
        settings: of the registry, with the newest key store and published log.
        clock: tells which processes live.
        path: the newest companion; None: there is none, and the published log has to do.
        log_lost: goes on where no log is published.

    Raises:
        ConfigurationError, Conflict, CorruptRegistry, StoreError, VaultError: see
            `services.recovering.recover`.
    """
    async with founded(settings) as store:
        restored = await recover(
            store,
            FileKeyStore(settings.keyring_dir),
            FolderStorage(settings.log_dir),
            settings.origin,
            path,
            clock.now(),
            log_lost=log_lost,
        )
        await publish_and_shred(settings, store)
        return restored


async def publish_and_shred(settings: Settings, store: Store) -> None:
    """Publishes what a command logged, and removes what it ended, where no process serves."""
    signer = await note_signer(store, FileKeyStore(settings.keyring_dir), settings.origin)
    publisher = open_publisher(settings, store, signer)
    await publisher.publish()
    await shred_ended(store, publisher.size)


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    store = open_store(settings.database_url)
    try:
        yield store
    finally:
        await store.dispose()


@contextlib.asynccontextmanager
async def founded(settings: Settings) -> AsyncIterator[Store]:
    """The store of a registry that was founded, closed at the end.

    Raises:
        ConfigurationError: it was not, or the key store is another database's.
        StoreError, VaultError: the database or the key store can not be used.
    """
    if settings.is_embedded and not await asyncio.to_thread(settings.data_dir.is_dir):
        raise ConfigurationError(_NOT_FOUNDED)
    await upgrade(settings.database_url)
    async with _opened(settings) as store:
        async with store.read() as connection:
            if await log_state.origin(connection) is None:
                raise ConfigurationError(_NOT_FOUNDED)
            # Most commands need no key, and none of them makes the folder.
            if await asyncio.to_thread(settings.keyring_dir.is_dir):
                await check_key_store(connection, FileKeyStore(settings.keyring_dir))
        yield store


_NOT_FOUNDED = "This registry is not founded yet: run `consent-registry init` first."
