"""What operators see: metrics and log events of a registry that runs."""

import re
from pathlib import Path

import pytest
import structlog
from prometheus_client import generate_latest

from consent_client.protocol.log import Day, EntryType, Erase, EraseReason
from registry import errors
from registry.errors import Busy, Held
from registry.metrics import CODES, OTHER, PREFIX, Metrics
from registry.services import operating
from registry.services.days import sequence_day
from registry.services.erasure import erase
from registry.services.observing import Change, Look, changes
from registry.services.running import running
from registry.store import entries, records
from registry.store.observed import HOLD_KINDS, Observed, observe
from registry.store.tables import Rate, RecordStatus
from tests.services.test_budget import ask, near, session
from tests.support.people import Picture
from tests.support.registering import Harness

CAT, DOG = Picture(1), Picture(2)
SMALL = 4
REASON = EraseReason.COURT_ORDER


@pytest.fixture
async def harness(settings, clock):
    small = settings.model_copy(update={"budget": SMALL, "border_budget": SMALL, "queue_size": 3})
    async with running(small, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


async def value(harness, name, **labels):
    """A value after a look, without the prefix."""
    await harness.registry.follower.catch_up()
    await harness.registry.observer.look()
    return harness.registry.metrics.collected.get_sample_value(PREFIX + name, labels)


async def test_registrations_withdrawals_and_erasures_are_counted_from_the_log(harness):
    assert await value(harness, "log_entries", type="DAY") == 1
    owner, request, _ = await harness.protect(CAT)
    _, _, dog = await harness.protect(DOG)
    await harness.send(request)  # the same again is no other registration
    assert await value(harness, "log_entries", type="REGISTER") == 2
    assert await value(harness, "active_records") == 2
    await harness.withdraw(owner, request.commitment)
    await erase(harness.registry.store, dog.register_index, REASON)
    assert await value(harness, "log_entries", type="WITHDRAW") == 1
    assert await value(harness, "log_entries", type="ERASE") == 1
    assert await value(harness, "active_records") == 0
    assert await value(harness, "log_size") == await value(harness, "index_log_size") == 5
    assert await harness.registry.publisher.publish() == await value(harness, "published_log_size")
    assert await value(harness, "index_lag_entries") == 0
    assert await value(harness, "ready_processes") == await value(harness, "processes") == 1
    before = harness.clock.now()
    assert before <= await value(harness, "observed_timestamp_seconds") <= harness.clock.now()


async def test_the_indexes_lag_until_they_follow(harness):
    registry = harness.registry
    await value(harness, "log_size")
    async with registry.store.write() as connection:
        # Both locks in this order, as the writer of days takes them.
        await registry.follower._catching_up.acquire()  # it can not go on
        await entries.append(connection, [Day(harness.clock.day).encode()])
    try:
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await registry.observer.look()
        lag = PREFIX + "index_lag_entries"
        assert registry.metrics.collected.get_sample_value(lag) == 1
        assert events(logs) == [("the indexes lag behind the log", "warning")]
    finally:
        registry.follower._catching_up.release()
    with structlog.testing.capture_logs() as logs:
        assert await value(harness, "index_lag_entries") == 0
    assert events(logs) == [("the indexes have caught up", "info")]


def events(logs):
    """Those of the queue and the indexes; others may come at any time."""
    return [
        (entry["event"], entry["log_level"])
        for entry in logs
        if {"queue", "indexes"} & set(entry["event"].split())
    ]


async def test_holds_are_counted_by_kind_whoever_makes_and_releases_them(harness):
    settings = harness.registry.settings
    await harness.protect(CAT)
    builder = await harness.builder()
    asking = await session(harness, builder)
    for kind in HOLD_KINDS:
        assert await value(harness, "holds", kind=kind, state="waiting") == 0
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(Held):
            await ask(harness, builder, asking, 0, [near(CAT, n) for n in range(SMALL + 1)])
        assert await value(harness, "holds", kind="free", state="waiting") == 1
    assert {"event": "holds", "log_level": "warning"} | {
        "waiting": 1,
        "released": 0,
        "builders": 1,
    } in logs
    assert not any("Example Lab" in str(entry) for entry in logs)
    await operating.hold_builder(settings, harness.clock, "Example Lab")
    assert await value(harness, "holds", kind="whole", state="waiting") == 1
    assert await value(harness, "builders_held") == 1
    await operating.release_builder(settings, harness.clock, "Example Lab")
    assert await value(harness, "holds", kind="free", state="waiting") == 0
    assert await value(harness, "holds", kind="free", state="released") == 1
    assert await value(harness, "holds", kind="whole", state="released") == 1
    assert await value(harness, "builders_held") == 0


async def test_a_revoked_builder_is_nobody_to_be_released(harness):
    settings = harness.registry.settings
    await harness.builder()
    await operating.hold_builder(settings, harness.clock, "Example Lab")
    assert await value(harness, "builders_held") == 1
    await operating.revoke_builder(settings, harness.clock, "Example Lab")
    assert await value(harness, "builders_held") == 0


async def test_what_ended_is_a_backlog_until_it_is_shredded(harness):
    _, _, cat = await harness.protect(CAT)
    async with harness.registry.store.write() as connection:
        index = await entries.append(connection, [Erase(cat.register_index, REASON).encode()])
        terminal = records.Terminal(cat.register_index, index, RecordStatus.ERASED)
        await records.insert_terminal(connection, terminal)
        assert (await observe(connection)).unshredded == 1
        await records.shred(connection, [cat.register_index])
        assert (await observe(connection)).unshredded == 0


async def test_a_full_queue_is_seen(harness, monkeypatch):
    sequencer = harness.registry.sequencer
    assert await value(harness, "queue_capacity") == 3
    assert await value(harness, "queue_refusals_total") == 0
    monkeypatch.setattr(sequencer._queue, "qsize", lambda: 3)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(Busy):
                sequencer.admit()
        assert await value(harness, "queue_refusals_total") == 2
        assert await value(harness, "queue_waiting") == 3
        monkeypatch.undo()
        assert await value(harness, "queue_waiting") == 0
        assert await value(harness, "queue_refusals_total") == 2
    assert events(logs) == [
        ("the queue is long", "warning"),
        ("the queue was full", "warning"),
        ("the queue is short again", "info"),
    ]


async def test_images_are_counted_when_they_are_charged(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    asking = await session(harness, builder)
    for _ in range(2):  # again costs nothing
        await ask(harness, builder, asking, 0, [DOG.sscd, DOG.sscd])
    assert await value(harness, "charged_images_total") == 2


def test_every_code_is_known_and_no_other_becomes_a_label():
    assert {"BUSY", "HELD", "NOT_YOURS", "RATE_LIMITED", "INTERNAL"} <= CODES
    assert errors.TooGeneric.code in CODES
    metrics = Metrics()
    for number in range(100):
        metrics.refused("screen", f"code {number}")
    samples = [
        sample.labels
        for metric in metrics.collected.collect()
        for sample in metric.samples
        if sample.name == PREFIX + "refusals_total"
    ]
    assert samples == [{"field": "screen", "code": OTHER}]


async def test_labels_come_from_closed_sets(harness):
    await value(harness, "log_size")
    allowed = {
        "type": {kind.name for kind in EntryType},
        "kind": {*(rate.name.lower() for rate in Rate), "whole"},
        "state": {"waiting", "released"},
    }
    text = generate_latest(harness.registry.metrics.collected).decode()
    found = re.findall(r'(\w+)="([^"]*)"', text)
    assert found
    for label, content in found:
        assert content in allowed[label]


async def test_refusals_are_summed_up_now_and_then(harness):
    observer, metrics = harness.registry.observer, harness.registry.metrics
    for _ in range(3):
        metrics.refused("screen", "HELD")
    with structlog.testing.capture_logs() as logs:
        for _ in range(40):
            await observer.look()
    assert [entry["counts"] for entry in logs if entry["event"] == "refusals"] == [{"HELD": 3}]


def test_the_guide_names_every_metric_and_no_other():
    guide = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    table = guide.partition("## Metrics and alerts")[2].partition("Rules to begin with")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in row.split(", ")
    }
    metrics = Metrics().collected.collect()
    existing = {m.name + ("_total" if m.type == "counter" else "") for m in metrics}
    assert {PREFIX + name.strip("`") for name in named} == existing
    assert set(re.findall(PREFIX + r"\w+", guide)) - {PREFIX} <= existing


def look(**changed):
    waiting = {"free": changed.pop("held", 0)}
    observed = Observed(changed.pop("log_size", 9), 0, waiting, {}, 0)
    fields = {
        "index_log_size": 9,
        "published_log_size": 9,
        "ready": True,
        "active_records": 1,
        "entries": {},
        "waiting": 0,
        "capacity": 10,
        "queue_refusals": 0,
        "charged_images": 0,
        "lagging": False,
    }
    return Look(observed=observed, **(fields | changed))


def test_nothing_new_is_nothing_to_log():
    assert list(changes(None, look())) == []
    for same in (look(), look(held=3), look(lagging=True), look(waiting=9)):
        assert list(changes(same, same)) == []


def test_what_waited_before_the_start_is_said_at_the_start():
    (change,) = changes(None, look(held=2))
    assert change == Change("holds", True, {"waiting": 2, "released": 0, "builders": 0})
