"""What matches at a space's very boundary, what is refused, and how much one search may take."""

import hashlib
import hmac
import subprocess
import sys
import threading
from itertools import islice

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.matching import exact
from registry.matching.binary import BinaryKernel
from registry.matching.exact import ExactKernel, ExactTable
from registry.matching.floats import FloatKernel
from registry.matching.kernels import TILE_QUERIES, TILE_ROWS, Queries, tiles
from registry.matching.policies import Thresholds
from registry.matching.threads import one_faiss_thread

from .conftest import pairs


def graded(kernel, rows, queries):
    """Sets of (query, row): what matches, and what lies near the border."""
    nearest = np.full((len(rows), kernel.nearest_width), -1, np.float32)
    rows, sought = kernel.rows(rows), Queries(kernel.rows(queries))
    matching, bordering = set(), set()
    for near in kernel.table(rows, nearest).portions(sought):
        matches, borders = kernel.grade(near, sought, rows, nearest, None)
        matching |= pairs((near[0][matches], near[1][matches]))
        bordering |= pairs((near[0][borders], near[1][borders]))
    return matching, bordering


def found(kernel, rows, queries):
    """Set of (query, row) that match."""
    return graded(kernel, rows, queries)[0]


def unit(random, count, width):
    vectors = random.standard_normal((count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 5_000), st.integers(0, 10_000))
def test_tiles_cover_every_pair_once(queries, rows):
    covered = 0
    for some_queries, some_rows in tiles(queries, rows):
        height = len(range(*some_queries.indices(queries)))
        width = len(range(*some_rows.indices(rows)))
        assert 0 < height <= TILE_QUERIES
        assert 0 < width <= TILE_ROWS
        covered += height * width
    assert covered == queries * rows


@pytest.mark.parametrize("distance", [0, 1, 30, 31, 32, 33, 256])
def test_pdq_matches_up_to_31_bits(distance):
    random = np.random.default_rng(distance)
    row = random.integers(0, 256, (1, 32), dtype=np.uint8)
    bits = np.unpackbits(row, axis=1)
    bits[0, random.choice(256, distance, replace=False)] ^= 1
    queries = np.packbits(bits, axis=1)
    one = {(0, 0)}
    assert graded(BinaryKernel(32, 31), row, queries) == (
        one if distance <= 31 else set(),
        one if distance in {30, 31, 32, 33} else set(),
    )


@pytest.mark.parametrize("similarity", [0.44, 0.46, 0.49, 0.51, 0.54, 0.56, 0.99])
def test_floats_tell_what_comes_near_the_border(similarity):
    rows = np.eye(1, 512, dtype=np.float32)
    beside = np.float32(np.sqrt(1 - similarity**2)) * np.eye(2, 512, dtype=np.float32)[1:]
    query = np.float32(similarity) * rows + beside
    one = {(0, 0)}
    assert graded(FloatKernel(512, Thresholds.at(0.5)), rows, query) == (
        one if similarity >= 0.5 else set(),
        one if 0.45 < similarity < 0.55 else set(),
    )


@pytest.mark.parametrize("queries", [1, 2, 3, 4, 5, 200])
def test_floats_match_from_the_threshold_on(queries):
    """Whichever way FAISS takes for that many queries, and to the last bit."""
    half = np.float32(0.5)
    similarities = [half, np.nextafter(half, np.float32(1)), np.nextafter(half, np.float32(0))]
    rows = np.zeros((3, 512), np.float32)
    rows[:, 0] = similarities
    rows[:, 1] = np.sqrt(0.75)
    query = np.zeros((queries, 512), np.float32)
    query[:, 0] = 1
    expected = {(i, row) for i in range(queries) for row in (0, 1)}
    assert found(FloatKernel(512, Thresholds.at(0.5)), rows, query) == expected


@pytest.mark.parametrize("width", [64, 128, 512, 768])
def test_floats_agree_with_plain_products(width):
    random = np.random.default_rng(width)
    rows, queries = unit(random, 300, width), unit(random, 50, width)
    queries[:25] = unit(random, 25, width) * 0.8 + rows[:25]
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    similarity = queries.astype(np.float64) @ rows.T.astype(np.float64)
    assert (np.abs(similarity - 0.5) > 1e-5).all()  # none so near that float32 could differ
    expected = set(zip(*(side.tolist() for side in np.nonzero(similarity >= 0.5)), strict=True))
    assert expected
    assert found(FloatKernel(width, Thresholds.at(0.5)), rows, queries) == expected


def test_binary_agrees_with_counting_bits():
    random = np.random.default_rng(0)
    rows = random.integers(0, 256, (300, 32), dtype=np.uint8)
    bits = np.unpackbits(rows[:60], axis=1)
    for i in range(60):
        bits[i, random.choice(256, 10 + i // 2, replace=False)] ^= 1
    queries = np.packbits(bits, axis=1)
    distances = np.bitwise_count(queries[:, None] ^ rows[None]).sum(axis=2, dtype=int)
    expected = set(zip(*(side.tolist() for side in np.nonzero(distances <= 31)), strict=True))
    assert 0 < len(expected) < 60
    assert found(BinaryKernel(32, 31), rows, queries) == expected


def digests(*values):
    data = b"".join(hashlib.sha256(str(value).encode()).digest() for value in values)
    return np.frombuffer(data, np.uint8).reshape(-1, 32)


def test_exact_finds_every_repeat():
    kernel = ExactKernel()
    rows = digests(1, 2, 2, 3, 3, 3)
    assert found(kernel, rows, digests(3, 0, 2, 3)) == {
        (0, 3), (0, 4), (0, 5), (2, 1), (2, 2), (3, 3), (3, 4), (3, 5),
    }  # fmt: skip


def test_exact_compares_all_bytes():
    """Rows that agree in the eight bytes they are sorted by, and differ later."""
    rows = np.zeros((32, 32), np.uint8)
    rows[np.arange(1, 32), np.arange(1, 32)] = 1
    hits = ExactTable(rows).portions(Queries(rows))
    assert set().union(*(pairs(portion[:2]) for portion in hits)) == {(i, i) for i in range(32)}


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_exact_at_the_ends_of_its_order(size):
    """Heads below all and above all, in tables of any size."""
    rows = np.zeros((size, 32), np.uint8)
    rows[:, 7] = np.arange(size) % 200 + 1
    rows[:, 31] = np.arange(size) // 200
    queries = np.concatenate([rows[:1], rows[-1:], np.full((1, 32), 255), np.zeros((1, 32))])
    hits = [*ExactTable(rows).portions(Queries(queries.astype(np.uint8)))]
    answer = set().union(*(pairs(portion[:2]) for portion in hits))
    last = {(1, size - 1)} if size > 1 else set()
    both = {(0, 0), (1, 0)} if size == 1 else ({(0, 0)} if size else set())
    assert answer == both | last


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 50))
def test_runs_of_exact_hits_are_bounded(counts, portion):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_PORTION", portion)
        runs = list(exact._runs(np.array(counts, np.int64)))
    assert [i for run in runs for i in range(run.start, run.stop)] == list(range(len(counts)))
    for run in runs:
        assert sum(counts[run]) <= portion or run.stop == run.start + 1


def test_exact_keeps_hmacs_under_a_key_of_its_own(monkeypatch):
    plain = digests(1, 2)
    first, second = ExactKernel().rows(plain), ExactKernel().rows(plain)
    assert (first != second).any(axis=1).all()
    assert plain[0].tobytes() not in first.tobytes()
    key = bytes(range(64))
    monkeypatch.setattr(exact.secrets, "token_bytes", lambda size: key[:size])
    expected = b"".join(hmac.digest(key, row.tobytes(), "sha256") for row in plain)
    assert ExactKernel().rows(plain).tobytes() == expected


KERNELS = (ExactKernel(), BinaryKernel(32, 31), FloatKernel(32, Thresholds.at(0.5)))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_other_types_and_shapes_are_refused(kernel):
    for shape in ((32,), (1, 31), (1, 33), (1, 1, 32), (0, 0), ()):
        with pytest.raises(ValueError, match="fingerprints must be"):
            kernel.rows(np.zeros(shape, kernel.dtype))
    for dtype in (np.int8, np.float64, np.float16, np.dtype(">f4"), object, np.bool_):
        with pytest.raises(ValueError, match="fingerprints must be"):
            kernel.rows(np.zeros((1, 32), dtype))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_arrays_that_are_not_contiguous_mean_the_same(kernel):
    random = np.random.default_rng(5)
    wide = random.integers(0, 2, (6, 64)).astype(kernel.dtype) / 8
    wide = wide.astype(kernel.dtype)
    strided, plain = wide[::2, ::2], wide[::2, ::2].copy()
    assert kernel.rows(strided).flags.c_contiguous
    assert found(kernel, plain, strided) == found(kernel, strided, plain)
    assert found(kernel, np.asfortranarray(plain), plain) == found(kernel, plain, plain)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (4, 31)])
def test_what_is_not_finite_never_gets_in_or_is_answered_as_clear(bad, at):
    kernel = FloatKernel(32, Thresholds.at(0.5))
    vectors = unit(np.random.default_rng(0), 5, 32)
    vectors[at] = bad
    with pytest.raises(ValueError, match="not finite"):
        kernel.rows(vectors)


def test_a_thread_for_searching_uses_one_core():
    seen = {}

    def look(name, initializer):
        initializer()
        seen[name] = faiss.omp_get_max_threads()

    for name, initializer in (("set", one_faiss_thread), ("unset", lambda: None)):
        thread = threading.Thread(target=look, args=(name, initializer))
        thread.start()
        thread.join()
    assert seen["set"] == 1
    assert seen["unset"] >= 1


def test_few_and_many_queries_take_the_faster_way():
    assert faiss.cvar.distance_compute_blas_threshold <= 4 * 512


DENSE = """
import resource, sys
import numpy as np
from registry.matching import binary, exact, floats
from registry.matching.policies import Thresholds
from registry.matching.space_index import SpaceIndex
from registry.matching.threads import one_faiss_thread
one_faiss_thread()
kernel = {kernel}
records, queries = 100_000, 1_500
vectors = np.ones((records, kernel.width), kernel.dtype)
if kernel.dtype == np.float32:
    vectors /= np.sqrt(kernel.width, dtype=np.float32)
index = SpaceIndex(kernel)
owners = np.arange(records)
index.apply(index.rows(owners, vectors), np.empty(0, np.int64))
few = [*index.view.portions(vectors[:2])]  # whatever is set up at the first search
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hits = greatest = 0
for rows, _ in index.view.portions(vectors[:queries]):
    hits += len(rows)
    greatest = max(greatest, len(rows))
assert hits == records * queries, hits
print(greatest, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    "kernel",
    [
        "exact.ExactKernel()",
        "binary.BinaryKernel(32, 31)",
        "floats.FloatKernel(16, Thresholds.at(0.5))",
    ],
)
def test_when_everything_matches_memory_stays_bounded(kernel):
    """150 million hits, 2.4 GB if they were collected: in a process of its own, by its peak."""
    done = subprocess.run(
        [sys.executable, "-c", DENSE.format(kernel=kernel)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    greatest, mebibytes = map(int, done.stdout.split())
    assert greatest <= TILE_QUERIES * TILE_ROWS
    assert mebibytes < 400


def test_portions_come_one_at_a_time():
    """Whoever has seen enough stops, and the rest is never searched."""
    rows = np.zeros((3 * TILE_ROWS, 4), np.uint8)
    table = BinaryKernel(4, 31).table(rows, np.empty((len(rows), 0), np.float32))
    first = next(islice(table.portions(Queries(rows[:1])), 1))
    assert len(first[0]) == TILE_ROWS
