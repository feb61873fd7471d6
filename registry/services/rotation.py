"""Key epochs: a new one, every live data key rewrapped, the one before last destroyed.

What was withdrawn is in no new epoch, so destroying an epoch's key makes old backups of it
unreadable: at the latest two rotations after the withdrawal.

Rotation works while the registry serves and may be interrupted anywhere. What has to be done is
read from the store each time: an epoch that was begun is finished before another begins.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.services.clock import Clock, day_of
from registry.store import epochs, processes, records
from registry.store.engine import Store
from registry.vault.envelope import unwrap_data_key, wrap_data_key
from registry.vault.key_store import KeyStore
from registry.vault.keyring import Keyring

log = structlog.get_logger(__name__)

# Rewrapping 500 keys holds the writers' lock for some 10 ms.
REWRAP_BATCH = 500

ACKNOWLEDGEMENT_POLL_SECONDS = 0.2

# A process that was not heard of for so long counts as gone. Should it wake up after all, it can
# not harm: it wraps under the newest epoch, which it reads under the writers' lock.
GONE_AFTER_SECONDS = 30.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    Attributes:
        epoch: the newest epoch.
        resumed: whether it finished one that had been interrupted, rather than beginning one.
        rewrapped: data keys moved to the newest epoch.
        destroyed: epochs whose key was destroyed.
        waiting_for: processes that have not acknowledged the newest epoch yet; as long as there
            are any, older epochs are kept, and rotation must be run again.
    """

    epoch: int
    resumed: bool
    rewrapped: int
    destroyed: tuple[int, ...]
    waiting_for: tuple[str, ...]


async def rotate(
    store: Store,
    key_store: KeyStore,
    clock: Clock,
    patience_seconds: float,
    progress: Progress,
) -> Rotation:
    """Rotates, or finishes the rotation that was interrupted.

    Args:
        store: where the wrapped keys are.
        key_store: holds the keys that wrap them.
        clock: for the day, and to tell live processes from gone ones.
        patience_seconds: how long to wait for the other processes' acknowledgement.
        progress: is told what is being done, how far it is, and of how many.

    Raises:
        StoreError, VaultError: it stops where it is; run it again.
    """
    keyring = Keyring(key_store)
    epoch, resumed = await _begin(store, key_store, keyring, clock)
    rewrapped = await _rewrap(store, keyring, epoch, progress)
    waiting_for = await _acknowledged(store, clock, epoch, patience_seconds, progress)
    destroyed: tuple[int, ...] = ()
    if not waiting_for:
        destroyed = await _destroy_older(store, key_store, clock, epoch)
    if not await store.checkpoint_wal():
        # A serving process tries again and again; without one, closing the database does it.
        log.warning("a reader keeps the old keys in the write-ahead log for a while")
    return Rotation(epoch, resumed, rewrapped, destroyed, waiting_for)


async def forget_gone(store: Store, clock: Clock) -> None:
    """Forgets the processes that were killed: they left a row that nobody waits for any more."""
    since = clock.now() - GONE_AFTER_SECONDS
    async with store.read() as connection:
        known = await processes.live(connection, since=0.0)
    if any(process.heartbeat < since for process in known):
        async with store.write() as connection:
            await processes.delete_before(connection, since)


async def _begin(
    store: Store, key_store: KeyStore, keyring: Keyring, clock: Clock
) -> tuple[int, bool]:
    async with store.write() as connection:
        epoch = await epochs.current(connection)
        live = await epochs.live(connection)
        await asyncio.to_thread(keyring.load, live)
        unfinished = await records.wrapped_below(connection, epoch, limit=1)
        # An epoch older than the one before the newest should have been destroyed.
        undestroyed = any(row.epoch < epoch - 1 for row in live)
        if unfinished or undestroyed or await _leftover(connection, key_store):
            return epoch, True
        begun = await asyncio.to_thread(keyring.new_epoch, epoch + 1, day_of(clock))
        await epochs.insert(connection, begun)
        await asyncio.to_thread(keyring.load, [*live, begun])
    return epoch + 1, False


async def _rewrap(store: Store, keyring: Keyring, epoch: int, progress: Progress) -> int:
    async with store.read() as connection:
        total = await records.count_wrapped_below(connection, epoch)
    done = 0
    kek = keyring.keks[epoch]
    while True:
        async with store.write() as connection:
            rows = await records.wrapped_below(connection, epoch, limit=REWRAP_BATCH)
            if not rows:
                return done
            rewrapped = [
                (
                    row.register_index,
                    wrap_data_key(
                        kek,
                        epoch,
                        row.record_id,
                        unwrap_data_key(keyring.keks, row.record_id, row.wrapped),
                    ),
                )
                for row in rows
            ]
            await records.rewrap(connection, epoch, rewrapped)
        done += len(rows)
        progress("rewrapping data keys", done, max(done, total))
        await asyncio.sleep(0)  # let registrations have the writers' lock in between


async def _acknowledged(
    store: Store, clock: Clock, epoch: int, patience_seconds: float, progress: Progress
) -> tuple[str, ...]:
    deadline = clock.now() + patience_seconds
    while True:
        async with store.read() as connection:
            live = await processes.live(connection, clock.now() - GONE_AFTER_SECONDS)
        behind = tuple(sorted(row.process_id for row in live if row.epoch < epoch))
        progress("waiting for processes", len(live) - len(behind), len(live))
        if not behind or clock.now() >= deadline:
            return behind
        await asyncio.sleep(ACKNOWLEDGEMENT_POLL_SECONDS)


async def _destroy_older(
    store: Store, key_store: KeyStore, clock: Clock, epoch: int
) -> tuple[int, ...]:
    async with store.write() as connection:
        if await records.wrapped_below(connection, epoch, limit=1):
            return ()  # cannot be: writers wrap under the newest epoch, under this same lock
        for row in await epochs.live(connection):
            if row.epoch < epoch - 1:
                await epochs.mark_destroyed(connection, row.epoch, day_of(clock))
    # The row first: no process ever meets a live epoch whose key is gone. What is left over when
    # this is interrupted here is found by the next rotation.
    async with store.read() as connection:
        doomed = await _leftover(connection, key_store)
    for _, name in doomed:
        await asyncio.to_thread(key_store.destroy, name)
    return tuple(number for number, _ in doomed)


async def _leftover(connection: AsyncConnection, key_store: KeyStore) -> list[tuple[int, str]]:
    """Epochs marked as destroyed whose key is still in the key store."""
    names = await asyncio.to_thread(key_store.names)
    return [(epoch, name) for epoch, name in await epochs.destroyed(connection) if name in names]
