"""WebDataset: tar files whose members of one name, but for the suffix, are one sample."""

import hashlib
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.rows import (
    Kept,
    KeyCheck,
    Row,
    is_image_name,
    relative_names,
    shown_key,
)
from consent_client.errors import DamagedSource, HostileArchive, ImageTooLarge

MAX_IMAGE_BYTES: Final = 3 * (1 << 27)
"""Longest member that is read as a picture: what `fingerprints.loading` takes for a file."""

MAX_NAME_CHARACTERS: Final = 4_096

_BLOCK: Final = tarfile.BLOCKSIZE
# As in webdataset: folders and the name up to its first dot, then the suffix.
_SAMPLE: Final = re.compile(r"((?:.*/)?[^/.]+)\.[^/]*", re.DOTALL)


class TarSource:
    """Every picture in the tar files is a row; its key is the member's name.

    Where there are several tar files the key begins with the file's name. A sample is kept when
    all of its pictures are; samples without a picture are left out. Nothing is unpacked.

    Args:
        paths: the tar files, uncompressed, in order.
    """

    form = "tar"
    has_images = True
    has_urls = False

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._names = relative_names(paths)

    def survey(self) -> tuple[int, str]:
        """See `Source`; the digest is over the files' sizes and times, and all members' names."""
        digest = hashlib.sha256()
        count = 0
        for path, shard in self._shards():
            names = KeyCheck()
            found = path.stat()
            digest.update(f"{shard}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
            for _, member in members(path):
                names.add(member.name)
                line = f"{member.name}\0{member.size}\0"
                digest.update(line.encode(errors="surrogateescape"))
                count += is_image_name(member.name)
            names.check(shard, "Which of the two is excluded could not be told.")
        return count, digest.hexdigest()

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """See `Source`."""
        number = 0
        for path, shard in self._shards():
            for tar, member in members(path):
                if not is_image_name(member.name):
                    continue
                if not skip[number]:
                    yield self._row(number, shard, tar, member)
                number += 1

    def _row(self, number: int, shard: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Row:
        key = self._key(shard, member)
        if member.size > MAX_IMAGE_BYTES:
            trouble = ImageTooLarge(f"{key} has more than {MAX_IMAGE_BYTES} bytes", key)
            return Row(number, key, trouble=trouble)
        with _named_damage(Path(shard)):
            return Row(number, key, image=_content(tar, member).read())

    def keys(self) -> Iterator[str]:
        """See `Source`."""
        for path, shard in self._shards():
            for _, member in members(path):
                if is_image_name(member.name):
                    yield self._key(shard, member)

    def _key(self, shard: str, member: tarfile.TarInfo) -> str:
        return shown_key(member.name if len(self._paths) == 1 else f"{shard}/{member.name}")

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Source`."""
        number = rows = left_out = 0
        for path, shard in self._shards():
            fates: dict[bytes, bool] = {}
            for _, member in members(path):
                if is_image_name(member.name):
                    sample = _sample(member.name)
                    fates[sample] = fates.get(sample, True) and bool(keep[number])
                    number += 1
            target = folder / shard
            target.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as written:
                for tar, member in members(path):
                    fate = fates.get(_sample(member.name))
                    left_out += fate is None
                    if fate:
                        rows += is_image_name(member.name)
                        written.addfile(member, _content(tar, member))
                        _forget(written)
        return Kept(rows, len(self._paths), left_out)

    def _shards(self) -> Iterator[tuple[Path, str]]:
        yield from zip(self._paths, self._names, strict=True)


def _sample(name: str) -> bytes:
    match = _SAMPLE.fullmatch(name)
    stem = name if match is None else match[1]
    return hashlib.blake2b(stem.encode(errors="surrogateescape"), digest_size=16).digest()


def members(path: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The regular files of a tar, in order; the list of members is not kept.

    Raises:
        DamagedSource: not a tar, truncated, or damaged.
        HostileArchive: a link, device or name that no honest data set needs.
    """
    with _named_damage(path), tarfile.open(path, "r:", errorlevel=2) as tar:
        last = -1
        while (member := tar.next()) is not None:
            _forget(tar)
            if member.offset_data <= last or member.size < 0:
                raise DamagedSource(f"{path} leads back into itself", str(path))
            last = member.offset_data
            if member.isdir():
                continue
            _check_member(path, member)
            yield tar, member
        _check_end(path, tar)


def _forget(tar: tarfile.TarFile) -> None:
    """The library keeps a kilobyte for each member it has passed."""
    tar.members.clear()  # type: ignore[attr-defined]


@contextmanager
def _named_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise DamagedSource(
            f"{path} is no whole tar file ({type(error).__name__}); compressed ones are not read",
            str(path),
        ) from None


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    name = member.name
    plain = member.isreg() and not member.issparse()
    inside = (
        0 < len(name) <= MAX_NAME_CHARACTERS
        and "\0" not in name
        and not name.startswith(("/", "\\"))
        and ".." not in PurePosixPath(name.replace("\\", "/")).parts
    )
    if not (plain and inside):
        shown = shown_key(name)[:100]
        what = "a name that leads out of it" if plain else "a link, device or sparse file"
        raise HostileArchive(
            f"{path} holds {what}: {shown!r}. Nothing was read from it.", str(path)
        )


def _check_end(path: Path, tar: tarfile.TarFile) -> None:
    """The library takes a damaged header, or the end of the file, for the end of the archive."""
    file = tar.fileobj
    if file is None:
        raise DamagedSource(f"{path} can not be read", str(path))
    file.seek(tar.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise DamagedSource(f"{path} is truncated or damaged: it has no end mark", str(path))


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise DamagedSource(f"{shown_key(member.name)} has no content", shown_key(member.name))
    return content
