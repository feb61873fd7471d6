"""Ending a record by the operator's decision, with a reason that everybody can read."""

from consent_client.protocol.log import Erase, EraseReason
from registry.errors import Conflict, InvalidInput
from registry.store import entries, records
from registry.store.engine import Store
from registry.store.tables import RecordStatus


async def erase(store: Store, register_index: int, reason: EraseReason) -> int:
    """Ends a record by the operator's decision; it is shredded once that is published.

    Returns:
        The index of the ERASE entry.

    Raises:
        InvalidInput: that entry does not register a record.
        Conflict: the record has ended before.
    """
    async with store.write() as connection:
        if not await records.exists(connection, register_index):
            message = f"Entry {register_index} does not register a record."
            raise InvalidInput(message)
        entry = Erase(register_index, reason).encode()
        index = await entries.append(connection, [entry])
        terminal = records.Terminal(register_index, index, RecordStatus.ERASED)
        if not await records.insert_terminal(connection, terminal):
            message = f"The record of entry {register_index} has ended before."
            raise Conflict(message)  # rolls the entry back
    return index
