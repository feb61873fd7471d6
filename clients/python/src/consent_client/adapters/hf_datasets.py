"""Hugging Face `datasets`: keep what is clear, of data sets on disk and of streams.

    from datasets import load_dataset
    from consent_client.adapters.hf_datasets import keep_cleared
    from consent_client.protocol.statements import Use
    from consent_client.screening.batches import Confirm, screening_of

    pictures = load_dataset("imagefolder", data_dir="pictures", split="train")
    screening = screening_of(
        "snapshot", verifier_key, use=Use.AI_TRAINING, schema=pictures.features.arrow_schema,
        confirm=Confirm.ONLINE, registry="https://registry.example", dataset="pictures",
    )
    kept = keep_cleared(pictures, screening)

`datasets` caches what a filter gave under a digest of the pickled function. The snapshot's digest
is part of it (`ScreenBatch.digest`), so a newer snapshot is never answered from an older cache.

Without `confirm=Confirm.ONLINE` candidates are UNKNOWN and not kept; `verdicts_of` gives them with
their fingerprints, for `consent confirm`.
"""

from dataclasses import dataclass
from typing import Any, Final

from consent_client.adapters.parquet import arrow
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.batches import ScreenBatch, result_schema, screen_batch

BATCH_ROWS: Final = 256
"""Rows in memory at once, with their pictures."""

_ARROW: Final = "arrow"
_KEPT: Final = frozenset({int(Verdict.CLEAR), int(Verdict.PERMIT)})


@dataclass(frozen=True)
class Keep:
    """For `filter(…, batched=True)` on a data set in the format "arrow"."""

    screening: ScreenBatch
    keep_unknown: bool = False

    def __call__(self, table: Any) -> list[bool]:
        """Whether each row of a pyarrow.Table is kept.

        Raises:
            As `screen_batch`.
        """
        kept: list[bool] = []
        for row in results(table, self.screening).to_pylist():
            looked_at = row["serial"] > 0 and not row["candidate"]
            unknown = row["verdict"] == Verdict.UNKNOWN and looked_at
            kept.append(row["verdict"] in _KEPT or (self.keep_unknown and unknown))
        return kept


@dataclass(frozen=True)
class Verdicts:
    """For `map(…, batched=True)` on a data set in the format "arrow": see `result_schema`."""

    screening: ScreenBatch

    def __call__(self, table: Any) -> Any:
        """A pyarrow.Table of results, a row for each of the given table's."""
        return results(table, self.screening)


def results(table: Any, screening: ScreenBatch) -> Any:
    """The results for a pyarrow.Table, as one."""
    pa, _ = arrow()
    batches = [screen_batch(batch, screening) for batch in table.to_batches()]
    if not batches:
        empty = pa.RecordBatch.from_pylist([], table.schema)
        batches = [screen_batch(empty, screening)]
    return pa.Table.from_batches(batches)


def keep_cleared(dataset: Any, screening: ScreenBatch, *, keep_unknown: bool = False) -> Any:
    """The rows that are CLEAR or PERMIT.

    Args:
        dataset: `datasets.Dataset` or `IterableDataset` (streaming).
        screening: what is asked.
        keep_unknown: keep what could not be checked; never candidates, nor because of the snapshot.

    Returns:
        A data set of the same kind, in the plain Python format.
    """
    function = Keep(screening, keep_unknown)
    formatted = dataset.with_format(_ARROW)
    return formatted.filter(function, batched=True, batch_size=BATCH_ROWS).with_format(None)


def verdicts_of(dataset: Any, screening: ScreenBatch) -> Any:
    """A data set of results, a row for each of the given data set's, in order.

    Its Parquet files (`to_parquet`) are what `consent confirm` reads.
    """
    pa, _ = arrow()
    ours = set(result_schema(pa.string()).names)
    # A stream would lose a removed column also where the result has one of that name.
    names = [name for name in dataset.column_names if name not in ours]
    return dataset.with_format(_ARROW).map(
        Verdicts(screening), batched=True, batch_size=BATCH_ROWS, remove_columns=names
    )
