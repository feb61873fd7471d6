"""DAY entries: the log's own calendar, by which statements expire."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from consent_client.protocol.log import Day
from registry.services.clock import Clock, day_of
from registry.services.following import Follower
from registry.store import entries, records
from registry.store.engine import Store
from registry.store.tables import RecordStatus

log = structlog.get_logger(__name__)

# A process that was off over a weekend, and a clock that is wrong by a time zone, both fit in.
PLAUSIBLE_STEP_DAYS: Final = 2

# A day is logged for good, and everything whose last day lies before it has expired. So a clock
# that is far ahead of the log is not believed at once: its operator has this long to see the error
# and to set it. A registry that was really off for a week expires what is due an hour late.
DOUBT_SECONDS: Final = 3_600.0


class Calendar:
    """Logs each day once it has come, and doubts a clock that leaps ahead of the log.

    Args:
        store: where the log is.
        follower: knows the last day, and what expires.
        clock: tells the day.
        monotonic: seconds that no setting of a clock changes.
    """

    def __init__(
        self,
        store: Store,
        follower: Follower,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._follower = follower
        self._clock = clock
        self._monotonic = monotonic
        self._doubted: tuple[int, float] | None = None

    async def keep(self) -> bool:
        """Logs today, unless it is logged or doubted.

        Returns:
            Whether an entry was written.

        Raises:
            CorruptRegistry, StoreError: nothing was written.
        """
        await self._follower.catch_up()
        if self._doubts(self._follower.state.last_day, day_of(self._clock)):
            return False
        return await sequence_day(self._store, self._follower, self._clock)

    def _doubts(self, last_day: int, today: int) -> bool:
        if not last_day or today - last_day <= PLAUSIBLE_STEP_DAYS:
            self._doubted = None
            return False
        if self._doubted is None or abs(today - self._doubted[0]) > 1:  # it has leapt again
            self._doubted = today, self._monotonic()
            log.error(
                "the clock is far ahead of the log; its day is logged in an hour",
                clock_day=today,
                last_day=last_day,
            )
        return self._monotonic() - self._doubted[1] < DOUBT_SECONDS


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
    return True
