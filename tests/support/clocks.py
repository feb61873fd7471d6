"""A clock that is moved by hand."""

import time


class HandClock:
    """Shows the real time at first, then what it is told."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        self.offset += days * 86_400 + seconds

    @property
    def day(self) -> int:
        return int(self.now()) // 86_400
