"""The folder of static files; any web server can serve it."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from registry.errors import StoreBusy, StoreError

_LOCK: Final = ".lock"
_FOLDER_MODE: Final = 0o755
_FILE_MODE: Final = 0o644


class SnapshotFolder:
    """Reads and writes files whole: after a crash there is the old one or the new one.

    Args:
        folder: made if missing; shared by all processes of a registry.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        """A file, or None if there is none.

        Raises:
            StoreError: it can not be read.
        """
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(error) from None

    def write(self, path: str, data: bytes) -> None:
        """Replaces a file, down to the disk.

        Raises:
            StoreError: it can not be written.
        """
        target = self._folder / path
        draft = target.parent / f".{secrets.token_hex(8)}.part"
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            try:
                with open(draft, "xb", opener=_opener) as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
            _flush(target.parent)
        except OSError as error:
            raise _unusable(error) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps others from publishing; ends with the process that holds it.

        Raises:
            StoreBusy: another holds it. StoreError: the folder can not be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            handle = (self._folder / _LOCK).open("ab")
        except OSError as error:
            raise _unusable(error) from None
        with handle:  # closing it lets the lock go
            try:
                fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = "another process publishes a snapshot"
                raise StoreBusy(message) from None
            yield


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE_MODE)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(error: OSError) -> StoreError:
    return StoreError(f"the snapshot folder can not be used: {error.strerror}")
