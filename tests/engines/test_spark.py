"""Spark: a standalone master and two workers of one core; one is killed in the middle."""

from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyspark", reason="no part of .venv: make engines")

from consent_client.adapters.columns import NO_CHOICE
from consent_client.adapters.img2dataset import downloaded
from consent_client.adapters.shards import tables
from consent_client.adapters.spark import screened, ship
from consent_client.builder import Builder
from consent_client.errors import DamagedSource, UnknownColumns
from consent_client.screening.batch_rows import BatchColumns
from consent_client.screening.engines import on_spark
from consent_client.screening.stages import screen_shards
from tests.engines import oracle
from tests.engines.clusters import in_background, java, spark_session
from tests.engines.holding import Marks, marked_each, marked_work, spark_worker
from tests.support import layouts, planted

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(java() is None, reason="Spark needs Java 17"),
]


@pytest.fixture(scope="module")
def started(published, tmp_path_factory):
    with spark_session(tmp_path_factory.mktemp("spark")) as (cluster, session):
        yield cluster, session


@pytest.fixture
def cluster(started):
    started[0].fill()
    return started[0]


@pytest.fixture
def session(cluster, started):
    return started[1]


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return Marks(str(folder))


def test_a_worker_is_killed_and_each_row_is_screened_once(
    cluster, session, published, tmp_path, marks
):
    data = session.read.parquet(str(oracle.write(tmp_path / "data")))
    screening = published.screening(oracle.table().schema)
    verdicts = screened(data, ship(session, screening))
    verdicts = verdicts.mapInArrow(
        partial(marked_each, marks=marks, node=spark_worker), verdicts.schema
    )
    with in_background(verdicts.write.parquet, str(tmp_path / "out")) as writing:
        _, victim = marks.wait_until_both_are_in_the_middle()
        cluster.kill(victim)
        marks.open()
        writing.result(240)
    found = pa.concat_tables(pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet"))
    assert oracle.rows(found) == oracle.expected(screening)
    assert (
        oracle.excluded(published, tmp_path / "out", tmp_path / "confirmed", screening)
        == oracle.EXCLUDED
    )


def test_shards_are_done_once_when_a_worker_is_killed(cluster, session, published, tmp_path, marks):
    names = layouts.img2dataset(tmp_path / "data", shards=6)
    data = downloaded(tmp_path / "data")
    screening = published.screening(columns=data.columns)

    def engine(work, items):
        return on_spark(partial(marked_work, work=work, marks=marks, node=spark_worker), items)

    with (
        Builder(published.server.url, token=published.token) as builder,
        in_background(
            screen_shards,
            *(data, screening, tmp_path / "out", builder),
            dataset="planted",
            engine=engine,
        ) as screening_it,
    ):
        _, victim = marks.wait_until_both_are_in_the_middle()
        cluster.kill(victim)
        marks.open()
        summary = screening_it.result(240)
    rows = pq.read_table(tmp_path / "out" / "exclusions.parquet").to_pylist()
    assert {names[row["key"]] for row in rows if row["verdict"] == "EXCLUDE"} == planted.EXCLUDED
    # what could not be decoded is in no tar
    assert (summary.rows, summary.kept_rows) == (6, len(planted.KEPT))


@pytest.mark.usefixtures("session")
def test_what_is_wrong_with_a_shard_is_said_as_it_would_be_here(published, tmp_path):
    (tmp_path / "data").mkdir()
    pq.write_table(planted.table(), tmp_path / "data" / "a.parquet")
    data = tables([tmp_path / "data" / "a.parquet"], NO_CHOICE, None)
    screening = published.screening(columns=data.columns)
    (tmp_path / "data" / "a.parquet").write_bytes(b"no table")
    with pytest.raises(DamagedSource):
        screen_shards(data, screening, tmp_path / "out", None, dataset="planted", engine=on_spark)


def test_whole_numbers_name_rows_and_rows_without_names_are_refused(session, published, tmp_path):
    plain = planted.table()
    numbered = plain.set_column(0, "key", pa.array(range(plain.num_rows), pa.int32()))
    pq.write_table(numbered, tmp_path / "a.parquet")
    data = session.read.parquet(str(tmp_path / "a.parquet"))
    named = BatchColumns(key="key", image="image", url="url")
    screening = published.screening(columns=named)
    rows = screened(data, screening).collect()
    assert sorted(row.key for row in rows) == list(range(plain.num_rows))
    with pytest.raises(UnknownColumns):
        screened(data, replace(screening, columns=BatchColumns(image="image")))
