"""The registrant's side for asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from consent_client.meeting import Meeting
from consent_client.protocol.fingerprints import Fingerprints
from consent_client.protocol.statements import Statement
from consent_client.registrant import Registrant
from consent_client.saved_records import SavedRecord


class AsyncRegistrant:
    """`Registrant` for asyncio: each call runs in a thread, one at a time."""

    def __init__(self, registrant: Registrant) -> None:
        self._registrant = registrant
        self._one_at_a_time = asyncio.Lock()

    async def _run[T](self, call: Callable[[], T]) -> T:
        """Lets nobody else in before the thread has ended, also where its caller was cancelled."""
        await self._one_at_a_time.acquire()
        working = asyncio.ensure_future(asyncio.to_thread(call))
        working.add_done_callback(self._let_go)
        return await asyncio.shield(working)

    def _let_go(self, working: asyncio.Future[Any]) -> None:
        self._one_at_a_time.release()
        if not working.cancelled():
            working.exception()  # nobody may be left who looks at it

    async def meet(self) -> Meeting:
        """As `Registrant.meet`."""
        return await self._run(self._registrant.meet)

    async def ensure_phrase(self) -> bool:
        """As `Registrant.ensure_phrase`."""
        return await self._run(self._registrant.ensure_phrase)

    async def protect(
        self, fingerprints: Fingerprints, statement: Statement, *, label: str = ""
    ) -> SavedRecord:
        """As `Registrant.protect`."""
        return await self._run(
            partial(self._registrant.protect, fingerprints, statement, label=label)
        )

    async def follow(self) -> Sequence[SavedRecord]:
        """As `Registrant.follow`."""
        return await self._run(self._registrant.follow)

    async def withdraw(self, record: SavedRecord) -> SavedRecord:
        """As `Registrant.withdraw`."""
        return await self._run(partial(self._registrant.withdraw, record))

    async def recover(self) -> Sequence[SavedRecord]:
        """As `Registrant.recover`."""
        return await self._run(self._registrant.recover)

    async def aclose(self) -> None:
        """As `Registrant.close`."""
        await self._run(self._registrant.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
