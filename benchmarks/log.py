"""The transparency log: proofs, its audit, and manifests, on one core and without a network.

    python -m benchmarks.log

A log of a million entries is published into a folder through the same `Edge` and `FolderStorage`
that a registry publishes with, by a key made for it. Proofs are made from its tiles as the
registry makes them, and it is audited as `consent audit log` audits a folder. A manifest of
ascending rows is written, answered and opened as evidence, and the evidence is verified.
"""

import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.machine import load
from consent_client.auditor.logs import audit_log
from consent_client.auditor.sources import FolderSource
from consent_client.manifest_files import ManifestFile, open_manifest, write_manifest
from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.log import Close, Register
from consent_client.protocol.manifests import BLOCK_ROWS, root_of_rows
from consent_client.protocol.merkle import inclusion_proof, leaf_hash, verify_inclusion
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.policies import Policy
from consent_client.protocol.results import Answered, verify_evidence, write_evidence
from consent_client.protocol.tiles import tile_nodes, tile_path
from consent_client.protocol.verdicts import Verdict
from registry.tlog.edge import Edge
from registry.tlog.storage import FolderStorage

ENTRIES = 1_000_000
ROWS = 1_000_000
WHOLE_ROWS = 10_000_000
PROOFS = 200

PROOF_CLAIM_MS = 2.0
AUDIT_CLAIM_SECONDS = 10.0
MANIFEST_CLAIM_SECONDS = 60.0
MANIFEST_CLAIM_MB = 500.0

_SIGNER = NoteSigner("registry.example/benchmark", bytes(range(32)))
_PORTION = 16 * 256


def _entry(number: int) -> bytes:
    return Register(number.to_bytes(32), number.to_bytes(32)).encode()


def publish(folder: Path, count: int) -> Checkpoint:
    """A published log of that many registrations."""
    storage, edge = FolderStorage(folder), Edge()
    while edge.size < count:
        last = min(count, edge.size + _PORTION)
        edge, full = edge.grow([_entry(number) for number in range(edge.size, last)])
        storage.put(full)
    storage.put(edge.partial())
    checkpoint = Checkpoint(_SIGNER.name, edge.size, edge.root())
    storage.swap_checkpoint(None, sign_checkpoint(checkpoint, _SIGNER))
    return checkpoint


def _proofs(folder: Path, checkpoint: Checkpoint) -> Iterator[Figure]:
    storage, chance, seconds = FolderStorage(folder), random.Random(1), []

    def read(level: int, index: int, width: int) -> bytes:
        tile = storage.read(tile_path(level, index, width))
        if tile is None:
            raise LookupError(level, index, width)
        return tile

    for index in (chance.randrange(checkpoint.size) for _ in range(PROOFS)):
        started = time.process_time()  # nothing is kept from the proof before
        proof = inclusion_proof(tile_nodes(read, checkpoint.size), index, checkpoint.size)
        seconds.append(time.process_time() - started)
        verify_inclusion(leaf_hash(_entry(index)), index, checkpoint.size, proof, checkpoint.root)
    seconds.sort()
    median, slow = seconds[len(seconds) // 2], seconds[math.ceil(0.99 * len(seconds)) - 1]
    name = f"an inclusion proof from tiles, {checkpoint.size:,} entries, median"
    yield Figure(name, 1000 * median, "ms", at_most=PROOF_CLAIM_MS)
    yield Figure("- 99th percentile", 1000 * slow, "ms")


def _audit(folder: Path, checkpoint: Checkpoint) -> Figure:
    report, seconds = _timed(
        lambda: audit_log(FolderSource(folder), Policy.of_log(_SIGNER.verifier))
    )
    assert report.ok, report.failed
    name = f"`consent audit log` of a folder, {checkpoint.size:,} entries"
    return Figure(name, seconds, "s", at_most=AUDIT_CLAIM_SECONDS)


def _manifest(path: Path, count: int) -> Iterator[Figure]:
    """Every second row is shipped; memory is the process's largest, so this comes first."""
    claim = MANIFEST_CLAIM_SECONDS if count >= WHOLE_ROWS else None
    manifest, written = _timed(
        lambda: write_manifest(path, (2 * number.to_bytes(32) for number in range(count)))
    )
    _, read = _timed(lambda: root_of_rows(open_manifest(path).rows()))
    evidence_path = path.with_suffix(".evidence")
    secret = bytes(32)
    with evidence_path.open("wb") as out:
        shown, made = _timed(
            lambda: write_evidence(out, secret, count, _answered(manifest), _shipped(manifest))
        )
    close = Close(0, 1, shown.results_root)
    with evidence_path.open("rb") as source:
        again, verified = _timed(
            lambda: verify_evidence(source, _shipped(manifest), count, close, 2)
        )
    assert again == shown
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    name = f"a manifest of {count:,} rows, made and verified"
    yield Figure(name, written + read, "s", at_most=claim)
    yield Figure("- of which written", written, "s")
    yield Figure("- of which read again, its order and its root", read, "s")
    yield Figure("- besides, every second row opened as evidence", made, "s")
    yield Figure("- besides, that evidence verified", verified, "s")
    yield Figure("- largest memory", megabytes, "MB", at_most=MANIFEST_CLAIM_MB)


def _answered(manifest: ManifestFile) -> Iterator[tuple[bytes, Answered]]:
    for block in manifest.blocks():
        rows = len(block) // 64
        yield block, Answered(1, bytes([Verdict.CLEAR]) * rows)


def _shipped(manifest: ManifestFile) -> Iterator[bytes]:
    return (row for number, row in enumerate(manifest.rows()) if number % 2)


def _timed[T](work: Callable[[], T]) -> tuple[T, float]:
    """What came of it, and processor seconds: other programs hardly change them."""
    started = time.process_time()
    return work(), time.process_time() - started


def measure(entries: int, rows: int) -> Report:
    """All of it, the manifest first."""
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as folder:
        figures = list(_manifest(Path(folder) / "manifest", rows))
        started = time.perf_counter()  # the disk's too
        checkpoint = publish(Path(folder) / "log", entries)
        seconds = time.perf_counter() - started
        name = "publishing into a folder: tiles, bundles, flushed"
        figures.append(Figure(name, entries / seconds, "entries/s"))
        figures += _proofs(Path(folder) / "log", checkpoint)
        figures.append(_audit(Path(folder) / "log", checkpoint))
    return Report(
        command=f"python -m benchmarks.log --entries {entries} --rows {rows}",
        setting=f"one process, processor time but for publishing, {PROOFS} proofs of random "
        "entries with no tile kept in between, "
        f"manifest in blocks of {BLOCK_ROWS:,}, {load()} at the end.",
        figures=tuple(figures),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES, help=f"in the log; {ENTRIES}")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"in the manifest; {ROWS}")
    chosen = parser.parse_args(words)
    show(measure(chosen.entries, chosen.rows), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
