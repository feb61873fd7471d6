"""Spark: the first stage on a cluster, with `mapInArrow`. Needs `consent-client[spark]`.

    from consent_client.adapters.spark import screened, ship
    from consent_client.protocol.statements import Use
    from consent_client.screening.batches import BatchColumns, screening_of

    rows = spark.read.parquet("hdfs:///laion")
    screening = screening_of(
        "snapshots/registry",
        verifier_key,
        use=Use.AI_TRAINING,
        columns=BatchColumns(key="key", image="jpg", url="url"),
    )
    screened(rows, ship(spark, screening)).write.parquet("hdfs:///verdicts")

Then `consent confirm` asks the registry about the candidates among those verdicts, in one session.

`ship` sends the snapshot to the executors (`addArchive`). Where they see the same files as the
driver there is no need for it. Their Python needs `consent-client[screen,snapshots]` and models.
"""

import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from consent_client.screening.batch_rows import named_columns
from consent_client.screening.batches import ScreenBatch, screen_batch
from consent_client.snapshots.pulling import BOOTSTRAP, FILES, TRUSTED

RESULT: Final = (
    "verdict tinyint, candidate boolean, log_size bigint, serial bigint, why string, "
    "fingerprints string"
)
"""`result_schema` in Spark's words, without the key. Spark has no unsigned numbers."""

BATCH_ROWS: Final = 256
"""Rows looked at at a time. Spark has `spark.sql.execution.arrow.maxRecordsPerBatch` in memory."""

_SHIPPED: Final = "shipped:"


def ship(session: Any, screening: ScreenBatch) -> ScreenBatch:
    """Sends the snapshot of a question to all executors, present and future.

    Args:
        session: pyspark.sql.SparkSession, not of Spark Connect.
        screening: what is asked, with a snapshot that lies here.

    Returns:
        The same question of the snapshot that was sent.

    Raises:
        OSError: the snapshot can not be read.
    """
    name = f"consent-snapshot-{screening.digest}"
    folder = Path(tempfile.mkdtemp(prefix="consent-ship-"))  # Spark fetches from it until it stops
    archive = folder / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:  # what it holds is random
        for part in (BOOTSTRAP, TRUSTED, FILES):
            tar.add(Path(screening.snapshot) / part, part)
    session.sparkContext.addArchive(f"{archive}#{name}")
    return replace(screening, snapshot=f"{_SHIPPED}{name}")


def screened(frame: Any, screening: ScreenBatch) -> Any:
    """The verdicts of a frame's rows, each row once.

    A task that is lost with its executor is run again elsewhere, and gives what it would have
    given.

    Args:
        frame: pyspark.sql.DataFrame with the columns of `screening`, one of which names the
            rows, as text or as whole numbers.
        screening: what is asked; threads are per task, of which each has one core.

    Returns:
        pyspark.sql.DataFrame with the columns of `result_schema`, in any order. It is lazy: nothing
        runs before it is collected or written.

    Raises:
        UnknownColumns: rows have no name to be known by.
    """
    names = named_columns(screening.columns)
    kind = dict(frame.dtypes).get(screening.columns.key, "string")
    key = "string" if kind == "string" else "bigint"
    return frame.select(*names).mapInArrow(
        partial(_screened, screening=screening), f"key {key}, {RESULT}"
    )


def _screened(batches: Iterator[Any], screening: ScreenBatch) -> Iterator[Any]:
    if screening.snapshot.startswith(_SHIPPED):
        from pyspark import SparkFiles  # noqa: PLC0415 (on executors only)

        unpacked = SparkFiles.get(screening.snapshot.removeprefix(_SHIPPED))
        screening = replace(screening, snapshot=unpacked)
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield screen_batch(batch.slice(start, BATCH_ROWS), screening)
