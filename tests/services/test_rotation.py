"""Rotation: interrupted anywhere it is finished later, and old backups go dark."""

import asyncio
import shutil

import pytest

from consent_client.protocol.verdicts import Verdict
from registry.errors import CorruptRegistry, RegistryError, VaultError
from registry.matching.registry_index import MatchingIndex
from registry.services import rotation
from registry.services.following import Follower
from registry.services.rotation import rotate
from registry.store import epochs, processes, records
from registry.store.engine import open_store
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring
from tests.support.people import Picture


def silent(*_):
    pass


@pytest.fixture
def key_store(settings):
    return FileKeyStore(settings.keyring_dir)


async def state_of(harness):
    async with harness.registry.store.read() as connection:
        current = await epochs.current(connection)
        return (
            current,
            [row.epoch for row in await epochs.live(connection)],
            await records.count_wrapped_below(connection, current),
        )


async def test_rotation_moves_every_key_and_destroys_the_epoch_before_last(harness, key_store):
    for seed in range(5):
        await harness.protect(Picture(seed))
    first = await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    assert (first.epoch, first.resumed, first.rewrapped, first.destroyed) == (2, False, 5, ())
    second = await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    assert (second.epoch, second.rewrapped, second.destroyed) == (3, 5, (1,))
    assert await state_of(harness) == (3, [2, 3], 0)
    assert await harness.verdicts([Picture(0)]) == [Verdict.EXCLUDE]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("step", ["rewrap", "acknowledge", "destroy", "mark", "key"])
async def test_an_interrupted_rotation_is_finished_by_the_next(
    harness, key_store, monkeypatch, step
):
    monkeypatch.setattr(rotation, "REWRAP_BATCH", 2)
    for seed in range(5):
        await harness.protect(Picture(seed))
    await rotate(harness.registry.store, key_store, harness.clock, 10, silent)

    calls = 0

    async def interrupt(*_args, **_kwargs):
        raise Interrupted

    async def interrupt_late(connection, epoch, rows):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Interrupted
        await rewrap(connection, epoch, rows)

    def fail(*_args):
        raise Interrupted

    rewrap = records.rewrap
    with monkeypatch.context() as patch:
        match step:
            case "rewrap":
                patch.setattr(records, "rewrap", interrupt_late)
            case "acknowledge":
                patch.setattr(processes, "live", interrupt)
            case "destroy":
                patch.setattr(rotation, "_destroy_older", interrupt)
            case "key":
                patch.setattr(FileKeyStore, "destroy", fail)
            case "mark":
                patch.setattr(epochs, "mark_destroyed", interrupt)
        with pytest.raises(Interrupted):
            await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    await harness.protect(Picture(10))
    finished = await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    assert (finished.epoch, finished.resumed, finished.destroyed) == (3, True, (1,))
    assert await state_of(harness) == (3, [2, 3], 0)
    assert await harness.verdicts([Picture(0), Picture(10)]) == [Verdict.EXCLUDE] * 2


async def test_registrations_during_a_rotation_are_under_the_newest_epoch(
    harness, key_store, monkeypatch
):
    monkeypatch.setattr(rotation, "REWRAP_BATCH", 1)
    for seed in range(10):
        await harness.protect(Picture(seed))
    await asyncio.gather(
        rotate(harness.registry.store, key_store, harness.clock, 10, silent),
        *(harness.protect(Picture(100 + seed)) for seed in range(20)),
    )
    assert (await state_of(harness))[2] == 0
    await harness.registry.follower.catch_up()
    assert harness.registry.follower.state.active_records == 30


async def test_no_key_is_destroyed_while_a_live_process_has_not_followed(harness, key_store):
    await harness.protect(Picture(1))
    await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    async with harness.registry.store.write() as connection:
        await processes.heartbeat(connection, "slow", 1, 0, harness.clock.now())
    result = await rotate(harness.registry.store, key_store, harness.clock, 0.5, silent)
    assert result.waiting_for == ("slow",)
    assert result.destroyed == ()
    harness.clock.advance(seconds=31)  # nothing was heard of it since: it is gone
    await harness.registry.follower._acknowledge(3)
    result = await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    assert (result.epoch, result.resumed, result.destroyed) == (3, True, (1,))


async def test_a_backup_goes_dark_for_what_was_withdrawn_and_not_for_the_rest(
    harness, key_store, settings, tmp_path
):
    if not settings.is_embedded:
        pytest.skip("a copy of the file stands for the backup; PostgreSQL's is in test_backup.py")
    owner, request, gone = await harness.protect(Picture(1))
    _, _, kept = await harness.protect(Picture(2))
    await harness.registry.store.checkpoint_wal()
    source = settings.database_url.removeprefix("sqlite+aiosqlite:///")
    backup = tmp_path / "backup.db"
    shutil.copy(source, backup)
    await harness.withdraw(owner, request.commitment)
    restored = open_store(f"sqlite+aiosqlite:///{backup}")
    try:
        assert await readable(restored, key_store, gone.register_index)
        for _ in range(2):
            await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
        with pytest.raises(RegistryError):
            await readable(restored, key_store, gone.register_index)
    finally:
        await restored.dispose()
    assert await readable(harness.registry.store, key_store, kept.register_index)


async def readable(store, key_store, register_index):
    """Whether whoever holds this store and the keyring can read the record."""
    from registry.vault.envelope import decrypt_record, unwrap_data_key

    keyring = Keyring(key_store)
    async with store.read() as connection:
        keyring.load(await epochs.live(connection))
        row = await records.by_register_index(connection, register_index)
        sealed = await records.sealed(connection, register_index)
    data_key = unwrap_data_key(keyring.keks, row.record_id, sealed.wrapped)
    return bool(decrypt_record(data_key, row.record_id, sealed.ciphertext))


async def test_a_restored_backup_whose_keys_are_gone_is_not_served(
    harness, key_store, settings, tmp_path
):
    if not settings.is_embedded:
        pytest.skip("a copy of the file stands for the backup")
    await harness.protect(Picture(1))
    await harness.registry.store.checkpoint_wal()
    backup = tmp_path / "backup.db"
    shutil.copy(settings.database_url.removeprefix("sqlite+aiosqlite:///"), backup)
    for _ in range(2):
        await rotate(harness.registry.store, key_store, harness.clock, 10, silent)
    restored = open_store(f"sqlite+aiosqlite:///{backup}")
    try:
        other = Follower(restored, Keyring(key_store), MatchingIndex(), harness.clock, "r", 0.05)
        with pytest.raises((VaultError, CorruptRegistry)):
            await other.catch_up()
        assert not other.ready
    finally:
        await restored.dispose()
