"""Manifests in files, of as many rows as a web-scale data set has.

A file is `MAGIC ‖ u64 n ‖ n rows` of 64 bytes, strictly increasing (FORMATS §6), so a block is
found at its place. Nothing here holds a whole manifest: rows that come in any order are sorted in
runs on the disk and merged. Manifests are written for their owner's eyes only, for they tell which
images a screening was about; that of what is shipped is then the owner's to publish.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from consent_client.errors import BadManifest, StateError
from consent_client.private_files import writing_private
from consent_client.protocol.encoding import u64
from consent_client.protocol.manifests import (
    BLOCK_ROWS,
    IMAGE_BYTES,
    ROW_BYTES,
    ascending,
    in_blocks,
    rows_in,
    rows_of,
)

MAGIC: Final = b"consent-registry/manifest-file/v1\0"

HEADER_BYTES: Final = len(MAGIC) + 8

RUN_ROWS: Final = 2**20
"""Rows sorted in memory at once, some 130 MB as Python holds them."""

FAN_IN: Final = 96
"""Runs merged at once: a file each, and macOS lets a process open 256."""

_PIECE: Final = 1024 * ROW_BYTES


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A manifest in a file; each use opens it anew.

    Attributes:
        path: the file.
        count: its rows, n.
    """

    path: Path
    count: int

    def rows(self) -> Iterator[bytes]:
        """The rows, checked as they pass.

        Raises:
            BadManifest: rows that do not increase, or fewer than there were.
            StateError: the file can not be read.
        """
        return ascending(self._rows())

    def blocks(self) -> Iterator[bytes]:
        """The rows in blocks, checked as `rows` does."""
        return in_blocks(self.rows())

    def block(self, number: int) -> bytes:
        """Block `number`, joined; the order of its rows is not looked at.

        Raises:
            BadManifest: there is no such block, or the file is shorter than it was.
            StateError: the file can not be read.
        """
        size = rows_in(number, self.count) * ROW_BYTES
        with _reading(self.path) as file:
            file.seek(HEADER_BYTES + number * BLOCK_ROWS * ROW_BYTES)
            data = file.read(size)
        if len(data) != size:
            raise BadManifest("the file is shorter than it was", number * BLOCK_ROWS)
        return data

    def _rows(self) -> Iterator[bytes]:
        with _reading(self.path) as file:
            file.seek(HEADER_BYTES)
            seen = 0
            for value in _pieces(file):
                yield value
                seen += 1
        if seen != self.count:
            raise BadManifest("the file has another number of rows than it had", seen)


def open_manifest(path: Path) -> ManifestFile:
    """A manifest in a file.

    Raises:
        BadManifest: not such a file, or not as long as it says.
        StateError: it can not be read.
    """
    with _reading(path) as file:
        head = file.read(HEADER_BYTES)
        end = file.seek(0, 2)
    count = int.from_bytes(head[len(MAGIC) :])
    if len(head) != HEADER_BYTES or not head.startswith(MAGIC):
        raise BadManifest("not a manifest in a file")
    if end != HEADER_BYTES + count * ROW_BYTES:
        raise BadManifest("a manifest that is not as long as it says")
    return ManifestFile(path, count)


def write_manifest(path: Path, rows: Iterable[bytes]) -> ManifestFile:
    """Writes rows that are in order; the file is there only once it is whole.

    Raises:
        BadManifest: a row of another length, or one that does not come after that before it.
        StateError: what is there is not ours, or it can not be written.
    """
    count = 0
    with writing_private(path) as file:
        file.write(MAGIC + u64(0))
        for block in in_blocks(ascending(rows)):
            file.write(block)
            count += len(block) // ROW_BYTES
        file.seek(len(MAGIC))
        file.write(u64(count))
    return ManifestFile(path, count)


def sort_manifest(path: Path, rows: Iterable[bytes], run_rows: int = RUN_ROWS) -> ManifestFile:
    """Writes rows that come in any order; the same row again is left out.

    Runs lie in a private folder beside the file, twice its size at most, and are removed.

    Args:
        path: the file to write.
        rows: 64 bytes each.
        run_rows: how many are sorted in memory at once.

    Raises:
        BadManifest: a row of another length, or one image with two different F; `row` is then its
            number among the sorted rows.
        StateError: it can not be written.
    """
    try:
        with TemporaryDirectory(prefix=".sorting-", dir=path.parent) as folder:
            runs = _write_runs(Path(folder), rows, run_rows)
            while len(runs) > FAN_IN:
                merged = Path(folder) / f"{runs[0].name}+"
                with ExitStack() as stack, merged.open("xb") as file:
                    file.writelines(_merged(stack, runs[:FAN_IN]))
                for run in runs[:FAN_IN]:
                    run.unlink()
                runs = [*runs[FAN_IN:], merged]
            with ExitStack() as stack:
                return write_manifest(path, _once(_merged(stack, runs)))
    except OSError as error:
        raise StateError(f"{path} can not be written: {error.strerror}", str(path)) from None


def _write_runs(folder: Path, rows: Iterable[bytes], run_rows: int) -> list[Path]:
    runs: list[Path] = []
    rest, seen = iter(rows), 0
    while part := list(islice(rest, run_rows)):
        for at, value in enumerate(part, start=seen):
            if len(value) != ROW_BYTES:
                raise BadManifest("a row has 64 bytes", at)
        seen += len(part)
        part.sort()
        runs.append(folder / str(len(runs)))
        with runs[-1].open("xb") as file:
            file.writelines(part)
        del part  # before the next is read: never two at once
    return runs


def _merged(stack: ExitStack, runs: Iterable[Path]) -> Iterator[bytes]:
    return heapq.merge(*(_pieces(stack.enter_context(run.open("rb"))) for run in runs))


def _once(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Sorted rows without repetitions."""
    last = b""
    number = 0
    for value in rows:
        if value == last:
            continue
        if value[:IMAGE_BYTES] == last[:IMAGE_BYTES]:
            raise BadManifest("one image with two different lists of fingerprints", number)
        yield value
        last = value
        number += 1


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rows from where the file stands to its end, the last perhaps cut short."""
    for piece in iter(partial(file.read, _PIECE), b""):
        yield from rows_of(piece)


def _reading(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise StateError(f"{path} can not be read: {error.strerror}", str(path)) from None
