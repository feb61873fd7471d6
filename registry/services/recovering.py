"""After a disaster: the database is brought to all that this registry has ever said.

A backup is older than what was published, and continuing from it would be a second, contradicting
log. So what is missing is taken from the companion, which knows keys, and then from the published
log, which knows everything else that people may hold the registry to. All of it is one transaction:
it is there, or nothing has changed.

A record that was registered after the backup is lost, for its content was nowhere else. It ends by
an ERASE entry of the reason TECHNICAL, so that its owner hears of it and registers anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.errors import ProtocolError
from consent_client.protocol.log import (
    Certify,
    Close,
    Day,
    Dispute,
    Entry,
    Erase,
    EraseReason,
    Register,
    Session,
    Snapshot,
    Withdraw,
    check_withdrawal,
    decode_entry,
)
from registry.errors import ConfigurationError, Conflict, CorruptRegistry
from registry.services.following import PORTION, open_record
from registry.services.founding import note_signer_of
from registry.services.rotation import GONE_AFTER_SECONDS
from registry.store import (
    committed,
    companion,
    entries,
    epochs,
    log_state,
    processes,
    records,
    screenings,
)
from registry.store.engine import Store
from registry.store.tables import RecordStatus
from registry.tlog.reading import LogReader
from registry.tlog.storage import LogStorage
from registry.vault.envelope import Kek, unwrap_data_key
from registry.vault.key_store import KeyStore
from registry.vault.keyring import Keyring

# Rows in one statement.
_PAGE: Final = 2_000

_SERVING: Final = (
    "A process serves this database, or did until half a minute ago: stop it, wait, and try again."
)
_NOT_OURS: Final = (
    "The log of this database is not the beginning of the published log: something was written to "
    "it since it was restored. Restore the backup of the database once more, and run this before "
    "anything is started."
)
_NO_LOG: Final = (
    "No log is published in the folder that CONSENT_REGISTRY_LOG_DIR names. Put the log, or a copy "
    "of it, in its place. If it is lost for good, --log-lost goes on without it: what it held "
    "beyond the backup will then be contradicted, and witnesses refuse to cosign."
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What restoring did.

    Attributes:
        entries: log entries taken from the companion.
        published: log entries taken from the published log.
        ended: records that had ended since the backup, and are not readable any more.
        lost: records registered since, whose content is in no backup: they were ended by an ERASE
            entry of the reason TECHNICAL, so that their owners hear of it and register anew.
        readable: active records that have a data key.
    """

    entries: int
    published: int
    ended: int
    lost: int
    readable: int


async def recover(
    store: Store,
    key_store: KeyStore,
    storage: LogStorage,
    origin: str,
    file: Path | None,
    now: float,
    *,
    log_lost: bool = False,
) -> Restored:
    """Brings a restored database forward, in one transaction; repeating it changes nothing.

    Publishing, and then shredding what has ended, is the caller's next step.

    Args:
        store: the restored database.
        key_store: holds its keys.
        storage: the published log.
        origin: the registry's name.
        file: the newest companion, or None where there is none.
        now: Unix seconds; by it a process counts as serving, or as gone.
        log_lost: whether to go on where no log is published.

    Raises:
        ConfigurationError: the companion or the published log is another registry's, or missing.
        Conflict: the database's log is not the beginning of the companion's or of the published
            one; the companion is older than the database's keys; a process serves.
        CorruptRegistry: the published log is damaged.
        VaultError: the key store can not open the data keys.
        StoreError: the database, the companion or the published log can not be used.
        In all cases nothing was changed.
    """
    async with _companion(file) as source, store.write() as into:
        if await processes.live(into, now - GONE_AFTER_SECONDS):
            raise Conflict(_SERVING)
        brought = companion.Brought(0, 0)
        if source is not None:
            brought = await companion.bring_forward(source, into)
        keks = await _keks(into, key_store)
        signer = await note_signer_of(into, key_store, origin)
        start, ended = await entries.log_size(into), brought.ended
        note = await asyncio.to_thread(storage.checkpoint)
        if note is not None:
            reader = LogReader(storage, note, signer.verifier)
            ended += await _Recovery(into, reader, origin, keks, now).run()
        elif not log_lost:
            raise ConfigurationError(_NO_LOG)
        size = await entries.log_size(into)
        if size > start:
            # What ended between two entries that were taken can not be told apart from here on.
            await log_state.raise_shred_watermark(into, size)
        lost = await _give_up(into)
        return Restored(
            brought.entries, size - start, ended, lost, await records.count_readable(into)
        )


@contextlib.asynccontextmanager
async def _companion(file: Path | None) -> AsyncIterator[AsyncConnection | None]:
    if file is None:
        yield None
    else:
        async with companion.opened(file) as connection:
            yield connection


async def _keks(connection: AsyncConnection, key_store: KeyStore) -> Mapping[int, Kek]:
    """The keys of all epochs, each tried on a record."""
    keyring = Keyring(key_store)
    await asyncio.to_thread(keyring.load, await epochs.live(connection))
    for record_id, wrapped in await epochs.samples(connection):
        unwrap_data_key(keyring.keks, record_id, wrapped)
    return keyring.keks


class _Recovery:
    """Reads a published log once: compares what the database has, and takes the rest."""

    def __init__(
        self,
        into: AsyncConnection,
        reader: LogReader,
        origin: str,
        keks: Mapping[int, Kek],
        now: float,
    ) -> None:
        self._into = into
        self._reader = reader
        self._origin = origin
        self._keks = keks
        self._now = now
        self._valid_until: dict[int, list[int]] | None = None
        self._ended = 0

    async def run(self) -> int:
        """Takes what the database lacks.

        Returns:
            How many records ended by it.

        Raises:
            Conflict, CorruptRegistry, StoreError: the transaction must be rolled back.
        """
        size = await entries.log_size(self._into)
        same = True
        while True:
            start = self._reader.position
            bundle = await asyncio.to_thread(self._reader.read)
            if not bundle:
                break
            known = max(0, min(size - start, len(bundle)))
            ours = await entries.read_data(self._into, start, known) if known else []
            same = same and ours == list(bundle[:known])
            if same and known < len(bundle):
                await self._take(start + known, bundle[known:])
        # First of all: what a damaged file holds says nothing about the database.
        await asyncio.to_thread(self._reader.check)
        if not same:
            raise Conflict(_NOT_OURS)
        return self._ended

    async def _take(self, start: int, data: tuple[bytes, ...]) -> None:
        taken = [_decode(index, entry) for index, entry in enumerate(data, start)]
        await entries.append(self._into, data)
        for index, entry in enumerate(taken, start):
            await self._apply(index, entry)

    async def _apply(self, index: int, entry: Entry) -> None:
        match entry:
            case Withdraw(register_index=register_index):
                registered = await self._registered(index, register_index)
                try:
                    check_withdrawal(self._origin, entry, registered)
                except ProtocolError as error:
                    raise _contradiction(index, error) from None
                await self._end(register_index, index, RecordStatus.WITHDRAWN)
            case Erase(register_index=register_index):
                await self._registered(index, register_index)
                await self._end(register_index, index, RecordStatus.ERASED)
            case Day(day=day):
                for register_index in await self._expired(day):
                    await self._end(register_index, index, RecordStatus.EXPIRED)
            case Close() | Certify():
                await self._apply_to_screening(index, entry)
            case Register() | Session() | Snapshot() | Dispute():
                pass  # what they are about was in no backup

    async def _apply_to_screening(self, index: int, entry: Close | Certify) -> None:
        known = await committed.logged_at(self._into, entry.session_index)
        if known is None:
            return
        row = known.screening_id
        if isinstance(entry, Certify):
            await committed.certify(self._into, row, index, entry.digest)
        else:
            # Or it would be closed a second time, whatever of its blocks is left.
            await screenings.close(self._into, row, int(self._now))
            await committed.close(self._into, row, index, entry.results_root)

    async def _registered(self, index: int, register_index: int) -> Register:
        rows = await entries.read(self._into, register_index, 1)
        entry = _decode(register_index, rows[0].data) if rows else None
        if register_index >= index or not isinstance(entry, Register):
            raise _contradiction(index, "no record is registered there")
        return entry

    async def _end(self, register_index: int, index: int, status: RecordStatus) -> None:
        terminal = records.Terminal(register_index, index, status)
        self._ended += await records.insert_terminal(self._into, terminal)

    async def _expired(self, day: int) -> list[int]:
        """Records of the database whose last day lies before this one; statements are read once.

        Records that came with the published log are lost, so nobody knows how long they were valid.
        """
        if self._valid_until is None:
            self._valid_until = await self._read_valid_until()
        past = [until for until in self._valid_until if until < day]
        return [index for until in past for index in self._valid_until.pop(until)]

    async def _read_valid_until(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        size = await entries.log_size(self._into)
        for start in range(0, size, PORTION):
            rows = [
                row
                for row in await records.replay(self._into, start, min(size, start + PORTION))
                if row.ciphertext is not None and row.terminal_index is None
            ]
            for index, until in await asyncio.to_thread(_ends, rows, self._keks):
                found.setdefault(until, []).append(index)
        return found


def _ends(rows: list[records.ReplayRow], keks: Mapping[int, Kek]) -> list[tuple[int, int]]:
    """REGISTER index and last day of the records that have one."""
    days = [(row.index, open_record(row, keks).content.statement.valid_until) for row in rows]
    return [(index, day) for index, day in days if day]


def _decode(index: int, data: bytes) -> Entry:
    try:
        return decode_entry(data)
    except ProtocolError as error:
        raise _contradiction(index, error) from None


def _contradiction(index: int, why: object) -> CorruptRegistry:
    return CorruptRegistry(f"Entry {index} of the published log can not be followed: {why}.")


async def _give_up(into: AsyncConnection) -> int:
    """Ends the records whose content is nowhere."""
    lost = await records.lost(into)
    for page in batched(lost, _PAGE):
        first = await entries.append(
            into, [Erase(index, EraseReason.TECHNICAL).encode() for index in page]
        )
        await records.insert_terminals(
            into,
            [
                records.Terminal(index, first + number, RecordStatus.ERASED)
                for number, index in enumerate(page)
            ],
        )
    return len(lost)
