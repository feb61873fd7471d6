"""DAY entries: the log's own calendar, by which statements expire."""

import structlog

from consent_client.protocol.log import Day
from registry.services.clock import Clock, day_of
from registry.services.following import Follower
from registry.services.shredding import shred_ended
from registry.store import entries, records
from registry.store.engine import Store
from registry.store.tables import RecordStatus

log = structlog.get_logger(__name__)


async def sequence_day(store: Store, follower: Follower, clock: Clock) -> bool:
    """Logs today, unless it is logged, and ends what expires by it.

    Which records expire is known only to those who can read the statements, so the follower is
    brought to the very end of the log while the writers' lock is held: what it says then is exact.

    Returns:
        Whether an entry was written.

    Raises:
        CorruptRegistry, StoreError: nothing was written.
    """
    today = day_of(clock)
    await follower.catch_up()
    if follower.state.last_day >= today:
        return False
    async with store.write() as connection:
        await follower.catch_up()
        if follower.state.last_day >= today:
            return False
        expiring = follower.expiring_before(today)
        index = await entries.append(connection, [Day(today).encode()])
        await records.insert_terminals(
            connection,
            [records.Terminal(expired, index, RecordStatus.EXPIRED) for expired in expiring],
        )
    log.info("a day was logged", day=today, expired=len(expiring))
    follower.wake()
    if expiring:
        await shred_ended(store)
    return True
