"""How fast a start reads the log: records replayed, decrypted and indexed, on one core.

    python -m benchmarks.replay                       100,000 records, about a minute
    python -m benchmarks.replay --records 1000000     the claim; 13 GB of disk, about 5 minutes

Replaying runs in a process of its own that is bound to one core, through the same `Follower` that
a server starts with: once with the database dropped from the operating system's cache, as after a
reboot, and once more with it in there. Beside the clock stands the processor time: what the clock
says beyond it was waiting, for the disk or for other programs on that core. On a virtual machine
the first of the two also pays for memory that no program there has touched before.
"""

import asyncio
import gc
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.filling import fill
from benchmarks.machine import load
from registry.matching.packaged_bank import packaged_bank
from registry.matching.registry_index import MatchingIndex
from registry.services.clock import SystemClock
from registry.services.following import Follower
from registry.services.founding import found
from registry.store.engine import open_store
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring

ORIGIN = "benchmark.example/registry"

CLAIM_SECONDS_PER_RECORD = 60 / 1_000_000


@dataclass(frozen=True, slots=True)
class Replay:
    """What replaying took, in seconds, and the most memory the process held, in bytes."""

    clock: float
    processor: float
    memory: int


def replay(folder: Path, expected: int) -> Replay:
    """Replays the database in `folder` on one core of this process's."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    gc.collect()
    gc.freeze()  # as `registry.cli.application` does before it replays
    return asyncio.run(_replay(folder, expected))


async def _replay(folder: Path, expected: int) -> Replay:
    store = open_store(_url(folder))
    key_store = FileKeyStore(folder / "keyring")
    keyring = Keyring(key_store)
    await found(store, key_store, keyring, SystemClock(), ORIGIN)
    index = MatchingIndex(bank=packaged_bank())
    follower = Follower(store, keyring, index, SystemClock(), "benchmark", 1.0)
    clock, processor = time.perf_counter(), time.process_time()
    await follower.catch_up()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    assert follower.state.active_records == expected
    await store.dispose()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Replay(clock, processor, kilobytes * 1024)


def _url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'registry.db'}"


def _drop_from_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _apart(folder: Path, expected: int) -> Replay:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(replay, folder, expected).result()


def measure(records: int) -> Report:
    """Fills a database in a temporary folder, and replays it twice."""
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as name:
        folder = Path(name)
        asyncio.run(fill(_url(folder), folder / "keyring", ORIGIN, records))
        database = folder / "registry.db"
        size = database.stat().st_size
        _drop_from_cache(database)
        cold = _apart(folder, records)
        warm = _apart(folder, records)
        busy = load()
    claim = records * CLAIM_SECONDS_PER_RECORD
    return Report(
        command=f"python -m benchmarks.replay --records {records}",
        setting=f"SQLite, a database of {size / 2**30:.1f} GiB, one core, {busy} at the end; "
        "cold: read from disk, warm: from the operating system's cache.",
        figures=(
            Figure(f"{records:,} records replayed, cold", cold.clock, "s", at_most=claim),
            Figure("- of which processor time", cold.processor, "s"),
            Figure(f"{records:,} records replayed, warm", warm.clock, "s", at_most=claim),
            Figure("- of which processor time", warm.processor, "s"),
            Figure("- records replayed per second", records / warm.clock, "/s"),
            Figure("- memory of the process, per record", warm.memory / records / 1024, "KiB"),
        ),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="how many; 100,000")
    chosen = parser.parse_args(words)
    show(measure(chosen.records), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
