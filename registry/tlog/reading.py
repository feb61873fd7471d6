"""Reading a published log back, believing nothing that its checkpoint does not sign."""

from consent_client.errors import ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.log import decode_bundle, encode_bundle
from consent_client.protocol.merkle import HASH_BYTES, Frontier, leaf_hash
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.tiles import TILE_WIDTH, bundle_path, read_bundle
from registry.errors import ConfigurationError, CorruptRegistry
from registry.tlog.storage import LogStorage

_BUNDLES = "tile/entries/"


def read_file(storage: LogStorage, path: str) -> bytes | None:
    """A published file; a partial tile or bundle also from the full one that took its place.

    A copy that was made while the log grew has that instead of what its checkpoint is about.

    Raises:
        Malformed: the full one is no bundle.
        StoreError: it can not be read.
    """
    data = storage.read(path)
    full_path, partial, width = path.rpartition(".p/")
    if data is not None or not partial:
        return data
    full = storage.read(full_path)
    if full is None:
        return None
    if full_path.startswith(_BUNDLES):
        return encode_bundle(decode_bundle(full)[: int(width)])
    return full[: int(width) * HASH_BYTES]


class LogReader:
    """Reads the entries under the newest checkpoint once, from the first to the last.

    Only their hashes at the end tell whether they are what was signed, so nothing that was made of
    them may stay unless `check` agrees.

    Args:
        storage: where the log is.
        note: its checkpoint.
        verifier: the log's own key.

    Raises:
        ConfigurationError: the checkpoint is another registry's.
    """

    def __init__(self, storage: LogStorage, note: str, verifier: NoteVerifier) -> None:
        try:
            self.checkpoint: Checkpoint = open_checkpoint(note, verifier)
        except ProtocolError as error:
            message = f"The published checkpoint is not this registry's: {error}."
            raise ConfigurationError(message) from None
        self._storage = storage
        self._tree = Frontier()

    @property
    def position(self) -> int:
        """Entries read so far."""
        return self._tree.size

    def read(self) -> tuple[bytes, ...]:
        """The entries of the next bundle, at most 256; none at the end.

        Raises:
            CorruptRegistry: the bundle is missing, or is none.
            StoreError: it can not be read.
        """
        width = min(TILE_WIDTH, self.checkpoint.size - self.position)
        if not width:
            return ()
        path = bundle_path(self.position // TILE_WIDTH, width)
        try:
            data = read_file(self._storage, path)
            if data is None:
                message = f"The published log lacks {path}."
                raise CorruptRegistry(message)
            bundle = read_bundle(data, width)
        except ProtocolError as error:
            message = f"The published {path} is damaged: {error}."
            raise CorruptRegistry(message) from None
        self._tree.extend([leaf_hash(entry) for entry in bundle])
        return bundle

    def check(self) -> None:
        """Whether all was read, and is what the checkpoint signs.

        Raises:
            CorruptRegistry: it is not.
        """
        if (self._tree.size, self._tree.root()) != (self.checkpoint.size, self.checkpoint.root):
            message = "The published entries are not what their checkpoint signs."
            raise CorruptRegistry(message)
