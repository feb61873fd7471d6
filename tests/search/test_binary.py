"""Binary search against brute force and FAISS, on kind and on hostile data."""

import subprocess
import sys
import threading
import tracemalloc
from itertools import islice

import faiss
import numba.core.caching
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.search import binary, permuted, pigeonhole
from consent_client.search.binary import BinaryIndex, warm
from consent_client.search.compiled import compiled
from consent_client.search.pigeonhole import Plan, masks, plan
from consent_client.search.scan import PORTION, scan, scan_portions

_IN_OTHER_PROCESSES = """
import numpy as np
from consent_client.search.binary import BinaryIndex
random = np.random.default_rng(9)
codes = random.integers(0, 256, (60_000, 32), dtype=np.uint8)
queries = codes[:50].copy()
queries[:, 5] ^= 0xA5
query, row = BinaryIndex.build(codes, 31).search(queries)
print(query.tolist() == list(range(50)) == row.tolist())
"""


@pytest.fixture(scope="module", autouse=True)
def _warmed():
    warm()


@pytest.fixture
def by_plan(monkeypatch):
    """Builds an index by a plan that would not pay for codes so few."""

    def build(codes, radius, chosen):
        monkeypatch.setattr(binary, "plan", lambda *_: chosen)
        index = BinaryIndex.build(codes, radius)
        monkeypatch.undo()
        return index

    return build


def random_codes(seed, count, width=32):
    return np.random.default_rng(seed).integers(0, 256, (count, width), dtype=np.uint8)


def flipped(code, distance, seed=0):
    """A code with so many bits changed."""
    bits = np.unpackbits(code)
    bits[np.random.default_rng(seed).choice(len(bits), distance, replace=False)] ^= 1
    return np.packbits(bits)


def distances(codes, queries):
    return np.bitwise_count(queries[:, None] ^ codes[None]).sum(axis=2, dtype=np.int64)


def by_brute_force(codes, queries, radius):
    return list(zip(*np.nonzero(distances(codes, queries) <= radius), strict=True))


def by_faiss(codes, queries, radius):
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    limits, _, rows = index.range_search(queries, radius + 1)
    query_numbers = np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64)))
    return sorted(zip(query_numbers.tolist(), rows.tolist(), strict=True))


def pairs(found):
    """Pairs in the order they came, each once or it is seen."""
    query_numbers, rows = found
    assert query_numbers.dtype == rows.dtype == np.int64
    return list(zip(query_numbers.tolist(), rows.tolist(), strict=True))


def planted(seed, codes, radius):
    """Queries at every distance around the radius from some code, and strangers."""
    near = [
        flipped(codes[seed_ % len(codes)], distance, seed_)
        for seed_, distance in enumerate(range(min(radius + 4, 8 * codes.shape[1])))
    ]
    return np.concatenate([np.array(near, np.uint8), random_codes(seed, 20, codes.shape[1])])


# What is found


@pytest.mark.parametrize("count", [1, 2, 511, 513, 4_095, 4_097, 20_000])
def test_a_scan_finds_what_faiss_finds(count):
    codes = random_codes(count, count)
    queries = planted(count, codes, 31)
    expected = by_faiss(codes, queries, 31)
    assert expected
    assert pairs(scan(codes, queries, 31)) == expected


@pytest.mark.parametrize("count", [30_000, 100_000, 300_000])
def test_an_index_finds_what_faiss_finds(count):
    codes = random_codes(count, count)
    codes[count // 2 :: 7] = codes[: len(codes[count // 2 :: 7])]  # and duplicates
    queries = planted(count, codes, 31)
    assert pairs(BinaryIndex.build(codes, 31).search(queries)) == by_faiss(codes, queries, 31)


@pytest.mark.parametrize(
    ("width", "radius", "chosen"),
    [
        (8, 0, Plan((16,), (0,))),
        (8, 5, Plan((16, 16, 16, 16), (1, 1, 0, 0))),
        (8, 5, Plan((11, 10, 10), (1, 1, 1))),
        (16, 10, Plan((20, 20, 20, 20, 12), (2, 1, 1, 1, 1))),
        (32, 31, Plan((16,) * 16, (1,) * 16)),
        (32, 31, Plan((23,) * 11, (2,) * 10 + (1,))),
        (64, 60, Plan((25,) * 20, (3,) + (2,) * 19)),
    ],
)
def test_every_width_and_radius_finds_what_faiss_finds(by_plan, width, radius, chosen):
    assert sum(allowed + 1 for allowed in chosen.radii) == radius + 1
    codes = random_codes(width, 3_000, width)
    codes[1_500:1_600] = codes[:100]
    queries = planted(width, codes, radius)
    index = by_plan(codes, radius, chosen)
    expected = by_faiss(codes, queries, radius)
    assert index.nbytes > codes.nbytes * 1.1  # it has buckets
    assert pairs(index.search(queries)) == expected
    assert pairs(scan(codes, queries, radius)) == expected


@st.composite
def _problems(draw):
    """Codes around a few centres, queries alike, a radius, and any plan that is right for it."""
    width = draw(st.sampled_from([8, 16, 24]))
    radius = draw(st.integers(0, 20))
    plans = [
        found
        for found in pigeonhole._plans(8 * width, radius, draw(st.integers(4, 14)))
        if found.probes <= 2_000
    ]
    chosen = draw(st.sampled_from(plans)) if plans else None
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    centres = random.integers(0, 256, (draw(st.integers(1, 4)), width), dtype=np.uint8)

    def around(count):
        flips = random.random((count, 8 * width)) < random.choice([0, 0.02, 0.1, 0.3], (count, 1))
        return centres[random.integers(0, len(centres), count)] ^ np.packbits(flips, axis=1)

    return around(draw(st.integers(0, 60))), around(draw(st.integers(0, 12))), radius, chosen


@settings(deadline=None, max_examples=150)
@given(problem=_problems())
def test_each_near_pair_is_found_once_and_nothing_else(problem):
    codes, queries, radius, chosen = problem
    words = permuted.permuted(
        binary.words_of(codes), (order := permuted.order_of_process(codes.shape[1] // 8)).into
    )
    buckets = None if chosen is None else binary.buckets_of(words, chosen)
    expected = by_brute_force(codes, queries, radius)
    assert pairs(BinaryIndex(radius, order, words, buckets).search(queries)) == expected
    assert pairs(scan(codes, queries, radius)) == expected


@pytest.mark.parametrize("radius", [255, 256, 257, 10**30])
def test_a_radius_of_all_bits_finds_all(radius):
    codes = np.array([[0] * 32, [255] * 32], np.uint8)
    index = BinaryIndex.build(codes, radius)
    expected = 2 if radius == 255 else 4
    assert len(pairs(index.search(codes))) == expected
    assert len(pairs(scan(codes, codes, radius))) == expected


@pytest.mark.parametrize(("codes", "queries"), [(0, 0), (0, 5), (5, 0)])
def test_nothing_is_found_in_nothing(codes, queries):
    codes, queries = random_codes(1, codes), random_codes(1, queries)
    for found in (BinaryIndex.build(codes, 31).search(queries), scan(codes, queries, 31)):
        assert pairs(found) == []
    assert len(BinaryIndex.build(codes, 31)) == len(codes)


def test_codes_come_back_as_they_were_given():
    codes = random_codes(3, 60_000)
    rows = np.array([59_999, 0, 7, 7], np.int64)
    assert (BinaryIndex.build(codes, 31).codes(rows) == codes[rows]).all()


@pytest.mark.parametrize(
    "lay",
    [
        np.asfortranarray,
        lambda codes: np.frombuffer(b"x" + codes.tobytes(), np.uint8)[1:].reshape(codes.shape),
        lambda codes: np.repeat(codes, 2, axis=0)[::2],
    ],
)
def test_how_codes_lie_in_memory_does_not_matter(lay):
    codes = random_codes(4, 500)
    expected = [(row, row) for row in range(500)]
    assert pairs(scan(lay(codes), lay(codes), 31)) == expected
    assert pairs(BinaryIndex.build(lay(codes), 31).search(lay(codes))) == expected


# How much it takes


@pytest.mark.parametrize("changed", [0, 2])
def test_a_hundred_thousand_rows_in_one_place_are_found_and_passed_by(changed):
    """Equal, or within `changed` bits of one code; other rows among them, and queries around."""
    random = np.random.default_rng(changed)
    codes = np.repeat(random_codes(5, 1), 200_000, axis=0)
    codes[::2] = random_codes(6, 100_000)
    for _ in range(changed):
        codes[np.arange(1, 200_000, 2), random.integers(0, 32, 100_000)] ^= (
            1 << random.integers(0, 8, 100_000)
        ).astype(np.uint8)
    centre = random_codes(5, 1)[0]
    queries = np.array([flipped(centre, distance) for distance in (0, 29, 31, 32, 35, 60)])
    index = BinaryIndex.build(codes, 31)
    assert index.nbytes < 150 * len(codes)
    assert pairs(index.search(queries)) == by_faiss(codes, queries, 31)


def test_when_all_match_all_memory_stays_bounded():
    codes = np.zeros((60_000, 32), np.uint8)
    queries = np.zeros((200, 32), np.uint8)
    index = BinaryIndex.build(codes, 31)
    for portions in (index.portions(queries), scan_portions(codes, queries, 31)):
        tracemalloc.start()
        counts = np.zeros(200, np.int64)
        for query_numbers, rows in portions:
            assert 0 < len(query_numbers) <= PORTION
            assert 0 <= rows.min() <= rows.max() < 60_000
            counts += np.bincount(query_numbers, minlength=200)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (counts == 60_000).all()
        assert peak < 5 * 16 * PORTION  # all pairs would be twice that, and grow with the queries


def test_crowded_and_other_queries_share_an_answer(by_plan):
    """Portions end in the middle of both, and neither loses or repeats a pair."""
    codes = np.concatenate([np.zeros((40_000, 32), np.uint8), random_codes(7, 5_000)])
    index = by_plan(codes, 31, Plan((16,) * 16, (1,) * 16))
    queries = np.concatenate([codes[:60], codes[40_000:40_100]])[
        np.random.default_rng(8).permutation(160)
    ]
    portions = list(index.portions(queries))
    assert len(portions) > 2
    found = np.sort(np.concatenate([45_000 * query + row for query, row in portions]))
    assert (np.diff(found) > 0).all()
    assert len(found) == 60 * 40_000 + 100


def test_abandoned_searches_leave_nothing_behind():
    codes = np.zeros((60_000, 32), np.uint8)
    index = BinaryIndex.build(codes, 31)
    for _ in range(3):
        assert len(list(islice(index.portions(codes[:50]), 1))) == 1


def test_threads_find_what_one_finds():
    codes = random_codes(10, 100_000)
    queries = np.concatenate([planted(seed, codes[seed:], 31) for seed in range(20)])
    index = BinaryIndex.build(codes, 31)
    expected = pairs(index.search(queries))
    found = [None] * 4

    def search(number):
        found[number] = pairs(index.search(queries[number::4]))

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((4 * q + i, row) for i, some in enumerate(found) for q, row in some) == expected


# Who chooses the codes


def test_codes_chosen_to_share_chunks_share_none():
    """They agree in 64 neighbouring bits: in the codes' own order, in three whole chunks."""
    codes = random_codes(11, 100_000)
    codes[:, :8] = 0
    index = BinaryIndex.build(codes, 31)
    values = np.diff(index._buckets.slot_starts)
    assert values.min() > 8  # some 2^14; 2^3 has a chance of 10^-6, 1 would be the codes' order
    queries = np.concatenate([codes[:20], random_codes(12, 20)])
    assert pairs(index.search(queries)) == by_faiss(codes, queries, 31)


def test_each_process_draws_its_own_order():
    first = permuted.order_of_process.__wrapped__(4)
    second = permuted.order_of_process.__wrapped__(4)
    assert (first.into != second.into).any()


def test_a_representation_tells_no_codes():
    index = BinaryIndex.build(random_codes(13, 60_000), 31)
    assert repr(index) == "BinaryIndex(radius=31)"
    assert repr(index._buckets) == "Buckets(…)"


# What is refused


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((2, 32), np.int8),
        np.zeros((2, 32), np.float32),
        np.zeros((2, 4), np.uint64),
        np.zeros(32, np.uint8),
        np.zeros((1, 2, 32), np.uint8),
        np.zeros((2, 0), np.uint8),
        np.zeros((2, 31), np.uint8),
        np.zeros((2, 33), np.uint8),
        np.zeros((2, 32), object),
        [[0] * 32],
        b"0" * 32,
        None,
    ],
    ids=lambda codes: f"{getattr(codes, 'dtype', type(codes).__name__)}{np.shape(codes)}",
)
def test_other_types_and_shapes_are_refused(codes):
    good = random_codes(14, 3)
    with pytest.raises(ValueError, match="codes"):
        BinaryIndex.build(codes, 31)
    with pytest.raises(ValueError, match="codes"):
        BinaryIndex.build(good, 31).portions(codes)
    with pytest.raises(ValueError, match="codes"):
        scan_portions(good, codes, 31)
    with pytest.raises(ValueError, match="codes"):
        scan_portions(codes, good, 31)


def test_queries_of_another_width_are_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        BinaryIndex.build(random_codes(15, 3), 31).search(random_codes(15, 3, 16))
    with pytest.raises(ValueError, match="16 bytes"):
        scan(random_codes(15, 3), random_codes(15, 3, 16), 31)


@pytest.mark.parametrize("radius", [-1, 3.0, None, "31"])
def test_a_radius_that_is_no_number_of_bits_is_refused(radius):
    codes = random_codes(16, 3)
    with pytest.raises(ValueError, match="radius"):
        BinaryIndex.build(codes, radius)
    with pytest.raises(ValueError, match="radius"):
        scan(codes, codes, radius)


# Plans


@pytest.mark.parametrize("rows", [0, 1, 1_000, 10**5, 10**6, 10**7, 10**9])
@pytest.mark.parametrize(("bits", "radius"), [(64, 3), (256, 0), (256, 31), (256, 200), (512, 60)])
def test_plans_obey_the_pigeonhole(rows, bits, radius):
    chosen = plan(rows, bits, radius)
    if rows < 1_000:
        assert chosen is None
    if chosen is not None:
        assert sum(allowed + 1 for allowed in chosen.radii) == radius + 1
        assert sum(chosen.widths) <= bits
        assert all(
            0 <= allowed < width <= pigeonhole.WIDEST_CHUNK
            for width, allowed in zip(chosen.widths, chosen.radii, strict=True)
        )


def test_pdq_is_scanned_while_few_and_hashed_when_many():
    assert plan(10_000, 256, 31) is None
    assert plan(10**6, 256, 31) is not None


@pytest.mark.parametrize(("width", "radius"), [(1, 0), (5, 2), (8, 8), (12, 3)])
def test_masks_are_all_words_near_zero(width, radius):
    found = masks(width, radius).tolist()
    assert sorted(found) == [word for word in range(2**width) if word.bit_count() <= radius]


# Compiling


def test_without_numba_it_says_what_brings_it():
    program = """
import sys
sys.modules["numba"] = None  # as if it were not installed
from consent_client.errors import MissingExtra
try:
    import consent_client.search.binary
except MissingExtra as missing:
    print(missing.extra)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "search\n"


def test_where_nothing_can_be_written_functions_are_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])

    def twice(number):
        return 2 * number

    assert compiled(twice)(21) == 42


def test_an_old_processor_finds_the_same():
    """Without vectors and without an instruction that counts bits."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_OTHER_PROCESSES],
        env={"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == "True\n"
