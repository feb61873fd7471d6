"""What it costs to commit to a screening, beside a screening without a commitment.

    python -m benchmarks.committing

The same blocks of 8,192 images are screened twice by the registry's own services in this process:
in a session without a commitment, and in one whose manifest was fixed before and whose results go
into the log. All of it counts but fingerprinting and the wire: on the builder's side the manifest,
its blocks' paths and the evidence, on the registry's side the check of each block against the
manifest, matching, verdicts, the database, and the roots over result leaves. The session is closed
in both. It is processor time, of all threads: other programs hardly change it.
"""

import asyncio
import contextlib
import io
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import cpu
from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.filling import fill, random_vectors
from benchmarks.machine import load
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    BlockPaths,
    block_root,
    in_blocks,
    row,
    rows_of,
)
from consent_client.protocol.results import Answered, write_evidence
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.builders import Builder, add_builder, authenticate
from registry.services.clock import SystemClock
from registry.services.commitments import Commitment, results_secret
from registry.services.running import Registry, running
from registry.services.sessions import Opening
from registry.settings import Settings
from registry.store import committed

RECORDS = 100_000
BLOCKS = 2
ROUNDS = 3
SCREENED = ("pdq-1", "sha256", "sscd-1")
CLAIM_TIMES = 1.3

_ORIGIN = "registry.example/benchmark"
_CLEARED = (Verdict.CLEAR, Verdict.PERMIT)


@dataclass(frozen=True, slots=True)
class Images:
    """Fingerprints in the order of a manifest, each `bytes` the column of one space."""

    count: int
    data: dict[str, bytes]

    def block(self, number: int, path: tuple[bytes, ...] = ()) -> Block:
        """Images of one block."""
        first = number * BLOCK_ROWS
        count = min(BLOCK_ROWS, self.count - first)
        columns = (
            Column(name, np.ones(count, np.bool_), self._part(name, first, count))
            for name in SCREENED
        )
        return Block(number, tuple(columns), path)

    def rows(self) -> Iterator[bytes]:
        """Rows of the manifest."""
        for number in range(self.count):
            image = {name: (self._part(name, number, 1),) for name in SCREENED}
            yield row(image["sha256"][0], image_digest(image))

    def _part(self, name: str, first: int, count: int) -> bytes:
        size = SPACES[name].size
        return self.data[name][first * size : (first + count) * size]


def images(count: int, seed: int) -> Images:
    """Random images, ascending by the digest of their files."""
    generator = np.random.default_rng(seed)
    size = SPACES["sha256"].size
    files = generator.bytes(count * size)
    ascending = sorted(files[at : at + size] for at in range(0, len(files), size))
    return Images(
        count,
        {
            "pdq-1": generator.bytes(count * SPACES["pdq-1"].size),
            "sha256": b"".join(ascending),
            "sscd-1": random_vectors(generator, count),
        },
    )


async def _plain(registry: Registry, builder: Builder, screened: Images) -> tuple[float, float]:
    start = cpu.seconds()
    opening = Opening("plain", Use.AI_TRAINING, (), screened.count)
    session, _ = await sessions.open_screening(registry, builder, opening)
    for number in range(-(-screened.count // BLOCK_ROWS)):
        await screening.screen(registry, builder, session.id, screened.block(number))
    await sessions.close_screening(registry, builder, session.id)
    return cpu.seconds() - start, 0.0


async def _committed(registry: Registry, builder: Builder, screened: Images) -> tuple[float, float]:
    """Processor seconds of both sides, and of the builder's."""
    start = cpu.seconds()
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    rows = list(screened.rows())
    blocks = list(in_blocks(rows))
    paths = BlockPaths(len(rows), map(block_root, blocks))
    own = cpu.seconds() - start
    commitment = Commitment(paths.root, secrets.token_bytes(32), key)
    opening = Opening("committed", Use.AI_TRAINING, (), screened.count, commitment=commitment)
    session, _ = await sessions.open_screening(registry, builder, opening)
    answers = []
    for number in range(len(blocks)):
        block = screened.block(number, paths.path(number))
        answer = await screening.screen(registry, builder, session.id, block)
        answers.append(Answered(answer.log_size, answer.verdicts))
    await sessions.close_screening(registry, builder, session.id)
    before = cpu.seconds()
    shown = write_evidence(
        io.BytesIO(),
        results_secret(registry.block_secret, session.id),
        len(rows),
        zip(blocks, answers, strict=True),
        _shipped(blocks, answers),
    )
    own += cpu.seconds() - before
    seconds = cpu.seconds() - start
    async with registry.store.read() as connection:
        logged = await committed.session(connection, session.id)
    assert logged is not None
    assert logged.results_root == shown.results_root
    return seconds, own


def _shipped(blocks: Sequence[bytes], answers: Sequence[Answered]) -> Iterator[bytes]:
    for block, answered in zip(blocks, answers, strict=True):
        for value, verdict in zip(rows_of(block), answered.verdicts, strict=True):
            if verdict in _CLEARED:
                yield value


async def _measured(folder: Path, records: int, blocks: int) -> tuple[Figure, ...]:
    settings = Settings(
        origin=_ORIGIN,
        data_dir=folder / "data",
        keyring_dir=folder / "keyring",
        builder_items_per_day=10**9,
    )
    settings.data_dir.mkdir(mode=0o700)
    await fill(settings.database_url, settings.keyring_dir, _ORIGIN, records)
    count = blocks * BLOCK_ROWS
    plain, whole, own = [], [], []
    async with running(settings, SystemClock()) as registry:
        token = await add_builder(registry.store, registry.clock, "a lab", None)
        builder = await authenticate(registry.store, f"Bearer {token}")
        await registry.follower.catch_up()
        await _plain(registry, builder, images(BLOCK_ROWS, 99))  # what is compiled and read once
        for number in range(ROUNDS):
            screened = images(count, number)
            plain.append((await _plain(registry, builder, screened))[0])
            seconds, builders = await _committed(registry, builder, screened)
            whole.append(seconds)
            own.append(builders)
    at = min(range(ROUNDS), key=whole.__getitem__)
    per_block = 1000 / blocks
    name = f"a screening committed to against one that is not, {count:,} images"
    return (
        Figure(name, whole[at] / min(plain), "times", at_most=CLAIM_TIMES),
        Figure(f"- a block of {BLOCK_ROWS:,} without", per_block * min(plain), "ms"),
        Figure(
            "- committed to: the registry's side, more",
            per_block * (whole[at] - own[at] - min(plain)),
            "ms",
        ),
        Figure("- committed to: the builder's side, more", per_block * own[at], "ms"),
    )


def measure(records: int, blocks: int) -> Report:
    """Both, in turn."""
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as folder:
        figures = asyncio.run(_measured(Path(folder), records, blocks))
    return Report(
        command=f"python -m benchmarks.committing --records {records}",
        setting=f"one process, {blocks} blocks in {', '.join(SCREENED)} against {records:,} "
        "records on SQLite, processor time without fingerprinting and the wire, the least "
        f"disturbed of {ROUNDS} rounds in turn, {load()} at the end.",
        figures=figures,
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"registered; {RECORDS}")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help=f"in a session; {BLOCKS}")
    chosen = parser.parse_args(words)
    with contextlib.redirect_stdout(sys.stderr):  # the registry's own messages
        report = measure(chosen.records, chosen.blocks)
    show(report, as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
