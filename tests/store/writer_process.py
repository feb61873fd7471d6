"""A process that writes batches until it is killed; run by test_crash.

Prints the log size after each commit: what it has printed must never be lost.
"""

import asyncio
import random
import sys

from registry.store import entries, records
from registry.store.engine import open_store
from tests.store.rows import end, register


async def write_until_killed(url: str, seed: int) -> None:
    dice = random.Random(seed)
    store = open_store(url)
    while True:
        async with store.write() as connection:
            new = await register(connection, dice.randint(1, 30))
            if dice.random() < 0.3:
                ended = [new[0].register_index]
                await end(connection, ended)
                await records.shred(connection, ended)
            size = await entries.log_size(connection)
        sys.stdout.write(f"{size}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write_until_killed(sys.argv[1], int(sys.argv[2])))
