"""What a registrant keeps on this device: the recovery phrase, pinned registries, records.

    <state folder, 0700>/
        phrase                       12 words; whoever has them can withdraw
        lock                         held while something is written
        registries/<h>.json          address, name, pinned key, the next record's number
        records/<h>-<number>.json    one record each, see `saved_records`

where `h` is the start of SHA-256 of the registry's name. All files are 0600. They hold no picture
and no path of one; the label is the file's name unless the person chose another, and stays here.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from consent_client.errors import NoPhrase, ProtocolError, StateError, StateLocked
from consent_client.locks import try_lock
from consent_client.private_files import (
    FILE_MODE,
    create_private,
    private_folder,
    read_private,
    remove_leftovers,
    write_private,
)
from consent_client.protocol.keys import derive_owner, new_phrase, seed_of
from consent_client.protocol.log import MAX_INDEX
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.origins import check_origin
from consent_client.saved_records import SavedRecord

STATE_VARIABLE: Final = "CONSENT_STATE"

LOCK_SECONDS: Final = 30.0
"""How long to wait for another client: it holds the lock while it reads and writes files."""

MAX_ADDRESSES: Final = 16
"""Mirrors and ports of one registry that are remembered."""

_LOCK_PAUSE: Final = 0.1
_REGISTRY_KIND: Final = "consent-client/registry/v1"
_HASH_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class PinnedRegistry:
    """A registry this device has met.

    Attributes:
        address: where it was reached last.
        addresses: where it was reached ever, the newest last; `MAX_ADDRESSES` are kept.
        origin: its name.
        verifier_key: note vkey of its sealing keys, pinned.
        next_index: number of the next record.
        seen: entries of the log that were looked at for what became of our records.
    """

    address: str
    origin: str
    verifier_key: str
    next_index: int = 0
    seen: int = 0
    addresses: tuple[str, ...] = ()

    def reached_at(self, address: str) -> "PinnedRegistry":
        """The same, reached at this address now."""
        others = tuple(each for each in self.addresses if each != address)
        return replace(self, address=address, addresses=(*others, address)[-MAX_ADDRESSES:])


def default_state_folder() -> Path:
    """The folder named by `CONSENT_STATE`, else one in the user's data folder."""
    named = os.environ.get(STATE_VARIABLE)
    return Path(named) if named else user_data_path("consent")


class State:
    """The state folder. Nothing is kept in memory: every call reads and writes files.

    Args:
        folder: made (0700) where it is missing.

    Raises:
        StateError: from every method: a file or folder that is not ours, is damaged or can not be
            written. The message names it; nothing is overwritten.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder.expanduser().absolute())
        self._registries = private_folder(self.folder / "registries")
        self._records = private_folder(self.folder / "records")
        self._thread = threading.RLock()
        self._depth = 0

    # The phrase

    @property
    def phrase_file(self) -> Path:
        """Where the phrase is, or will be."""
        return self.folder / "phrase"

    def has_phrase(self) -> bool:
        """Whether there is one."""
        return read_private(self.phrase_file) is not None

    def phrase(self) -> str:
        """The recovery phrase.

        Raises:
            NoPhrase: there is none yet.
            StateError: the file holds something else.
        """
        data = read_private(self.phrase_file)
        if data is None:
            raise NoPhrase(f"there is no recovery phrase in {self.folder}", str(self.phrase_file))
        try:
            words = " ".join(data.decode().lower().split())
            seed_of(words)
        except (ProtocolError, UnicodeDecodeError):
            words = ""
        if not words:
            raise StateError(
                f"{self.phrase_file} does not hold a recovery phrase; it is left as it is",
                str(self.phrase_file),
            )
        return words

    def seed(self) -> bytes:
        """The 16 bytes behind the phrase."""
        return seed_of(self.phrase())

    def create_phrase(self, phrase: str | None = None) -> str:
        """Keeps a phrase, a fresh one unless given; there must be none yet.

        Raises:
            BadPhrase: the one given is not a phrase.
        """
        words = new_phrase() if phrase is None else " ".join(phrase.lower().split())
        seed_of(words)
        create_private(self.phrase_file, f"{words}\n".encode())
        return words

    # Registries

    def registries(self) -> list[PinnedRegistry]:
        """All that this device has met, by name."""
        files = sorted(self._registries.glob("*.json"))
        return sorted(map(_read_registry, files), key=lambda pinned: pinned.origin)

    def registry(self, origin: str) -> PinnedRegistry | None:
        """One of them, by name."""
        path = self._registries / f"{_hash(origin)}.json"
        if read_private(path) is None:
            return None
        return _read_registry(path)

    def save_registry(self, pinned: PinnedRegistry) -> None:
        """Writes it down."""
        value = {
            "kind": _REGISTRY_KIND,
            "address": pinned.address,
            "addresses": list(pinned.addresses),
            "origin": pinned.origin,
            "verifierKey": pinned.verifier_key,
            "nextIndex": pinned.next_index,
            "seen": pinned.seen,
        }
        data = (json.dumps(value, indent=1) + "\n").encode()
        write_private(self._registries / f"{_hash(pinned.origin)}.json", data)

    def take_index(self, origin: str) -> int:
        """The number for a new record; the counter is on disk before it is used."""
        pinned = self.registry(origin)
        if pinned is None:
            raise StateError("this registry has not been met yet")
        used = (record.index + 1 for record in self.records(origin))
        index = max(pinned.next_index, *used, 0)
        self.save_registry(replace(pinned, next_index=index + 1))
        return index

    # Records

    def records(self, origin: str | None = None) -> list[SavedRecord]:
        """All records, or those at one registry, in order of their number."""
        prefix = "" if origin is None else f"{_hash(origin)}-"
        paths = sorted(self._records.glob(f"{prefix}*.json"))
        return [record for path in paths if (record := self._read_record(path)) is not None]

    def record(self, origin: str, index: int) -> SavedRecord | None:
        """One of them."""
        return self._read_record(self._record_path(origin, index))

    def save_record(self, record: SavedRecord) -> None:
        """Writes it down, replacing an earlier version of the same record."""
        path = self._record_path(record.origin, record.index)
        self._read_record(path)  # never over something that is not a record of ours
        write_private(path, record.to_json())

    def check_owner(self, record: SavedRecord) -> None:
        """Whether a record belongs to this phrase.

        Raises:
            StateError: it was made with another phrase.
        """
        owner = derive_owner(self.seed(), record.origin, record.index)
        if (owner.opening, owner.public) != (record.opening, record.owner_public_key):
            path = self._record_path(record.origin, record.index)
            raise StateError(f"{path} was made with another recovery phrase", str(path))

    def _record_path(self, origin: str, index: int) -> Path:
        return self._records / f"{_hash(origin)}-{index:010d}.json"

    def _read_record(self, path: Path) -> SavedRecord | None:
        data = read_private(path)
        if data is None:
            return None
        record = SavedRecord.from_json(data, str(path))
        if path != self._record_path(record.origin, record.index):
            raise StateError(f"{path} holds another record than its name says", str(path))
        return record

    # The lock

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While inside, no other client and no other thread writes here; may be nested.

        Raises:
            StateLocked: another one did not let go within `LOCK_SECONDS`.
        """
        path = self.folder / "lock"
        if not self._thread.acquire(timeout=LOCK_SECONDS):
            raise StateLocked(f"another client is using {self.folder}", str(path))
        try:
            if self._depth:
                yield
            else:
                with self._file_locked(path):
                    yield
        finally:
            self._thread.release()

    @contextmanager
    def _file_locked(self, path: Path) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        try:
            descriptor = os.open(path, flags, FILE_MODE)
        except OSError as error:
            raise StateError(f"{path} can not be used: {error.strerror}", str(path)) from None
        try:
            self._wait_for(descriptor, path)
            self._depth += 1
            for folder in (self.folder, self._registries, self._records):
                remove_leftovers(folder)
            yield
        finally:
            self._depth = 0
            os.close(descriptor)  # lets go of the lock too

    def _wait_for(self, descriptor: int, path: Path) -> None:
        end = time.monotonic() + LOCK_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise StateLocked(f"another client is using {self.folder}", str(path))
            time.sleep(_LOCK_PAUSE)


def _hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()[:_HASH_CHARACTERS]


def _read_registry(path: Path) -> PinnedRegistry:
    data = read_private(path)
    pinned: PinnedRegistry | None = None
    try:
        value = json.loads(data or b"")
        if value["kind"] == _REGISTRY_KIND:
            pinned = PinnedRegistry(
                address=str(value["address"]),
                # Files of earlier versions know one address.
                addresses=tuple(map(str, value.get("addresses", [value["address"]]))),
                origin=check_origin(value["origin"]),
                verifier_key=NoteVerifier.parse(value["verifierKey"]).vkey,
                next_index=_count(value["nextIndex"]),
                seen=_count(value["seen"]),
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pinned = None
    if pinned is None or path.stem != _hash(pinned.origin):
        raise StateError(
            f"{path} is damaged, or is not of this program; it is left as it is", str(path)
        )
    return pinned


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INDEX:
        raise ValueError("not a count")
    return value
