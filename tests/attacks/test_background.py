"""What runs behind the requests must not stop in silence."""

import asyncio

import pytest

from registry.errors import CorruptRegistry
from registry.services.days import sequence_day
from registry.services.running import _chore, running
from registry.settings import Settings
from tests.support.clocks import HandClock
from tests.support.people import Picture
from tests.support.registering import Harness


@pytest.fixture
async def harness(sqlite_url, tmp_path):
    settings = Settings(
        origin="registry.example/test",
        data_dir=tmp_path,
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
    )
    clock = HandClock()
    async with running(settings, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


async def test_an_error_that_nobody_foresaw_while_replaying_ends_readiness(harness, monkeypatch):
    """Else old states would be answered for ever, and a withdrawn record would go on matching."""

    def broken(*_):
        raise MemoryError("a value that must not be told")

    monkeypatch.setattr(harness.registry.follower._matching, "apply", broken)
    await harness.protect(Picture(1))
    with pytest.raises(CorruptRegistry) as caught:
        await harness.registry.follower.catch_up()
    assert "must not be told" not in str(caught.value)
    assert not harness.registry.ready
    with pytest.raises(CorruptRegistry):
        await harness.registry.follower.answerable()


async def test_following_goes_on_after_a_broken_socket(harness, monkeypatch):
    follower, reads = harness.registry.follower, []
    genuine = follower._store.read

    def broken():
        reads.append(1)
        raise ConnectionResetError

    monkeypatch.setattr(follower._store, "read", broken)
    follower.wake()
    while len(reads) < 2:
        await asyncio.sleep(0.01)
    monkeypatch.setattr(follower._store, "read", genuine)
    _, _, answer = await harness.protect(Picture(4))
    state = await follower.at_least(answer.log_size)
    assert state.active_records == 1


async def test_a_chore_that_fails_does_not_end_the_others():
    async def broken():
        raise ZeroDivisionError

    await _chore("broken", broken)


async def test_registrations_go_on_when_shredding_fails(harness, monkeypatch):
    owner, request, _ = await harness.protect(Picture(2))

    async def broken(_):
        raise ZeroDivisionError

    monkeypatch.setattr("registry.services.shredding.shred_rows", broken)
    await harness.withdraw(owner, request.commitment)
    _, _, answer = await harness.protect(Picture(3))
    assert answer.register_index
