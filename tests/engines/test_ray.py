"""Ray: a head and two nodes of one core; a node is taken away in the middle."""

from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("ray", reason="no part of .venv: make engines")

import ray
import ray.data

from consent_client.adapters.columns import NO_CHOICE
from consent_client.adapters.img2dataset import downloaded
from consent_client.adapters.ray_data import screened
from consent_client.adapters.shards import tables
from consent_client.builder import Builder
from consent_client.errors import DamagedSource, UnknownColumns
from consent_client.screening.batch_rows import BatchColumns
from consent_client.screening.engines import on_ray
from consent_client.screening.stages import screen_shards
from tests.engines import oracle
from tests.engines.clusters import in_background, ray_cluster
from tests.engines.holding import Marks, marked, marked_work, ray_node
from tests.support import layouts, planted

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def started(published):
    with ray_cluster() as each:
        yield each


@pytest.fixture
def cluster(started):
    started.fill()
    return started


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return Marks(str(folder))


def test_a_node_is_lost_and_each_row_is_screened_once(cluster, published, tmp_path, marks):
    files = sorted(oracle.write(tmp_path / "data").iterdir())
    data = ray.data.from_arrow([pq.read_table(path) for path in files])  # a block, so a task, each
    screening = published.screening(oracle.table().schema)
    verdicts = screened(data, screening, batch_rows=oracle.ROWS_PER_FILE).map_batches(
        partial(marked, marks=marks, node=ray_node),
        batch_format="pyarrow",
        batch_size=None,
        num_cpus=1,
    )
    with in_background(verdicts.write_parquet, str(tmp_path / "out")) as writing:
        _, victim = marks.wait_until_both_are_in_the_middle()
        cluster.remove(victim)
        marks.open()
        writing.result(240)
    found = pa.concat_tables(pq.read_table(path) for path in (tmp_path / "out").iterdir())
    assert oracle.rows(found) == oracle.expected(screening)
    assert (
        oracle.excluded(published, tmp_path / "out", tmp_path / "confirmed", screening)
        == oracle.EXCLUDED
    )


def test_shards_are_done_once_when_a_node_is_lost(cluster, published, tmp_path, marks):
    names = layouts.img2dataset(tmp_path / "data", shards=6)
    data = downloaded(tmp_path / "data")
    screening = published.screening(columns=data.columns)

    def engine(work, items):
        return on_ray(partial(marked_work, work=work, marks=marks, node=ray_node), items)

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
        cluster.remove(victim)
        marks.open()
        summary = screening_it.result(240)
    rows = pq.read_table(tmp_path / "out" / "exclusions.parquet").to_pylist()
    assert {names[row["key"]] for row in rows if row["verdict"] == "EXCLUDE"} == planted.EXCLUDED
    # what could not be decoded is in no tar
    assert (summary.rows, summary.kept_rows) == (6, len(planted.KEPT))


@pytest.mark.usefixtures("cluster")
def test_what_is_wrong_with_a_shard_is_said_as_it_would_be_here(published, tmp_path):
    (tmp_path / "data").mkdir()
    pq.write_table(planted.table(), tmp_path / "data" / "a.parquet")
    data = tables([tmp_path / "data" / "a.parquet"], NO_CHOICE, None)
    screening = published.screening(columns=data.columns)
    (tmp_path / "data" / "a.parquet").write_bytes(b"no table")
    with pytest.raises(DamagedSource):
        screen_shards(data, screening, tmp_path / "out", None, dataset="planted", engine=on_ray)


@pytest.mark.usefixtures("cluster")
def test_rows_without_names_are_refused(published):
    screening = published.screening(columns=BatchColumns(image="image"))
    with pytest.raises(UnknownColumns):
        screened(ray.data.from_arrow(planted.table()), screening)


@pytest.mark.usefixtures("cluster")
def test_nothing_in_is_nothing_out(published):
    screening = published.screening()
    assert screened(ray.data.from_arrow(planted.table().slice(0, 0)), screening).count() == 0
