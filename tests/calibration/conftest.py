"""A registry that serves, and photographs of which a sample is made."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from registry.services.days import sequence_day
from registry.services.running import running
from registry.settings import Settings
from tests.fingerprints import photographs
from tests.support.clocks import HandClock
from tests.support.registering import Harness


@pytest.fixture
def settings(sqlite_url, tmp_path):
    return Settings(
        origin="registry.example/test",
        data_dir=tmp_path / "data",
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
        registration_limit="100000/minute",
        challenge_limit="100000/minute",
        follow_seconds=0.05,
    )


@pytest.fixture
async def harness(settings):
    clock = HandClock()
    async with running(settings, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An edited copy of the astronaut, three other photographs and a damaged one."""
    made = tmp_path / "sample"
    made.mkdir()
    with Image.open(photographs.path(*photographs.ASTRONAUT)) as opened:
        opened.convert("RGB").crop((30, 20, 500, 470)).save(made / "edited.jpg", quality=70)
    shutil.copy(photographs.path(*photographs.ROCKET), made / "rocket.jpg")
    shutil.copy(photographs.path(*photographs.CAT), made / "cat.png")
    shutil.copy(photographs.path(*photographs.COFFEE), made / "coffee.png")
    (made / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    return made
