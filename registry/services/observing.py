"""Looks at the registry every few seconds, for whoever operates it: metrics and log events.

What is looked at is counts and sizes. Metrics are set each time; the log has an event when
something begins and when it ends, so that a registry in trouble does not drown its own log.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from consent_client.protocol.log import EntryType
from registry.errors import RegistryError
from registry.metrics import Metrics
from registry.services.admission import BuilderQuota
from registry.services.clock import Clock
from registry.services.following import Follower
from registry.services.publishing import Publisher
from registry.services.sequencing import Sequencer
from registry.store.engine import Store
from registry.store.observed import Observed, observe

log = structlog.get_logger(__name__)

OBSERVE_SECONDS: Final = 2.0

# Refusals are summed up in one event for so many looks: half a minute.
LOOKS_PER_SUMMARY: Final = 15

# The queue is said to be long from this part of its capacity on.
LONG_QUEUE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment.

    Attributes:
        observed: in the database.
        index_log_size: entries in this process's indexes.
        published_log_size: entries in the published log, as far as this process knows.
        ready: whether this process answers screenings.
        active_records: None until the whole log was replayed.
        entries: type → entries of the log that were replayed; None until all of them were.
        waiting, capacity: changes in this process's queue, and how many may be.
        queue_refusals, charged_images: since this process began.
        lagging: whether the indexes did not reach what was in the log a look before.
    """

    observed: Observed
    index_log_size: int
    published_log_size: int
    ready: bool
    active_records: int | None
    entries: Mapping[EntryType, int] | None
    waiting: int
    capacity: int
    queue_refusals: int
    charged_images: int
    lagging: bool

    @property
    def lag(self) -> int:
        """Entries in the log and not in the indexes."""
        return max(0, self.observed.log_size - self.index_log_size)

    @property
    def queue_is_long(self) -> bool:
        """Whether the queue fills up."""
        return self.waiting >= LONG_QUEUE * self.capacity

    @property
    def holds_waiting(self) -> int:
        """Holds of all kinds that wait for the operator."""
        return sum(self.observed.waiting.values())

    @property
    def holds_released(self) -> int:
        """Holds of all kinds that were released."""
        return sum(self.observed.released.values())


@dataclass(frozen=True, slots=True)
class Change:
    """Something that began, ended or moved since the look before.

    Attributes:
        event: what the log calls it.
        worrying: whether it is logged as a warning.
        counts: with which numbers.
    """

    event: str
    worrying: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


def changes(earlier: Look | None, seen: Look) -> Iterator[Change]:
    """What the log has to say of a look, after the one before."""
    if seen.lagging and not (earlier and earlier.lagging):
        yield Change("the indexes lag behind the log", worrying=True, counts={"entries": seen.lag})
    elif earlier and earlier.lagging and not seen.lagging:
        yield Change("the indexes have caught up", counts={"log_size": seen.index_log_size})
    if seen.queue_is_long and not (earlier and earlier.queue_is_long):
        yield Change("the queue is long", worrying=True, counts={"changes": seen.waiting})
    elif earlier and earlier.queue_is_long and not seen.queue_is_long:
        yield Change("the queue is short again", counts={"changes": seen.waiting})
    refused = seen.queue_refusals - (earlier.queue_refusals if earlier else 0)
    if refused:
        yield Change("the queue was full", worrying=True, counts={"refused": refused})
    before = (earlier.holds_waiting, earlier.holds_released) if earlier else (0, None)
    if (seen.holds_waiting, seen.holds_released) != before and (earlier or seen.holds_waiting):
        yield Change(
            "holds",
            worrying=seen.holds_waiting > before[0],
            counts={
                "waiting": seen.holds_waiting,
                "released": seen.holds_released,
                "builders": seen.observed.builders_held,
            },
        )


class Observer:
    """Looks, sets metrics, and logs what changed.

    Args:
        store: where the log and the holds are.
        follower: whose indexes follow the log.
        publisher: publishes the log.
        sequencer: whose queue it is.
        quota: what was charged to builders.
        metrics: set here.
        clock: for the time of the last look.
        record_ceiling: of the settings.
    """

    def __init__(
        self,
        store: Store,
        follower: Follower,
        publisher: Publisher,
        sequencer: Sequencer,
        quota: BuilderQuota,
        metrics: Metrics,
        clock: Clock,
        record_ceiling: int,
    ) -> None:
        self._store = store
        self._follower = follower
        self._publisher = publisher
        self._sequencer = sequencer
        self._quota = quota
        self._metrics = metrics
        self._clock = clock
        self._earlier: Look | None = None
        self._looks = 0
        self._summed_up: Counter[str] = Counter()
        metrics.processes.set(1)
        metrics.record_ceiling.set(record_ceiling)

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.look()
            except RegistryError as error:
                log.warning("observing postponed", code=error.code)
            except Exception:  # whatever it was, the registry goes on
                log.exception("observing failed")
            await asyncio.sleep(OBSERVE_SECONDS)

    async def look(self) -> Look:
        """Looks once.

        Raises:
            StoreError: the database can not be reached.
        """
        async with self._store.read() as connection:
            observed = await observe(connection)
        earlier, seen = self._earlier, self._see(observed)
        self._publish(seen, earlier)
        for change in changes(earlier, seen):
            (log.warning if change.worrying else log.info)(change.event, **change.counts)
        self._earlier = seen
        self._sum_up()
        return seen

    def _see(self, observed: Observed) -> Look:
        ready = self._follower.ready
        state = self._follower.state if ready else None
        index_log_size = self._follower.log_size
        earlier = self._earlier
        return Look(
            observed=observed,
            index_log_size=index_log_size,
            published_log_size=self._publisher.size,
            ready=ready and self._publisher.sound,
            active_records=state.active_records if state else None,
            entries=state.entries if state else None,
            waiting=self._sequencer.waiting,
            capacity=self._sequencer.capacity,
            queue_refusals=self._sequencer.refused,
            charged_images=self._quota.charged,
            lagging=earlier is not None and index_log_size < earlier.observed.log_size,
        )

    def _publish(self, seen: Look, earlier: Look | None) -> None:
        metrics, observed = self._metrics, seen.observed
        metrics.queue_refusals.inc(seen.queue_refusals - (earlier.queue_refusals if earlier else 0))
        metrics.charged_images.inc(seen.charged_images - (earlier.charged_images if earlier else 0))
        metrics.queue_waiting.set(seen.waiting)
        metrics.queue_capacity.set(seen.capacity)
        metrics.log_size.set(observed.log_size)
        metrics.index_log_size.set(seen.index_log_size)
        metrics.published_log_size.set(seen.published_log_size)
        metrics.index_lag.set(seen.lag)
        if seen.active_records is not None:
            metrics.active_records.set(seen.active_records)
        if seen.entries is not None:
            for kind in EntryType:
                metrics.log_entries.labels(kind.name).set(seen.entries.get(kind, 0))
        metrics.shredding_backlog.set(observed.unshredded)
        for state, counts in (("waiting", observed.waiting), ("released", observed.released)):
            for kind_of_hold, number in counts.items():
                metrics.holds.labels(kind_of_hold, state).set(number)
        metrics.builders_held.set(observed.builders_held)
        metrics.ready_processes.set(int(seen.ready))
        metrics.observed_at.set(self._clock.now())

    def _sum_up(self) -> None:
        self._looks += 1
        if self._looks % LOOKS_PER_SUMMARY:
            return
        refused = self._metrics.refusals_by_code - self._summed_up
        if refused:
            log.info("refusals", counts=dict(sorted(refused.items())))
        self._summed_up = self._metrics.refusals_by_code.copy()
