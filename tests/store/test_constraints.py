"""The tables refuse what the code should never send: the second line of defence."""

import os
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.errors import StoreRefused
from registry.store.engine import Store
from registry.store.tables import METADATA

# A row that is right for each table, in an order in which they can be written.
RIGHT: Mapping[str, Mapping[str, Any]] = {
    "entry": {"index": 0, "type": 1, "data": b"cr1\x01body"},
    "epoch": {"epoch": 1, "key_name": "e", "wrapped": b"k", "created_day": 1},
    "record": {
        "register_index": 0,
        "record_id": os.urandom(16),
        "owner_public_key": os.urandom(32),
        "commitment": os.urandom(32),
        "ciphertext": os.urandom(8221),
    },
    "data_key": {"register_index": 0, "epoch": 1, "wrapped": os.urandom(65)},
    "terminal": {"register_index": 0, "entry_index": 1, "status": 2, "shredded": False},
    "log_state": {"id": 1, "origin": "o", "shred_watermark": 0},
    "sealing_key": {
        "key_id": os.urandom(8),
        "suite": 1,
        "public": b"p",
        "key_name": "s",
        "wrapped_private": b"k",
        "issue_day": 1,
        "expiry_day": 2,
    },
    "secret": {"name": "n", "key_name": "x", "wrapped": b"k"},
    "process": {"process_id": "p", "epoch": 0, "log_size": 0, "heartbeat": 0.0},
    "builder": {
        "id": 1,
        "name": "b",
        "token_id": "t",
        "token_hash": os.urandom(32),
        "created_day": 1,
        "daily_items": 0,
    },
    "screening": {
        "id": b"s" * 16,
        "builder_id": 1,
        "dataset": "d",
        "use": 0,
        "required_spaces": "",
        "candidate_count": 3,
        "answered": 3,
        "opened_at": 1,
    },
    "screening_block": {
        "screening_id": b"s" * 16,
        "number": 0,
        "digest": os.urandom(32),
        "count": 3,
        "present": "{}",
        "log_size": 0,
        "verdicts": b"\0\1\2",
    },
    "committed_session": {
        "screening_id": b"s" * 16,
        "builder_key": os.urandom(32),
        "session_index": 0,
    },
    "committed_block": {"screening_id": b"s" * 16, "number": 0, "results": os.urandom(32)},
    "excluded": {"screening_id": b"s" * 16, "block_number": 0, "digests": os.urandom(16)},
    "contest": {
        "screening_id": b"s" * 16,
        "block_number": 0,
        "digest": os.urandom(32),
        "rows": b"\2",
        "verdicts": b"\0",
        "log_size": 0,
    },
    "positive": {
        "builder_id": 1,
        "register_index": 0,
        "rate": 0,
        "candidate": os.urandom(16),
    },
    "exclusion": {"register_index": 0, "screening_id": b"s" * 16, "images": 1, "day": 1},
    "hold": {"id": 1, "builder_id": 1, "rate": 0, "held_at": 1, "allowance": 0},
    "calibration": {"id": 1, "day": 1, "log_size": 0, "result": "{}"},
}

WRONG: list[tuple[str, Mapping[str, Any]]] = [
    ("entry", {"index": -1}),
    ("entry", {"type": 0}),
    ("entry", {"type": 256}),
    ("entry", {"data": b"cr1"}),
    ("entry", {"data": bytes(2**16)}),
    ("entry", {"data": None}),
    ("record", {"register_index": 7}),
    ("record", {"record_id": os.urandom(15)}),
    ("record", {"record_id": None}),
    ("record", {"owner_public_key": os.urandom(33)}),
    ("record", {"commitment": b""}),
    ("record", {"ciphertext": os.urandom(8220)}),
    ("record", {"ciphertext": b""}),
    ("data_key", {"register_index": 1}),
    ("data_key", {"epoch": 2}),
    ("data_key", {"wrapped": os.urandom(64)}),
    ("data_key", {"wrapped": None}),
    ("terminal", {"status": 1}),
    ("terminal", {"status": 5}),
    ("terminal", {"entry_index": 0}),
    ("terminal", {"entry_index": 9}),
    ("terminal", {"register_index": -1}),
    ("log_state", {"id": 2}),
    ("log_state", {"shred_watermark": -1}),
    ("epoch", {"epoch": 0}),
    ("epoch", {"wrapped": b""}),
    ("epoch", {"wrapped": None}),
    ("epoch", {"destroyed_day": 5}),
    ("sealing_key", {"key_id": os.urandom(9)}),
    ("sealing_key", {"suite": 0}),
    ("sealing_key", {"wrapped_private": b""}),
    ("sealing_key", {"expiry_day": 0}),
    ("committed_session", {"builder_key": os.urandom(31)}),
    ("committed_session", {"session_index": 9}),
    ("committed_session", {"close_index": 9}),
    ("committed_session", {"screening_id": b"t" * 16}),
    ("committed_block", {"results": os.urandom(33)}),
    ("committed_block", {"number": 7}),
    ("secret", {"wrapped": b""}),
    ("secret", {"wrapped": None}),
    ("process", {"epoch": -1}),
    ("process", {"log_size": -1}),
    ("builder", {"token_hash": os.urandom(31)}),
    ("builder", {"daily_items": -1}),
    ("screening", {"id": b"s" * 17}),
    ("screening", {"builder_id": 2}),
    ("screening", {"use": -1}),
    ("screening", {"answered": 4}),
    ("screening", {"answered": -1}),
    ("screening_block", {"screening_id": b"t" * 16}),
    ("screening_block", {"number": -1}),
    ("screening_block", {"digest": b""}),
    ("screening_block", {"count": 2}),
    ("screening_block", {"count": 0, "verdicts": b""}),
    ("screening_block", {"count": 10_001, "verdicts": bytes(10_001)}),
    ("screening_block", {"log_size": -1}),
    ("screening", {"root": b"r" * 31}),
    ("contest", {"block_number": 1}),
    ("contest", {"digest": b""}),
    ("contest", {"log_size": -1}),
    ("positive", {"builder_id": 2}),
    ("exclusion", {"images": -1}),
    ("exclusion", {"screening_id": b"t" * 16}),
    ("positive", {"candidate": b"c" * 15}),
    ("hold", {"builder_id": 2}),
    ("hold", {"rate": 3}),
    ("positive", {"rate": -1}),
    ("hold", {"allowance": -1}),
    ("calibration", {"log_size": -1}),
]


async def write(
    connection: AsyncConnection, table: str, changed: Mapping[str, Any] | None = None
) -> None:
    await connection.execute(insert(METADATA.tables[table]), {**RIGHT[table], **(changed or {})})


async def write_what_it_needs(connection: AsyncConnection, table: str) -> None:
    """Writes right rows for every table before this one."""
    for other in RIGHT:
        if other == table:
            break
        await write(connection, other)
    if table != "entry":
        await write(connection, "entry", {"index": 1, "type": 2})
        await write(connection, "entry", {"index": 2})


async def test_right_rows_are_taken(store: Store) -> None:
    assert set(RIGHT) == set(METADATA.tables)
    async with store.write() as connection:
        await write_what_it_needs(connection, "terminal")
        for table in list(RIGHT)[list(RIGHT).index("terminal") :]:
            await write(connection, table)


@pytest.mark.parametrize(
    ("table", "changed"),
    WRONG,
    ids=[f"{table}-{'-'.join(changed)}-{i}" for i, (table, changed) in enumerate(WRONG)],
)
async def test_wrong_rows_are_refused(
    module_store: Store, table: str, changed: Mapping[str, Any]
) -> None:
    async def try_it() -> None:
        async with module_store.write() as connection:
            await write_what_it_needs(connection, table)
            await write(connection, table, changed)

    with pytest.raises(StoreRefused):
        await try_it()
