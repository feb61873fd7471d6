"""Entries per second through the sequencer and the published log, on PostgreSQL.

    python -m benchmarks.sequencing

What registering is without HTTP, GraphQL, opening what is sealed and comparing it with a bank: 200
registrants at once, each with one record at a time, already checked and encrypted, wait for the
commit of its entry and then for its proof under a published checkpoint. It is one process of a
registry: sequencer, publisher and follower, which indexes the records meanwhile. PostgreSQL runs
beside it with `fsync` and `synchronous_commit`; the log is flushed to its folder.
"""

import asyncio
import contextlib
import math
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import cpu
from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.filling import REFUSAL, measured, random_fingerprints
from benchmarks.machine import load
from benchmarks.registrations import postgresql
from consent_client.protocol.keys import owner_tag
from consent_client.protocol.log import Register
from consent_client.protocol.merkle import leaf_hash
from consent_client.protocol.policies import Policy, vouch
from consent_client.protocol.records import RecordContent
from consent_client.protocol.tlog_proofs import TlogProof
from registry.services.clock import SystemClock
from registry.services.proofs import entry_proof
from registry.services.running import Registry, running
from registry.services.sequencing import Registering
from registry.settings import Settings
from registry.vault.envelope import encrypt_record, new_data_key

REGISTRANTS = 200
ENTRIES = 10_000
BATCH_SECONDS = 0.05

CLAIM_PER_SECOND = 1_000.0
CLAIM_SLOWEST_SECONDS = 1.0

_ORIGIN = "registry.example/benchmark"


def _prepared(count: int) -> Iterator[Registering]:
    """Records that passed every check, encrypted."""
    for fingerprints in random_fingerprints(np.random.default_rng(0), count):
        content = RecordContent(secrets.token_bytes(32), REFUSAL, fingerprints)
        record_id, data_key = secrets.token_bytes(16), new_data_key()
        yield Registering(
            record_id=record_id,
            owner_public_key=secrets.token_bytes(32),
            commitment=content.commitment,
            ciphertext=encrypt_record(data_key, record_id, measured(content).encode()),
            data_key=data_key,
        )


async def _register(registry: Registry, change: Registering) -> tuple[float, str]:
    """Seconds until the proof was there, and the proof."""
    start = time.perf_counter()
    done = await registry.sequencer.submit(change)
    proof = await entry_proof(registry.publisher, done.register_index)
    return time.perf_counter() - start, proof


async def _registrants(
    registry: Registry, changes: Sequence[Registering]
) -> list[tuple[float, str]]:
    """All changes, `REGISTRANTS` at a time, in their order."""
    found: list[tuple[float, str]] = [(0.0, "")] * len(changes)
    numbers = iter(range(len(changes)))

    async def one() -> None:
        for number in numbers:
            found[number] = await _register(registry, changes[number])

    await asyncio.gather(*(one() for _ in range(REGISTRANTS)))
    return found


@contextlib.asynccontextmanager
async def _registry(folder: Path, url: str) -> AsyncIterator[Registry]:
    settings = Settings(
        origin=_ORIGIN,
        data_dir=folder / "data",
        keyring_dir=folder / "keyring",
        log_dir=folder / "log",
        database_url=url,
        batch_seconds=BATCH_SECONDS,
    )
    async with running(settings, SystemClock()) as registry:
        yield registry


async def _measured(folder: Path, url: str, count: int) -> tuple[Figure, ...]:
    async with _registry(folder, url) as registry:
        await _registrants(registry, list(_prepared(REGISTRANTS)))
        changes = list(_prepared(count))
        processor, start = cpu.seconds(), time.perf_counter()
        found = await _registrants(registry, changes)
        seconds, processor = time.perf_counter() - start, cpu.seconds() - processor
        _verify(registry, changes, [proof for _, proof in found])
    waited = sorted(each for each, _ in found)
    slow = waited[math.ceil(0.99 * count) - 1]
    return (
        Figure(
            f"entries, {REGISTRANTS} registrants at once, PostgreSQL",
            count / seconds,
            "/s",
            at_least=CLAIM_PER_SECOND,
        ),
        Figure("- until the proof, 99th percentile", slow, "s", at_most=CLAIM_SLOWEST_SECONDS),
        Figure("- until the proof, median", waited[count // 2], "s"),
        Figure("- processor time of the process, each", 1000 * processor / count, "ms"),
    )


def _verify(registry: Registry, changes: Sequence[Registering], proofs: Sequence[str]) -> None:
    """Every proof holds."""
    policy = Policy.of_log(registry.signer.verifier)
    for change, text in zip(changes, proofs, strict=True):
        proof = TlogProof.parse(text)
        entry = Register(change.commitment, owner_tag(change.owner_public_key)).encode()
        proof.verify(leaf_hash(entry), vouch(policy, proof.checkpoint).checkpoint)


def measure(count: int) -> Report:
    """All of it."""
    with (
        postgresql() as create,
        tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as folder,
    ):
        figures = asyncio.run(_measured(Path(folder), create("sequencing"), count))
    return Report(
        command=f"python -m benchmarks.sequencing --entries {count}",
        setting=f"{count:,} records, one process and PostgreSQL on the same {os.cpu_count()} "
        f"cores, changes gathered for {BATCH_SECONDS} s, every proof verified afterwards, "
        f"{load()} at the end.",
        figures=figures,
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES, help=f"how many; {ENTRIES}")
    chosen = parser.parse_args(words)
    with contextlib.redirect_stdout(sys.stderr):  # the registry's own messages
        report = measure(chosen.entries)
    show(report, as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
