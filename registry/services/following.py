"""The indexes follow the log.

State is a function of a prefix of the log: `Follower` replays the entries into the matching
indexes, first all of them, then those that come, whichever process wrote them. What it has built
is published as an immutable `State`, swapped whole: whoever holds one answers for exactly its log
size, without locks, while the next is being made.

Decrypting and indexing run in a thread in portions, so the event loop is never held up. The store
is read in log order; a record whose data key is gone must have a terminal entry, anything else is
corruption: then the follower stops, says so, and the registry is not ready.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.errors import ProtocolError
from consent_client.protocol.fingerprints import Fingerprints
from consent_client.protocol.log import (
    Certify,
    Close,
    Day,
    Dispute,
    Entry,
    EntryType,
    Erase,
    Session,
    Snapshot,
    Withdraw,
    decode_entry,
)
from consent_client.protocol.statements import Use
from registry.errors import CorruptRegistry, NotReady, RegistryError, VaultError
from registry.matching.registry_index import IndexView, MatchingIndex, warm
from registry.matching.specificity import Nearest
from registry.services.clock import Clock
from registry.store import entries, epochs, log_state, processes, records
from registry.store.engine import Store
from registry.vault.envelope import Kek, decrypt_record, unwrap_data_key
from registry.vault.keyring import Keyring
from registry.vault.stored_content import StoredContent

log = structlog.get_logger(__name__)

# Rows read, decrypted and indexed at a time: 16 MB of ciphertext, some 50 ms of work.
PORTION = 2_000

# How often a process says that it lives; rotation counts it as gone after six times without.
HEARTBEAT_SECONDS = 5.0

# After compacting nothing is compacted for so many times as long as it took.
COMPACTION_RESTS = 10

# How long a question waits for the follower before it is answered with NotReady.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """What the first `log_size` entries say; immutable.

    Attributes:
        log_size: entries replayed.
        index: fingerprints of the active records.
        stances: uint8[≥ log_size, 4]; row = register index, column = use, value = stance.
        active_records: how many records are active.
        last_day: UTC day number of the newest DAY entry, 0 before the first.
        entries: how many of them are of each type.
    """

    log_size: int
    index: IndexView
    stances: npt.NDArray[np.uint8]
    active_records: int
    last_day: int
    entries: Mapping[EntryType, int] = field(default_factory=Counter)

    @property
    def float_records(self) -> int:
        """Active records with vectors of a work: how many there are to be confused with."""
        return self.index.spaces["sscd-1"].live_owners


class Follower:
    """Replays the log into the indexes and keeps following it.

    Args:
        store: where the log is.
        keyring: opens data keys; is refreshed here when an epoch is added or destroyed.
        matching: the indexes; nobody else changes them.
        clock: for heartbeats.
        process_id: under which this process acknowledges epochs.
        poll_seconds: how often the log is looked at when nobody calls `wake`.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        matching: MatchingIndex,
        clock: Clock,
        process_id: str,
        poll_seconds: float,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._matching = matching
        self._clock = clock
        self._process_id = process_id
        self._poll_seconds = poll_seconds
        self._stances = np.zeros((1024, len(Use)), dtype=np.uint8)
        self._alive = np.zeros(1024, dtype=np.bool_)
        self._valid_until: dict[int, list[int]] = {}
        self._state = State(0, matching.view, self._stances, 0, 0)
        self._catching_up = asyncio.Lock()
        self._compacting = asyncio.Lock()
        self._compact_from = 0.0
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._failure: RegistryError | None = None
        self._heard_at = 0.0
        self._acknowledged = 0
        self._caught_up_once = False

    @property
    def state(self) -> State:
        """The newest state.

        Raises:
            CorruptRegistry: the log and the store contradict each other.
        """
        if self._failure is not None:
            raise self._failure
        return self._state

    @property
    def log_size(self) -> int:
        """Entries replayed so far."""
        return self._state.log_size

    @property
    def ready(self) -> bool:
        """Whether questions are answered: the whole log was replayed, and nothing is corrupt."""
        return self._caught_up_once and self._failure is None

    async def compact(self) -> None:
        """Lets the vectors of removed records leave memory, and makes searching faster.

        While segments are written anew the log is followed on. Millions of rows take seconds: then
        the next time is put off, so that one core has most of its time for other things.
        """
        loop = asyncio.get_running_loop()
        async with self._compacting:
            if loop.time() < self._compact_from:
                return
            began = loop.time()
            async with self._catching_up:
                plans = await asyncio.to_thread(self._matching.plan)
                self._state = replace(self._state, index=self._matching.view)
            compacted = await asyncio.to_thread(plans.build)
            async with self._catching_up:
                view = await asyncio.to_thread(self._matching.install, compacted)
                self._state = replace(self._state, index=view)
            took = loop.time() - began
            self._compact_from = loop.time() + COMPACTION_RESTS * took

    def wake(self) -> None:
        """Says that there may be new entries."""
        self._wake.set()

    async def run(self) -> None:
        """Follows until cancelled; trouble with the database is logged and tried again."""
        while True:
            try:
                await self._acknowledge(await self.catch_up())
            except CorruptRegistry:
                return  # logged where it was found; `state` raises from now on
            except RegistryError as error:
                log.warning("following interrupted", code=error.code)
            except Exception:  # a broken socket, for instance: whatever it was, it goes on
                log.exception("following interrupted")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
            self._wake.clear()

    async def catch_up(self) -> int:
        """Replays everything that is in the log now.

        Returns:
            The newest key epoch, which this process has loaded.

        Raises:
            CorruptRegistry: a record can not be read although nothing ended it.
            StoreError: the database can not be reached.
        """
        async with self._catching_up:
            async with self._store.read() as connection:
                size = await entries.log_size(connection)
                epoch = await self._follow_epochs(connection)
            while self._state.log_size < size:
                await self._replay_portion(min(size, self._state.log_size + PORTION))
            if not self._caught_up_once:
                await asyncio.to_thread(warm)  # or the first who asks would wait for the compiler
                self._caught_up_once = True
        return epoch

    async def at_least(self, log_size: int) -> State:
        """The state, once it has reached a log size.

        Raises:
            NotReady: it did not within a few seconds.
            CorruptRegistry: it never will.
        """
        if self.state.log_size < log_size:
            self.wake()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS), self._moved:
                    await self._moved.wait_for(lambda: self.state.log_size >= log_size)
            except TimeoutError:
                message = "The indexes have not reached the log yet; try again."
                raise NotReady(message) from None
        return self.state

    async def answerable(self) -> State:
        """A state that may answer: it holds all that is in the log now.

        So what was acknowledged before a question came counts in its answer, by whichever process
        either went; and nothing below the shred watermark is answered for.

        Raises:
            NotReady: the indexes are still being built.
            CorruptRegistry: the log and the store contradict each other.
        """
        if self._failure is None and not self._caught_up_once:
            message = "The registry is starting and still reads its log; try again."
            raise NotReady(message, retry_after=2)
        async with self._store.read() as connection:
            size = await entries.log_size(connection)
            watermark = await log_state.shred_watermark(connection)
        return await self.at_least(max(size, watermark))

    def expiring_before(self, day: int) -> list[int]:
        """Register indices of active records whose last valid day is before `day`."""
        return sorted(
            index
            for until, indices in self._valid_until.items()
            if until < day
            for index in indices
            if self._alive[index]
        )

    async def leave(self) -> None:
        """Says that this process is gone, so that rotation need not wait for it."""
        async with self._store.write() as connection:
            await processes.delete(connection, self._process_id)

    async def _follow_epochs(self, connection: AsyncConnection) -> int:
        epoch = await epochs.current(connection)
        if epoch > self._keyring.current_epoch:
            await asyncio.to_thread(self._keyring.load, await epochs.live(connection))
        return epoch

    async def _replay_portion(self, stop: int) -> None:
        start = self._state.log_size
        async with self._store.read() as connection:
            await self._follow_epochs(connection)  # of this snapshot: rotation may be under way
            rows = await records.replay(connection, start, stop)
        try:
            state = await asyncio.to_thread(self._apply, rows, start, stop)
        except CorruptRegistry as error:
            log.critical("the registry is corrupt", reason=str(error), log_size=start)
            self._failure = error
            raise
        except Exception as error:
            # What was half applied can not be trusted, and a state that stands still unnoticed
            # would call people's withdrawn and new records by what they were: stop, loudly.
            log.critical("the log can not be replayed", log_size=start, exc_info=True)
            kind = type(error).__name__
            self._failure = CorruptRegistry(f"Entries from {start} on can not be replayed: {kind}.")
            raise self._failure from None
        finally:
            async with self._moved:
                self._moved.notify_all()
        self._state = state
        async with self._moved:
            self._moved.notify_all()

    def _apply(self, rows: Sequence[records.ReplayRow], start: int, stop: int) -> State:
        if len(rows) != stop - start:
            message = f"The log has a gap between entries {start} and {stop}."
            raise CorruptRegistry(message)
        self._grow(stop)
        added: dict[int, StoredContent] = {}
        removed: list[int] = []
        last_day = self._state.last_day
        keks = self._keyring.keks
        for row in rows:
            if row.type == EntryType.REGISTER:
                if not _ended(row, stop):
                    added[row.index] = self._enter(row.index, open_record(row, keks))
                continue
            entry = _decode(row)
            if isinstance(entry, Day):
                last_day = entry.day
            for index in self._ended_by(entry):
                if self._alive[index]:
                    self._alive[index] = False
                    if added.pop(index, None) is None:
                        removed.append(index)
        view = self._matching.apply(
            [(index, *self._measured(record)) for index, record in added.items()], removed
        )
        return State(
            log_size=stop,
            index=view,
            stances=self._stances,
            active_records=self._state.active_records + len(added) - len(removed),
            last_day=last_day,
            entries=Counter(self._state.entries) + Counter(EntryType(row.type) for row in rows),
        )

    def _enter(self, index: int, record: StoredContent) -> StoredContent:
        statement = record.content.statement
        self._alive[index] = True
        self._stances[index] = statement.stances
        if statement.valid_until:
            self._valid_until.setdefault(statement.valid_until, []).append(index)
        return record

    def _measured(self, record: StoredContent) -> tuple[Fingerprints, Nearest | None]:
        """What is matched of a record; measures of another bank are not this one's."""
        same = record.bank == self._matching.bank.version
        return record.content.fingerprints, record.nearest if same else None

    def _ended_by(self, entry: Entry) -> list[int]:
        """REGISTER indexes of the records that an entry ends."""
        match entry:
            case Withdraw(register_index=index) | Erase(register_index=index):
                return [index]
            case Day(day=day):
                return self._expire(day)
            case Session() | Close() | Certify() | Snapshot():
                return []  # they are about screenings
            case Dispute():
                return []  # what it ends, an ERASE entry beside it ends
            case _:
                message = "An entry of the log is of a type unknown here."
                raise CorruptRegistry(message)

    def _expire(self, day: int) -> list[int]:
        past = [until for until in self._valid_until if until < day]
        return [index for until in past for index in self._valid_until.pop(until)]

    def _grow(self, size: int) -> None:
        capacity = len(self._alive)
        if size <= capacity:
            return
        capacity = max(size, 2 * capacity)
        stances = np.zeros((capacity, self._stances.shape[1]), dtype=np.uint8)
        stances[: len(self._stances)] = self._stances
        alive = np.zeros(capacity, dtype=np.bool_)
        alive[: len(self._alive)] = self._alive
        self._stances, self._alive = stances, alive

    async def _acknowledge(self, epoch: int) -> None:
        now = self._clock.now()
        if epoch == self._acknowledged and now - self._heard_at < HEARTBEAT_SECONDS:
            return
        async with self._store.write() as connection:
            await processes.heartbeat(
                connection, self._process_id, epoch, self._state.log_size, now
            )
        self._acknowledged, self._heard_at = epoch, now


def _ended(row: records.ReplayRow, log_size: int) -> bool:
    """Whether the record needs no reading for the state at `log_size`.

    Its end is among those entries, or its key was shredded since: then the shred watermark lies
    above `log_size`, and nobody answers for that state.
    """
    if row.terminal_index is None:
        return False
    return row.terminal_index < log_size or row.wrapped is None


def open_record(row: records.ReplayRow, keks: Mapping[int, Kek]) -> StoredContent:
    """What is stored of a record that nothing has ended.

    Raises:
        CorruptRegistry: it can not be read.
    """
    if row.record_id is None or row.ciphertext is None or row.wrapped is None:
        message = f"The record of entry {row.index} has no data key although nothing ended it."
        raise CorruptRegistry(message)
    try:
        data_key = unwrap_data_key(keks, row.record_id, row.wrapped)
        return StoredContent.decode(decrypt_record(data_key, row.record_id, row.ciphertext))
    except (VaultError, ProtocolError) as error:
        message = f"The record of entry {row.index} can not be read: {type(error).__name__}."
        raise CorruptRegistry(message) from None


def _decode(row: records.ReplayRow) -> Entry:
    try:
        return decode_entry(row.data)
    except ProtocolError as error:
        message = f"Entry {row.index} of the log can not be read: {type(error).__name__}."
        raise CorruptRegistry(message) from None
