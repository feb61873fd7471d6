"""What a witness has seen of each log, on disk before it says so.

A witness that forgets may vouch for a fork: the state is flushed before the cosignature leaves, a
second process on the same folder is refused, and where one is left over all the same, nobody looks
between what another has seen and what it writes down.
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from consent_client.errors import Malformed, StateError
from consent_client.private_files import private_folder, read_private, write_private
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.merkle import HASH_BYTES
from consent_client.protocol.tiles import MAX_SIZE
from consent_client.protocol.witnessing import Witnessed
from registry.errors import ConfigurationError, CorruptRegistry

_LOCK = ".lock"
_TURN = ".turn"


class Memory:
    """A folder with a file for each log.

    Args:
        folder: of this witness alone; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps a second process from witnessing with the same memory.

        Raises:
            ConfigurationError: there is one.
        """
        with (self._folder / _LOCK).open("ab") as handle:
            try:
                fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"Another witness uses {self._folder}."
                raise ConfigurationError(message) from None
            yield

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Lets one at a time recall and remember, of all threads and processes.

        What a caller gives up waiting for goes on in its thread, and the process that held the
        folder may be killed while one of its children still answers: neither may overlap the next.

        Raises:
            StateError: the folder can not be used.
        """
        try:
            handle = (self._folder / _TURN).open("ab")
        except OSError as error:
            message = f"{self._folder} can not be used: {error.strerror}"
            raise StateError(message, str(self._folder)) from None
        with handle:  # closing it lets the lock go
            fcntl.flock(handle.fileno(), fcntl.LOCK_EX)
            yield

    def recall(self, origin: str) -> Witnessed:
        """What was seen of a log; nothing where it is new.

        Raises:
            CorruptRegistry: the file is damaged. To forget a log is to vouch for whatever it says.
            StateError: it can not be read.
        """
        path = self._path(origin)
        data = read_private(path)
        if data is None:
            return Witnessed()
        try:
            value = json.loads(data)
            size, root = value["size"], decode_base64(value["root"])
            right = value["origin"] == origin and type(size) is int and 0 <= size <= MAX_SIZE
        except (ValueError, KeyError, TypeError, RecursionError, Malformed):
            right = False
        if not right or len(root) != HASH_BYTES:
            message = f"{path} is damaged; what this witness saw of {origin!r} is not known."
            raise CorruptRegistry(message)
        return Witnessed(size, root)

    def remember(self, origin: str, seen: Witnessed) -> None:
        """Writes it down, flushed.

        Raises:
            StateError: it can not be written.
        """
        value = {"origin": origin, "size": seen.size, "root": encode_base64(seen.root)}
        write_private(self._path(origin), (json.dumps(value) + "\n").encode())

    def _path(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()}.json"
