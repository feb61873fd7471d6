"""Folders as img2dataset writes them: `--output_format` webdataset, files or parquet.

    consent screen laion/ --format img2dataset --snapshot DIR --confirm online \
        --dataset laion --use ai_training --out screened

Of a shard `00000` there are `00000.tar` (or a folder `00000/`, or nothing), `00000.parquet` with a
row per address, and `00000_stats.json`. The pictures were re-encoded and may have a white border,
so the table is read too: `sha256` is of the file that was downloaded, and from
`original_width` and `original_height` follows where the border is (`fingerprints.borders`). Where
there is no table, a tar's `.json` members say the same.

Kept shards have all of it again: the tar without the samples that are left out, the table without
their rows and without those of addresses that gave no picture, and counts to match.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.folder import FolderSource
from consent_client.adapters.parquet import ParquetSource, arrow
from consent_client.adapters.rows import Kept, Row, Source
from consent_client.adapters.shards import (
    NOTHING,
    ROW_COLUMNS,
    About,
    Sharded,
    about_of,
    batches_of_rows,
)
from consent_client.adapters.tar import TarSource, members
from consent_client.errors import DamagedSource, SourceError

_READ: Final = ("key", "url", "sha256", "original_width", "original_height")
_MAX_JSON: Final = 1 << 20
_MAX_STATS: Final = 1 << 20
_KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class DownloadedShard:
    """One shard.

    Attributes:
        name: its number, as img2dataset writes it.
        pictures: the tar file, the folder, or the table where pictures are in it.
        table: None where there is none.
        stats: None where there are none.
    """

    name: str
    pictures: Path
    table: Path | None
    stats: Path | None

    def source(self) -> Source:
        """Its pictures."""
        if self.pictures.is_dir():
            return FolderSource(self.pictures)
        if self.pictures.suffix == ".tar":
            return TarSource([self.pictures])
        return ParquetSource([self.pictures], ColumnChoice(key=_KEY))

    def survey(self) -> tuple[int, str]:
        """See `Shard`."""
        count, digest = self.source().survey()
        if self.table is not None and self.table != self.pictures:
            found = self.table.stat()
            digest = f"{digest}\0{found.st_size}\0{found.st_mtime_ns}"
        return count, digest

    def batches(self) -> Iterator[Any]:
        """See `Shard`."""
        source = self.source()
        count, _ = source.survey()
        about = self._about()
        rows = source.rows(np.zeros(count, np.bool_))
        return batches_of_rows((_named(row), about.get(_stem(row.key), NOTHING)) for row in rows)

    def _about(self) -> Mapping[str, About]:
        if self.table is not None:
            return {key: about_of(row) for key, row in _rows(self.table)}
        if self.pictures.suffix == ".tar":
            return _of_members(self.pictures)
        return {}

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Shard`."""
        source = self.source()
        inside = folder / self.name if self.pictures.is_dir() else folder
        inside.mkdir(exist_ok=True)
        kept = source.keep(keep, inside)
        # A sample is kept when all of its pictures are, as in the tar.
        fates: dict[str, bool] = {}
        for key, fate in zip(source.keys(), keep, strict=True):
            fates[_stem(key)] = fates.get(_stem(key), True) and bool(fate)
        stems = {stem for stem, fate in fates.items() if fate}
        files = kept.files
        if self.table is not None and self.table != self.pictures:
            _keep_table(self.table, stems, folder / self.table.name)
            files += 1
        if self.stats is not None:
            text = json.dumps(_stats(self.stats, len(stems)), indent=4)
            (folder / self.stats.name).write_text(text)
            files += 1
        return Kept(kept.rows, files, kept.left_out)


def downloaded(folder: Path) -> Sharded:
    """The data set in a folder that img2dataset wrote.

    Raises:
        SourceError: there is none.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} can not be read: {error.strerror}", str(folder)) from None
    shards = {path.stem: path for path in paths if path.suffix == ".tar" or _is_numbered(path)} or {
        path.stem: path for path in paths if path.suffix == ".parquet"
    }
    if not shards:
        raise SourceError(f"{folder} holds nothing that img2dataset writes", str(folder))
    found = tuple(
        DownloadedShard(
            name,
            pictures,
            _existing(folder / f"{name}.parquet"),
            _existing(folder / f"{name}_stats.json"),
        )
        for name, pictures in sorted(shards.items())
    )
    return Sharded("img2dataset", ROW_COLUMNS, found)


def _is_numbered(path: Path) -> bool:
    return path.is_dir() and path.name.isdigit()


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _named(row: Row) -> Row:
    return Row(row.number, _stem(row.key), row.image, row.url, row.trouble)


def _stem(key: str) -> str:
    """A sample's key from the name of a file: without folders, and without what follows a dot."""
    return PurePosixPath(key).name.partition(".")[0]


def _rows(table: Path) -> Iterator[tuple[str, dict[str, object]]]:
    pa, parquet = arrow()
    try:
        with parquet.ParquetFile(table) as opened:
            names = [name for name in _READ if name in opened.schema_arrow.names]
            if _KEY not in names:
                raise DamagedSource(f"{table} has no column {_KEY!r}", str(table))
            for batch in opened.iter_batches(columns=names):
                for row in batch.to_pylist():
                    if row[_KEY] is not None:
                        yield str(row[_KEY]), row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedSource(
            f"{table} is no whole Parquet file ({type(error).__name__})", str(table)
        ) from None


def _of_members(path: Path) -> dict[str, About]:
    """What a tar's JSON members say of their samples."""
    found = {}
    for tar, member in members(path):
        if member.name.endswith(".json") and member.size <= _MAX_JSON:
            content = tar.extractfile(member)
            try:
                value = json.loads(content.read()) if content is not None else None
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                found[_stem(member.name)] = about_of(value)
    return found


def _keep_table(table: Path, stems: set[str], target: Path) -> None:
    pa, parquet = arrow()
    with (
        parquet.ParquetFile(table) as opened,
        parquet.ParquetWriter(target, opened.schema_arrow) as writer,
    ):
        for batch in opened.iter_batches():
            keys = batch.column(_KEY).to_pylist()
            writer.write_batch(batch.filter(pa.array([str(key) in stems for key in keys])))


def _stats(path: Path, kept: int) -> dict[str, object]:
    """The downloader's counts of what is kept; what else it wrote down stays."""
    value: object = None
    try:
        if path.stat().st_size <= _MAX_STATS:
            value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        value = None
    before = value if isinstance(value, dict) else {}
    counts = {"count": kept, "successes": kept, "failed_to_download": 0, "failed_to_resize": 0}
    return {**before, **counts, "status_dict": {"success": kept}}
