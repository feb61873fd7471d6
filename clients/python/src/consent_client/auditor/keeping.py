"""A folder in which an auditor keeps what was read, and every checkpoint that was ever seen.

    <folder>/checkpoints/<size>-<first bytes of the root>    signed notes
             contradictions/…                                those that do not go with these
             tile/…                                          full bundles and tiles, as published
             verified                                        size up to which they led to a root
             suspect                                         there if the last audit failed

So an audit that was interrupted goes on where it was, a later one reads only what is new, and a log
that goes back or forks contradicts what lies here. The files are public and hold nothing secret.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consent_client.auditor.sources import Source, limit_of, read_file
from consent_client.errors import Malformed, Unreadable
from consent_client.private_files import sync_folder
from consent_client.protocol.checkpoints import Checkpoint, decimal
from consent_client.protocol.notes import MAX_NOTE_BYTES
from consent_client.protocol.tiles import TILE_HEIGHT, TILE_WIDTH, Bundle, Tile

MAX_CHECKPOINTS: Final = 100_000
"""One for every five minutes of a year; older ones are the auditor's to put away."""

_CHECKPOINTS: Final = "checkpoints"
_CONTRADICTIONS: Final = "contradictions"
_VERIFIED: Final = "verified"
_SUSPECT: Final = "suspect"
_ROOT_DIGITS: Final = 16
_NUMBER_BYTES: Final = 32


class Keeping:
    """Reads a log, through a folder if there is one.

    Args:
        source: the log.
        folder: where to keep what is read; made if missing. None: nothing is kept.

    Raises:
        Unreadable: the folder can not be used.
    """

    def __init__(self, source: Source, folder: Path | None) -> None:
        self.source = source
        self._folder = folder
        self._taken = 0
        self._unverified = 0
        if folder is None:
            return
        self._make(folder / _CHECKPOINTS)
        self._suspect = (folder / _SUSPECT).exists()
        self._verified = self._read_verified(folder)

    @property
    def has_folder(self) -> bool:
        """Whether anything is kept."""
        return self._folder is not None

    @property
    def verified(self) -> int:
        """Entries that an earlier audit of this folder has verified."""
        return 0 if self._folder is None else self._verified

    def read(self, place: Tile | Bundle, *, fresh: bool = False) -> bytes | None:
        """A tile or bundle, or None where there is none.

        A partial one that is gone, for the full one came, is cut out of that by whoever asked.

        Args:
            place: which.
            fresh: ask the source, whatever is kept.

        Raises:
            Unreadable, TransportError: as the source.
        """
        kept = None if fresh or not self._may_keep(place) else self._path(place)
        if kept is not None:
            data = read_file(kept, limit_of(place.path))
            if data is not None:
                self._taken += 1
                self._unverified += not self._is_verified(place)
                return data
        return self.source.read(place.path, limit_of(place.path))

    @property
    def taken(self) -> int:
        """Files that were taken from the folder and not from the source."""
        return self._taken

    def start_again(self) -> bool:
        """Whether what just failed rested on files that no audit verified; they are left aside now.

        An audit that was interrupted leaves them. They can be of another server, or of another day.
        """
        again = self._unverified > 0
        self._taken = self._unverified = 0
        return again

    def keep(self, place: Tile | Bundle, data: bytes) -> None:
        """Keeps a full tile or bundle."""
        if self._folder is not None and place.width == TILE_WIDTH:
            path = self._path(place)
            if read_file(path, limit_of(place.path)) != data:
                self._write(path, data)

    def end(self, size: int, *, verified: bool) -> None:
        """Says how an audit of the first `size` entries ended."""
        if self._folder is None:
            return
        if verified:
            self._verified = max(size, self._verified)
            self._write(self._folder / _VERIFIED, f"{self._verified}\n".encode(), lasting=True)
            (self._folder / _SUSPECT).unlink(missing_ok=True)
        else:
            self._write(self._folder / _SUSPECT, b"")
        self._suspect = not verified

    def keep_checkpoint(
        self, note: str, checkpoint: Checkpoint, *, contradicts: bool = False
    ) -> None:
        """Keeps a checkpoint whose signature was verified.

        Args:
            note: the checkpoint, signed.
            checkpoint: what it says.
            contradicts: it does not go with those kept: it is put apart, as evidence, and later
                ones are still compared with those.
        """
        if self._folder is not None:
            folder = self._folder / (_CONTRADICTIONS if contradicts else _CHECKPOINTS)
            name = f"{checkpoint.size}-{checkpoint.root.hex()[:_ROOT_DIGITS]}"
            self._write(folder / name, note.encode(), lasting=True)

    def checkpoints(self) -> Iterator[tuple[str, str]]:
        """Names and notes of the checkpoints kept.

        Raises:
            Unreadable: one can not be read, or there are too many.
        """
        if self._folder is None:
            return
        names = sorted(each.name for each in (self._folder / _CHECKPOINTS).iterdir())
        if len(names) > MAX_CHECKPOINTS:
            raise Unreadable(f"{self._folder} holds too many checkpoints", str(self._folder))
        for name in names:
            if not name.startswith("."):
                path = self._folder / _CHECKPOINTS / name
                yield f"kept {name}", read_note(path)

    def _may_keep(self, place: Tile | Bundle) -> bool:
        """Whether what lies in the folder for a place can be taken, if it is there."""
        if self._folder is None or place.width != TILE_WIDTH:
            return False
        return not self._suspect or self._is_verified(place)

    def _is_verified(self, place: Tile | Bundle) -> bool:
        level = place.level if isinstance(place, Tile) else 0
        return (place.index + 1) * TILE_WIDTH << TILE_HEIGHT * level <= self._verified

    def _path(self, place: Tile | Bundle) -> Path:
        if self._folder is None:
            raise ValueError("nothing is kept")
        return self._folder / place.path

    def _read_verified(self, folder: Path) -> int:
        data = read_file(folder / _VERIFIED, _NUMBER_BYTES)
        try:
            return 0 if data is None else decimal(data.decode("ascii").strip())
        except (Malformed, UnicodeDecodeError):
            raise Unreadable(f"{folder / _VERIFIED} is damaged: remove it", str(folder)) from None

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreadable(f"{folder} can not be used: {error.strerror}", str(folder)) from None

    def _write(self, path: Path, data: bytes, *, lasting: bool = False) -> None:
        """Writes a file whole; `lasting` for what no later audit would find damaged and replace."""
        self._make(path.parent)
        draft = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with draft.open("xb") as file:
                file.write(data)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            draft.replace(path)
            if lasting:
                sync_folder(path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise Unreadable(f"{path} can not be written: {error.strerror}", str(path)) from None


def read_note(path: Path) -> str:
    """A signed note in a file.

    Raises:
        Unreadable: there is none, or it is too long, or no text.
    """
    data = read_file(path, MAX_NOTE_BYTES)
    try:
        text = None if data is None else data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise Unreadable(f"{path} is no checkpoint in a file", str(path))
    return text
