"""Parts: Parquet files of codes that came or went.

Columns `code` (fixed size binary, ascending) and `removed` (bool). A base has only what came; in a
delta a code is in at most one of both.
"""

import io
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from consent_client.errors import SnapshotDamaged
from consent_client.snapshots import code_sets
from consent_client.snapshots.codings import Codes

MOST_ROWS: Final = 2**20
"""Codes in a part: 24 MB of `sscd-1`."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What came and what went, both sorted, nothing in both."""

    added: Codes = field(repr=False)
    removed: Codes = field(repr=False)

    @property
    def rows(self) -> int:
        """How many codes came or went."""
        return len(self.added) + len(self.removed)

    def applied_to(self, codes: Codes) -> Codes:
        """The set after it.

        Raises:
            SnapshotDamaged: something came that was there, or went that was not.
        """
        if code_sets.contains(codes, self.added).any():
            raise SnapshotDamaged("a delta adds what is there")
        if not code_sets.contains(codes, self.removed).all():
            raise SnapshotDamaged("a delta removes what is not there")
        return code_sets.difference(code_sets.union(codes, self.added), self.removed)


def change(before: Codes, after: Codes) -> Change:
    """From one set to another."""
    return Change(code_sets.difference(after, before), code_sets.difference(before, after))


def write_parts(changed: Change) -> list[bytes]:
    """The files of a change, at least one."""
    codes = np.concatenate([changed.added, changed.removed])
    removed = np.arange(len(codes)) >= len(changed.added)
    order = code_sets.order(codes)
    codes, removed = codes[order], removed[order]
    return [
        _written(codes[start : start + MOST_ROWS], removed[start : start + MOST_ROWS])
        for start in range(0, max(len(codes), 1), MOST_ROWS)
    ]


def read_part(data: bytes, width: int) -> Change:
    """The change in a part of codes of `width` bytes.

    Raises:
        SnapshotDamaged: it is something else.
    """
    try:
        table = pq.read_table(io.BytesIO(data)).combine_chunks()
    except (pa.ArrowException, OSError, ValueError):
        raise SnapshotDamaged("a part is no Parquet file") from None
    if table.schema != _schema(width) or any(column.null_count for column in table.columns):
        raise SnapshotDamaged("a part has other columns")
    codes = _bytes_of(table.column("code"), width)
    removed: NDArray[np.bool_] = table.column("removed").to_numpy()
    if not code_sets.is_code_set(codes):
        raise SnapshotDamaged("a part is out of order")
    return Change(codes[~removed], codes[removed])


def _schema(width: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("code", pa.binary(width), nullable=False),
            pa.field("removed", pa.bool_(), nullable=False),
        ]
    )


def _written(codes: Codes, removed: NDArray[np.bool_]) -> bytes:
    width = codes.shape[1]
    column = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes))]
    )
    table = pa.Table.from_arrays([column, pa.array(removed)], schema=_schema(width))
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", store_schema=True, use_dictionary=False)
    return out.getvalue()


def _bytes_of(column: pa.ChunkedArray, width: int) -> Codes:
    rows = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[
            chunk.offset * width : (chunk.offset + len(chunk)) * width
        ].reshape(-1, width)
        for chunk in column.chunks
    ]
    return np.concatenate([code_sets.empty(width), *rows])
