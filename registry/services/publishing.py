"""Entries that are committed are published: tiles first, then the checkpoint that signs them.

What is committed in the store can not change any more, so publishing is a function of it: whoever
does it writes the same bytes, and what a crash interrupts the next one repeats. One process does it
at a time; the checkpoint is swapped for the one it grew from and never goes back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog

from consent_client.errors import ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent_client.protocol.merkle import Nodes, consistency_proof, inclusion_proof
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.tiles import (
    TILE_WIDTH,
    bundle_path,
    read_bundle,
    tile_nodes,
    tile_path,
)
from registry.errors import (
    ConfigurationError,
    CorruptRegistry,
    InvalidInput,
    NotPublished,
    RegistryError,
)
from registry.services.witnessing import Witnesses, read_policy
from registry.settings import Settings
from registry.store import entries
from registry.store.engine import Store
from registry.tlog.edge import Edge
from registry.tlog.reading import read_file
from registry.tlog.storage import FolderStorage, LogStorage

log = structlog.get_logger(__name__)

# Entries read and hashed at a time: a few MB, and full bundles so that none is written in parts.
PORTION = 16 * TILE_WIDTH

# How long an answer waits for its checkpoint before its client is told to ask again.
PATIENCE_SECONDS = 10.0

# How often it is looked for what other processes committed or published.
POLL_SECONDS = 0.25

# Full tiles kept in memory for proofs: 8 KiB each.
TILES_KEPT = 1_024

# Proofs of one batch share most of their nodes: for the newest sizes, so many nodes of each.
SIZES_KEPT = 4
NODES_KEPT = 16_384

type Cosign = Callable[[str, Nodes], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Published:
    """A published checkpoint.

    Attributes:
        size: entries under it.
        root: of the tree over them, 32 bytes.
        note: the checkpoint as it was signed.
    """

    size: int
    root: bytes
    note: str


class Publisher:
    """Publishes the log and proves what is in it.

    Args:
        store: where the entries are.
        storage: where they are published.
        signer: signs checkpoints; its name is the log's origin.
        cosign: asks witnesses to sign too; takes and gives a note. None: there are none.
    """

    def __init__(
        self, store: Store, storage: LogStorage, signer: NoteSigner, cosign: Cosign | None = None
    ) -> None:
        self._store = store
        self._storage = storage
        self._signer = signer
        self._cosign = cosign
        self._published: Published | None = None
        self._edge = Edge()
        self._filled: list[str] = []  # since the last checkpoint
        self._publishing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._failure: CorruptRegistry | None = None
        self._listeners: list[Callable[[], None]] = []
        self._full_tile = lru_cache(TILES_KEPT)(self._tile)
        self._kept_nodes = lru_cache(SIZES_KEPT)(
            lambda size: lru_cache(NODES_KEPT)(self._nodes(size))
        )

    @property
    def published(self) -> Published | None:
        """The newest checkpoint this process has seen, or None before the first.

        Raises:
            CorruptRegistry: the published log and the store contradict each other.
        """
        if self._failure is not None:
            raise self._failure
        return self._published

    @property
    def sound(self) -> bool:
        """Whether the published log and the store agree, as far as is known."""
        return self._failure is None

    @property
    def size(self) -> int:
        """Entries under the newest checkpoint this process has seen."""
        return self._published.size if self._published else 0

    def on_published(self, listener: Callable[[], None]) -> None:
        """Calls a function whenever a newer checkpoint is published, by whichever process."""
        self._listeners.append(listener)

    def wake(self) -> None:
        """Says that there may be new entries."""
        self._wake.set()

    async def run(self) -> None:
        """Publishes until cancelled; what fails is logged and tried again."""
        while True:
            try:
                await self.publish()
            except CorruptRegistry:
                return  # logged where it was found; `published` raises from now on
            except RegistryError as error:
                log.warning("publishing postponed", code=error.code)
            except Exception:  # whatever it was, it is tried again
                log.exception("publishing failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
            self._wake.clear()

    async def publish(self) -> int:
        """Publishes all that is in the log now.

        Returns:
            The size of the published log.

        Raises:
            CorruptRegistry: what was published is not the beginning of this log.
            StoreError: the store or the storage can not be used; nothing is half published.
        """
        async with self._publishing:
            before = self.size
            try:
                await self._publish()
            except CorruptRegistry as error:
                log.critical("the published log is not this database's", reason=str(error))
                self._failure = error
                raise
            finally:
                async with self._moved:
                    self._moved.notify_all()
        if self.size > before:
            for listener in self._listeners:
                listener()
        return self.size

    async def check_not_older(self) -> None:
        """Looks whether the database holds all that is published, before anything is written.

        A database that was restored and has been written to can not be brought forward any more.

        Raises:
            CorruptRegistry: it does not.
            StoreError: the store or the storage can not be used.
        """
        note = await asyncio.to_thread(self._storage.checkpoint)
        async with self._store.read() as connection:
            size = await entries.log_size(connection)
        with contextlib.suppress(ProtocolError):  # another's: said where it is published
            published = open_checkpoint(note or "", self._signer.verifier).size
            if size < published:
                error = _older(size, published)
                log.critical("the published log is not this database's", reason=str(error))
                raise error

    async def at_least(self, size: int) -> Published:
        """The newest checkpoint, once it covers a log size.

        Raises:
            NotPublished: it did not within some seconds; the entries are committed all the same.
            CorruptRegistry: it never will.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.newer_than(size - 1)
        except TimeoutError:
            message = "It is written, but not yet published; please send the same again."
            raise NotPublished(message) from None

    async def newer_than(self, size: int) -> Published:
        """The newest checkpoint, once it covers more than `size` entries.

        Raises:
            CorruptRegistry: the published log is not this database's.
        """
        # Nobody who waits wakes the publisher: whoever commits does, and it looks by itself for
        # what other processes committed. A thousand who wait would have it look a thousand times.
        while self.published is None or self.size <= size:
            async with self._moved:
                await self._moved.wait_for(lambda: self._failure or self.size > size)
        return self.published

    async def prove_inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The proof that an entry is in the published log of `size` entries (the newest one).

        Raises:
            InvalidInput: no such entry, or not published yet.
        """
        size = self.size if size is None else size
        if not 0 <= index < size <= self.size:
            message = f"Entry {index} is not in a published log of {size}."
            raise InvalidInput(message)
        return await self._prove(inclusion_proof, index, size)

    async def prove_consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the log of `old` entries is the beginning of that of `new`.

        Raises:
            InvalidInput: not two sizes of the published log.
        """
        if not 0 <= old <= new <= self.size:
            message = f"The published log has not grown from {old} to {new}."
            raise InvalidInput(message)
        return await self._prove(consistency_proof, old, new)

    async def _prove(
        self, proof: Callable[[Nodes, int, int], tuple[bytes, ...]], *numbers: int
    ) -> tuple[bytes, ...]:
        # The tiles of the newest log, for smaller trees are parts of it: theirs are there only if
        # they were published at that size.
        try:
            return await asyncio.to_thread(proof, self._kept_nodes(self.size), *numbers)
        except LookupError as error:
            message = f"The published log lacks {error}."
            raise CorruptRegistry(message) from None

    async def _publish(self) -> None:
        async with self._store.read() as connection:
            size = await entries.log_size(connection)
        known = await asyncio.to_thread(self._storage.checkpoint)
        if self._published is not None and known == self._published.note and size == self.size:
            return
        async with _held(self._storage) as known:
            await self._take_up(known)
            signed = self._edge
            try:
                while await self._grow():
                    pass
                if self._edge.size > self.size:
                    await self._sign(known)
            except BaseException:  # the store is what counts: what nobody signed is read again
                self._edge, self._filled = signed, []
                raise

    async def _take_up(self, note: str | None) -> None:
        """Learns what another process, or this one before it was stopped, has published."""
        if note is None:
            if self._published is not None:
                message = "The published checkpoint has disappeared."
                raise CorruptRegistry(message)
            return
        if self._published is not None and note == self._published.note:
            return
        try:
            checkpoint = open_checkpoint(note, self._signer.verifier)
        except ProtocolError as error:
            message = f"The published checkpoint is not this registry's: {error}."
            raise CorruptRegistry(message) from None
        if checkpoint.size < self.size:
            message = f"The published log went back from {self.size} to {checkpoint.size} entries."
            raise CorruptRegistry(message)
        edge = await asyncio.to_thread(Edge.load, self._read, checkpoint.size)
        if edge.root() != checkpoint.root:
            message = "The published tiles are not what their checkpoint signs."
            raise CorruptRegistry(message)
        self._edge = edge
        self._published = Published(checkpoint.size, checkpoint.root, note)
        await self._check_bundle()

    async def _check_bundle(self) -> None:
        """The last entries that were published are those of the store."""
        bundle = self._edge.bundle or await asyncio.to_thread(self._last_full_bundle)
        async with self._store.read() as connection:
            stored = await entries.read_data(connection, self._edge.size - len(bundle), len(bundle))
        if any(ours != theirs for ours, theirs in zip(stored, bundle, strict=False)):
            message = "The published entries are not those of the database."
            raise CorruptRegistry(message)

    def _last_full_bundle(self) -> tuple[bytes, ...]:
        if not self._edge.size:
            return ()
        path = bundle_path(self._edge.size // TILE_WIDTH - 1)
        try:
            return read_bundle(self._read(path), TILE_WIDTH)
        except ProtocolError as error:
            message = f"The published {path} is damaged: {error}."
            raise CorruptRegistry(message) from None

    async def _grow(self) -> bool:
        """Takes in the next entries and publishes the tiles that they fill; False: there are none.

        Raises:
            CorruptRegistry: the store has less than is published, or a gap.
        """
        edge = self._edge
        start, stop = edge.size, (edge.size // PORTION + 1) * PORTION
        async with self._store.read() as connection:
            size = await entries.log_size(connection)
            if size < start:
                raise _older(size, start)
            if size == start:
                return False
            stop = min(size, stop)
            data = await entries.read_data(connection, start, stop - start)
        if len(data) != stop - start:
            message = f"The log has a gap between entries {start} and {stop}."
            raise CorruptRegistry(message)
        self._edge = await asyncio.to_thread(self._put_full, edge, data)
        return stop < size

    def _put_full(self, edge: Edge, data: Sequence[bytes]) -> Edge:
        grown, full = edge.grow(data)
        self._storage.put(full)
        self._filled += full
        return grown

    async def _sign(self, known: str | None) -> None:
        """Publishes the rest, and the checkpoint in place of the one that was known."""
        edge = self._edge
        checkpoint = Checkpoint(self._signer.name, edge.size, edge.root())
        note = await asyncio.to_thread(self._put_rest, edge, checkpoint)
        if self._cosign is not None:
            note = await self._cosign(note, self._nodes(edge.size))
        await _to_its_end(self._swap, known, note)
        self._published = Published(edge.size, checkpoint.root, note)

    def _put_rest(self, edge: Edge, checkpoint: Checkpoint) -> str:
        self._storage.put(edge.partial(since=self.size))
        return sign_checkpoint(checkpoint, self._signer)

    def _swap(self, known: str | None, note: str) -> None:
        self._storage.swap_checkpoint(known, note)
        self._storage.drop_partial(self._filled)
        self._filled = []

    def _nodes(self, size: int) -> Nodes:
        def read_tile(level: int, index: int, width: int) -> bytes:
            path = tile_path(level, index, width)
            return self._full_tile(path) if width == TILE_WIDTH else self._tile(path)

        return tile_nodes(read_tile, size)

    def _tile(self, path: str) -> bytes:
        tile = self._storage.read(path)
        if tile is None:
            raise LookupError(path)
        return tile

    def _read(self, path: str) -> bytes:
        data = read_file(self._storage, path)
        if data is None:
            message = f"The published log lacks {path}."
            raise CorruptRegistry(message)
        return data


def _older(size: int, published: int) -> CorruptRegistry:
    return CorruptRegistry(
        f"The database holds {size} entries, {published} are published: an older state was "
        "restored. Continuing from it would be a second, contradicting log. `consent-registry "
        "restore` brings it forward, with the newest companion if there is one."
    )


def open_publisher(settings: Settings, store: Store, signer: NoteSigner) -> Publisher:
    """The publisher of a registry, as it is configured.

    Raises:
        ConfigurationError: the witness policy can not be used, or is not about this log.
    """
    cosign = None
    if settings.witness_policy is not None:
        policy = read_policy(settings.witness_policy)
        if signer.verifier not in {log.verifier for log in policy.logs}:
            message = (
                f"The witness policy {settings.witness_policy} does not name this log: "
                f"log {signer.verifier.vkey}"
            )
            raise ConfigurationError(message)
        cosign = Witnesses(policy).cosign
    return Publisher(store, FolderStorage(settings.log_dir), signer, cosign)


@contextlib.asynccontextmanager
async def _held(storage: LogStorage) -> AsyncIterator[str | None]:
    """The publishers' lock; the newest checkpoint, which nobody replaces meanwhile."""
    held = contextlib.ExitStack()

    def enter() -> str | None:
        held.enter_context(storage.lock())
        return storage.checkpoint()

    with held:
        yield await asyncio.to_thread(enter)


async def _to_its_end(work: Callable[..., None], *arguments: object) -> None:
    """Works in a thread; whoever is cancelled meanwhile waits for its end, and only then goes.

    The thread goes on in any case. If the lock were let go before, it could put its checkpoint in
    the place of a newer one.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(working)
    finally:
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # heard of, also where nobody waits for it any more
