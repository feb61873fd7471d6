"""Parquet tables with pictures, paths or addresses. Needs the extra `consent-client[screen]`."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ColumnChoice, Columns, Holds, choose
from consent_client.adapters.rows import Kept, KeyCheck, Row, relative_names
from consent_client.adapters.tables import Cells, row_key, row_of
from consent_client.errors import DamagedSource, MissingExtra

BATCH_ROWS: Final = 64
"""Rows in memory at once: pictures of a few megabytes each stay below some hundred megabytes."""

PAGE_BUFFER_BYTES: Final = 1 << 20
"""Read ahead per column; without it a whole row group would be read at once."""


def arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        MissingExtra: not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise MissingExtra(
            "this needs pyarrow: pip install 'consent-client[screen]'", "screen"
        ) from None
    return pa, parquet


class ParquetSource:
    """Every row of the tables, in order, is a row; its key is the key column's or its number.

    Args:
        paths: the tables, all with the columns that are read.
        choice: the columns the person named.
        root: folder that paths in the table are below; None: the first table's folder.

    Raises:
        UnknownColumns: which columns to read can not be told. DamagedSource: no Parquet.
        MissingExtra: pyarrow is not installed.
    """

    form = "parquet"

    def __init__(self, paths: list[Path], choice: ColumnChoice, root: Path | None = None) -> None:
        self._arrow, self._parquet = arrow()
        self._paths = paths
        self._names = relative_names(paths)
        self._root = root or paths[0].parent
        with self._opened(paths[0]) as table:
            self._columns = choose(self._described(table), choice, str(paths[0]))

    @property
    def columns(self) -> Columns:
        """The columns that are read."""
        return self._columns

    @property
    def has_images(self) -> bool:
        """See `Source`."""
        return self._columns.image is not None or self._columns.path is not None

    @property
    def has_urls(self) -> bool:
        """See `Source`."""
        return self._columns.url is not None

    def survey(self) -> tuple[int, str]:
        """See `Source`; the digest is over the files' sizes and times and the columns read."""
        digest = hashlib.sha256(repr(self._columns).encode())
        count = 0
        keys = KeyCheck()
        for path, name in zip(self._paths, self._names, strict=True):
            found = path.stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
            with self._opened(path) as table:
                if not set(self._columns.names) <= set(table.schema_arrow.names):
                    raise DamagedSource(f"{path} lacks columns that the first table has", str(path))
                count += table.metadata.num_rows
        if self._columns.key is not None:
            for key in self.keys():
                keys.add(key)
            keys.check(str(self._paths[0]), "Name another --key-column, or :row for row numbers.")
        return count, digest.hexdigest()

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """See `Source`; row groups that are skipped whole are not read."""
        for path, name, group, start, size in self._groups():
            if skip[start : start + size].all():
                continue
            number = start
            for batch in self._batches(path, group, self._columns.names):
                wanted = ~skip[number : number + batch.num_rows]
                for offset in np.flatnonzero(wanted).tolist():
                    yield self._row(batch, offset, number + offset, name)
                number += batch.num_rows

    def _row(self, batch: Any, offset: int, number: int, name: str) -> Row:
        with self._named_damage(name):
            cells = Cells(
                image=self._image(batch, offset),
                path=self._path(batch, offset),
                url=self._cell(batch, self._columns.url, offset),
            )
            key = self._key(batch, offset, number)
        return row_of(number, key, cells, self._root, wants_image=self.has_images)

    def _cell(self, batch: Any, column: str | None, offset: int) -> Any:
        return None if column is None else batch.column(column)[offset].as_py()

    def _image(self, batch: Any, offset: int) -> bytes | None:
        value = self._cell(batch, self._columns.image, offset)
        if isinstance(value, dict):
            value = value.get("bytes")
        return value if isinstance(value, bytes) else None

    def _path(self, batch: Any, offset: int) -> str | None:
        value = self._cell(batch, self._columns.path, offset)
        if value is None:
            inside = self._cell(batch, self._columns.image, offset)
            value = inside.get("path") if isinstance(inside, dict) else None
        return value if isinstance(value, str) else None

    def _key(self, batch: Any, offset: int, number: int) -> str:
        if self._columns.key is None:
            return str(number)
        value = self._cell(batch, self._columns.key, offset)
        return row_key(value, number, str(self._paths[0]))

    def keys(self) -> Iterator[str]:
        """See `Source`."""
        key = self._columns.key
        number = 0
        for path, _, group, start, size in self._groups():
            if key is None:
                yield from map(str, range(start, start + size))
                continue
            number = start
            for batch in self._batches(path, group, [key]):
                with self._named_damage(str(path)):
                    values = batch.column(key).to_pylist()
                for value in values:
                    yield row_key(value, number, str(path))
                    number += 1

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Source`; schema and metadata stay as they are."""
        number = 0
        for path, name in zip(self._paths, self._names, strict=True):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._opened(path) as table:
                groups, schema = table.num_row_groups, table.schema_arrow
            with self._parquet.ParquetWriter(target, schema) as writer:
                for group in range(groups):
                    number = self._keep_group(writer, path, group, keep, number)
        return Kept(int(keep.sum()), len(self._paths), 0)

    def _keep_group(
        self, writer: Any, path: Path, group: int, keep: NDArray[np.bool_], number: int
    ) -> int:
        kept = []
        held = 0
        for batch in self._batches(path, group, None):
            mask = self._arrow.array(keep[number : number + batch.num_rows])
            number += batch.num_rows
            part = batch.filter(mask)
            kept.append(part)
            held += part.nbytes
            if held > _WRITE_BYTES:
                writer.write_table(self._arrow.Table.from_batches(kept, part.schema))
                kept, held = [], 0
        if any(part.num_rows for part in kept):
            writer.write_table(self._arrow.Table.from_batches(kept, kept[0].schema))
        return number

    def _groups(self) -> Iterator[tuple[Path, str, int, int, int]]:
        """Path, name, row group, number of its first row, rows in it."""
        number = 0
        for path, name in zip(self._paths, self._names, strict=True):
            with self._opened(path) as table:
                sizes = [
                    table.metadata.row_group(group).num_rows
                    for group in range(table.num_row_groups)
                ]
            for group, size in enumerate(sizes):
                yield path, name, group, number, size
                number += size

    def _batches(self, path: Path, group: int, columns: list[str] | None) -> Iterator[Any]:
        with self._opened(path) as table:
            yield from table.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        with self._named_damage(str(path)):
            table = self._parquet.ParquetFile(path, buffer_size=PAGE_BUFFER_BYTES, pre_buffer=False)
            try:
                yield table
            finally:
                table.close()

    @contextmanager
    def _named_damage(self, name: str) -> Iterator[None]:
        try:
            yield
        except (self._arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DamagedSource(
                f"{name} is no whole Parquet file ({type(error).__name__})", name
            ) from None

    def _described(self, table: Any) -> list[tuple[str, Holds]]:
        return [(field.name, self._holds(field.type)) for field in table.schema_arrow]

    def _holds(self, kind: Any) -> Holds:
        types = self._arrow.types
        if types.is_struct(kind):
            inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
            return self._holds(inner["bytes"]) if "bytes" in inner else Holds.OTHER
        if types.is_binary(kind) or types.is_large_binary(kind):
            return Holds.BYTES
        if types.is_string(kind) or types.is_large_string(kind):
            return Holds.TEXT
        return Holds.OTHER


_WRITE_BYTES: Final = 1 << 26
"""Kept rows are gathered up to here, 64 MiB, before they become a row group."""
