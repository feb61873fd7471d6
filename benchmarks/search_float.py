"""Vectors from a threshold on: our cascade and FAISS's flat index, on the same data.

    python -m benchmarks.search_float
    python -m benchmarks.search_float --rows 100000 --parts photographs faces

One process, one thread, processor time, the least disturbed of some rounds in which both take their
turn: ratios hardly depend on what else the machine does. FAISS gets its queries in batches and its
BLAS threshold fixed (its own makes some batches twelve times slower). Its answers are the oracle.
The data are models, see `benchmarks.vectors`.

Two things count as wrong. A pair that the cascade finds and whose product is below the threshold:
there may be none. A pair that it misses: its sign codes are a random filter, so planted pairs just
above the threshold are counted, which are the likeliest to be missed.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faiss
import numpy as np

from benchmarks import cpu, search_peers, vectors
from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.machine import load
from benchmarks.vectors import Data, Floats
from consent_client.search.cascade import Cascade, inner_products, warm
from consent_client.search.vnni import has_vnni
from registry.matching.floats import FloatKernel
from registry.matching.policies import Thresholds
from registry.matching.space_index import SpaceIndex

SIZES: Final = (100_000, 1_000_000)
OPERATING: Final = 0.50
STRICT: Final = 0.75
"""From where on records match that are like nothing in the bank, and that are like much of it."""

CLAIMS: Final = {
    ("photographs", OPERATING): 15.0,
    ("photographs", STRICT): 25.0,
    ("heavy clusters", OPERATING): 10.0,
    ("heavy clusters", STRICT): 25.0,
    ("faces", OPERATING): 8.0,
}
CLAIM_SINGLE_MS: Final = 5.0
CLAIM_ADD_MS: Final = 1.0
CLAIM_MISSED: Final = 1e-4
CLAIM_BYTES: Final = 1.2 * (64 + 512 + 8)
"""A fifth above codes, bytes and ids."""

QUERIES: Final = 1_000
COMPARISONS: Final = 100_000_000
"""Pairs that FAISS compares in a round, about a second: so many queries it is asked."""

ROUNDS: Final = 3
PLANTED: Final = 60_000
SINGLE: Final = 50
CHANGES: Final = 200

IMAGES: Final = 5.85e9
"""Of LAION-5B."""

PARTS: Final = ("photographs", "clusters", "faces", "changes", "plain", "peers", "cost")

_ROOT = Path(__file__).parent.parent
_FAISS_BLAS: Final = 1
"""Queries times dimension from which FAISS multiplies matrices: always, in batches."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Queries in a second of processor time."""

    ours: float
    flat: float

    @property
    def ratio(self) -> float:
        """Ours to FAISS's."""
        return self.ours / self.flat


def flat_of(rows: Floats) -> faiss.IndexFlatIP:
    """FAISS's index that compares with all."""
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index


def cascade_of(rows: Floats, threshold: float) -> Cascade:
    """Ours, with one threshold for all."""
    return Cascade.build(rows, np.full(len(rows), threshold, np.float32))


def in_turn(works: Sequence[Callable[[], object]]) -> list[float]:
    """Processor seconds of each work's least disturbed round."""
    rounds = [[cpu.once(work) for work in works] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def rates(index: Cascade, flat: faiss.IndexFlatIP, queries: Floats, threshold: float) -> Rates:
    """Both, in batches."""
    some = queries[: max(100, COMPARISONS // index.count)]
    ours, theirs = in_turn(
        [lambda: list(index.portions(queries)), lambda: flat.range_search(some, threshold)]
    )
    return Rates(len(queries) / ours, len(some) / theirs)


def wrong(
    index: Cascade, flat: faiss.IndexFlatIP, data: Data, threshold: float
) -> Iterator[Figure]:
    """What is found falsely, and what FAISS finds and we do not."""
    queries = data.queries[: max(100, COMPARISONS // index.count)]
    limits, _, rows = flat.range_search(queries, threshold)
    numbers = np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64)))
    expected = set(zip(numbers.tolist(), rows.tolist(), strict=True))
    query_numbers, found_rows, scores = index.search(queries)
    exact = np.einsum(
        "ij,ij->i",
        queries[query_numbers].astype(np.float64),
        data.rows[found_rows].astype(np.float64),
    )
    # In exact arithmetic; float32 adds up to some 10⁻⁷ more or less.
    false = int(np.count_nonzero((scores < threshold) | (exact < threshold - 1e-6)))
    missed = len(expected - set(zip(query_numbers.tolist(), found_rows.tolist(), strict=True)))
    yield Figure(f"- of {len(found_rows):,} pairs found, false", false, "pairs", at_most=0)
    yield Figure(f"- of FAISS's {len(expected):,}, missed", missed, "pairs")


def planted(index: Cascade, data: Data, threshold: float) -> Figure:
    """How many pairs just above the threshold are missed."""
    random = np.random.default_rng(2013)
    missed = matching = 0
    for _ in range(0, PLANTED, QUERIES):
        queries, rows = data.planted(random, QUERIES, threshold)
        numbers = np.arange(QUERIES)
        near = inner_products(data.rows, rows, queries, numbers) >= np.float32(threshold)
        query_numbers, found, _ = index.search(queries)
        hit = np.zeros(QUERIES, np.bool_)
        hit[query_numbers[found == rows[query_numbers]]] = True
        matching += int(np.count_nonzero(near))
        missed += int(np.count_nonzero(near & ~hit))
    what = f"- of {matching:,} planted pairs within 0.02 of the threshold, missed: {missed}, share"
    return Figure(what, missed / matching, "", at_most=CLAIM_MISSED)


def compared(data: Data, thresholds: Sequence[float], *, plant: bool) -> Iterator[Figure]:
    """All figures of one model and size."""
    count, dimension = data.rows.shape
    flat = flat_of(data.rows)
    for threshold in thresholds:
        built: list[Cascade] = []
        build = cpu.once(lambda at=threshold, to=built: to.append(cascade_of(data.rows, at)))
        index = built[0]
        found = rates(index, flat, data.queries, threshold)
        yield Figure(
            f"{data.name}, {count:,} of {dimension} at {threshold:.2f}: against FAISS's",
            found.ratio,
            "times",
            at_least=CLAIMS.get((data.name, threshold)),
        )
        yield Figure("- queries a second", found.ours, "/s")
        yield Figure("- FAISS's `IndexFlatIP`, batched", found.flat, "/s")
        in_hundreds = cpu.least(
            lambda ours=index: [
                list(ours.portions(data.queries[start : start + 100]))
                for start in range(0, len(data.queries), 100)
            ]
        )
        yield Figure(
            "- queries a second, a hundred at a time", len(data.queries) / in_hundreds, "/s"
        )
        alone = cpu.least(
            lambda ours=index: [list(ours.portions(query[None])) for query in data.queries[:SINGLE]]
        )
        yield Figure(
            "- a query by itself",
            1e3 * alone / SINGLE,
            "ms",
            at_most=CLAIM_SINGLE_MS if count == SIZES[-1] else None,
        )
        yield from wrong(index, flat, data, threshold)
        if plant:
            yield planted(index, data, threshold)
        yield Figure("- building, processor time", build, "s")


def _memory() -> Iterator[Figure]:
    index = cascade_of(vectors.faces(1_000, 10).rows, OPERATING)
    yield Figure(
        "memory of the cascade, a face of 128 and its id", index.nbytes / 1_000 + 8, "bytes"
    )
    index = cascade_of(vectors.photographs(1_000, 10).rows, OPERATING)
    yield Figure(
        "memory of the cascade, a vector of 512 and its id",
        index.nbytes / 1_000 + 8,
        "bytes",
        at_most=CLAIM_BYTES,
    )
    yield Figure("- the vector itself, read for the last test only", 4 * 512, "bytes")


def changes(count: int) -> Iterator[Figure]:
    """The registry's index of a space: adding, removing, both cores; and compiling."""
    yield from _memory()
    data = vectors.photographs(count, QUERIES)
    index = SpaceIndex(FloatKernel(512, Thresholds.at(OPERATING)))
    none = np.empty(0, np.int64)
    owners = np.arange(count)
    index.apply(index.rows(owners[:-CHANGES], data.rows[:-CHANGES]), none)

    def add(row: int) -> None:
        index.apply(index.rows(owners[row : row + 1], data.rows[row : row + 1]), none)

    def remove(row: int) -> None:
        index.apply(index.rows(none, data.rows[:0]), owners[row : row + 1])

    added = cpu.once(lambda: [add(row) for row in range(count - CHANGES, count)]) / CHANGES
    yield Figure(f"adding a vector to {count:,}", 1e3 * added, "ms", at_most=CLAIM_ADD_MS)
    removed = cpu.once(lambda: [remove(row) for row in range(0, count, count // CHANGES)])
    yield Figure("- removing one", 1e3 * removed / CHANGES, "ms", at_most=CLAIM_ADD_MS)
    view = index.view
    assert len(view.search(data.rows[:1])[1]) == 0 or 0 not in view.search(data.rows[:1])[1]
    yield Figure("- compacting what was removed", cpu.once(index.compact), "s")
    yield Figure("two threads at once against one", _two_threads(index, data.queries), "times")
    with tempfile.TemporaryDirectory() as folder:
        cold, loaded = _compiling(folder), _compiling(folder)
    yield Figure("compiling, the first time on a machine", cold, "s")
    yield Figure("- later, out of numba's cache", loaded, "s")


def _two_threads(index: SpaceIndex, queries: Floats) -> float:
    """Clock time of two blocks one after the other, to that of both at once."""

    def search() -> None:
        for _ in index.view.portions(queries):
            pass

    def at_once() -> None:
        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def clock(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    one = min(clock(lambda: (search(), search())) for _ in range(ROUNDS))
    return one / min(clock(at_once) for _ in range(ROUNDS))


def _compiling(folder: str) -> float:
    code = "from registry.matching.registry_index import warm; import time; t = time.process_time()"
    code += "; warm(); print(time.process_time() - t)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def plain(count: int) -> Iterator[Figure]:
    """As compiled for a processor without AVX-512; FAISS keeps what there is."""
    env = {
        **os.environ,
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2,+popcnt",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.search_float", "--json"),
            *("--parts", "photographs", "--rows", str(count)),
        ],
        env=env,
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    first = Report.from_json(done.stdout).figures[0]
    yield Figure(f"compiled without AVX-512: {first.what}", first.value, "times")


def beside(count: int) -> Iterator[Figure]:
    """Approximate indexes on the same photographs, with what they find."""
    data = vectors.photographs(count, QUERIES)
    index = cascade_of(data.rows, OPERATING)
    near = np.zeros(QUERIES, np.bool_)
    near[index.search(data.queries)[0]] = True
    ours = cpu.least(lambda: list(index.portions(data.queries)))
    yield Figure(f"{count:,} photographs at {OPERATING:.2f}: ours", QUERIES / ours, "/s")
    for peer in search_peers.measure(data.rows, data.queries, near, OPERATING):
        if peer.per_second is None or peer.recall is None:
            yield Figure(f"- {peer.name}", None, search_peers.peers.HOW)
            continue
        recall = f"finds {100 * peer.recall:.1f} % of {near.sum()} near, {peer.false} false"
        yield Figure(f"- {peer.name}: {recall}", peer.per_second, "/s")


def cost(count: int) -> Iterator[Figure]:
    """What screening all of LAION-5B takes, beside fingerprinting it."""
    data = vectors.photographs(count, QUERIES)
    index = cascade_of(data.rows, OPERATING)
    flat = flat_of(data.rows)
    found = rates(index, flat, data.queries, OPERATING)
    hours = IMAGES / 3600
    yield Figure(
        f"5.85 billion images against {count:,} vectors at {OPERATING:.2f}",
        hours / found.ours,
        "core hours",
    )
    yield Figure("- with FAISS's `IndexFlatIP`", hours / found.flat, "core hours")
    picture = _fingerprinting()
    yield Figure("- fingerprinting them (sha256, pdq, sscd)", hours * picture, "core hours")
    yield Figure("- matching, of fingerprinting", 100 / found.ours / picture, "%")


def _fingerprinting() -> float:
    """Processor seconds for a picture, by the benchmark of that."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fingerprinting", "--json"],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout)["client_ms"]) / 1e3


def _figures(parts: Sequence[str], sizes: Sequence[int]) -> Iterator[Figure]:
    smallest, greatest = min(sizes), max(sizes)
    for count in sizes:
        plant = count == smallest
        if "photographs" in parts:
            data = vectors.photographs(count, QUERIES)
            yield from compared(data, (OPERATING, STRICT), plant=plant)
        if "clusters" in parts:
            yield from compared(vectors.clusters(count, QUERIES), (OPERATING, STRICT), plant=plant)
    for name, work, count in (
        ("faces", _faces, smallest),
        ("changes", changes, smallest),
        ("plain", plain, smallest),
        ("peers", beside, smallest),
        ("cost", cost, greatest),
    ):
        if name in parts:
            yield from work(count)


def _faces(count: int) -> Iterator[Figure]:
    yield from compared(vectors.faces(count, QUERIES), (OPERATING,), plant=True)


def measure(parts: Sequence[str], sizes: Sequence[int]) -> Report:
    """All figures."""
    faiss.omp_set_num_threads(1)
    faiss.cvar.distance_compute_blas_threshold = _FAISS_BLAS
    warm()
    before = load()
    figures = []
    for figure in _figures(parts, sizes):
        print(f"  {figure.what}: {figure.value} {figure.unit}", file=sys.stderr, flush=True)
        figures.append(figure)
    words = "" if tuple(parts) == PARTS else f" --parts {' '.join(parts)}"
    return Report(
        command=f"python -m benchmarks.search_float --rows {' '.join(map(str, sizes))}{words}",
        setting=f"{'with' if has_vnni() else 'without'} VNNI; one thread, processor time, least of "
        f"{ROUNDS} rounds in turn; {before} at the beginning, {load()} at the end.",
        figures=tuple(figures),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes, ascending")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which")
    chosen = parser.parse_args(words)
    show(measure(chosen.parts, chosen.rows), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
