"""Following: state is a function of the log's prefix, in whatever portions it is read."""

import asyncio
import contextlib
import random

import numpy as np
import pytest
from sqlalchemy import text

from consent_client.protocol.log import Certify, Close, EraseReason, Session, Snapshot
from consent_client.protocol.verdicts import Verdict
from registry.errors import Conflict, CorruptRegistry
from registry.matching.registry_index import MatchingIndex
from registry.services import following
from registry.services.days import sequence_day
from registry.services.erasure import erase
from registry.services.following import Follower
from registry.services.rotation import rotate
from registry.services.running import running
from registry.store import entries
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring
from tests.support.people import Picture, until
from tests.support.registering import Harness


def follower(harness, name="another"):
    registry = harness.registry
    keyring = Keyring(FileKeyStore(registry.settings.keyring_dir))
    return Follower(registry.store, keyring, MatchingIndex(), harness.clock, name, 0.05)


def seen(state, pictures):
    """Which of the pictures the state finds, and what was stated about them."""
    queries = np.frombuffer(b"".join(p.sha256 for p in pictures), np.uint8).reshape(-1, 32)
    rows, owners = state.index.search("sha256", queries)
    return sorted(
        (int(row), int(owner), tuple(state.stances[owner]))
        for row, owner in zip(rows, owners, strict=True)
    )


async def a_history(harness, seed):
    """Some twenty records that come, are withdrawn, erased or expire."""
    chance = random.Random(seed)
    pictures = [Picture(1000 * seed + i) for i in range(20)]
    alive = []
    for picture in pictures:
        statement = until(harness.clock.day + chance.choice([0, 1, 5]))
        alive.append(await harness.protect(picture, statement))
        match chance.randrange(6):
            case 0:
                owner, request, _ = alive.pop(chance.randrange(len(alive)))
                await harness.withdraw(owner, request.commitment)
            case 1:
                _, _, done = alive.pop(chance.randrange(len(alive)))
                with contextlib.suppress(Conflict):  # it may have expired before
                    await erase(harness.registry.store, done.register_index, EraseReason.TECHNICAL)
            case 2:
                harness.clock.advance(days=1)
                await sequence_day(harness.registry.store, harness.registry.follower, harness.clock)
    return pictures


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_replaying_in_any_portions_gives_the_same_state(harness, monkeypatch, seed):
    pictures = await a_history(harness, seed)
    await harness.registry.follower.catch_up()
    live = harness.registry.follower.state
    for portion in (1, 2, 7, 10_000):
        monkeypatch.setattr(following, "PORTION", portion)
        other = follower(harness, f"portion {portion}")
        await other.catch_up()
        assert other.state.log_size == live.log_size
        assert other.state.active_records == live.active_records
        assert other.state.last_day == live.last_day
        assert seen(other.state, pictures) == seen(live, pictures)


async def test_a_state_in_hand_does_not_change(harness):
    picture = Picture(1)
    await harness.registry.follower.catch_up()
    before = harness.registry.follower.state
    owner, request, _ = await harness.protect(picture)
    await harness.registry.follower.catch_up()
    during = harness.registry.follower.state
    await harness.withdraw(owner, request.commitment)
    await harness.registry.follower.catch_up()
    await harness.registry.follower.compact()
    after = harness.registry.follower.state
    assert not seen(before, [picture])
    assert seen(during, [picture])
    assert not seen(after, [picture])


async def test_another_processs_registrations_show_within_a_second(harness, settings, clock):
    async with running(settings, clock) as other:
        neighbour = Harness(other, clock, harness.person)
        await neighbour.protect(Picture(1))
        async with asyncio.timeout(1):
            while not seen(harness.registry.follower.state, [Picture(1)]):
                await asyncio.sleep(0.01)


async def test_a_restart_knows_what_was_registered(settings, clock):
    async with running(settings, clock) as first:
        harness = Harness(first, clock)
        owner, request, _ = await harness.protect(Picture(1))
        await harness.protect(Picture(2))
        await harness.withdraw(owner, request.commitment)
    async with running(settings, clock) as second:
        again = Harness(second, clock, harness.person)
        assert await again.verdicts([Picture(1), Picture(2)]) == [
            Verdict.CLEAR,
            Verdict.EXCLUDE,
        ]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM data_key",
        "UPDATE record SET ciphertext = {flipped}",
        "UPDATE data_key SET wrapped = {flipped_key}",
    ],
)
async def test_a_record_that_can_not_be_read_though_nothing_ended_it_is_corruption(harness, damage):
    _, _, done = await harness.protect(Picture(1))
    where = {"i": done.register_index}
    async with harness.registry.store.write() as connection:
        if "flipped" not in damage:
            await connection.execute(text(damage))
        else:
            column, table = (
                ("wrapped", "data_key") if "flipped_key" in damage else ("ciphertext", "record")
            )
            select = f"SELECT {column} FROM {table} WHERE register_index = :i"
            value = bytearray((await connection.execute(text(select), where)).scalar_one())
            value[-1] ^= 1
            update = f"UPDATE {table} SET {column} = :v WHERE register_index = :i"
            await connection.execute(text(update), where | {"v": bytes(value)})
    other = follower(harness)
    with pytest.raises(CorruptRegistry):
        await other.catch_up()
    assert not other.ready
    with pytest.raises(CorruptRegistry):
        await other.answerable()


async def test_entries_about_screenings_change_no_record(harness):
    _, _, done = await harness.protect(Picture(1))
    hashed = bytes(32)
    about = [
        Session(hashed, hashed, 1_000, hashed),
        Close(1, 2, hashed),
        Certify(1, hashed),
        Snapshot(1, 2, hashed),
    ]
    before = await harness.registry.follower.answerable()
    async with harness.registry.store.write() as connection:
        await entries.append(connection, [entry.encode() for entry in about])
    after = follower(harness)
    await after.catch_up()
    state = await after.answerable()
    assert state.log_size == before.log_size + len(about)
    assert state.active_records == before.active_records == 1
    assert [owner for _, owner, _ in seen(state, [Picture(1)])] == [done.register_index]


async def test_following_goes_on_through_rotations(harness, settings):
    store, key_store = harness.registry.store, FileKeyStore(settings.keyring_dir)
    for seed in range(3):
        await harness.protect(Picture(seed))
        result = await rotate(store, key_store, harness.clock, 10, lambda *_: None)
        assert not result.waiting_for
        await harness.protect(Picture(10 + seed))
    await harness.registry.follower.catch_up()
    fresh = follower(harness)
    await fresh.catch_up()
    everything = [Picture(seed) for seed in (0, 1, 2, 10, 11, 12)]
    assert len(seen(fresh.state, everything)) == len(everything)
    assert seen(harness.registry.follower.state, everything) == seen(fresh.state, everything)
