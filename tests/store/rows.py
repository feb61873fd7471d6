"""Rows of the right shape and random content."""

import os
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store import entries, epochs, log_state, records
from registry.store.epochs import EpochRow

ORIGIN = "test.example/registry"
REGISTER, WITHDRAW = 1, 2


def entry(kind: int, body: bytes = b"") -> bytes:
    return b"cr1" + bytes([kind]) + (body or os.urandom(64))


def new_record(register_index: int, epoch: int = 1) -> records.NewRecord:
    return records.NewRecord(
        register_index=register_index,
        record_id=os.urandom(16),
        owner_public_key=os.urandom(32),
        commitment=os.urandom(32),
        ciphertext=os.urandom(8221),
        epoch=epoch,
        wrapped=os.urandom(65),
    )


async def found(connection: AsyncConnection, epoch: int = 1) -> None:
    await log_state.found(connection, ORIGIN)
    await epochs.insert(connection, EpochRow(epoch, f"epoch-{epoch}", os.urandom(64), 20_000))


async def register(connection: AsyncConnection, count: int = 1) -> list[records.NewRecord]:
    first = await entries.append(connection, [entry(REGISTER) for _ in range(count)])
    new = [new_record(first + i) for i in range(count)]
    await records.insert_many(connection, new)
    return new


async def end(
    connection: AsyncConnection,
    register_indices: Sequence[int],
    status: records.RecordStatus = records.RecordStatus.WITHDRAWN,
) -> list[int]:
    first = await entries.append(connection, [entry(WITHDRAW) for _ in register_indices])
    await records.insert_terminals(
        connection,
        [
            records.Terminal(register_index, first + i, status)
            for i, register_index in enumerate(register_indices)
        ],
    )
    return [first + i for i in range(len(register_indices))]
