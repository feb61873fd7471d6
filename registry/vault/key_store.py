"""Where the keys lie that wrap all others.

`KeyStore` is shaped so that HashiCorp Vault's transit engine and the clouds' key services fit: keys
have names and never leave; what is wrapped under them does. `FileKeyStore` is the embedded
default: a folder of its own, one file a key.
"""

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import KeyMissing, KeyStoreError, UnsafeKeyStore

KEY_BYTES: Final = 32
_NONCE_BYTES = 12
_SUFFIX = ".key"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_OTHERS = 0o077


class KeyStore(Protocol):
    """Named keys that wrap and unwrap, and can be destroyed for good.

    Every method may be called from several threads and processes at once, may block, and raises
    `KeyStoreError` where the store can not be reached or refuses.
    """

    def create(self, name: str) -> None:
        """Makes a key of this name; durable when it returns. If there is one, it stays."""

    def wrap(self, name: str, plaintext: bytes, context: bytes) -> bytes:
        """Encrypts at most 4 KiB under the key, bound to the context; never twice the same."""

    def unwrap(self, name: str, wrapped: bytes, context: bytes) -> bytes:
        """The plaintext behind `wrap`.

        Raises:
            KeyMissing: no such key, or no longer.
            KeyStoreError: another key or context, or altered bytes.
        """

    def destroy(self, name: str) -> None:
        """Destroys the key; durable when it returns. If there is none, nothing happens.

        A key service may delay the end by days and allow undoing it until then; the promise of
        unreadability holds after that delay.
        """

    def names(self) -> set[str]:
        """The names of all keys."""


class FileKeyStore:
    """Keys as files of 32 bytes in a folder that nobody else can read.

    A key is written beside its place, flushed, and linked into it, so a crash leaves all of it or
    nothing, and of two processes that make the same key one wins. Destroying overwrites first:
    that helps on plain disks; on flash and copying file systems the old blocks may live on until
    they are reused, which `docs/threat-model.md` says.

    Args:
        folder: made if it does not exist; must belong to this user and be closed to others.

    Raises:
        UnsafeKeyStore: it does not, or is not, or is a link.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _told(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=_FOLDER_MODE)
        self._check_folder()

    def create(self, name: str) -> None:
        """See `KeyStore.create`."""
        path = self._path(name)
        with _told(path):
            if path.exists(follow_symlinks=False):
                return
            draft = self._folder / f".{name}.{secrets.token_hex(8)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(draft, path)  # atomic, and never replaces a key that is there
            finally:
                draft.unlink()
            self._flush_folder()

    def wrap(self, name: str, plaintext: bytes, context: bytes) -> bytes:
        """See `KeyStore.wrap`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._read(name)).encrypt(nonce, plaintext, context)

    def unwrap(self, name: str, wrapped: bytes, context: bytes) -> bytes:
        """See `KeyStore.unwrap`."""
        nonce, sealed = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        key = self._read(name)
        try:
            return AESGCM(key).decrypt(nonce, sealed, context)
        except (InvalidTag, ValueError):
            raise KeyStoreError(f"what was wrapped under {name} does not open") from None

    def destroy(self, name: str) -> None:
        """See `KeyStore.destroy`."""
        path = self._path(name)
        with _told(path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            path.unlink(missing_ok=True)
            self._flush_folder()

    def names(self) -> set[str]:
        """See `KeyStore.names`."""
        self._check_folder()
        return {path.stem for path in self._folder.glob(f"[!.]*{_SUFFIX}")}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyStoreError("a key's name has lower-case letters, digits and dashes")
        return self._folder / (name + _SUFFIX)

    def _read(self, name: str) -> bytes:
        path = self._path(name)
        self._check_folder()
        with _told(path):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
                raise KeyMissing(f"there is no key {name}; it may have been destroyed") from None
            with os.fdopen(descriptor, "rb") as file:
                _check(path, os.fstat(file.fileno()), stat.S_ISREG)
                key = file.read(KEY_BYTES + 1)
        if len(key) != KEY_BYTES:
            raise KeyStoreError(f"the key {name} has not {KEY_BYTES} bytes")
        return key

    def _check_folder(self) -> None:
        with _told(self._folder):
            _check(self._folder, self._folder.lstat(), stat.S_ISDIR)

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check(path: Path, found: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(found.st_mode):
        raise UnsafeKeyStore(f"{path} is not what it should be: a link or another kind of file")
    if found.st_uid != os.geteuid():
        raise UnsafeKeyStore(f"{path} belongs to another user")
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise UnsafeKeyStore(f"{path} is open to other users; close it with chmod go-rwx")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyStoreError(f"{path}: {error.strerror}") from None
