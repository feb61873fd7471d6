"""Backup, withdrawal, two rotations, restoring: the withdrawn is unreadable, the others are not."""

import asyncio
import sqlite3

import pytest

from consent_client.protocol.verdicts import Verdict
from registry.errors import ConfigurationError, Conflict, KeyMissing
from registry.services import operating, shredding
from registry.services.rotation import GONE_AFTER_SECONDS, rotate
from registry.services.running import running
from registry.store import processes
from registry.vault.key_store import FileKeyStore
from tests.support.backing_up import Backups
from tests.support.people import Picture
from tests.support.registering import Harness

CAT, DOG, OWL = Picture(1), Picture(2), Picture(3)


@pytest.mark.parametrize("with_companion", [True, False])
async def test_after_two_rotations_a_restored_backup_holds_what_was_not_withdrawn(
    settings, clock, tmp_path, server_of, with_companion
):
    key_store = FileKeyStore(settings.keyring_dir)
    companion = tmp_path / "companion.db"
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        owner, request, _ = await harness.protect(CAT)
        await harness.protect(DOG)
        backups = Backups(settings, registry.store, tmp_path, server_of)
        await backups.make()
        await harness.withdraw(owner, request.commitment)
        await harness.protect(OWL)  # in no backup of the database
        await registry.follower.catch_up()
        for _ in range(2):
            await rotate(registry.store, key_store, clock, 10, lambda *_: None)
        await operating.back_up(settings, companion)
    backups.restore(clock)
    if not with_companion:
        # Alone, the old backup can not even be opened: its epoch is destroyed.
        with pytest.raises(KeyMissing):
            async with running(settings, clock):
                pass
        return
    restored = await operating.restore(settings, clock, companion)
    assert (restored.ended, restored.lost, restored.readable) == (1, 1, 1)
    async with running(settings, clock) as registry:
        again = Harness(registry, clock, harness.person)
        assert await again.verdicts([CAT, DOG, OWL]) == [
            Verdict.CLEAR,
            Verdict.EXCLUDE,
            Verdict.CLEAR,
        ]
        _, _, done = await again.protect(OWL)
        assert done.terminal_index is None
        await again.builder("after the restoring")


async def test_a_companion_may_hold_records_that_have_ended_and_are_not_shredded_yet(
    settings, clock, tmp_path, server_of, monkeypatch
):
    """It is written at any moment, also between the entry that ends a record and its shredding."""

    async def later(_):
        pass

    companion = tmp_path / "companion.db"
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        before, early, _ = await harness.protect(CAT)
        backups = Backups(settings, registry.store, tmp_path, server_of)
        await backups.make()
        since, late, _ = await harness.protect(DOG)  # in no backup of the database
        with monkeypatch.context() as patch:
            patch.setattr(shredding, "shred_rows", later)
            await harness.withdraw(before, early.commitment)
            await harness.withdraw(since, late.commitment)
            await operating.back_up(settings, companion)
    with sqlite3.connect(companion) as connection:
        assert connection.execute("SELECT count(*) FROM data_key").fetchone() == (2,)
    backups.restore(clock)
    restored = await operating.restore(settings, clock, companion)
    assert (restored.ended, restored.lost, restored.readable) == (2, 0, 0)
    async with running(settings, clock) as registry:
        assert await Harness(registry, clock).verdicts([CAT, DOG]) == [Verdict.CLEAR] * 2


async def test_a_companion_of_another_history_is_refused(settings, clock, tmp_path, server_of):
    companion = tmp_path / "companion.db"
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        backups = Backups(settings, registry.store, tmp_path, server_of)
        await backups.make()
        await harness.protect(CAT)
        await operating.back_up(settings, companion)
        with pytest.raises(ConfigurationError):
            await operating.back_up(settings, companion)
    backups.restore(clock)
    elsewhere = settings.model_copy(update={"log_dir": tmp_path / "another log"})
    async with running(elsewhere, clock) as registry:
        await Harness(registry, clock).protect(DOG)
    clock.advance(seconds=GONE_AFTER_SECONDS + 1)
    with pytest.raises(Conflict):
        await operating.restore(settings, clock, companion)
    with pytest.raises(ConfigurationError):
        await operating.restore(settings, clock, tmp_path / "nothing.db")
    other = settings.model_copy(update={"origin": "other.example"})
    with pytest.raises(ConfigurationError):
        async with running(other, clock):
            pass


async def test_a_companion_holds_no_ciphertext_and_no_part_is_left_behind(harness, tmp_path):
    await harness.protect(CAT)
    companion = tmp_path / "companion.db"
    await operating.back_up(harness.registry.settings, companion)
    assert companion.stat().st_size < 400_000
    assert companion.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.glob("companion*")] == ["companion.db"]


async def test_a_companion_from_before_a_rotation_destroys_nothing(
    settings, clock, tmp_path, server_of
):
    """Its keys are wrapped under an epoch that is gone: all that is readable would be lost."""
    key_store = FileKeyStore(settings.keyring_dir)
    early, late = tmp_path / "early.db", tmp_path / "late.db"
    async with running(settings, clock) as registry:
        harness = Harness(registry, clock)
        await harness.protect(CAT)
        backups = Backups(settings, registry.store, tmp_path, server_of)
        await operating.back_up(settings, early)
        await backups.make()
        for _ in range(2):
            await rotate(registry.store, key_store, clock, 10, lambda *_: None)
        await operating.back_up(settings, late)
    clock.advance(seconds=GONE_AFTER_SECONDS + 1)
    with pytest.raises(Conflict):
        await operating.restore(settings, clock, early)
    async with running(settings, clock) as registry:
        assert await Harness(registry, clock).verdicts([CAT]) == [Verdict.EXCLUDE]
    # Onto a backup of its own time it fits, but the key store has gone on: nothing is changed.
    backups.restore(clock)
    with pytest.raises(KeyMissing):
        await operating.restore(settings, clock, early)
    restored = await operating.restore(settings, clock, late)
    assert (restored.lost, restored.readable) == (0, 1)


async def test_nothing_is_brought_forward_under_a_serving_process(settings, clock, tmp_path):
    companion = tmp_path / "companion.db"
    async with running(settings, clock) as registry:
        await Harness(registry, clock).protect(CAT)
        await operating.back_up(settings, companion)
        while not await live(registry, clock):
            await asyncio.sleep(0.01)
        with pytest.raises(Conflict):
            await operating.restore(settings, clock, companion)
    await operating.restore(settings, clock, companion)


async def live(registry, clock):
    async with registry.store.read() as connection:
        return await processes.live(connection, clock.now() - GONE_AFTER_SECONDS)
