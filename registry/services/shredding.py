"""What has ended becomes unreadable: its data key and ciphertext leave the store.

The terminal entry comes first, always: a record is shredded only after the entry that ended it is
under a published checkpoint, so that nothing is destroyed for a reason that nobody can see. The
shred watermark rises with it, so that no process answers any more for a log size at
which the record still was active. Old backups go dark when the epoch's key is destroyed
(`services.rotation`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from registry.errors import RegistryError
from registry.store import records
from registry.store.engine import Store

log = structlog.get_logger(__name__)

# One transaction each, so that registrations have the writers' lock in between.
PORTION = 500

# How often it is looked for what has ended, whichever process ended it.
PAUSE_SECONDS: Final = 5.0

# A reader that is in the way, a backup for instance, may stay for long; each attempt to empty the
# write-ahead log holds writers up for a tenth of a second.
LONGEST_PAUSE_SECONDS: Final = 60.0


class Shredder:
    """Shreds what has ended soon after it has, beside everything else.

    Args:
        store: where from.
        published: gives the size of the published log.
    """

    def __init__(self, store: Store, published: Callable[[], int]) -> None:
        self._store = store
        self._published = published
        self._ended = asyncio.Event()
        self._pause = PAUSE_SECONDS
        self._not_before = 0.0

    def wake(self) -> None:
        """Says that something has ended."""
        self._ended.set()

    async def run(self) -> None:
        """Shreds until cancelled; what fails is logged and tried again.

        Nothing is lost by a failure: what has ended stays marked until it is shredded.
        """
        while True:
            try:
                await shred_rows(self._store, self._published())
                await self._empty_wal()
            except RegistryError as error:
                log.warning("shredding postponed", code=error.code)
            except Exception:  # whatever it was, registrations go on
                log.exception("shredding failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), PAUSE_SECONDS)
            self._ended.clear()

    async def _empty_wal(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            return
        if await self._store.checkpoint_wal():
            self._pause = PAUSE_SECONDS
        else:
            self._not_before = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)


async def shred_ended(store: Store, published: int) -> int:
    """Shreds every record that has ended, and tries to empty SQLite's write-ahead log.

    Args:
        store: where from.
        published: size of the published log; what ended beyond it has to wait.

    Returns:
        How many were shredded.

    Raises:
        StoreError: the database can not be reached; no record is half shredded.
    """
    shredded = await shred_rows(store, published)
    await store.checkpoint_wal()
    return shredded


async def shred_rows(store: Store, published: int) -> int:
    """Shreds what has ended in the published log and was not shredded yet; safe to repeat.

    SQLite keeps deleted pages in its write-ahead log until that is emptied, which a long reader can
    prevent; so `Shredder` tries it each time, whether there was something to shred or not.

    Returns:
        How many were shredded.

    Raises:
        StoreError: the database can not be reached; no record is half shredded.
    """
    shredded = 0
    while ended := await _portion(store, published):
        shredded += ended
    return shredded


async def _portion(store: Store, published: int) -> int:
    async with store.read() as connection:
        if not await records.unshredded(connection, limit=1, below=published):
            return 0  # without asking for the writers' lock: this is looked at every few seconds
    async with store.write() as connection:
        ended = await records.unshredded(connection, limit=PORTION, below=published)
        await records.shred(connection, ended)
    return len(ended)
