"""Where the published log lies.

It is published: nothing in it is secret, and anyone may copy it. It must not be lost or go back:
who has seen a checkpoint expects every later one to contain it. So it is kept apart from the
database, and a database that is older than what was published is found out at the next start.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from registry.errors import CorruptRegistry, StoreBusy, StoreError

CHECKPOINT: Final = "checkpoint"

# Publishing takes tens of milliseconds; with witnesses that do not answer, some seconds.
LOCK_PATIENCE_SECONDS: Final = 20.0
_LOCK_PAUSE_SECONDS: Final = 0.01

_LOCK: Final = ".lock"
_FOLDER_MODE: Final = 0o755
_FILE_MODE: Final = 0o644


class LogStorage(Protocol):
    """What the published log is written to.

    Files are immutable and durable: once `put` has returned, what `read` gives for the path never
    changes, also after power loss; partial tiles may go. Only the checkpoint changes, and only by
    `swap_checkpoint`, by one who holds the lock; all processes see the same one.
    """

    def read(self, path: str) -> bytes | None:
        """A file, or None if there is none; `StoreError` if it can not be read."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Writes files; the same bytes again change nothing.

        Raises:
            CorruptRegistry: a published file would change. Nothing of it was touched.
            StoreError: it can not be written.
        """

    def drop_partial(self, paths: Iterable[str]) -> None:
        """Removes the partial tiles and bundles in place of which these full ones are there.

        C2SP tlog-tiles allows it, and readers know: at two batches a second there would be a
        hundred thousand of them every day.
        """

    def checkpoint(self) -> str | None:
        """The published checkpoint, a signed note, or None before the first."""

    def swap_checkpoint(self, known: str | None, new: str) -> None:
        """Publishes a checkpoint in place of the one that the caller knows.

        Raises:
            CorruptRegistry: another one is published; nothing was changed.
            StoreError: it can not be written.
        """

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Keeps other processes from publishing; ends with the process that holds it.

        Raises:
            StoreBusy: another process holds it for too long.
        """


class FolderStorage:
    """A folder, which any web server can serve as it is.

    Args:
        folder: made if missing; shared by all processes of a registry.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._flushed: set[Path] = set()  # by this process, with all that is above them

    def read(self, path: str) -> bytes | None:
        """See `LogStorage`."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(error) from None

    def put(self, files: Mapping[str, bytes]) -> None:
        """See `LogStorage`."""
        folders: set[Path] = set()
        try:
            for path, data in files.items():
                target = self._folder / path
                self._make(target.parent, folders)
                folders.add(target.parent)  # who wrote what is there may have been killed before
                if self._is_there(target, data):
                    continue
                with _draft(target.parent, data) as draft, contextlib.suppress(FileExistsError):
                    os.link(draft, target)  # unlike a rename it never replaces what is there
                if not self._is_there(target, data):  # another process was faster
                    raise _changed(path)
            for folder in folders:
                _flush(folder)
            self._flushed |= folders
        except OSError as error:
            raise _unusable(error) from None

    def drop_partial(self, paths: Iterable[str]) -> None:
        """See `LogStorage`."""
        for path in paths:
            folder = self._folder / f"{path}.p"
            shutil.rmtree(folder, ignore_errors=True)
            self._flushed.discard(folder)

    def checkpoint(self) -> str | None:
        """See `LogStorage`."""
        try:
            return (self._folder / CHECKPOINT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(error) from None

    def swap_checkpoint(self, known: str | None, new: str) -> None:
        """See `LogStorage`."""
        if self.checkpoint() != known:
            raise _changed(CHECKPOINT)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            with _draft(self._folder, new.encode()) as draft:
                draft.replace(self._folder / CHECKPOINT)
                _flush(self._folder)
        except OSError as error:
            raise _unusable(error) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """See `LogStorage`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            handle = (self._folder / _LOCK).open("ab")
        except OSError as error:
            raise _unusable(error) from None
        with handle:  # closing it lets the lock go
            _take(handle.fileno())
            yield

    def _is_there(self, target: Path, data: bytes) -> bool:
        try:
            there = target.read_bytes()
        except FileNotFoundError:
            return False
        if there != data:
            raise _changed(target.relative_to(self._folder).as_posix())
        return True

    def _make(self, folder: Path, made: set[Path]) -> None:
        """Makes a folder; it and what is above are flushed at the end, or a power cut takes it.

        Also one that is there: whoever made it may have been killed before flushing.
        """
        if folder in self._flushed and folder.is_dir():
            return
        if folder != self._folder:
            self._make(folder.parent, made)
            made.add(folder.parent)
        folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        made.add(folder)


def _take(descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                message = "another process publishes the log, and does not end"
                raise StoreBusy(message) from None
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return


@contextlib.contextmanager
def _draft(folder: Path, data: bytes) -> Iterator[Path]:
    """A flushed file beside where it is going to be; gone at the end, if it is still there."""
    draft = folder / f".{secrets.token_hex(8)}.part"
    try:
        with open(draft, "xb", opener=_opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, _FILE_MODE)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _changed(path: str) -> CorruptRegistry:
    return CorruptRegistry(f"The published {path} is not what this database makes of the log.")


def _unusable(error: Exception) -> StoreError:
    return StoreError(f"the published log can not be used: {type(error).__name__}")
