"""Ray Data: the first stage on a cluster. Needs `consent-client[ray]`.

    import ray
    from consent_client.adapters.ray_data import screened
    from consent_client.protocol.statements import Use
    from consent_client.screening.batches import screening_of

    rows = ray.data.read_parquet("s3://bucket/laion")
    screening = screening_of(
        "snapshots/registry", verifier_key, use=Use.AI_TRAINING, schema=rows.schema().base_schema
    )
    screened(rows, screening).write_parquet("s3://bucket/verdicts")

Then `consent confirm` asks the registry about the candidates among those verdicts, in one session.

Each node needs the snapshot under the name that `screening` says: on a file system that all see, or
in the working folder that Ray sends along (`ray.init(runtime_env={"working_dir": ...})`), whose
names are relative: `dataclasses.replace(screening, snapshot="registry")`.

Batches run as tasks and not as actors. An actor holds its core for as long as there is input, so
two on two cores leave none for the readers that should feed them, and the job hangs. Ray keeps the
processes of tasks, and with them the opened snapshot.
"""

from functools import partial
from typing import Any, Final

from consent_client.adapters.parquet import arrow
from consent_client.screening.batch_rows import named_columns
from consent_client.screening.batches import ScreenBatch, result_schema, screen_batch

BATCH_ROWS: Final = 256
"""Rows that a task looks at, at a time: pictures of some 100 MB."""


def screened(dataset: Any, screening: ScreenBatch, *, batch_rows: int = BATCH_ROWS) -> Any:
    """The verdicts of a data set's rows, each row once.

    A task that is lost with its node is run again elsewhere, and gives what it would have given.

    Args:
        dataset: ray.data.Dataset with the columns of `screening`, one of which names the rows.
        screening: what is asked; threads are per task, of which each has one core.
        batch_rows: rows that a task looks at, at a time.

    Returns:
        ray.data.Dataset with the columns of `result_schema`, in any order. It is lazy: nothing runs
        before it is taken or written.

    Raises:
        UnknownColumns: rows have no name to be known by.
    """
    return dataset.select_columns(list(named_columns(screening.columns))).map_batches(
        partial(_screened, screening=screening),
        batch_format="pyarrow",
        batch_size=batch_rows,
        zero_copy_batch=True,
        num_cpus=1,
    )


def _screened(table: Any, screening: ScreenBatch) -> Any:
    """A table's verdicts; it may be empty, and in several pieces."""
    pa, _ = arrow()
    if not table.num_rows:
        return result_schema(pa.string()).empty_table()
    return pa.Table.from_batches(
        [screen_batch(batch, screening) for batch in table.combine_chunks().to_batches()]
    )
