"""One writer per process turns changes into log entries, many in one transaction.

Changes are gathered for a moment and put into an order drawn by lot, so that the log does not show
in which they came. A commit costs a disk flush whatever it holds, so they are written together:
records, their data keys and their entries in one transaction, or none of them. Indices are dense
because they are given out under the writers' lock, which all processes share. Then the log is
published (`services.publishing`).

Nobody is answered before the commit. A crash before it leaves nothing; after it, the client that
heard nothing sends the same bytes again and gets the same answer.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.keys import owner_tag
from consent_client.protocol.log import Register, Withdraw
from registry.errors import Busy, Conflict, NotYours, RegistryError, StoreBusy
from registry.services.challenges import NOT_YOURS
from registry.services.following import Follower
from registry.services.publishing import Publisher
from registry.store import entries, epochs, records
from registry.store.engine import Store
from registry.store.tables import RecordStatus
from registry.vault.envelope import wrap_data_key
from registry.vault.keyring import Keyring

log = structlog.get_logger(__name__)

# Enough to spread one disk flush over many changes, few enough that the writers' lock is held for
# some tens of milliseconds.
BATCH = 128

_LOT = random.SystemRandom()  # whoever can foretell the order can undo it


@dataclass(frozen=True, slots=True)
class Registering:
    """A record that passed every check, encrypted, ready to be written."""

    record_id: bytes
    owner_public_key: bytes
    commitment: bytes
    ciphertext: bytes = field(repr=False)
    data_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """A withdrawal whose signature was verified."""

    record_id: bytes
    owner_public_key: bytes
    commitment: bytes
    signature: bytes = field(repr=False)


Change = Registering | Withdrawing


@dataclass(frozen=True, slots=True)
class Sequenced:
    """What became of a change.

    Attributes:
        record_id: which record.
        register_index: its REGISTER entry.
        terminal_index: the entry that ended it, or None while it is active.
        status: the record's status now.
        log_size: entries in the log at the answer.
    """

    record_id: bytes
    register_index: int
    terminal_index: int | None
    status: RecordStatus
    log_size: int


Outcome = Sequenced | RegistryError


@dataclass(slots=True)
class _Pending:
    change: Change
    answer: asyncio.Future[Sequenced]


@dataclass(slots=True)
class _Batch:
    """One transaction's rows, collected before they are written."""

    next_index: int
    known: dict[bytes, records.RecordRow]
    new_entries: list[bytes] = field(default_factory=list)
    new_records: list[records.NewRecord] = field(default_factory=list)
    new_terminals: list[records.Terminal] = field(default_factory=list)

    def append(self, entry: bytes) -> int:
        self.new_entries.append(entry)
        index = self.next_index
        self.next_index += 1
        return index


class Sequencer:
    """Writes changes in batches, in the order in which they came.

    Args:
        store: where to.
        keyring: wraps data keys under the newest epoch, checked under the writers' lock.
        follower: is told when there is something new.
        queue_size: changes that may wait; more are refused with `Busy`, and counted in `refused`.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        follower: Follower,
        publisher: Publisher,
        queue_size: int,
        batch_seconds: float,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._follower = follower
        self._publisher = publisher
        self._batch_seconds = batch_seconds
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue(queue_size)
        self.capacity = queue_size
        self.refused = 0
        self._writing = 0
        self._registering: Counter[bytes] = Counter()

    @property
    def waiting(self) -> int:
        """Changes that are not written yet."""
        return self._queue.qsize() + self._writing

    def registers(self, record_id: bytes) -> bool:
        """Whether a record of this id is waiting to be written, and may be known in a moment."""
        return record_id in self._registering

    def admit(self) -> None:
        """Looks whether there is room, before anything costly is done for a request.

        Raises:
            Busy: there is none.
        """
        if self._queue.full():
            self.refused += 1
            message = "The registry is busy; please send the same request again."
            raise Busy(message)

    async def submit(self, change: Change) -> Sequenced:
        """Waits until the change is committed.

        Raises:
            Busy: the queue is full or the database is locked; nothing was written.
            Conflict: the record id is taken by other content.
            NotYours: there is no such record to withdraw.
        """
        pending = _Pending(change, asyncio.get_running_loop().create_future())
        pending.answer.add_done_callback(_heed)
        try:
            self._queue.put_nowait(pending)
        except asyncio.QueueFull:
            self.admit()
            raise
        if isinstance(change, Registering):
            self._registering[change.record_id] += 1
            pending.answer.add_done_callback(lambda _: self._registered(change.record_id))
        # A client that hangs up does not undo what is about to be committed.
        return await asyncio.shield(pending.answer)

    def _registered(self, record_id: bytes) -> None:
        self._registering[record_id] -= 1
        if not self._registering[record_id]:
            del self._registering[record_id]

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            gathered = [await self._queue.get()]
            self._writing = 1
            await asyncio.sleep(self._batch_seconds)
            while not self._queue.empty():
                gathered.append(self._queue.get_nowait())
            self._writing = len(gathered)
            for batch in _batches(gathered):
                await self._write(batch)
                self._writing -= len(batch)

    async def _write(self, batch: Sequence[_Pending]) -> None:
        try:
            outcomes = await self._commit([pending.change for pending in batch])
        except StoreBusy:
            outcomes = [Busy("The registry is busy; please send the same request again.")] * len(
                batch
            )
        except Exception as error:
            if len(batch) > 1:  # let the one that can not be written fail alone
                for pending in batch:
                    await self._write([pending])
                return
            log.exception("a change could not be written", change=type(batch[0].change).__name__)
            outcomes = [error if isinstance(error, RegistryError) else RegistryError()]
        for pending, outcome in zip(batch, outcomes, strict=True):
            if pending.answer.cancelled():
                continue
            if isinstance(outcome, Sequenced):
                pending.answer.set_result(outcome)
            else:
                pending.answer.set_exception(outcome)
        self._follower.wake()
        self._publisher.wake()

    async def _commit(self, changes: Sequence[Change]) -> list[Outcome]:
        async with self._store.write() as connection:
            epoch = await self._newest_epoch(connection)
            ids = {change.record_id for change in changes}
            batch = _Batch(
                next_index=await entries.log_size(connection),
                known=await records.by_record_ids(connection, ids),
            )
            places = [self._place(batch, change, epoch) for change in changes]
            await entries.append(connection, batch.new_entries)
            await records.insert_many(connection, batch.new_records)
            await records.insert_terminals(connection, batch.new_terminals)
        return [
            place
            if isinstance(place, RegistryError)
            else Sequenced(
                place.record_id,
                place.register_index,
                place.terminal_index,
                place.status,
                batch.next_index,
            )
            for place in places
        ]

    def _place(
        self, batch: _Batch, change: Change, epoch: int
    ) -> records.RecordRow | RegistryError:
        known = batch.known.get(change.record_id)
        match change:
            case Registering():
                if known is None:
                    return self._register(batch, change, epoch)
                if known.commitment != change.commitment:
                    return Conflict("This record id was used before for something else.")
                return known
            case Withdrawing():
                if known is None or known.commitment != change.commitment:
                    return NotYours(NOT_YOURS)
                if known.terminal_index is not None:
                    return known
                return self._withdraw(batch, change, known)

    def _register(self, batch: _Batch, change: Registering, epoch: int) -> records.RecordRow:
        entry = Register(change.commitment, owner_tag(change.owner_public_key))
        index = batch.append(entry.encode())
        wrapped = wrap_data_key(self._keyring.keks[epoch], epoch, change.record_id, change.data_key)
        batch.new_records.append(
            records.NewRecord(
                register_index=index,
                record_id=change.record_id,
                owner_public_key=change.owner_public_key,
                commitment=change.commitment,
                ciphertext=change.ciphertext,
                epoch=epoch,
                wrapped=wrapped,
            )
        )
        row = records.RecordRow(
            register_index=index,
            record_id=change.record_id,
            owner_public_key=change.owner_public_key,
            commitment=change.commitment,
            status=RecordStatus.ACTIVE,
            terminal_index=None,
        )
        batch.known[change.record_id] = row
        return row

    def _withdraw(
        self, batch: _Batch, change: Withdrawing, known: records.RecordRow
    ) -> records.RecordRow:
        entry = Withdraw(known.register_index, change.owner_public_key, change.signature)
        index = batch.append(entry.encode())
        batch.new_terminals.append(
            records.Terminal(known.register_index, index, RecordStatus.WITHDRAWN)
        )
        row = replace(known, status=RecordStatus.WITHDRAWN, terminal_index=index)
        batch.known[change.record_id] = row
        return row

    async def _newest_epoch(self, connection: AsyncConnection) -> int:
        epoch = await epochs.current(connection)
        if epoch not in self._keyring.keks:
            await asyncio.to_thread(self._keyring.load, await epochs.live(connection))
        return epoch


def _batches(gathered: list[_Pending]) -> Iterator[list[_Pending]]:
    """Transactions, in an order drawn by lot.

    A record's own changes stay in theirs, and each is in a transaction of its own: FORMATS §5 wants
    WITHDRAW in a later batch than its REGISTER.
    """
    rounds: list[list[_Pending]] = []
    seen: Counter[bytes] = Counter()
    for pending in gathered:
        earlier = seen[pending.change.record_id]
        seen[pending.change.record_id] += 1
        if earlier == len(rounds):
            rounds.append([])
        rounds[earlier].append(pending)
    for changes in rounds:
        _LOT.shuffle(changes)
        yield from map(list, batched(changes, BATCH))


def _heed(answer: asyncio.Future[Sequenced]) -> None:
    """Takes note of an error nobody waits for any more: its client has hung up."""
    if not answer.cancelled():
        answer.exception()
