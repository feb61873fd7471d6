"""Vectors that are computed already, in folders as clip-retrieval writes them.

    consent screen embeddings/ --embeddings clip-vit-l-14 \
        --dataset laion --use ai_training --out screened

`img_emb/img_emb_0.npy` holds float16 or float32[n, dimension] and, where it is there,
`metadata/metadata_0.parquet` a row for each of its rows. That the vectors are of the space's model
and preprocessing is the builder's word: nothing here can look at the pictures.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import NO_CHOICE, ROW_NUMBER, ColumnChoice
from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Kept, KeyCheck, Row
from consent_client.errors import (
    DamagedSource,
    NotAnImage,
    SourceError,
    UnknownColumns,
    UnknownSpace,
)
from consent_client.protocol.spaces import Kind, Subject, space

EMBEDDINGS: Final = "img_emb"
METADATA: Final = "metadata"
AT_ONCE: Final = 4_096
"""Rows in memory at once: 12 MB of 768 float32."""

_NUMBERED: Final = re.compile(r"img_emb_(\d+)\.npy")
_KEYS: Final = ("image_path", "url", "key")
_HALF: Final = np.dtype("<f2")
_ROWS_AND_COLUMNS: Final = 2


@dataclass(frozen=True, slots=True)
class _Part:
    """One number's files; `table` is None where there is no metadata."""

    number: int
    array: Path
    table: Path | None


class EmbeddingSource:
    """Every row of the arrays, in order of their numbers, is a row.

    A row's key is the key column's value, else that of `image_path`, `url` or `key` in the
    metadata, else its number. Vectors are scaled to norm 1 here; one that is zero or not finite is
    trouble, so that its row stays UNKNOWN. Addresses are screened, too.

    Args:
        folder: with `img_emb/` in it.
        space_id: the space that the vectors are of.
        choice: columns of the metadata, where they can not be told.

    Raises:
        UnknownSpace: not a float space of works.
        SourceError: there are no arrays.
        UnknownColumns: a column that was named is not there.
        MissingExtra: there is metadata, and pyarrow is not installed.
    """

    form = "clip-retrieval"
    has_images = False

    def __init__(self, folder: Path, space_id: str, choice: ColumnChoice = NO_CHOICE) -> None:
        of = space(space_id)
        if of.kind is not Kind.FLOAT or of.subject is not Subject.WORK:
            raise UnknownSpace(f"{space_id} is no space of works that has vectors")
        self._space = of
        self._folder = folder
        self._parts = _parts_of(folder)
        first = self._parts[0].table
        names = [] if first is None else _open(first).schema_arrow.names
        self._key = None if choice.key == ROW_NUMBER else choice.key or _first(names, _KEYS)
        self._url = choice.url or _first(names, ("url",))
        for name in (self._key, self._url):
            if name is not None and name not in names:
                raise UnknownColumns(f"the metadata in {folder} has no column {name!r}")

    @property
    def given_spaces(self) -> tuple[str, ...]:
        """See `GivesFingerprints`."""
        return (self._space.id,)

    @property
    def has_urls(self) -> bool:
        """See `Source`."""
        return self._url is not None

    def survey(self) -> tuple[int, str]:
        """See `Source`; the digest is over the files' sizes and times."""
        digest = hashlib.sha256(f"{self._space.id}\0{self._key}\0{self._url}\0".encode())
        total = 0
        for part in self._parts:
            rows = len(self._array(part))
            if part.table is not None and _open(part.table).metadata.num_rows != rows:
                raise DamagedSource(
                    f"{part.array} has not as many rows as its metadata", str(part.array)
                )
            for path in (part.array, part.table):
                if path is not None:
                    found = path.stat()
                    digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
            total += rows
        if self._key is not None:
            keys = KeyCheck()
            for key in self.keys():
                keys.add(key)
            keys.check(str(self._folder), "Name another --key-column, or :row for row numbers.")
        return total, digest.hexdigest()

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """See `Source`."""
        first = 0
        for part in self._parts:
            array = self._array(part)
            if not skip[first : first + len(array)].all():
                yield from self._rows_of(part, array, first, skip)
            first += len(array)

    def _rows_of(
        self, part: _Part, array: NDArray[Any], first: int, skip: NDArray[np.bool_]
    ) -> Iterator[Row]:
        cells = self._cells(part, len(array), first)
        for start in range(0, len(array), AT_ONCE):
            halves, usable = _unit(array[start : start + AT_ONCE])
            for offset, (half, good) in enumerate(zip(halves, usable, strict=True)):
                key, url = next(cells)
                number = first + start + offset
                if skip[number]:
                    continue
                if good:
                    yield Row(number, key, url=url, given={self._space.id: (half.tobytes(),)})
                else:
                    trouble = NotAnImage(f"{key}: its vector is zero or not finite", key)
                    yield Row(number, key, url=url, trouble=trouble)

    def keys(self) -> Iterator[str]:
        """See `Source`."""
        first = 0
        for part in self._parts:
            rows = len(self._array(part))
            yield from (key for key, _ in self._cells(part, rows, first))
            first += rows

    def _cells(self, part: _Part, rows: int, first: int) -> Iterator[tuple[str, str | None]]:
        """Key and address of each row of a part."""
        columns = sorted({name for name in (self._key, self._url) if name is not None})
        if part.table is None or not columns:
            yield from ((str(number), None) for number in range(first, first + rows))
            return
        number = count(first)
        for batch in _batches(part.table, columns):
            told = {name: batch.column(name).to_pylist() for name in columns}
            for at in range(batch.num_rows):
                key = str(next(number)) if self._key is None else told[self._key][at]
                if not isinstance(key, str | int) or key == "":
                    raise DamagedSource(f"a row of {part.table} has no key", str(part.table))
                url = None if self._url is None else told[self._url][at]
                yield str(key), url if isinstance(url, str) and url else None

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Source`; array and metadata still belong together."""
        first = files = 0
        for part in self._parts:
            array = self._array(part)
            chosen = keep[first : first + len(array)]
            first += len(array)
            target = folder / EMBEDDINGS / part.array.name
            target.parent.mkdir(parents=True, exist_ok=True)
            np.save(target, np.ascontiguousarray(array[chosen]))
            files += 1
            if part.table is not None:
                (folder / METADATA).mkdir(exist_ok=True)
                _keep_table(part.table, chosen, folder / METADATA / part.table.name)
                files += 1
        return Kept(int(keep.sum()), files, 0)

    def _array(self, part: _Part) -> NDArray[Any]:
        """The vectors of a part, not read yet."""
        try:
            array = np.load(part.array, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DamagedSource(
                f"{part.array} is no whole array ({type(error).__name__})", str(part.array)
            ) from None
        if array.dtype not in {np.dtype(np.float16), np.dtype(np.float32)}:
            raise DamagedSource(f"{part.array} is neither float16 nor float32", str(part.array))
        if array.ndim != _ROWS_AND_COLUMNS or array.shape[1] != self._space.dimension:
            raise DamagedSource(
                f"{part.array} has no rows of {self._space.dimension} numbers, as {self._space.id} "
                "has",
                str(part.array),
            )
        found: NDArray[Any] = array
        return found


def _unit(rows: NDArray[Any]) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Rows scaled to norm 1, and which of them can be."""
    wide = np.asarray(rows, np.float64)
    usable = np.isfinite(wide).all(axis=1)
    wide[~usable] = 0
    greatest = np.abs(wide).max(axis=1, initial=0.0)
    usable &= greatest > 0
    wide /= np.where(usable, greatest, 1)[:, None]  # first to at most 1: no square overflows
    wide /= np.where(usable, np.linalg.norm(wide, axis=1), 1)[:, None]
    return wide.astype(_HALF), usable


def _parts_of(folder: Path) -> list[_Part]:
    found = []
    for path in (folder / EMBEDDINGS).glob("*.npy"):
        match = _NUMBERED.fullmatch(path.name)
        if match is not None:
            # clip-retrieval writes the same digits in both names.
            table = folder / METADATA / f"metadata_{match[1]}.parquet"
            found.append(_Part(int(match[1]), path, table if table.is_file() else None))
    if not found:
        raise SourceError(f"{folder} has no {EMBEDDINGS}/img_emb_0.npy", str(folder))
    if len({part.table is None for part in found}) > 1:
        raise SourceError(f"{folder} has metadata for some arrays only", str(folder))
    return sorted(found, key=lambda part: (part.number, part.array.name))


def _first(names: list[str], wanted: tuple[str, ...]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _open(path: Path) -> Any:
    pa, parquet = arrow()
    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _batches(path: Path, columns: list[str] | None) -> Iterator[Any]:
    pa, _ = arrow()
    try:
        yield from _open(path).iter_batches(AT_ONCE, columns=columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from None


def _keep_table(path: Path, keep: NDArray[np.bool_], target: Path) -> None:
    pa, parquet = arrow()
    start = 0
    with parquet.ParquetWriter(target, _open(path).schema_arrow) as writer:
        for batch in _batches(path, None):
            mask = pa.array(keep[start : start + batch.num_rows])
            start += batch.num_rows
            writer.write_batch(batch.filter(mask))


def _damaged(path: Path, error: Exception) -> DamagedSource:
    return DamagedSource(f"{path} is no whole Parquet file ({type(error).__name__})", str(path))
