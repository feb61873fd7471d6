"""One key store, one database: neither can destroy what the other needs."""

import shutil

import pytest

from registry.errors import ConfigurationError, KeyMissing, KeyStoreError, SealingKeyUnknown
from registry.services import operating
from registry.services.founding import found
from registry.services.rotation import rotate
from registry.services.running import running
from registry.store.engine import open_store
from registry.store.migrate import upgrade
from registry.vault import identity
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring
from tests.support.people import Picture
from tests.support.registering import Harness

CAT, DOG = Picture(1), Picture(2)


@pytest.fixture
def key_store(settings):
    return FileKeyStore(settings.keyring_dir)


@pytest.fixture
def second(settings, tmp_path):
    """The settings of another registry, with a database of its own and the same key store."""
    return settings.model_copy(
        update={"database_url": f"sqlite+aiosqlite:///{tmp_path / 'second.db'}"}
    )


async def test_a_second_database_can_not_be_founded_on_a_key_store_that_is_used(
    settings, second, clock, key_store
):
    await operating.initialise(settings, clock)  # founded, never served
    before = key_store.names()
    with pytest.raises(ConfigurationError):
        await operating.initialise(second, clock)
    async with running(settings, clock) as registry:
        await Harness(registry, clock).protect(CAT)
    with pytest.raises(ConfigurationError):
        async with running(second, clock):
            pass
    assert before < key_store.names()  # sealing keys were added, nothing is gone
    async with running(settings, clock) as registry:
        await Harness(registry, clock).protect(DOG)


async def test_commands_refuse_the_key_store_of_another_database(settings, second, clock, tmp_path):
    second = second.model_copy(update={"keyring_dir": tmp_path / "second keyring"})
    for one in (settings, second):
        await operating.initialise(one, clock)
    mixed = second.model_copy(update={"keyring_dir": settings.keyring_dir})
    before = FileKeyStore(settings.keyring_dir).names()
    for command in (
        operating.rotate_keys(mixed, clock, 1, lambda *_: None),
        operating.restore(mixed, clock, tmp_path / "companion.db"),
        operating.add_builder(mixed, clock, "Example Lab", None),
        operating.list_builders(mixed),
        operating.initialise(mixed, clock),
    ):
        with pytest.raises(ConfigurationError):
            await command
    assert FileKeyStore(settings.keyring_dir).names() == before


async def test_founding_that_was_interrupted_is_finished_by_the_next(
    settings, clock, key_store, monkeypatch
):
    class Killed(Exception):
        pass

    def die(*_):
        raise Killed

    await upgrade(settings.database_url)
    store = open_store(settings.database_url)
    try:
        for where in ((Keyring, "load"), (identity, "mark")):
            with monkeypatch.context() as patch:
                patch.setattr(*where, die)
                with pytest.raises(Killed):
                    await found(store, key_store, Keyring(key_store), clock, settings.origin)
        await found(store, key_store, Keyring(key_store), clock, settings.origin)
    finally:
        await store.dispose()
    assert len([name for name in key_store.names() if name.startswith("registry-")]) == 1


async def test_a_key_store_of_an_older_version_is_marked_when_it_opens(settings, clock, key_store):
    await operating.initialise(settings, clock)
    (mark,) = [name for name in key_store.names() if name.startswith("registry-")]
    key_store.destroy(mark)
    await operating.initialise(settings, clock)
    assert mark in key_store.names()


async def test_a_copy_of_a_database_leaves_the_newer_sealing_keys_alone(harness, key_store):
    """What the original issued since is unknown to a copy that is tried beside it."""
    sealing = harness.registry.sealing
    newer = FileKeyStore(harness.registry.settings.keyring_dir)
    newer.create("sealing-00112233445566ff")
    harness.clock.advance(days=harness.registry.settings.sealing_key_days // 2 + 1)
    await sealing.refresh()
    assert "sealing-00112233445566ff" in key_store.names()


async def test_a_sealing_key_that_the_key_store_lost_is_replaced_and_not_published(
    harness, key_store
):
    _, request = harness.request(CAT)
    name = next(
        key.key_name
        for key in harness.registry.sealing._keys.values()
        if key.key_id == request.sealing_key_id
    )
    key_store.destroy(name)
    before = harness.registry.sealing.note
    with pytest.raises(SealingKeyUnknown):
        await harness.send(request)
    with pytest.raises(SealingKeyUnknown):
        await harness.send(request)
    assert harness.registry.sealing.note != before
    _, again = harness.request(CAT)
    assert again.sealing_key_id != request.sealing_key_id
    await harness.send(again)


async def test_no_key_counts_as_lost_where_the_whole_key_store_is_away(
    harness, key_store, tmp_path
):
    """As when a volume is not mounted: what is in the database must outlive that."""
    _, request = harness.request(CAT)
    folder = harness.registry.settings.keyring_dir
    shutil.move(folder, tmp_path / "away")
    folder.mkdir(mode=0o700)
    with pytest.raises((KeyStoreError, KeyMissing)):
        await harness.send(request)
    with pytest.raises(KeyStoreError):
        await rotate(harness.registry.store, key_store, harness.clock, 0, lambda *_: None)
    shutil.rmtree(folder)
    shutil.move(tmp_path / "away", folder)
    await harness.registry.sealing.refresh()
    await harness.send(request)
