"""CSV and TSV tables with paths, addresses, or pictures in base64."""

import base64
import binascii
import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ColumnChoice, Holds, choose
from consent_client.adapters.rows import Kept, KeyCheck, Row, relative_names
from consent_client.adapters.tables import Cells, row_key, row_of
from consent_client.errors import DamagedSource, NotAnImage

if TYPE_CHECKING:
    import _csv

MAX_FIELD_CHARACTERS: Final = 1 << 29
"""A picture of 384 MiB in base64: longer than any that is decoded."""


class DelimitedSource:
    """Every row of the tables, in order, is a row; its key is the key column's or its number.

    The first line names the columns, and is the same in all tables. UTF-8; commas, or tabs where
    the name ends in `.tsv`.

    Args:
        paths: the tables.
        choice: the columns the person named; pictures in base64 only where the column is named.
        root: folder that paths in the table are below; None: the first table's folder.

    Raises:
        UnknownColumns: which columns to read can not be told. DamagedSource: no such table.
    """

    form = "csv"

    def __init__(self, paths: list[Path], choice: ColumnChoice, root: Path | None = None) -> None:
        self._paths = paths
        self._names = relative_names(paths)
        self._root = root or paths[0].parent
        self._header = _header(paths[0])
        described = [(name, Holds.TEXT) for name in self._header]
        self._columns = choose(described, choice, str(paths[0]))

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
        for path, name in zip(self._paths, self._names, strict=True):
            found = path.stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
        keys = KeyCheck()
        count = 0
        for key in self.keys():
            count += 1
            if self._columns.key is not None:
                keys.add(key)
        keys.check(str(self._paths[0]), "Name another --key-column, or :row for row numbers.")
        return count, digest.hexdigest()

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """See `Source`."""
        for number, record in self._records():
            if skip[number]:
                continue
            key = self._key(number, record)
            image = self._cell(record, self._columns.image)
            data = None if not image else _from_base64(image)
            if image and data is None:
                trouble = NotAnImage(f"{key}: its picture is not base64", key)
                yield Row(number, key, url=self._cell(record, self._columns.url), trouble=trouble)
                continue
            cells = Cells(
                data,
                self._cell(record, self._columns.path),
                self._cell(record, self._columns.url),
            )
            yield row_of(number, key, cells, self._root, wants_image=self.has_images)

    def keys(self) -> Iterator[str]:
        """See `Source`."""
        for number, record in self._records():
            yield self._key(number, record)

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Source`."""
        number = 0
        for path, name in zip(self._paths, self._names, strict=True):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, delimiter=_delimiter(path))
                writer.writerow(self._header)
                for record in self._table(path):
                    if keep[number]:
                        writer.writerow(record)
                    number += 1
        return Kept(int(keep.sum()), len(self._paths), 0)

    def _key(self, number: int, record: list[str]) -> str:
        if self._columns.key is None:
            return str(number)
        return row_key(self._cell(record, self._columns.key), number, str(self._paths[0]))

    def _cell(self, record: list[str], column: str | None) -> str | None:
        return None if column is None else record[self._header.index(column)]

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        number = 0
        for path in self._paths:
            for record in self._table(path):
                yield number, record
                number += 1

    def _table(self, path: Path) -> Iterator[list[str]]:
        with _reader(path) as reader:
            header = next(reader, None)
            if header != self._header:
                raise DamagedSource(f"{path} has other columns than the first table", str(path))
            for record in reader:
                if not record:
                    continue  # an empty line
                if len(record) != len(self._header):
                    raise DamagedSource(
                        f"line {reader.line_num} of {path} has {len(record)} fields instead of "
                        f"{len(self._header)}",
                        str(path),
                    )
                yield record


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _header(path: Path) -> list[str]:
    with _reader(path) as reader:
        header = next(reader, None)
    if not header:
        raise DamagedSource(f"{path} is empty: its first line should name the columns", str(path))
    return header


@contextmanager
def _reader(path: Path) -> Iterator["_csv.Reader"]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield csv.reader(file, delimiter=_delimiter(path), strict=True)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DamagedSource(
            f"{path} is no whole table in UTF-8 ({type(error).__name__})", str(path)
        ) from None


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
