"""What a block of 1,000 images costs beside matching, and what others notice of it.

    python -m benchmarks.screening

A real server process over 100,000 records, real HTTP, and the real client: its columns, its
operations, its connection. Three measurements on the same server:

- One builder sends block after block. From the clock time of each we take the time the server
  spent searching its indexes, which the server notes for this benchmark (`timed_server`); the rest
  is everything else: columns, JSON, base64, HTTP, checks, verdicts, the database, on both sides.
- Two builders, each a process of its own, send at once; before and after them one alone.
- Meanwhile a further process asks a trivial question again and again: `{ registry { ready } }`.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.filling import fill, random_vectors
from benchmarks.machine import load
from benchmarks.timed_server import TIMINGS_FILE
from benchmarks.wire import connected, post
from consent_client import operations
from consent_client.builder import Candidate, columns_of
from consent_client.protocol.fingerprints import Fingerprints
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.transport import Connection
from tests.support.serving import Server

RECORDS = 100_000
IMAGES = 1_000
BLOCKS = 8
SCREENED = ("pdq-1", "sha256", "sscd-1")

ORIGIN = "registry.example/test"  # the origin that `Server` serves

CLAIM_BESIDE_MS = 40.0
CLAIM_SPEEDUP = 1.5
"""Two builders at once against one, on two cores: both at work, less what their clients take."""
CLAIM_TRIVIAL_MS = 50.0

TRIVIAL = b'{"query": "{ registry { ready } }"}'
PAUSE_SECONDS = 0.05
"""Between two trivial questions: so that asking is not what keeps the server busy."""

# The processes start, import and prepare; then they begin together.
_PREPARATION_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What one builder's process saw.

    Attributes:
        began, ended: on the machine's monotonic clock, in seconds.
        blocks: seconds of each block, from candidates to verdicts.
        columns: of which seconds for making the columns.
    """

    began: float
    ended: float
    blocks: tuple[float, ...]
    columns: tuple[float, ...]


def candidates(seed: int, registered: Sequence[Fingerprints]) -> list[Candidate]:
    """A block: random images, and at the front copies of some that are registered."""
    generator = np.random.default_rng(seed)
    data = {
        name: random_vectors(generator, IMAGES)
        if name == "sscd-1"
        else generator.bytes(IMAGES * SPACES[name].size)
        for name in SCREENED
    }
    block: list[Candidate] = [
        {
            name: (data[name][row * SPACES[name].size : (row + 1) * SPACES[name].size],)
            for name in SCREENED
        }
        for row in range(IMAGES)
    ]
    for row, fingerprints in enumerate(registered):
        block[row] = {name: fingerprints[name][:1] for name in SCREENED}
    return block


def build(
    url: str, token: str, seed: int, registered: Sequence[Fingerprints], at: float, count: int
) -> Sent:
    """One builder: screens `count` blocks one after the other, beginning at a given time."""
    blocks = [candidates(seed + number, registered) for number in range(count)]
    seconds, columns_seconds = [], []
    with Connection(url, token=token) as connection:
        opening = operations.open_screening(
            f"a set {seed}", Use.AI_TRAINING, list(SCREENED), IMAGES * (count + 1)
        )
        screening = connection.run(opening)
        warm = columns_of(candidates(seed - 1, registered), SCREENED)
        connection.run(operations.screen(screening.id, count, IMAGES, warm))
        time.sleep(max(0.0, at - time.monotonic()))
        began = time.monotonic()
        for number, block in enumerate(blocks):
            start = time.perf_counter()
            columns = columns_of(block, SCREENED)
            columns_seconds.append(time.perf_counter() - start)
            answer = connection.run(operations.screen(screening.id, number, IMAGES, columns))
            seconds.append(time.perf_counter() - start)
            excluded = [row for row in range(IMAGES) if answer.verdicts[row] == Verdict.EXCLUDE]
            assert excluded == list(range(len(registered)))
        ended = time.monotonic()
    return Sent(began, ended, tuple(seconds), tuple(columns_seconds))


def ask(port: int, at: float, seconds: float) -> NDArray[np.float64]:
    """Asks the trivial question for a while; milliseconds of each answer."""
    return asyncio.run(_ask(port, at, seconds))


async def _ask(port: int, at: float, seconds: float) -> NDArray[np.float64]:
    request, found = post(TRIVIAL), []
    async with connected(port) as wire:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            start = time.perf_counter()
            await wire.send(request)
            found.append(time.perf_counter() - start)
            await asyncio.sleep(PAUSE_SECONDS)
    return 1000 * np.array(found)


@dataclass(frozen=True, slots=True)
class Bench:
    """A filled server, builders' tokens, and processes to ask it from."""

    server: Server
    tokens: tuple[str, str]
    registered: Sequence[Fingerprints]
    processes: ProcessPoolExecutor

    def builders(self, count: int, blocks: int, seed: int) -> list[Sent]:
        """Some builders at once."""
        at = time.monotonic() + _PREPARATION_SECONDS
        waiting = [
            self.processes.submit(
                build,
                self.server.url,
                self.tokens[number],
                seed + 1_000 * number,
                self.registered,
                at,
                blocks,
            )
            for number in range(count)
        ]
        return [each.result() for each in waiting]


def _throughput(sent: Sequence[Sent]) -> float:
    """Blocks per second while all were at it."""
    began, ended = max(each.began for each in sent), min(each.ended for each in sent)
    return sum(_blocks_between(each, began, ended) for each in sent) / (ended - began)


def _blocks_between(sent: Sent, began: float, ended: float) -> float:
    """Blocks answered between two times; those that were under way count in part."""
    end = sent.began
    total = 0.0
    for seconds in sent.blocks:
        start, end = end, end + seconds
        total += max(0.0, min(end, ended) - max(start, began)) / seconds
    return total


def _timings(file: Path, last: int) -> NDArray[np.float64]:
    """float64[last, 2]: seconds of matching of the last blocks, on the clock and of processor."""
    lines = file.read_text().splitlines()[-last:]
    assert len(lines) == last, "the server did not note its matching"
    return np.array([json.loads(line) for line in lines])


def measure(records: int, blocks: int) -> Report:
    """All three, on one server."""
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as name:
        folder = Path(name)
        timings = folder / "timings"
        server = Server(
            folder,
            extra={TIMINGS_FILE: str(timings)},
            program=("benchmarks.timed_server", "serve"),
        )
        (folder / "data").mkdir(mode=0o700)
        url = f"sqlite+aiosqlite:///{folder / 'data' / 'registry.db'}"
        registered = asyncio.run(fill(url, folder / "keyring", ORIGIN, records))
        tokens = (server.add_builder("one"), server.add_builder("two"))
        server.start()
        try:
            with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as processes:
                bench = Bench(server, tokens, registered, processes)
                figures = tuple(_figures(bench, timings, blocks))
        finally:
            server.stop()
    return Report(
        command=f"python -m benchmarks.screening --records {records}",
        setting=f"blocks of {IMAGES:,} images in {', '.join(SCREENED)} against {records:,} records "
        f"on SQLite, one server process and its clients on the same {os.cpu_count()} cores, "
        f"{load()} at the end; matching is noted by the server.",
        figures=figures,
    )


def _figures(bench: Bench, timings: Path, blocks: int) -> Iterator[Figure]:
    idle = ask(bench.server.port, 0.0, 3.0)
    (alone,) = bench.builders(1, blocks, seed=10_000)
    matching = _timings(timings, blocks)
    beside = 1000 * (np.array(alone.blocks) - matching[:, 0])
    yield Figure(
        "a block of 1,000: everything but matching, median",
        float(np.median(beside)),
        "ms",
        at_most=CLAIM_BESIDE_MS,
    )
    yield Figure("- the least disturbed block", float(beside.min()), "ms")
    yield Figure("- of which making columns, median", 1000 * float(np.median(alone.columns)), "ms")
    yield Figure("- matching, median", 1000 * float(np.median(matching[:, 0])), "ms")

    meanwhile = bench.processes.submit(
        ask, bench.server.port, time.monotonic() + _PREPARATION_SECONDS, sum(alone.blocks)
    )
    both = _throughput(bench.builders(2, blocks, seed=20_000))
    trivial = meanwhile.result()
    (after,) = bench.builders(1, blocks, seed=30_000)
    single = (_throughput([alone]) + _throughput([after])) / 2
    yield Figure("two builders at once against one", both / single, "times", at_least=CLAIM_SPEEDUP)
    yield Figure("- images screened per second by two", IMAGES * both, "/s")
    yield Figure(
        "a trivial query meanwhile, 99th percentile",
        float(np.percentile(trivial, 99)),
        "ms",
        at_most=CLAIM_TRIVIAL_MS,
    )
    yield Figure("- slowest", float(trivial.max()), "ms", at_most=CLAIM_TRIVIAL_MS)
    yield Figure("- median", float(np.median(trivial)), "ms")
    yield Figure("- 99th percentile while nobody screens", float(np.percentile(idle, 99)), "ms")


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"how many; {RECORDS}")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"per builder; {BLOCKS}")
    chosen = parser.parse_args(words)
    show(measure(chosen.records, chosen.blocks), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
