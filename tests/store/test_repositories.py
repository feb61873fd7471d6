"""The small repositories."""

import os
from dataclasses import replace

import pytest

from registry.errors import StoreRefused
from registry.store import (
    builders,
    entries,
    epochs,
    log_state,
    processes,
    screenings,
    sealing_keys,
    secrets,
)
from registry.store.engine import Store
from registry.store.epochs import EpochRow
from registry.store.processes import ProcessRow
from registry.store.screenings import BlockRow, ScreeningRow
from registry.store.sealing_keys import SealingKeyRow
from registry.store.secrets import SecretRow
from tests.store.rows import ORIGIN, REGISTER, WITHDRAW, entry


async def test_an_empty_log(store: Store) -> None:
    async with store.read() as connection:
        assert await entries.log_size(connection) == 0
        assert await entries.read(connection, 0, 10) == []
        assert await log_state.origin(connection) is None
        assert await log_state.shred_watermark(connection) == 0
        assert await epochs.current(connection) == 0


async def test_entries_are_read_as_they_were_appended(store: Store) -> None:
    sent = [entry(REGISTER), entry(WITHDRAW, b"x"), entry(200)]
    async with store.write() as connection:
        assert await entries.append(connection, sent[:2]) == 0
        assert await entries.append(connection, []) == 2
        assert await entries.append(connection, sent[2:]) == 2
    async with store.read() as connection:
        rows = await entries.read(connection, 0, 10)
        assert [(row.index, row.type, row.data) for row in rows] == [
            (0, 1, sent[0]),
            (1, 2, sent[1]),
            (2, 200, sent[2]),
        ]
        assert await entries.read(connection, 1, 1) == rows[1:2]
        assert await entries.read(connection, 1, 0) == []
        assert await entries.read(connection, 3, 5) == []


@pytest.mark.parametrize("data", [b"", b"cr1", b"cr2\x01body", b"\x01cr1"])
async def test_what_is_not_an_entry_is_not_appended(store: Store, data: bytes) -> None:
    async with store.write() as connection:
        with pytest.raises(ValueError, match="entry"):
            await entries.append(connection, [entry(REGISTER), data])
        assert await entries.log_size(connection) == 0


async def test_a_registry_is_founded_once(store: Store) -> None:
    async with store.write() as connection:
        await log_state.found(connection, ORIGIN)
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await log_state.found(connection, "another.example/registry")
    async with store.read() as connection:
        assert await log_state.origin(connection) == ORIGIN


async def test_epochs_come_live_and_are_destroyed(store: Store) -> None:
    rows = [EpochRow(number, f"epoch-{number}", os.urandom(60), 100 + number) for number in (1, 2)]
    async with store.write() as connection:
        for row in rows:
            await epochs.insert(connection, row)
        assert await epochs.live(connection) == rows
        await epochs.mark_destroyed(connection, 2, 300)
        await epochs.mark_destroyed(connection, 2, 400)
        assert await epochs.live(connection) == rows[:1]
        assert await epochs.current(connection) == 2  # its number is never used again
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await epochs.insert(connection, replace(rows[1], key_name="other"))
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await epochs.insert(connection, replace(rows[0], epoch=3))


async def test_sealing_keys_lose_their_private_half(store: Store) -> None:
    old = SealingKeyRow(os.urandom(8), 1, os.urandom(1216), "a", os.urandom(80), 100, 190)
    new = SealingKeyRow(os.urandom(8), 2, os.urandom(32), "b", os.urandom(80), 145, 235)
    async with store.write() as connection:
        await sealing_keys.insert(connection, new)
        await sealing_keys.insert(connection, old)
        assert await sealing_keys.all_keys(connection) == [old, new]
        await sealing_keys.forget_private(connection, old.key_id)
        assert await sealing_keys.all_keys(connection) == [replace(old, wrapped_private=None), new]
    assert repr(new.wrapped_private)[2:-1] not in repr(new)


async def test_secrets_are_kept_by_name(store: Store) -> None:
    rows = [SecretRow("a", "key-a", os.urandom(60)), SecretRow("b", "key-b", os.urandom(60))]
    async with store.write() as connection:
        for row in reversed(rows):
            await secrets.insert(connection, row)
        assert await secrets.all_secrets(connection) == rows
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await secrets.insert(connection, SecretRow("a", "key-c", b"other"))
    assert repr(rows[0].wrapped)[2:-1] not in repr(rows[0])


async def test_processes_come_beat_and_go(store: Store) -> None:
    async with store.write() as connection:
        await processes.heartbeat(connection, "a", 1, 10, 1000.125)
        await processes.heartbeat(connection, "b", 1, 12, 1003.5)
        await processes.heartbeat(connection, "a", 2, 20, 1005.75)
        assert await processes.live(connection, 1003.5) == [
            ProcessRow("a", 2, 20, 1005.75),
            ProcessRow("b", 1, 12, 1003.5),
        ]
        assert [row.process_id for row in await processes.live(connection, 1004)] == ["a"]
        await processes.delete_before(connection, 1004)
        await processes.delete(connection, "never there")
        assert [row.process_id for row in await processes.live(connection, 0)] == ["a"]
        await processes.delete(connection, "a")
        assert await processes.live(connection, 0) == []


async def test_builders_are_found_by_token_id_and_revoked(store: Store) -> None:
    token_hash = os.urandom(32)
    async with store.write() as connection:
        first = await builders.add(connection, "First", "id-1", token_hash, 100, None)
        second = await builders.add(
            connection, "Second", "id-2", os.urandom(32), 101, 5_000_000_000
        )
        assert first != second
        row = await builders.by_token_id(connection, "id-1")
        assert row == builders.BuilderRow(first, "First", "id-1", token_hash, 100, None, None)
        assert await builders.by_token_id(connection, "id-3") is None
        assert [row.daily_items for row in await builders.all_builders(connection)] == [
            None,
            5_000_000_000,
        ]
        assert await builders.revoke(connection, "First", 200)
        assert not await builders.revoke(connection, "First", 300)
        assert not await builders.revoke(connection, "Nobody", 300)
        revoked = await builders.by_token_id(connection, "id-1")
    assert revoked is not None
    assert revoked.revoked_day == 200
    assert repr(token_hash)[2:-1] not in repr(revoked)


@pytest.mark.parametrize(("name", "token_id"), [("First", "id-2"), ("Second", "id-1")])
async def test_builders_names_and_token_ids_are_their_own(
    store: Store, name: str, token_id: str
) -> None:
    async with store.write() as connection:
        await builders.add(connection, "First", "id-1", os.urandom(32), 100, None)
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await builders.add(connection, name, token_id, os.urandom(32), 100, None)


async def opened(store: Store, candidate_count: int = 10, spaces: tuple[str, ...] = ()) -> bytes:
    row = ScreeningRow(
        id=os.urandom(16),
        builder_id=0,
        dataset="Ünïcode, with a comma",
        use=3,
        required_spaces=spaces,
        candidate_count=candidate_count,
        opened_at=1_700_000_000,
        closed_at=None,
        opt_in_spaces=spaces[:1],
        terms='{"use": 3}',
        root=os.urandom(32) if spaces else None,
    )
    async with store.write() as connection:
        name = row.id.hex()
        builder_id = await builders.add(connection, name, name, os.urandom(32), 1, None)
        row = replace(row, builder_id=builder_id)
        await screenings.insert(connection, row)
        assert await screenings.by_id(connection, row.id) == row
    return row.id


def answer(screening_id: bytes, number: int, count: int) -> BlockRow:
    return BlockRow(
        screening_id=screening_id,
        number=number,
        digest=os.urandom(32),
        count=count,
        present={"pdq-1": count - 1, "sha256": count},
        log_size=7,
        verdicts=bytes(count),
    )


@pytest.mark.parametrize("spaces", [(), ("sha256",), ("pdq-1", "sha256")])
async def test_a_screening_is_opened_and_closed_once(store: Store, spaces: tuple[str, ...]) -> None:
    screening_id = await opened(store, spaces=spaces)
    async with store.write() as connection:
        await screenings.close(connection, screening_id, 1_700_000_100)
        await screenings.close(connection, screening_id, 1_700_000_200)
        row = await screenings.by_id(connection, screening_id)
        assert await screenings.by_id(connection, os.urandom(16)) is None
    assert row is not None
    assert row.closed_at == 1_700_000_100


async def test_the_first_answer_to_a_block_stays(store: Store) -> None:
    screening_id = await opened(store)
    first, second = answer(screening_id, 0, 6), answer(screening_id, 0, 6)
    async with store.write() as connection:
        assert await screenings.block(connection, screening_id, 0) is None
        assert await screenings.insert_block(connection, first) == first
        assert await screenings.insert_block(connection, second) == first
        assert await screenings.block(connection, screening_id, 0) == first
        assert await screenings.answered(connection, screening_id) == 6
        assert await screenings.answered(connection, os.urandom(16)) == 0


async def test_more_than_announced_is_refused_and_leaves_nothing(store: Store) -> None:
    screening_id = await opened(store, candidate_count=10)
    async with store.write() as connection:
        await screenings.insert_block(connection, answer(screening_id, 0, 6))
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await screenings.insert_block(connection, answer(screening_id, 1, 5))
    async with store.write() as connection:
        assert await screenings.block(connection, screening_id, 1) is None
        await screenings.insert_block(connection, answer(screening_id, 1, 4))
        assert await screenings.answered(connection, screening_id) == 10


async def test_all_blocks_are_read_in_order_page_by_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenings, "_PAGE", 3)
    screening_id, other = await opened(store, 100), await opened(store, 100)
    for count in (0, 2, 3, 7):
        wanted = [answer(screening_id, number * 5, 2) for number in range(count)]
        async with store.write() as connection:
            for row in reversed(wanted):
                await screenings.insert_block(connection, row)
            await screenings.insert_block(connection, answer(other, count, 1))
        async with store.read() as connection:
            numbers = [row.number async for row in screenings.blocks(connection, screening_id)]
        assert numbers == [row.number for row in wanted]
