"""A folder of pictures, with whatever belongs to them: captions, metadata."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.rows import Kept, Row, is_image_name, shown_key
from consent_client.errors import SourceError, UnreadableImage

HIDDEN: Final = "."
"""Files and folders whose name begins so are no part of a data set."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """One folder's own files, by name, and what each picture's number is."""

    path: Path
    relative: str
    names: tuple[str, ...]
    numbers: dict[str, int]


class FolderSource:
    """Every picture below a folder is a row; its key is its path below the folder.

    Links are not followed: a picture that is a link is a row that can not be read. A file is a
    picture's companion when it has the same name but for the suffix (`a.jpg`: `a.txt`,
    `a.jpg.json`) and goes where the picture goes. Other files are left out.

    Args:
        folder: its path.
        hardlink: keep pictures by a second name of the same file instead of a copy.
    """

    form = "folder"
    has_images = True
    has_urls = False

    def __init__(self, folder: Path, *, hardlink: bool = False) -> None:
        self._root = folder
        self._hardlink = hardlink

    def survey(self) -> tuple[int, str]:
        """See `Source`; the digest is over names, sizes and times of change."""
        digest = hashlib.sha256()
        count = 0
        for folder in self._folders():
            count += len(folder.numbers)
            for name in folder.names:
                found = self._status(folder.path / name)
                line = f"{folder.relative}{name}\0{found.st_size}\0{found.st_mtime_ns}\0"
                digest.update(line.encode(errors="surrogateescape"))
        return count, digest.hexdigest()

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """See `Source`."""
        for folder in self._folders():
            for name, number in folder.numbers.items():
                if skip[number]:
                    continue
                path = folder.path / name
                key = shown_key(folder.relative + name)
                if path.is_symlink():
                    trouble = UnreadableImage(f"{key} is a link, which is not followed", key)
                    yield Row(number, key, trouble=trouble)
                else:
                    yield Row(number, key, image=path)

    def keys(self) -> Iterator[str]:
        """See `Source`."""
        for folder in self._folders():
            for name in folder.numbers:
                yield shown_key(folder.relative + name)

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Source`."""
        files = left_out = 0
        for part in self._folders():
            fates = _fates(part, keep)
            target = folder / part.relative
            for name in part.names:
                fate = fates.get(name)
                if fate is None:
                    left_out += 1
                elif fate:
                    target.mkdir(parents=True, exist_ok=True)
                    self._take(part.path / name, target / name)
                    files += 1
        return Kept(int(keep.sum()), files, left_out)

    def _take(self, source: Path, target: Path) -> None:
        if self._hardlink:
            try:
                os.link(source, target, follow_symlinks=False)
            except OSError:
                pass  # another file system, or one without hard links: copied instead
            else:
                return
        shutil.copy2(source, target, follow_symlinks=False)

    def _folders(self) -> Iterator[_Folder]:
        number = 0
        for path, relative, names in _walk(self._root, ""):
            images = [name for name in names if is_image_name(name)]
            numbers = dict(zip(images, range(number, number + len(images)), strict=True))
            number += len(images)
            yield _Folder(path, relative, tuple(names), numbers)

    def _status(self, path: Path) -> os.stat_result:
        try:
            return path.lstat()
        except OSError as error:
            raise SourceError(f"{path} can not be read: {error.strerror}", str(path)) from None


def _walk(folder: Path, relative: str) -> Iterator[tuple[Path, str, list[str]]]:
    """Each folder with the sorted names of its files, parents first, without links to folders."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder} can not be read: {error.strerror}", str(folder)) from None
    shown = [entry for entry in entries if not entry.name.startswith(HIDDEN)]
    yield (
        folder,
        relative,
        [
            entry.name
            for entry in shown
            if entry.is_file(follow_symlinks=False) or (entry.is_symlink() and not entry.is_dir())
        ],
    )
    for entry in shown:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{relative}{entry.name}/")


def _fates(folder: _Folder, keep: NDArray[np.bool_]) -> dict[str, bool]:
    """File name → whether it is kept, for pictures and their companions."""
    fates = {name: bool(keep[number]) for name, number in folder.numbers.items()}
    together: dict[str, bool] = {}
    for name, fate in fates.items():
        for stem in (name, name.rpartition(".")[0]):
            together[stem] = together.get(stem, True) and fate
    for name in folder.names:
        if name not in fates and (stem := name.rpartition(".")[0]) in together:
            fates[name] = together[stem]
    return fates


def pictures_below(folder: Path) -> Iterator[Path]:
    """Every picture below a folder, links left aside.

    Raises:
        SourceError: a folder can not be read.
    """
    for path, _, names in _walk(folder, ""):
        for name in names:
            if is_image_name(name) and not (path / name).is_symlink():
                yield path / name


def holds_images(folder: Path) -> bool:
    """Whether there is any picture below a folder."""
    return any(is_image_name(name) for _, _, names in _walk(folder, "") for name in names)
