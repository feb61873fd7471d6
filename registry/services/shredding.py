"""What has ended becomes unreadable: its data key and ciphertext leave the store.

The terminal entry comes first, always: a record is shredded only after the entry that ended it is
committed. The shred watermark rises with it, so that no process answers any more for a log size at
which the record still was active. Old backups go dark when the epoch's key is destroyed
(`services.rotation`).
"""

from registry.store import records
from registry.store.engine import Store


async def shred_ended(store: Store) -> int:
    """Shreds every record that has ended and was not shredded yet; safe to repeat at any time.

    Returns:
        How many were shredded.

    Raises:
        StoreError: the database can not be reached; nothing is half done.
    """
    async with store.write() as connection:
        ended = await records.unshredded(connection)
        if ended:
            await records.shred(connection, ended)
    if ended:
        await store.checkpoint_wal()
    return len(ended)
