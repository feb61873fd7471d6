"""Folders as clip-retrieval writes them: embeddings as `.npy`, and metadata beside them.

    consent screen embeddings/ --format clip-retrieval --confirm online \
        --dataset laion --use ai_training --out screened

`metadata/metadata_0.parquet` has a row for each row of `img_emb/img_emb_0.npy` and, where there is
one, of `text_emb/text_emb_0.npy`. Screened are addresses and `sha256` as the metadata has them, and
pictures where it holds them; the embeddings themselves are of no space of a registry. All files are
kept without the rows that are left out, so that they still belong together.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ROW_NUMBER, ColumnChoice
from consent_client.adapters.rows import Kept
from consent_client.adapters.shards import Sharded, TableShard, tables
from consent_client.errors import DamagedSource, SourceError, UnknownColumns

METADATA: Final = "metadata"
COPY_ROWS: Final = 65_536
"""Rows copied at once: 100 MB of 768 float16."""

_NUMBER: Final = re.compile(r"metadata_(\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class EmbeddedShard:
    """One number's files.

    Attributes:
        table: the metadata.
        arrays: name below the folder, and path, of each array with a row per row.
    """

    table: TableShard
    arrays: tuple[tuple[str, Path], ...]

    @property
    def name(self) -> str:
        """See `Shard`."""
        return self.table.name

    def survey(self) -> tuple[int, str]:
        """See `Shard`."""
        count, digest = self.table.survey()
        for name, path in self.arrays:
            found = path.stat()
            digest += f"\0{name}\0{found.st_size}\0{found.st_mtime_ns}"
            if len(_array(path)) != count:
                raise DamagedSource(f"{path} has not as many rows as the metadata", str(path))
        return count, digest

    def batches(self) -> Iterator[Any]:
        """See `Shard`."""
        return self.table.batches()

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Shard`."""
        (folder / METADATA).mkdir(parents=True, exist_ok=True)
        kept = self.table.keep(keep, folder / METADATA)
        for name, path in self.arrays:
            _keep_rows(_array(path), keep, folder / name)
        return Kept(kept.rows, kept.files + len(self.arrays), 0)


def _keep_rows(array: NDArray[Any], keep: NDArray[np.bool_], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shape = (int(keep.sum()), *array.shape[1:])
    if not shape[0]:
        np.save(target, np.zeros(shape, array.dtype))
        return
    written = np.lib.format.open_memmap(target, "w+", array.dtype, shape)
    at = 0
    for start in range(0, len(array), COPY_ROWS):
        part = array[start : start + COPY_ROWS][keep[start : start + COPY_ROWS]]
        written[at : at + len(part)] = part
        at += len(part)
    written.flush()


def _array(path: Path) -> NDArray[Any]:
    """The array in a file, not read yet.

    Raises:
        DamagedSource: there is none.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedSource(
            f"{path} is no whole array ({type(error).__name__})", str(path)
        ) from None
    if array.ndim < 1:
        raise DamagedSource(f"{path} is no array of rows", str(path))
    return np.asarray(array) if array.size == 0 else array


def embedded(
    folder: Path, choice: ColumnChoice | None = None, opt_out: tuple[str, ...] = ()
) -> Sharded:
    """The data set in a folder that clip-retrieval wrote.

    Args:
        folder: with `metadata/` in it.
        choice: columns of the metadata, where they can not be told.
        opt_out: columns with what sites said.

    Raises:
        SourceError: there is none, or the metadata has neither addresses nor pictures.
    """
    numbered = sorted(
        (int(match[1]), path)
        for path in (folder / METADATA).glob("*.parquet")
        if (match := _NUMBER.fullmatch(path.name))
    )
    if not numbered:
        raise SourceError(f"{folder} has no metadata/metadata_0.parquet", str(folder))
    # `image_path` names the file that was embedded, which is seldom still there.
    told = choice or ColumnChoice(key=ROW_NUMBER)
    found = tables([path for _, path in numbered], told, None, opt_out)
    columns = found.columns if told.path else replace(found.columns, path=None)
    if not columns.has_pictures and columns.url is None and columns.sha256 is None:
        raise UnknownColumns(f"the metadata in {folder} has neither addresses nor sha256")
    shards = []
    for (number, path), table in zip(numbered, found.shards, strict=True):
        arrays = tuple(
            (f"{kind}/{kind}_{number}.npy", array)
            for kind in ("img_emb", "text_emb")
            if (array := folder / kind / f"{kind}_{number}.npy").is_file()
        )
        if isinstance(table, TableShard):
            named = replace(table, name=path.name, columns=columns)
            shards.append(EmbeddedShard(named, arrays))
    return Sharded("clip-retrieval", columns, tuple(shards))
