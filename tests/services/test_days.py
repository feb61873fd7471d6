"""A day is logged once it has come, and not because a clock says so for a moment."""

import pytest

from consent_client.protocol.verdicts import Verdict
from registry.services.days import DOUBT_SECONDS, Calendar
from tests.support.people import Picture, until

CAT = Picture(1)


class Stopwatch:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def stopwatch():
    return Stopwatch()


@pytest.fixture
def calendar(harness, stopwatch):
    registry = harness.registry
    return Calendar(registry.store, registry.follower, harness.clock, stopwatch)


@pytest.mark.parametrize("days", [1, 2])
async def test_the_next_days_are_logged_at_once(harness, calendar, days):
    assert not await calendar.keep()
    harness.clock.advance(days=days)
    await calendar.keep()
    await harness.registry.follower.catch_up()
    assert harness.registry.follower.state.last_day == harness.clock.day


async def test_a_clock_that_leaps_for_less_than_an_hour_expires_nothing(
    harness, calendar, stopwatch
):
    await harness.protect(CAT, until(harness.clock.day + 300))
    today = harness.clock.day
    harness.clock.advance(days=4000)
    for _ in range(3):
        assert not await calendar.keep()
        stopwatch.seconds += DOUBT_SECONDS / 4
    harness.clock.advance(days=1000)
    stopwatch.seconds += DOUBT_SECONDS / 2
    assert not await calendar.keep()  # it leapt again: the hour begins anew
    harness.clock.advance(days=-5000)
    stopwatch.seconds += DOUBT_SECONDS
    assert not await calendar.keep()
    assert harness.registry.follower.state.last_day == today
    assert await harness.verdicts([CAT]) == [Verdict.EXCLUDE]


async def test_a_registry_that_was_off_for_a_week_goes_on_and_logs_the_day_in_an_hour(
    harness, calendar, stopwatch
):
    await harness.protect(CAT, until(harness.clock.day + 3))
    harness.clock.advance(days=7)
    assert not await calendar.keep()
    assert await harness.verdicts([CAT]) == [Verdict.EXCLUDE]  # it answers meanwhile
    stopwatch.seconds += DOUBT_SECONDS
    assert await calendar.keep()
    await harness.registry.follower.catch_up()
    assert harness.registry.follower.state.last_day == harness.clock.day
    assert await harness.verdicts([CAT]) == [Verdict.CLEAR]
