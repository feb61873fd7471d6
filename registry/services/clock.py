"""Time, injected: everything that asks what time it is asks a `Clock`."""

import time
from typing import Protocol

SECONDS_PER_DAY = 86_400


class Clock(Protocol):
    """Tells the time; tests move it by hand."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()


def day_of(clock: Clock) -> int:
    """The UTC day number (days since 1970-01-01), as in FORMATS §3 and DAY entries."""
    return int(clock.now()) // SECONDS_PER_DAY
