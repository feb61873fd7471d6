import os
from dataclasses import replace

import pytest

from registry.errors import StoreRefused
from registry.store import entries, epochs, log_state, records
from registry.store.engine import Store
from registry.store.epochs import EpochRow
from registry.store.tables import RecordStatus
from tests.store.rows import REGISTER, WITHDRAW, end, entry, found, new_record, register


async def test_a_record_is_found_by_its_id_with_its_status(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        first, second = await register(connection, 2)
        (terminal,) = await end(connection, [second.register_index])
    async with store.read() as connection:
        active = await records.by_record_id(connection, first.record_id)
        rows = await records.by_record_ids(
            connection, [first.record_id, second.record_id, os.urandom(16)]
        )
        unknown = await records.by_record_id(connection, os.urandom(16))
    assert active == records.RecordRow(
        0, first.record_id, first.owner_public_key, first.commitment, RecordStatus.ACTIVE, None
    )
    assert set(rows) == {first.record_id, second.record_id}
    assert rows[second.record_id].status is RecordStatus.WITHDRAWN
    assert rows[second.record_id].terminal_index == terminal
    assert unknown is None


async def test_replay_joins_what_is_left_of_the_records(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        first, second = await register(connection, 2)
        (terminal,) = await end(connection, [second.register_index])
        await records.shred(connection, [second.register_index])
    async with store.read() as connection:
        rows = await records.replay(connection, 0, 3)
        part = await records.replay(connection, 1, 2)
        beyond = await records.replay(connection, 3, 9)
    assert [row.index for row in rows] == [0, 1, 2]
    assert [row.type for row in rows] == [REGISTER, REGISTER, WITHDRAW]
    assert rows[0][3:] == (first.record_id, first.ciphertext, first.wrapped, None, None)
    assert rows[1][3:] == (second.record_id, None, None, terminal, RecordStatus.WITHDRAWN)
    assert rows[2][3:] == (None, None, None, None, None)
    assert all(type(row.data) is bytes for row in rows)
    assert type(rows[0].ciphertext) is bytes
    assert part == rows[1:2]
    assert beyond == []
    assert first.ciphertext.hex() not in repr(rows[0])


async def test_the_first_end_of_a_record_wins(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        (record,) = await register(connection)
        first = await entries.append(connection, [entry(WITHDRAW), entry(WITHDRAW)])
        at = record.register_index
        assert await records.insert_terminal(
            connection, records.Terminal(at, first, RecordStatus.WITHDRAWN)
        )
        assert not await records.insert_terminal(
            connection, records.Terminal(at, first + 1, RecordStatus.ERASED)
        )
    async with store.read() as connection:
        row = await records.by_register_index(connection, at)
    assert row is not None
    assert (row.status, row.terminal_index) == (RecordStatus.WITHDRAWN, first)


async def test_ending_many_is_refused_whole_where_one_has_ended(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        await register(connection, 2)
        await end(connection, [1])
    with pytest.raises(StoreRefused):
        async with store.write() as connection:
            await end(connection, [0, 1])
    async with store.read() as connection:
        assert await entries.log_size(connection) == 3
        row = await records.by_register_index(connection, 0)
    assert row is not None
    assert row.terminal_index is None


async def test_shredding_removes_key_and_ciphertext_and_raises_the_watermark(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        await register(connection, 3)
        assert await log_state.shred_watermark(connection) == 0
        await end(connection, [0, 2])
        assert await records.unshredded(connection) == [0, 2]
        assert await records.unshredded(connection, limit=1) == [0]
        assert await records.sealed(connection, 0) is not None
        await records.shred(connection, [2])
        assert await log_state.shred_watermark(connection) == 5
        await records.shred(connection, [0])
        assert await log_state.shred_watermark(connection) == 5  # never falls
        await records.shred(connection, [0, 2])
        assert await records.unshredded(connection) == []
        assert await records.sealed(connection, 0) is None
        assert await records.sealed(connection, 1) is not None
        assert await records.count_wrapped_below(connection, 2) == 1


async def test_what_has_not_ended_can_not_be_shredded(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        await register(connection, 2)
        await end(connection, [1])
        with pytest.raises(ValueError, match="has ended"):
            await records.shred(connection, [0, 1])
    async with store.read() as connection:
        assert await records.sealed(connection, 0) is not None
        assert await log_state.shred_watermark(connection) == 0


async def test_rewrapping_reaches_every_live_key_once(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        new = await register(connection, 5)
        await end(connection, [3])
        await records.shred(connection, [3])
        await epochs.insert(connection, EpochRow(2, "epoch-2", os.urandom(64), 20_001))
    seen: dict[int, bytes] = {}
    async with store.write() as connection:
        while rows := await records.wrapped_below(connection, 2, limit=3):
            seen.update((row.register_index, row.wrapped) for row in rows)
            fresh = [(row.register_index, os.urandom(65)) for row in rows]
            await records.rewrap(connection, 2, [*fresh, (3, os.urandom(65))])
            assert await records.count_wrapped_below(connection, 2) == 4 - len(seen)
    assert seen == {row.register_index: row.wrapped for row in new if row.register_index != 3}
    async with store.write() as connection:
        before = await records.sealed(connection, 0)
        await records.rewrap(connection, 2, [(0, os.urandom(65))])
        assert await records.sealed(connection, 0) == before
        assert await records.sealed(connection, 3) is None


async def test_a_record_id_is_registered_once(store: Store) -> None:
    async with store.write() as connection:
        await found(connection)
        (record,) = await register(connection)

    async def register_again() -> None:
        async with store.write() as connection:
            await entries.append(connection, [entry(REGISTER)])
            again = replace(new_record(1), record_id=record.record_id)
            await records.insert_many(connection, [again])

    with pytest.raises(StoreRefused):
        await register_again()
    async with store.read() as connection:
        assert await entries.log_size(connection) == 1
