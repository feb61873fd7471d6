"""A running registry, on both databases, with a clock that is moved by hand."""

import pytest

from registry.services.days import sequence_day
from registry.services.running import running
from registry.settings import Settings
from tests.support.clocks import HandClock
from tests.support.registering import Harness


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def settings(store_url, tmp_path):
    return Settings(
        origin="registry.example/test",
        data_dir=tmp_path / "data",
        keyring_dir=tmp_path / "keyring",
        database_url=store_url,
        proof_of_work_digits=1,
        registration_limit="100000/minute",
        challenge_limit="100000/minute",
        follow_seconds=0.05,
        batch_seconds=0,
    )


@pytest.fixture
async def harness(settings, clock):
    async with running(settings, clock) as registry:
        # The first entry is today's, whether the chores or we write it.
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


@pytest.fixture
def server_of(request, settings):
    return None if settings.is_embedded else request.getfixturevalue("postgresql_server")
