"""Killed processes leave whole transactions behind, and nobody else's lock."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.store import entries, records
from registry.store.engine import SQLITE, open_store
from tests.store.rows import REGISTER, found, register

ROOT = Path(__file__).parents[2]
ROUNDS = 3
WRITERS = 2


def start(url: str, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer_process", url, str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_in_the_midst(processes: list[subprocess.Popen[str]], seconds: float) -> int:
    """Kills processes some time after each has written something.

    Returns:
        The largest log size any of them has seen committed.
    """
    seen = 0
    for process in processes:
        assert process.stdout is not None
        seen = max(seen, int(process.stdout.readline()))
    time.sleep(seconds)
    for process in processes:
        process.kill()
    for process in processes:
        printed, _ = process.communicate()
        # The last line may be torn.
        seen = max([seen, *(int(line) for line in printed.split("\n")[:-1])])
    return seen


async def check_whole(url: str, least: int) -> int:
    """Looks for gaps and halves; returns the log size."""
    store = open_store(url)
    async with store.read() as connection:
        size = await entries.log_size(connection)
        rows = await records.replay(connection, 0, size)
        orphans = await connection.scalar(
            text(
                "SELECT count(*) FROM record AS r LEFT JOIN entry AS e"
                ' ON e."index" = r.register_index WHERE e."index" IS NULL'
            )
        )
        unshredded = await records.unshredded(connection)
        if store.dialect == SQLITE:
            assert await connection.scalar(text("PRAGMA integrity_check")) == "ok"
    assert size >= least
    assert [row.index for row in rows] == list(range(size))
    for row in rows:
        if row.type != REGISTER:
            assert row.record_id is row.ciphertext is row.wrapped is None
        elif row.terminal_index is None:
            assert row.record_id
            assert row.ciphertext
            assert row.wrapped
        else:
            assert row.ciphertext is row.wrapped is None
            assert row.terminal_index < size
    assert (orphans, unshredded) == (0, [])
    async with store.write() as connection:  # the killed ones' lock is free
        assert (await register(connection))[0].register_index == size
    await store.dispose()
    return size + 1


async def killed_rounds(url: str, rounds: int) -> None:
    dice = random.Random(rounds)
    store = open_store(url)
    async with store.write() as connection:
        await found(connection)
    await store.dispose()
    size = 0
    for number in range(rounds):
        processes = [start(url, WRITERS * number + i) for i in range(WRITERS)]
        seen = kill_in_the_midst(processes, dice.random() * 0.3)
        assert seen > size
        size = await check_whole(url, seen)


async def test_killed_writers_leave_no_half_and_no_gap(store_url: str) -> None:
    await killed_rounds(store_url, ROUNDS)


@pytest.mark.soak
async def test_writers_killed_again_and_again_leave_no_half_and_no_gap(store_url: str) -> None:
    await killed_rounds(store_url, 50)
