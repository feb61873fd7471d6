"""What the cascade finds: all that reaches its row's threshold, and nothing else.

Rotations are drawn from seeds here, so that a test which passes once passes always: which pairs are
missed, one in some ten thousand at the very threshold, depends on the rotation.
"""

import os
import subprocess
import sys
import threading

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.search import cascade
from consent_client.search.cascade import (
    BYTES_PER_ROW,
    Cascade,
    CascadeWriter,
    Queries,
    inner_products,
)
from consent_client.search.choice import CASCADE_ROWS, Structure, structure_for
from consent_client.search.int8 import bytes_of
from consent_client.search.rotation import Rotation, rotation
from consent_client.search.vnni import has_vnni


def unit(random, count, dimension):
    vectors = random.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(vectors, cosines, random):
    """For each vector one at about this cosine to it."""
    other = unit(random, *vectors.shape).astype(np.float64)
    other -= (other * vectors).sum(axis=1, keepdims=True) * vectors
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    cosines = np.asarray(cosines)[:, None]
    return (cosines * vectors + np.sqrt(1 - cosines**2) * other).astype(np.float32)


def pairs(found):
    queries, rows, scores = found
    assert queries.dtype == rows.dtype == np.int64
    assert scores.dtype == np.float32
    together = list(zip(queries.tolist(), rows.tolist(), strict=True))
    assert together == sorted(set(together))
    return set(together)


def expected(vectors, thresholds, queries, margin=0.0):
    """Brute force in float64."""
    products = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return {(int(query), int(row)) for query, row in np.argwhere(products >= thresholds + margin)}


def mixed(random, rows, dimension, queries=240):
    """Rows of all thresholds, and queries of which most are near some row."""
    vectors = unit(random, rows, dimension)
    thresholds = random.choice(np.array([-2, 0.3, 0.5, 0.75, 0.98, 2], np.float32), rows)
    sought = unit(random, queries, dimension)
    if rows:
        alike = vectors[random.integers(0, rows, queries - 40)]
        sought[40:] = near(alike, random.uniform(0.2, 1, queries - 40), random)
    return vectors, thresholds, sought


@pytest.mark.parametrize("dimension", [4, 16, 100, 128, 512, 768])
@pytest.mark.parametrize("rows", [0, 1, 7, 9, 511, 1_300])
def test_finds_what_brute_force_finds(dimension, rows):
    random = np.random.default_rng(dimension * 10_000 + rows)
    vectors, thresholds, queries = mixed(random, rows, dimension)
    by = Rotation.drawn(dimension, seed=11)
    found = pairs(Cascade.build(vectors, thresholds, by).search(queries))
    assert expected(vectors, thresholds, queries, 1e-5) <= found
    assert found <= expected(vectors, thresholds, queries, -1e-5)


def test_agrees_with_faiss():
    random = np.random.default_rng(8)
    vectors, _, queries = mixed(random, 5_000, 512)
    index = faiss.IndexFlatIP(512)
    index.add(vectors)
    limits, scores, rows = index.range_search(queries, 0.5)
    numbers = np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64)))
    assert np.abs(scores - 0.5).min() > 1e-5  # none so near that the order of adding matters
    by = Rotation.drawn(512, seed=1)
    found = Cascade.build(vectors, np.full(5_000, 0.5, np.float32), by).search(queries)
    assert pairs(found) == set(zip(numbers.tolist(), rows.tolist(), strict=True))


@pytest.mark.parametrize(("dimension", "threshold"), [(512, 0.5), (128, 0.5), (512, 0.75)])
def test_planted_pairs_at_the_boundary_are_found(dimension, threshold):
    """30,000 pairs within 0.02 of the threshold; at most 3 (10⁻⁴) may be missed, none be false."""
    random = np.random.default_rng(dimension)
    vectors = unit(random, 2_000, dimension)
    by = Rotation.drawn(dimension, seed=2)
    index = Cascade.build(vectors, np.full(2_000, threshold, np.float32), by)
    planted = missed = 0
    for _ in range(10):
        rows = random.integers(0, 2_000, 3_000)
        queries = near(vectors[rows], random.uniform(threshold, threshold + 0.02, 3_000), random)
        numbers = np.arange(3_000)
        match = inner_products(vectors, rows, queries, numbers) >= np.float32(threshold)
        wanted = set(zip(numbers[match].tolist(), rows[match].tolist(), strict=True))
        found = index.search(queries)
        assert (inner_products(vectors, found[1], queries, found[0]) == found[2]).all()
        assert (found[2] >= np.float32(threshold)).all()
        missed += len(wanted - pairs(found))
        planted += len(wanted)
    assert planted > 29_000
    assert missed <= 3


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dimension=st.sampled_from([1, 2, 5, 63, 64, 65]),
    rows=st.integers(0, 40),
    threshold=st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 0.9, 1.0, 1.5, np.inf]),
    spiky=st.booleans(),
)
def test_any_vectors_and_thresholds(seed, dimension, rows, threshold, spiky):
    """Few rows against their own multiples: exact products, also of single coordinates."""
    random = np.random.default_rng(seed)
    vectors = np.zeros((rows, dimension), np.float32)
    if spiky:
        vectors[np.arange(rows), random.integers(0, dimension, rows)] = random.choice([-1, 1], rows)
    elif rows:
        vectors[:] = unit(random, rows, dimension)
    queries = np.concatenate([vectors, -vectors, vectors / 2, np.zeros((1, dimension))])
    queries = queries.astype(np.float32)
    thresholds = np.full(rows, threshold, np.float32)
    found = pairs(Cascade.build(vectors, thresholds, _seeded(dimension)).search(queries))
    assert expected(vectors, thresholds, queries, 1e-4) <= found
    assert found <= expected(vectors, thresholds, queries, -1e-4)


def _seeded(dimension, known={}):  # noqa: B006 (kept from example to example)
    return known.setdefault(dimension, Rotation.drawn(dimension, seed=3))


def test_queries_together_or_apart_and_threads_make_no_difference():
    """To the last bit, and whatever else is searched at the same time."""
    random = np.random.default_rng(4)
    vectors, thresholds, queries = mixed(random, 2_500, 128, queries=1_500)
    index = Cascade.build(vectors, thresholds)
    together = index.search(queries)
    alone = [index.search(queries[start : start + 1]) for start in range(0, 1_500, 50)]
    for start, (_, rows, scores) in zip(range(0, 1_500, 50), alone, strict=True):
        mine = together[0] == start
        assert rows.tolist() == together[1][mine].tolist()
        assert scores.tobytes() == together[2][mine].tobytes()
    odd = [index.search(queries[start : start + 7]) for start in range(0, 1_500, 7)]
    assert b"".join(each[2].tobytes() for each in odd) == together[2].tobytes()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(index.search(queries))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(answer, together, strict=True))


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_what_is_compared_first_makes_no_difference(threshold):
    """Which of the codes' lengths that is, is counted for the queries that come together."""
    random = np.random.default_rng(6)
    vectors, _, queries = mixed(random, 900, 64)
    thresholds = np.full(900, threshold, np.float32)
    index = Cascade.build(vectors, thresholds, Rotation.drawn(64, seed=4))
    alone = [index.search(query[None])[1] for query in queries]
    assert np.concatenate(alone).tolist() == index.search(queries)[1].tolist()


def test_rows_that_come_are_seen_by_later_cascades_only():
    random = np.random.default_rng(5)
    vectors, thresholds, queries = mixed(random, 1_300, 128)
    room = np.empty((1_300, 128), np.float32)
    by = Rotation.drawn(128, seed=5)
    writer = CascadeWriter(room, by)
    whole = Cascade.build(vectors, thresholds, by).search(queries)
    views, stop = [], 0
    for step in [0, 1, 1, 6, 3, 500, 1, 788]:
        room[stop : stop + step] = vectors[stop : stop + step]
        views.append((stop + step, writer.extend(thresholds[stop : stop + step])))
        stop += step
    for count, view in views:
        seen = whole[1] < count
        for theirs, all_of_them in zip(view.search(queries), whole, strict=True):
            assert theirs.tobytes() == all_of_them[seen].tobytes()


def test_rows_taken_over_from_a_cascade_are_found_as_there():
    random = np.random.default_rng(7)
    vectors, thresholds, queries = mixed(random, 1_300, 512)
    by = Rotation.drawn(512, seed=6)
    old = Cascade.build(vectors, thresholds, by)
    kept = np.flatnonzero(random.random(1_300) < 0.7)
    writer = CascadeWriter(vectors[kept], by)
    new = writer.take(old, kept)
    again = Cascade.build(vectors[kept], thresholds[kept], by)
    for a, b in zip(new.search(queries), again.search(queries), strict=True):
        assert a.tobytes() == b.tobytes()
    with pytest.raises(ValueError, match="room"):
        writer.take(old, kept[:1])
    with pytest.raises(ValueError, match="otherwise"):
        CascadeWriter(vectors[kept]).take(old, kept)


def test_what_matches_everywhere_comes_in_portions(monkeypatch):
    monkeypatch.setattr(cascade, "PORTION", 2_000)
    vectors = np.tile(unit(np.random.default_rng(0), 1, 16), (1_100, 1))
    index = Cascade.build(vectors, np.full(1_100, 0.5, np.float32))
    portions = list(index.portions(vectors[:50]))
    assert len(portions) > 25
    assert max(len(rows) for _, rows, _ in portions) <= 2_000
    assert len({(q, r) for q, rows, _ in portions for q, r in zip(q, rows, strict=True)}) == 55_000


BAD = {
    "nan": lambda v: v.__setitem__((1, 1), np.nan),
    "infinite": lambda v: v.__setitem__((0, 0), np.inf),
    "huge": lambda v: v.__setitem__((0, 0), 3e38),
    "long": lambda v: v.__imul__(1.01),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_vectors_that_are_no_unit_vectors_are_refused(kind):
    good = unit(np.random.default_rng(0), 5, 64)
    thresholds = np.full(5, 0.5, np.float32)
    bad = good.copy()
    BAD[kind](bad)
    index = Cascade.build(good, thresholds)
    with pytest.raises(ValueError, match="finite and of norm 1"):
        index.search(bad)
    with pytest.raises(ValueError, match="finite and of norm 1"):
        Cascade.build(bad, thresholds)
    room = good.copy()
    writer = CascadeWriter(room)
    before = writer.extend(thresholds[:2])
    BAD[kind](room[2:])
    with pytest.raises(ValueError, match="finite and of norm 1"):
        writer.extend(thresholds[:3])
    room[:] = good
    assert writer.extend(thresholds[:3]).count == 5  # nothing had been taken in
    assert before.count == 2


def test_other_types_and_shapes_are_refused():
    good = unit(np.random.default_rng(0), 5, 64)
    index = Cascade.build(good, np.ones(5, np.float32))
    for bad in (good.astype(np.float64), good[0], good[None], good[:, :0], good[:, :32]):
        with pytest.raises(ValueError, match=r"float32|dimension"):
            index.search(bad)
    for bad in (good.astype(np.float64), good[:, :32], np.asfortranarray(good)):
        with pytest.raises(ValueError, match="vectors must be"):
            CascadeWriter(bad, rotation(64))
    for thresholds in (
        np.ones(5),
        np.ones((5, 1), np.float32),
        np.ones(6, np.float32),
        np.array([1, 1, np.nan, 1, 1], np.float32),
    ):
        with pytest.raises(ValueError, match=r"thresholds|room"):
            Cascade.build(good, thresholds)
    with pytest.raises(ValueError, match="rotated otherwise"):
        index.search(Queries.of(good, Rotation.drawn(64, seed=0)))


def test_arrays_that_are_not_contiguous_mean_the_same():
    wide = unit(np.random.default_rng(0), 20, 128) / 2
    strided = wide[::2, ::2]
    thresholds = np.full(10, 0.1, np.float32)
    plain = Cascade.build(strided.copy(), thresholds).search(strided.copy())
    assert pairs(Cascade.build(strided, thresholds).search(np.asfortranarray(strided))) == pairs(
        plain
    )


def test_memory_per_row_is_as_stated():
    """Code, bytes and an id, and no more than a fifth beside them."""
    index = Cascade.build(unit(np.random.default_rng(0), 10, 512), np.ones(10, np.float32))
    assert index.nbytes == 10 * (BYTES_PER_ROW + 512) == 10 * 594
    held = CascadeWriter(np.empty((512, 512), np.float32)).extend(np.empty(0, np.float32)).records
    bytes_held = sum(array.nbytes for name, array in held._asdict().items() if name != "vectors")
    assert bytes_held == 512 * 594
    assert 594 + 8 <= 1.2 * (64 + 512 + 8)


def test_nothing_shows_vectors_codes_or_the_rotation():
    vectors = unit(np.random.default_rng(0), 3, 64)
    index = Cascade.build(vectors, np.ones(3, np.float32))
    shown = repr((index, index.records, Queries.of(vectors), Queries.of(vectors).sought))
    assert "array" not in shown + repr(rotation(64))
    assert "0." not in shown


def test_rotations_are_drawn_anew_and_orthonormal():
    first, second = Rotation.drawn(128), Rotation.drawn(128)
    assert (first.panels != second.panels).mean() > 0.99
    vectors = unit(np.random.default_rng(0), 50, 128)
    rotated = first.of(vectors)
    for frame in range(4):
        part = rotated[:, 128 * frame : 128 * (frame + 1)]
        assert np.allclose(part @ part.T, vectors @ vectors.T, atol=1e-5)
    assert rotation(128) is rotation(128)


def test_structures_are_chosen_by_size_and_by_how_alike_rows_are():
    random = np.random.default_rng(0)
    vectors = unit(random, CASCADE_ROWS, 64)

    def chosen(vectors, threshold):
        thresholds = np.full(len(vectors), threshold, np.float32)
        return structure_for(Cascade.build(np.ascontiguousarray(vectors), thresholds))

    assert chosen(vectors, 0.9) is Structure.CASCADE
    assert chosen(vectors[:-1], 0.9) is Structure.FLAT
    assert chosen(vectors, 0.1) is Structure.FLAT
    assert chosen(np.tile(vectors[:1], (CASCADE_ROWS, 1)), 0.9) is Structure.FLAT
    assert chosen(vectors[:0], 0.9) is Structure.FLAT


GENERIC = """
import sys
import numpy as np
from consent_client.search.cascade import Cascade
from consent_client.search.rotation import Rotation
from consent_client.search.vnni import has_vnni
assert not has_vnni()
data = np.load(sys.argv[1])
by = Rotation.drawn(512, seed=1)
found = Cascade.build(data["vectors"], data["thresholds"], by).search(data["queries"])
print(" ".join(f"{q},{r}" for q, r, _ in zip(*found)))
"""


def test_processors_without_vnni_find_the_same(tmp_path):
    """As compiled for x86-64 with AVX2, in a process of its own."""
    vectors, thresholds, queries = mixed(np.random.default_rng(1), 700, 512)
    file = tmp_path / "data.npz"
    np.savez(file, vectors=vectors, thresholds=thresholds, queries=queries)
    done = subprocess.run(
        [sys.executable, "-c", GENERIC, str(file)],
        env={**os.environ, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {tuple(map(int, pair.split(","))) for pair in done.stdout.split()}
    assert expected(vectors, thresholds, queries, 1e-5) <= found
    assert found <= expected(vectors, thresholds, queries, -1e-5)


@pytest.mark.parametrize(
    ("name", "features", "there"),
    [
        ("haswell", "+avx2", False),
        ("x", "+avx512f,+avx512vnni", True),
        ("x", "-avx512vnni", False),
        ("x", None, False),
    ],
)
def test_vnni_is_used_only_where_it_is_named(name, features, there, monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CPU_NAME", name)
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    assert has_vnni() is there


@pytest.mark.parametrize("spoilt", ["row", "query"])
def test_no_match_is_lost_to_rounding_to_bytes(spoilt):
    """Pairs of which one is rounded away from the other in all coordinates, and that one not."""
    dimension, count = 512, 100
    random = np.random.default_rng(9)
    by = Rotation.drawn(dimension, seed=7)
    back = by.of(np.eye(dimension, dtype=np.float32)).astype(np.float64).T
    signs = random.choice([-1.0, 1.0], (count, dimension))
    exact = (signs @ back / np.sqrt(dimension)).astype(np.float32)
    sizes = random.integers(20, 127, (count, dimension)) + 0.45
    sizes[:, 0] = 127  # what the others are measured by
    rounded = signs * sizes
    rounded /= np.linalg.norm(rounded, axis=1, keepdims=True)
    rounded = (rounded @ back).astype(np.float32)
    rows, queries = (rounded, exact) if spoilt == "row" else (exact, rounded)
    numbers = np.arange(count)
    thresholds = inner_products(rows, numbers, queries, numbers)
    kept = [bytes_of(by.of(each), by.padded) for each in (rows, queries)]
    rough = [each.numbers * each.scales[:, None] for each in kept]
    lost = thresholds - (rough[0] * rough[1]).sum(axis=1)
    assert lost.min() > 0.003  # without its share of the bound all would be passed over
    found = pairs(Cascade.build(rows, thresholds, by).search(queries))
    assert {(number, number) for number in numbers.tolist()} <= found
