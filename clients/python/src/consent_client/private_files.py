"""Files for their owner's eyes only: checked before they are read, written whole or not at all.

A file counts as ours when it is a regular file (no link), belongs to this user, and nobody else
may read it. Anything else is refused with a `StateError` that names it, and nothing is overwritten.
On Windows, where a user's data folder is private by its access list, modes are not looked at.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from consent_client.errors import StateError

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600

MAX_FILE_BYTES: Final = 2**20
"""A record with everything in it takes 40 kB."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_POSIX: Final = os.name == "posix"
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_TEMPORARY: Final = ".new-"


def private_folder(path: Path) -> Path:
    """Makes a private folder, or checks the one that is there.

    Raises:
        StateError: it is a link or no folder, belongs to another user, or others may look into it.
    """
    try:
        path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise StateError(f"{path} can not be used: {_why(error)}", str(path)) from None
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"{path} is not a folder of its own", str(path))
    _check_owner(path, found)
    return path


def read_private(path: Path) -> bytes | None:
    """The file's bytes, or None where there is no such file.

    Raises:
        StateError: it is not ours (see the module), or longer than `MAX_FILE_BYTES`.
    """
    try:
        with _opened(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) > MAX_FILE_BYTES:
        raise StateError(f"{path} is too long to be a file of this program", str(path))
    return data


def write_private(path: Path, data: bytes) -> None:
    """Replaces a file whole: after a crash there is the old content or the new.

    Raises:
        StateError: what is there is not ours, or it can not be written.
    """
    read_private(path)
    try:
        temporary = _write_beside(path, data)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StateError(f"{path} can not be written: {_why(error)}", str(path)) from None


def create_private(path: Path, data: bytes) -> None:
    """Writes a file that must not be there yet.

    Raises:
        StateError: there is something of this name already, or it can not be written.
    """
    try:
        temporary = _write_beside(path, data)
        try:
            os.link(temporary, path)  # unlike a rename, never over something
        finally:
            temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise StateError(f"{path} is there already; it is left as it is", str(path)) from None
    except OSError as error:
        raise StateError(f"{path} can not be written: {_why(error)}", str(path)) from None


@contextmanager
def writing_private(path: Path) -> Iterator[BinaryIO]:
    """A file to write, for what is too long to be held: it takes its name once it is whole.

    Left by an exception, nothing is there but what was before.

    Raises:
        StateError: what is there is not ours, or it can not be written.
    """
    try:
        with _opened(path):
            pass
    except FileNotFoundError:
        pass
    temporary = None
    try:
        temporary, descriptor = _new_beside(path)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StateError(f"{path} can not be written: {_why(error)}", str(path)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Makes names in a folder survive a power cut, where the system knows how."""
    if not _POSIX:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes what a kill between writing and renaming left; only under the folder's lock."""
    for leftover in folder.glob(f"{_TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


def _opened(path: Path) -> BinaryIO:
    """A file that is ours; `FileNotFoundError` where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | _BINARY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(f"{path} can not be read: {_why(error)}", str(path)) from None
    with ExitStack() as stack:
        file = stack.enter_context(os.fdopen(descriptor, "rb"))
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StateError(f"{path} is not a regular file", str(path))
        _check_owner(path, found)
        stack.pop_all()
    return file


def _new_beside(path: Path) -> tuple[Path, int]:
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    return temporary, os.open(temporary, flags, FILE_MODE)


def _write_beside(path: Path, data: bytes) -> Path:
    temporary, descriptor = _new_beside(path)
    with os.fdopen(descriptor, "wb") as file:
        _write_out(file.fileno(), data)
    return temporary


def _write_out(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not _POSIX:
        return
    if found.st_uid != os.geteuid():
        raise StateError(f"{path} belongs to another user", str(path))
    if found.st_mode & _OTHERS:
        kind = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise StateError(
            f"others may read {path}; make it private again (chmod {kind}) if it is yours",
            str(path),
        )


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
