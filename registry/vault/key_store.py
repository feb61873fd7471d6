"""Where the keys lie that wrap all others.

`KeyStore` is shaped so that HashiCorp Vault's transit engine and the clouds' key services fit: keys
have names and never leave; what is wrapped under them does. `FileKeyStore` is the embedded
default: a folder of its own, one file a key.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import KeyDamaged, KeyMissing, KeyStoreError, UnsafeKeyStore

KEY_BYTES: Final = 32

MAX_PLAINTEXT: Final = 4_096
"""Most bytes to wrap at once: what AWS KMS takes; other services take more."""

_NONCE_BYTES = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")  # fits file systems, transit, and cloud key names

_SUFFIX = ".key"
_DRAFT = ".draft-"
_DOOMED = ".doomed-"
_LOCK = ".lock"

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_OTHERS = 0o077

_A_LINK = (errno.ELOOP, errno.ENOTDIR)  # what opening a link for a file or a folder is told


class KeyStore(Protocol):
    """Named keys that wrap and unwrap, and can be destroyed for good.

    The contract, which every implementation keeps:

    *Names* have 1 to 100 lower-case letters, digits and dashes. A name that was destroyed is not
    used again by the registry.

    *Durability.* When `create` or `destroy` returns, its effect outlives a power cut. A crash in
    the middle leaves the whole key or none, never a part or another key.

    *Idempotence.* `create` and `destroy` may be repeated, also after a crash or a lost answer, and
    then do nothing, or what was left to do.

    *Concurrency.* Every method may be called by several threads and processes at once. Of two that
    create one name, one wins, and both wrap under the same key. `unwrap` beside `destroy` gives
    the plaintext or `KeyMissing`.

    *Secrecy.* What is wrapped can be stored anywhere: without the key it says no more than its
    length. It is bound to its name and context: under another of either it does not open.

    *Errors.* `KeyStoreError` and its subclasses only; the store unreachable or refusing included.
    Calls may block; they belong in a thread.

    *Fit.* Transit: one key per name, `associated_data` = context, `deletion_allowed`; derived keys
    and rotation within a name are not needed. AWS KMS: one key per name, looked up by alias,
    encryption context {"c": base64 context}, `ScheduleKeyDeletion`. Google: one crypto key per
    name, `additionalAuthenticatedData`. A service without associated data (Azure's wrapKey) wraps
    a key of its own that seals plaintext and context here, with AES-256-GCM.
    """

    @property
    def deletion_delay_days(self) -> int:
        """Days after `destroy` in which the service could still undo it; 0 where it is final.

        Withdrawn records become unreadable after two rotations and this.
        """

    def create(self, name: str) -> None:
        """Makes a key of this name; if there is one, it stays.

        Raises:
            KeyStoreError: it can not, or what is there can not be used.
        """

    def wrap(self, name: str, plaintext: bytes, context: bytes) -> bytes:
        """Encrypts at most `MAX_PLAINTEXT` bytes, bound to the context; never twice the same.

        Raises:
            KeyMissing: no such key, or no longer.
            KeyStoreError: too long, or the key can not be used.
        """

    def unwrap(self, name: str, wrapped: bytes, context: bytes) -> bytes:
        """The plaintext behind `wrap`.

        Raises:
            KeyMissing: no such key, or no longer.
            KeyStoreError: another key or context, altered bytes, or the key can not be used.
        """

    def destroy(self, name: str) -> None:
        """Destroys the key; if there is none, nothing happens.

        From then on `wrap` and `unwrap` raise `KeyMissing`, also within `deletion_delay_days`.

        Raises:
            KeyStoreError: it can not; the key may still be there.
        """

    def names(self) -> set[str]:
        """The names of all keys that are not destroyed.

        Raises:
            KeyStoreError: the store can not be used.
        """

    def created_at(self, name: str) -> float:
        """When the key was made, in Unix seconds by the key store's clock; later for a copy of it.

        Raises:
            KeyMissing: no such key, or no longer.
            KeyStoreError: the store can not be used.
        """


class FileKeyStore:
    """Keys as files of 32 random bytes in a folder that nobody else can read; see `KeyStore`.

    A key is written beside its place, flushed and moved into it. A key to be destroyed is first
    moved out of its place, which ends it, then overwritten, flushed and removed. Both happen under
    a lock between processes; what a crash left beside the places is overwritten and removed by
    whoever comes next. Overwriting helps on plain disks only: flash and copying file systems may
    keep the old block until they use it again, and a backup of the folder keeps all keys.

    Wrapped: nonce 12 ‖ AES-256-GCM(key, plaintext, aad = context).

    Args:
        folder: made if it does not exist; must belong to this user and be closed to others.

    Raises:
        UnsafeKeyStore: it does not, or is not, or is a link.
        KeyStoreError: it can not be made or opened.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder
        with _told(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=_FOLDER_MODE)
        with self._folder() as at, _locked(at, fcntl.LOCK_EX):
            _sweep(at)

    @property
    def deletion_delay_days(self) -> int:
        """See `KeyStore.deletion_delay_days`: a file that is removed is gone."""
        return 0

    def create(self, name: str) -> None:
        """See `KeyStore.create`."""
        file = _file(name)
        with self._folder() as at, _locked(at, fcntl.LOCK_EX):
            _sweep(at)
            try:
                self._key(at, name)
            except KeyMissing:
                draft = _DRAFT + secrets.token_hex(8)
                _write(draft, os.O_CREAT | os.O_EXCL, at)
                os.rename(draft, file, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)  # also of a key that is there: its maker may have died before this

    def wrap(self, name: str, plaintext: bytes, context: bytes) -> bytes:
        """See `KeyStore.wrap`."""
        if len(plaintext) > MAX_PLAINTEXT:
            raise KeyStoreError(f"at most {MAX_PLAINTEXT} bytes are wrapped at once")
        with self._folder() as at, _locked(at, fcntl.LOCK_SH):
            key = self._key(at, name)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plaintext, context)

    def unwrap(self, name: str, wrapped: bytes, context: bytes) -> bytes:
        """See `KeyStore.unwrap`."""
        with self._folder() as at, _locked(at, fcntl.LOCK_SH):
            key = self._key(at, name)
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, sealed, context)
        except (InvalidTag, ValueError):
            raise KeyStoreError(f"what was wrapped under {name} does not open") from None

    def destroy(self, name: str) -> None:
        """See `KeyStore.destroy`."""
        file, doomed = _file(name), _DOOMED + secrets.token_hex(8)
        with self._folder() as at, _locked(at, fcntl.LOCK_EX):
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(os.lstat(file, dir_fd=at).st_mode):
                    # What a link leads to would live on.
                    raise UnsafeKeyStore(f"{self._path / file} is a link or another kind of file")
                os.rename(file, doomed, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)  # the key has no name any more, whatever happens from here on
            _sweep(at)

    def names(self) -> set[str]:
        """See `KeyStore.names`."""
        with self._folder() as at:
            files = os.listdir(at)  # noqa: PTH208 (a path could be led elsewhere)
        names = {file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX)}
        return {name for name in names if _NAME.fullmatch(name)}

    def created_at(self, name: str) -> float:
        """See `KeyStore.created_at`: a key file is written once."""
        file = _file(name)
        with self._folder() as at:
            try:
                return os.stat(file, dir_fd=at, follow_symlinks=False).st_mtime
            except FileNotFoundError:
                raise KeyMissing(f"there is no key {name}; it may have been destroyed") from None

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """The folder, open and found safe: what is done in it can not be led elsewhere."""
        with _told(self._path):
            at = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _check(self._path, os.fstat(at), stat.S_ISDIR)
                yield at
            finally:
                os.close(at)

    def _key(self, at: int, name: str) -> bytes:
        file = _file(name)
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        except FileNotFoundError:
            raise KeyMissing(f"there is no key {name}; it may have been destroyed") from None
        with os.fdopen(descriptor, "rb") as opened:
            _check(self._path / file, os.fstat(descriptor), stat.S_ISREG)
            key = opened.read(KEY_BYTES + 1)
        if len(key) != KEY_BYTES:
            raise KeyDamaged(f"the key {name} has not {KEY_BYTES} bytes")
        return key


def _file(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise KeyStoreError("a key's name has lower-case letters, digits and dashes")
    return name + _SUFFIX


def _write(file: str, flags: int, at: int) -> None:
    """Fills a file with a key's length of random bytes, down to the disk."""
    descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW | flags, _FILE_MODE, dir_fd=at)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(secrets.token_bytes(KEY_BYTES))
        opened.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _locked(at: int, how: int) -> Iterator[None]:
    """Readers together or one writer, of all processes and threads; one that dies lets go."""
    descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _FILE_MODE, dir_fd=at)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _sweep(at: int) -> None:
    """Overwrites and removes what is in no place: keys destroyed, or not finished."""
    strays = [file for file in os.listdir(at) if file.startswith((_DRAFT, _DOOMED))]
    for file in strays:
        os.chmod(file, _FILE_MODE, dir_fd=at)  # or one that was made read-only could not be
        _write(file, 0, at)
        os.unlink(file, dir_fd=at)
    if strays:
        os.fsync(at)


def _check(path: Path, found: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(found.st_mode):
        raise UnsafeKeyStore(f"{path} is another kind of file than it should be")
    if found.st_uid != os.geteuid():
        raise UnsafeKeyStore(f"{path} belongs to another user")
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise UnsafeKeyStore(f"{path} is open to other users; close it with chmod go-rwx")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _A_LINK:
            raise UnsafeKeyStore(f"{path} is or holds a link, or is no folder") from None
        raise KeyStoreError(f"{path}: {error.strerror}") from None
