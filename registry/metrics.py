"""What is counted for whoever operates the registry: counts and sizes, nothing else.

Labels come from closed sets: codes of `registry.errors`, fields of the schema, types of log
entries, kinds of hold. None holds a name, an address, an id or anything a client chose.

Left out on purpose, because two numbers seen in time tell more than either:

- Verdicts. Their sums would tell whoever reads them what other builders' candidates matched, and
  tell it beside the budget that bounds what one builder learns (docs/decisions/0012).
- Fingerprints per space. The log is public and says when a record came: the space whose count
  moved then would say what the record is of, a person's face for instance.
- Anything per builder, per record or per session, and how long single requests took.

With several worker processes each value lives in a file of the folder that
`PROMETHEUS_MULTIPROC_DIR` names, one file per process and kind, and is put together where it is
read (`registry.metrics_listener`). prometheus-client looks at that variable when it is imported:
it has to be set before this module is. Without it values are in memory, and cost next to nothing.
"""

from collections import Counter as Tally
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from registry import errors

PREFIX: Final = "consent_registry_"

OTHER: Final = "other"
"""What stands for a code or a field that is not known here."""

# Top-level errors that stand for many: see `registry.api.masking`.
_MASKED: Final = ("BAD_REQUEST", "INTERNAL", "UNAVAILABLE")


def _codes(error: type[errors.RegistryError]) -> set[str]:
    return {error.code}.union(*(_codes(kind) for kind in error.__subclasses__()))


CODES: Final = frozenset({*_codes(errors.RegistryError), *_MASKED})
"""All codes that a client may hear."""


class Metrics:
    """The values of one registry in one process.

    Gauges say how the values of several processes become one: the sum, the largest, the smallest
    or the newest, of those processes that are alive.
    """

    def __init__(self) -> None:
        self.collected = CollectorRegistry()
        self.refusals_by_code: Tally[str] = Tally()

        self._requests = self._counter(
            "requests", "Fields asked for at the top of a request, by field.", "field"
        )
        self._refusals = self._counter(
            "refusals", "Refusals, by the field asked for and the code answered.", "field", "code"
        )
        self.charged_images = self._counter(
            "charged_images", "Images and crops that were answered and counted against quotas."
        )
        self.queue_refusals = self._counter(
            "queue_refusals", "Changes refused because the queue of the writer was full."
        )

        self.queue_waiting = self._gauge(
            "queue_waiting", "livesum", "Changes that wait to be written."
        )
        self.queue_capacity = self._gauge(
            "queue_capacity", "livesum", "Changes that may wait before further ones are refused."
        )
        self.log_size = self._gauge("log_size", "livemax", "Entries in the log.")
        self.index_log_size = self._gauge(
            "index_log_size", "livemin", "Entries in the indexes of the process furthest behind."
        )
        self.index_lag = self._gauge(
            "index_lag_entries", "livemax", "Entries in the log and not yet in the indexes."
        )
        self.published_log_size = self._gauge(
            "published_log_size",
            "livemin",
            "Entries in the published log, as far as the process knows that knows least.",
        )
        self.log_entries = self._gauge(
            "log_entries", "livemax", "Entries in the log, by type.", "type"
        )
        self.active_records = self._gauge(
            "active_records", "livemostrecent", "Records that have not ended."
        )
        self.record_ceiling = self._gauge(
            "record_ceiling", "livemax", "Records beyond which registrations are refused."
        )
        self.shredding_backlog = self._gauge(
            "shredding_backlog", "livemostrecent", "Records that ended and are not shredded yet."
        )
        self.holds = self._gauge(
            "holds",
            "livemostrecent",
            "Holds, by kind, that wait for the operator or were released.",
            "kind",
            "state",
        )
        self.builders_held = self._gauge(
            "builders_held", "livemostrecent", "Builders with a token who are held."
        )
        self.processes = self._gauge("processes", "livesum", "Processes that serve.")
        self.ready_processes = self._gauge(
            "ready_processes", "livesum", "Processes that answer screenings."
        )
        self.observed_at = self._gauge(
            "observed_timestamp_seconds",
            "livemin",
            "When the process that is longest silent last looked at all this, in Unix seconds.",
        )

    def asked(self, field: str) -> None:
        """Counts a field of the schema that was asked for."""
        self._requests.labels(field).inc()

    def refused(self, field: str, code: str) -> None:
        """Counts a refusal.

        Args:
            field: of the schema, at the top of a request; `OTHER`: below it, or none.
            code: as answered; one that is not in `CODES` counts as `OTHER`.
        """
        code = code if code in CODES else OTHER
        self._refusals.labels(field, code).inc()
        self.refusals_by_code[code] += 1

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, documentation, labels, registry=self.collected)

    def _gauge(self, name: str, across: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(
            PREFIX + name,
            documentation,
            labels,
            registry=self.collected,
            multiprocess_mode=across,  # type: ignore[arg-type] # it checks the name itself
        )
