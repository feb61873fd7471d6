"""The planted data set many times over, in small files, and what must come of it anywhere."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from consent_client.builder import Builder
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.batches import screen_batch
from consent_client.screening.confirming import write_confirmed
from tests.support import planted

COPIES = 4
ROWS_PER_FILE = 2


def table() -> pa.Table:
    plain = planted.table()
    return pa.concat_tables(
        plain.set_column(0, "key", [[f"{copy}-{key}" for key in plain["key"].to_pylist()]])
        for copy in range(COPIES)
    )


def write(folder: Path) -> Path:
    folder.mkdir()
    whole = table()
    for start in range(0, whole.num_rows, ROWS_PER_FILE):
        pq.write_table(whole.slice(start, ROWS_PER_FILE), folder / f"{start:04d}.parquet")
    return folder


def rows(verdicts: pa.Table) -> list[dict]:
    """By name, so that order does not matter and a row that is there twice does."""
    return sorted(verdicts.to_pylist(), key=lambda row: row["key"])


def expected(screening) -> list[dict]:
    """What one process says of the data set."""
    whole = pa.Table.from_batches(
        [screen_batch(batch, screening) for batch in table().combine_chunks().to_batches()]
    )
    return rows(whole)


def excluded(published, results: Path, out: Path, screening) -> set[str]:
    """Names of rows that are excluded once the registry was asked; checks that all are there."""
    with Builder(published.server.url, token=published.token) as builder:
        write_confirmed(
            builder,
            results,
            out,
            dataset="planted",
            use=Use.AI_TRAINING,
            required_spaces=screening.required_spaces,
        )
    found = rows(pa.concat_tables(pq.read_table(path) for path in out.rglob("*.parquet")))
    assert [row["key"] for row in found] == sorted(table()["key"].to_pylist())
    return {row["key"] for row in found if row["verdict"] == Verdict.EXCLUDE}


EXCLUDED = {f"{copy}-{key}" for copy in range(COPIES) for key in planted.EXCLUDED}
