"""Codes of 256 bits within 31: our index, FAISS's flat one and threatexchange's, on the same data.

    python -m benchmarks.search_binary

One process, one thread, processor time, the least disturbed of some rounds in which all take their
turn: ratios hardly depend on what else the machine does. Most queries are strangers, as in a data
set; one in ten is a registered code with some bits changed. Every answer is compared with FAISS's.

Codes are random bits, which is the hardest for comparing one by one and what the bits of PDQ are
like for pictures that have nothing in common. `in crowds` has half of the rows around one centre
in a thousand, 2 to 40 bits from it, as pictures that were copied and edited lie.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks import cpu, peers
from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.machine import load
from consent_client.search.binary import BinaryIndex, warm
from consent_client.search.scan import scan

type Codes = NDArray[np.uint8]

ROWS = (1_000_000, 10_000_000)
RADIUS = 31
BITS = 256

CLAIMS = {1_000_000: 20.0, 10_000_000: 50.0}
"""Times as many queries a second as FAISS's flat index, for so many codes."""

PEER_CLAIM = 10.0
"""Times as many as threatexchange's `PDQIndex`."""

COMPARISONS = 1_000_000_000
"""Pairs that FAISS compares in a round, about a second: so many queries it is asked."""

ROUNDS = 3
SINGLE_QUERIES = 200
FRESH = 65_536
"""Rows that were just added: scanned, until they are enough to be put into an index."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Queries in a second of processor time."""

    ours: float
    flat: float

    @property
    def ratio(self) -> float:
        """Ours to FAISS's."""
        return self.ours / self.flat


def codes_of(generator: np.random.Generator, count: int) -> Codes:
    """Random bits."""
    return generator.integers(0, 256, (count, BITS // 8), dtype=np.uint8)


def in_crowds(generator: np.random.Generator, count: int) -> Codes:
    """Half of the rows around one of count / 1,000 centres, the others anywhere."""
    codes = codes_of(generator, count)
    centres = codes_of(generator, count // 1_000)
    crowd = np.arange(0, count, 2)
    codes[crowd] = changed(generator, centres[generator.integers(0, len(centres), len(crowd))], 40)
    return codes


def changed(generator: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Each with 2 to `most` bits changed, some of them twice."""
    changed = codes.copy()
    bits = generator.integers(0, BITS, (most, len(codes)))
    counts = generator.integers(2, most + 1, len(codes))
    for number, bit in enumerate(bits):
        rows = np.flatnonzero(counts > number)
        changed[rows, bit[rows] // 8] ^= (1 << bit[rows] % 8).astype(np.uint8)
    return changed


def queries_of(generator: np.random.Generator, codes: Codes, count: int) -> Codes:
    """Strangers, and in every tenth place a code that was changed a little or too much."""
    queries = codes_of(generator, count)
    near = codes[generator.integers(0, len(codes), len(queries[::10]))]
    queries[::10] = changed(generator, near, RADIUS + 9)
    return queries


def flat_of(codes: Codes) -> faiss.IndexBinaryFlat:
    """FAISS's index that compares with all."""
    index = faiss.IndexBinaryFlat(BITS)
    index.add(codes)
    return index


def compared(
    index: BinaryIndex, flat: faiss.IndexBinaryFlat, generator: np.random.Generator, codes: Codes
) -> Figure:
    """How many pairs only one of the two finds, asked for what is near some code or just not."""
    count = max(100, COMPARISONS // len(codes))
    queries = changed(generator, codes[generator.integers(0, len(codes), count)], RADIUS + 9)
    limits, _, rows = flat.range_search(queries, RADIUS + 1)
    numbers = np.repeat(np.arange(count), np.diff(limits.astype(np.int64)))
    expected = set(zip(numbers.tolist(), rows.tolist(), strict=True))
    found = list(zip(*(part.tolist() for part in index.search(queries)), strict=True))
    assert len(found) == len(set(found))
    what = f"- of {len(expected):,} near pairs, found by one of the two only"
    return Figure(what, len(expected ^ set(found)), "pairs", at_most=0)


def in_turn(works: Sequence[Callable[[], object]]) -> list[float]:
    """Processor seconds of each work's least disturbed round."""
    rounds = [[cpu.once(work) for work in works] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def rates(index: BinaryIndex, flat: faiss.IndexBinaryFlat, queries: Codes) -> Rates:
    """All queries at once."""
    few = queries[: max(20, COMPARISONS // len(index))]
    ours, flats = in_turn(
        [lambda: index.search(queries), lambda: flat.range_search(few, RADIUS + 1)]
    )
    return Rates(len(queries) / ours, len(few) / flats)


def _size(rows: int, generator: np.random.Generator) -> Iterator[Figure]:
    codes = codes_of(generator, rows)
    queries = queries_of(generator, codes, 1_000)
    flat = flat_of(codes)
    built: list[BinaryIndex] = []
    build = cpu.once(lambda: built.append(BinaryIndex.build(codes, RADIUS)))
    (index,) = built
    name = f"{rows:,} codes"
    found = rates(index, flat, queries)
    yield Figure(
        f"{name}: index against FAISS's flat one", found.ratio, "times", at_least=CLAIMS.get(rows)
    )
    yield Figure("- queries in a second of processor time", found.ours, "/s")
    yield Figure("- FAISS's `IndexBinaryFlat`", found.flat, "/s")
    yield compared(index, flat, generator, codes)
    single = cpu.least(lambda: [index.search(query[None]) for query in queries[:SINGLE_QUERIES]])
    yield Figure("- a query by itself", 1e6 * single / SINGLE_QUERIES, "µs")
    yield Figure("- building, processor time", build, "s")
    yield Figure("- memory, a code", index.nbytes / rows, "bytes")
    if rows == ROWS[0]:
        yield from _beside(index, flat, codes, queries)
        del codes, flat, index, built
        yield from _crowds(rows, generator)


def _crowds(rows: int, generator: np.random.Generator) -> Iterator[Figure]:
    codes = in_crowds(generator, rows)
    queries = queries_of(generator, codes, 1_000)
    flat, index = flat_of(codes), BinaryIndex.build(codes, RADIUS)
    found = rates(index, flat, queries)
    yield Figure(f"{rows:,} codes in crowds: index against FAISS's", found.ratio, "times")
    yield compared(index, flat, generator, codes)
    yield Figure("- memory, a code", index.nbytes / rows, "bytes")


def _beside(
    index: BinaryIndex, flat: faiss.IndexBinaryFlat, codes: Codes, queries: Codes
) -> Iterator[Figure]:
    """Scanning, and threatexchange, which is asked one by one as its interface has it."""
    fresh = codes[:FRESH]
    fresh_flat = flat_of(fresh)
    ours, theirs = in_turn(
        [
            lambda: scan(fresh, queries, RADIUS),
            lambda: fresh_flat.range_search(queries, RADIUS + 1),
        ]
    )
    yield Figure(f"- {FRESH:,} fresh codes, scanned: against FAISS's", theirs / ours, "times")
    yield Figure("- a query over them", 1e6 * ours / len(queries), "µs")
    name = "threatexchange's `PDQIndex`, one query after the other"
    pdq_index = peers.module("threatexchange.signal_type.pdq.pdq_index")
    if pdq_index is None:
        yield Figure(f"- against {name}", None, peers.HOW, at_least=PEER_CLAIM)
    else:
        yield from _threatexchange(pdq_index, index, flat, codes, queries[:SINGLE_QUERIES])


def _threatexchange(
    pdq_index: ModuleType,
    index: BinaryIndex,
    flat: faiss.IndexBinaryFlat,
    codes: Codes,
    queries: Codes,
) -> Iterator[Figure]:
    entries = [(code.tobytes().hex(), row) for row, code in enumerate(codes)]
    built = []
    build = cpu.once(lambda: built.append(pdq_index.PDQIndex(entries=entries)))
    theirs, texts = built[0], [query.tobytes().hex() for query in queries]
    ours, peer, flats = in_turn(
        [
            lambda: [index.search(query[None]) for query in queries],
            lambda: [theirs.query(text) for text in texts],
            lambda: [flat.range_search(query[None], RADIUS + 1) for query in queries[::4]],
        ]
    )
    yield Figure(
        "- against threatexchange's `PDQIndex`, one query after the other",
        peer / ours,
        "times",
        at_least=PEER_CLAIM,
    )
    yield Figure("- queries a second, ours", len(queries) / ours, "/s")
    yield Figure("- threatexchange", len(queries) / peer, "/s")
    yield Figure("- FAISS's flat one, too", len(queries[::4]) / flats, "/s")
    expected = [set(index.search(query[None])[1].tolist()) for query in queries]
    missed = sum(
        len(rows - {match.metadata for match in theirs.query(text)})
        for rows, text in zip(expected, texts, strict=True)
    )
    yield Figure(f"- of {sum(map(len, expected))} near pairs, it misses", missed, "pairs")
    yield Figure("- building it, processor time", build, "s")
    added = cpu.least(lambda: theirs.add(texts[0], len(codes)))
    yield Figure("- adding one code to it", 1e3 * added, "ms")


def measure(sizes: Sequence[int]) -> Report:
    """All figures."""
    faiss.omp_set_num_threads(1)
    warm()
    generator = np.random.default_rng(2013)
    before = load()
    figures = tuple(figure for rows in sizes for figure in _size(rows, generator))
    return Report(
        command=f"python -m benchmarks.search_binary --rows {' '.join(map(str, sizes))}",
        setting=f"{BITS} bits within {RADIUS}; one thread, processor time, least of {ROUNDS} "
        f"rounds in turn; {before} at the beginning, {load()} at the end.",
        figures=figures,
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="codes; several")
    chosen = parser.parse_args(words)
    show(measure(chosen.rows), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
