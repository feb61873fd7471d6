"""What has ended becomes unreadable: its data key and ciphertext leave the store.

The terminal entry comes first, always: a record is shredded only after the entry that ended it is
committed. The shred watermark rises with it, so that no process answers any more for a log size at
which the record still was active. Old backups go dark when the epoch's key is destroyed
(`services.rotation`).
"""

from registry.store import records
from registry.store.engine import Store

# One transaction each, so that registrations have the writers' lock in between.
PORTION = 500


async def shred_ended(store: Store) -> int:
    """Shreds every record that has ended and was not shredded yet; safe to repeat at any time.

    SQLite keeps deleted pages in its write-ahead log until that is emptied, which a long reader can
    prevent; so it is tried each time, whether there was something to shred or not.

    Returns:
        How many were shredded.

    Raises:
        StoreError: the database can not be reached; no record is half shredded.
    """
    shredded = 0
    while ended := await _portion(store):
        shredded += ended
    await store.checkpoint_wal()
    return shredded


async def _portion(store: Store) -> int:
    async with store.read() as connection:
        if not await records.unshredded(connection, limit=1):
            return 0  # without asking for the writers' lock: this is looked at every few seconds
    async with store.write() as connection:
        ended = await records.unshredded(connection, limit=PORTION)
        await records.shred(connection, ended)
    return len(ended)
