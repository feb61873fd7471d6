"""Data sets as shards: each is screened, and rewritten without what is left out, on its own.

A shard is small enough to be done again after a kill, and knows only paths, so that it can be sent
to another machine that has the same files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.delimited import DelimitedSource
from consent_client.adapters.folder import FolderSource
from consent_client.adapters.opening import Form
from consent_client.adapters.parquet import BATCH_ROWS, PAGE_BUFFER_BYTES, ParquetSource, arrow
from consent_client.adapters.rows import Kept, Row, Source, relative_names
from consent_client.adapters.tar import TarSource
from consent_client.errors import DamagedSource, ImageError
from consent_client.fingerprints.loading import read_source
from consent_client.screening.batch_rows import BatchColumns, told_columns

TABLE_ROWS: Final = 10_000
"""Rows in a batch of a table without pictures."""


class Shard(Protocol):
    """A part of a data set. Every method raises `SourceError` for what can not be read."""

    @property
    def name(self) -> str:
        """What it is called in results: a relative path, different for each shard."""

    def survey(self) -> tuple[int, str]:
        """Checks it; the number of rows, and a digest that changes when it does."""

    def batches(self) -> Iterator[Any]:
        """Its rows, in order, as pyarrow.RecordBatch with the data set's columns."""

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """Writes the rows where `keep` (bool[n]) is set below a folder, in the same form.

        Raises:
            SourceError: as reading. OSError: the folder can not be written.
        """


@dataclass(frozen=True, slots=True)
class Sharded:
    """A data set.

    Attributes:
        form: what it is, for people.
        columns: of its batches.
        shards: in order.
        path_root: folder that paths in columns are below.
        finish: called with the folder for results when all shards are written.
    """

    form: str
    columns: BatchColumns
    shards: tuple[Shard, ...]
    path_root: str | None = None
    finish: Callable[[Path], None] = lambda _: None


ROW_COLUMNS: Final = BatchColumns(
    key="key",
    image="image",
    url="url",
    sha256="sha256",
    original_width="original_width",
    original_height="original_height",
)
"""What batches have that are made of rows."""


@dataclass(frozen=True, slots=True)
class About:
    """What a downloader wrote down about a picture."""

    url: str | None = None
    sha256: str | None = None
    width: int | None = None
    height: int | None = None


NOTHING: Final = About()


def row_schema() -> Any:
    """pyarrow.Schema of `ROW_COLUMNS`."""
    pa, _ = arrow()
    return pa.schema(
        [
            ("key", pa.string()),
            ("image", pa.binary()),
            ("url", pa.string()),
            ("sha256", pa.string()),
            ("original_width", pa.int64()),
            ("original_height", pa.int64()),
        ]
    )


def batches_of_rows(rows: Iterator[tuple[Row, About]]) -> Iterator[Any]:
    """Rows as batches of `row_schema`; pictures that can not be read are null."""
    pa, _ = arrow()
    while part := list(islice(rows, BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(
            [
                {
                    "key": row.key,
                    "image": _image(row),
                    "url": row.url or about.url,
                    "sha256": about.sha256,
                    "original_width": about.width,
                    "original_height": about.height,
                }
                for row, about in part
            ],
            row_schema(),
        )


def _image(row: Row) -> bytes | None:
    if row.image is None or row.trouble is not None:
        return None
    try:
        return read_source(row.image, row.key)
    except ImageError:
        return None


@dataclass(frozen=True, slots=True)
class RowShard:
    """A folder of pictures, a tar file or a CSV table."""

    name: str
    form: Form
    path: Path
    choice: ColumnChoice
    root: Path | None = None
    hardlink: bool = False

    def source(self) -> Source:
        """Opens it."""
        if self.form is Form.FOLDER:
            return FolderSource(self.path, hardlink=self.hardlink)
        if self.form is Form.TAR:
            return TarSource([self.path])
        return DelimitedSource([self.path], self.choice, self.root)

    def survey(self) -> tuple[int, str]:
        """See `Shard`."""
        return self.source().survey()

    def batches(self) -> Iterator[Any]:
        """See `Shard`."""
        source = self.source()
        skip = np.zeros(source.survey()[0], np.bool_)
        return batches_of_rows((row, NOTHING) for row in source.rows(skip))

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Shard`."""
        return self.source().keep(keep, folder)


@dataclass(frozen=True, slots=True)
class TableShard:
    """A Parquet table, read as it is."""

    name: str
    path: Path
    columns: BatchColumns
    choice: ColumnChoice
    root: Path | None = None

    def _source(self) -> ParquetSource:
        choice = ColumnChoice(
            self.columns.image, self.columns.path, self.columns.url, self.columns.key
        )
        return ParquetSource([self.path], choice, self.root)

    def survey(self) -> tuple[int, str]:
        """See `Shard`."""
        found = self.path.stat()
        with _parquet_file(self.path) as table:
            count = int(table.metadata.num_rows)
        return count, f"{self.name}\0{found.st_size}\0{found.st_mtime_ns}\0{count}"

    def batches(self) -> Iterator[Any]:
        """See `Shard`."""
        pa, _ = arrow()
        rows = BATCH_ROWS if self.columns.has_pictures else TABLE_ROWS
        try:
            with _parquet_file(self.path) as table:
                missing = set(self.columns.names) - set(table.schema_arrow.names)
                if missing:
                    raise DamagedSource(
                        f"{self.path} lacks columns that the first table has", str(self.path)
                    )
                yield from table.iter_batches(rows, columns=list(self.columns.names))
        except (pa.ArrowException, OSError) as error:
            raise DamagedSource(
                f"{self.path} is no whole Parquet file ({type(error).__name__})", str(self.path)
            ) from None

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Shard`."""
        return self._source().keep(keep, folder)


def _parquet_file(path: Path) -> Any:
    pa, parquet = arrow()
    try:
        return parquet.ParquetFile(path, buffer_size=PAGE_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DamagedSource(
            f"{path} is no whole Parquet file ({type(error).__name__})", str(path)
        ) from None


def tables(
    paths: list[Path],
    choice: ColumnChoice,
    root: Path | None,
    opt_out: tuple[str, ...] = (),
) -> Sharded:
    """Parquet tables, each a shard.

    Raises:
        UnknownColumns: which columns to read can not be told. DamagedSource: no Parquet.
    """
    with _parquet_file(paths[0]) as table:
        columns = told_columns(table.schema_arrow, choice, opt_out)
    shard = partial(TableShard, columns=columns, choice=choice, root=root)
    names = relative_names(paths)
    found = tuple(shard(name=name, path=path) for name, path in zip(names, paths, strict=True))
    return Sharded("parquet", columns, found, str(root or paths[0].parent))


def files(
    form: Form, paths: list[Path], choice: ColumnChoice, root: Path | None, *, hardlink: bool
) -> Sharded:
    """Tar or CSV files, each a shard, or one folder of pictures."""
    names = ["."] if form is Form.FOLDER else relative_names(paths)
    shards = tuple(
        RowShard(name, form, path, choice, root, hardlink)
        for name, path in zip(names, paths, strict=True)
    )
    return Sharded(form.value, _columns_of(shards[0].source()), shards)


def _columns_of(source: Source) -> BatchColumns:
    return BatchColumns(
        key="key",
        image="image" if source.has_images else None,
        url="url" if source.has_urls else None,
    )


def about_of(found: Mapping[str, object]) -> About:
    """What a downloader's row or JSON file says, as far as it can be read."""

    def text(name: str) -> str | None:
        value = found.get(name)
        return value if isinstance(value, str) else None

    def whole(name: str) -> int | None:
        value = found.get(name)
        return int(value) if isinstance(value, int | float) and 0 < value < 2**31 else None

    return About(text("url"), text("sha256"), whole("original_width"), whole("original_height"))
