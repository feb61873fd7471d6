"""Space files that lie on this machine: which ones, and what lies beside them.

`CONSENT_SPACES` names them, separated as paths are on this system. They are read once, when the
spaces are first looked at, and stay as they are while the process runs.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consent_client.errors import BadSpaceFile
from consent_client.protocol.own_spaces import MAX_FILE_BYTES, SpaceFile, read_space_file

VARIABLE: Final = "CONSENT_SPACES"

MAX_BESIDE_BYTES: Final = 1 << 26
"""Largest file beside a space file, 64 MiB: a covariance of 2,048 dimensions takes half of it."""


@dataclass(frozen=True, slots=True)
class OwnSpace:
    """A space file that was read.

    Attributes:
        file: what it says.
        path: where it lies.
    """

    file: SpaceFile
    path: Path

    def coding_bytes(self) -> bytes | None:
        """What `<id>.npz` beside it holds; None where the space has no coding.

        Raises:
            BadSpaceFile: it can not be read, or is not the one that the space file names.
        """
        coding = self.file.coding
        return None if coding is None else self._beside(".npz", coding.sha256)

    def public_bytes(self) -> bytes | None:
        """What `<id>.public.npz` holds, likewise."""
        coding = self.file.coding
        return None if coding is None else self._beside(".public.npz", coding.public_sha256)

    def _beside(self, suffix: str, digest: str) -> bytes:
        path = self.path.parent / f"{self.file.id}{suffix}"
        data = _read(path, MAX_BESIDE_BYTES)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BadSpaceFile(f"{path}: not the file that {self.path.name} names")
        return data


def named_spaces() -> tuple[OwnSpace, ...]:
    """The space files that the variable names, in its order.

    Raises:
        BadSpaceFile: one can not be read, or is none; the message says which and why.
    """
    names = os.environ.get(VARIABLE, "").split(os.pathsep)
    return tuple(read_own_space(Path(name)) for name in names if name)


def read_own_space(path: Path) -> OwnSpace:
    """One space file.

    Raises:
        BadSpaceFile: as `named_spaces`.
    """
    data = _read(path, MAX_FILE_BYTES)
    try:
        return OwnSpace(read_space_file(data), path.absolute())
    except BadSpaceFile as error:
        raise BadSpaceFile(f"{path}: {error}") from None


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as opened:
            data = opened.read(most + 1)
    except (OSError, ValueError) as error:
        raise BadSpaceFile(f"{path}: can not be read ({type(error).__name__})") from None
    if len(data) > most:
        raise BadSpaceFile(f"{path}: more than {most} bytes")
    return data
