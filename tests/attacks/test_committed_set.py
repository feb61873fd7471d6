"""A hundred thousand images with a thousand copies of one record, committed and not."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import Held
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.running import running
from registry.services.sessions import Opening
from registry.settings import Settings
from tests.support.clocks import HandClock
from tests.support.committing import Committed
from tests.support.people import Picture
from tests.support.registering import Harness

CAT = Picture(1)
IMAGES = 100_000
COPIES = 1_000


def copies(count):
    """Files that differ, with hashes a bit or two from the picture's."""
    hashed = np.frombuffer(CAT.pdq, np.uint8)
    for number in range(count):
        near = hashed.copy()
        near[number % 32] ^= 1 << (number // 32 % 8)
        near[(number // 256) % 32] ^= 1 << 7
        yield {"sha256": sha256(b"copy %d" % number).digest(), "pdq-1": near.tobytes()}


@pytest.fixture
async def harness(sqlite_url, tmp_path):
    settings = Settings(
        origin="registry.example/test",
        data_dir=tmp_path,
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
        batch_seconds=0,
    )
    clock = HandClock()
    async with running(settings, clock) as registry:
        yield Harness(registry, clock)


async def test_a_committed_set_with_a_thousand_copies_of_one_record_completes(harness):
    await harness.protect(CAT)
    others = ({"sha256": sha256(b"other %d" % n).digest()} for n in range(IMAGES - COPIES))
    made = Committed(harness, [*copies(COPIES), *others])
    await made.open()
    await made.ask_all()
    closing = await made.close()
    assert closing.verdicts == {
        Verdict.CLEAR: IMAGES - COPIES,
        Verdict.EXCLUDE: COPIES,
        Verdict.PERMIT: 0,
        Verdict.UNKNOWN: 0,
    }


async def test_without_a_commitment_so_many_copies_wait_for_the_operator(harness):
    """The control: the same copies, asked for as anybody might who tries images out."""
    await harness.protect(CAT)
    builder = await harness.builder()
    opening = Opening("a set", Use.AI_TRAINING, (), COPIES)
    row, _ = await sessions.open_screening(harness.registry, builder, opening)
    present = np.ones(COPIES, np.bool_)
    data = b"".join(image["pdq-1"] for image in copies(COPIES))
    block = Block(0, (Column("pdq-1", present, data),))
    with pytest.raises(Held):
        await screening.screen(harness.registry, builder, row.id, block)


async def test_the_committed_budget_ends_too(harness):
    harness.registry = replace(
        harness.registry,
        settings=harness.registry.settings.model_copy(update={"committed_budget": 100}),
    )
    await harness.protect(CAT)
    made = Committed(harness, list(copies(200)))
    await made.open()
    with pytest.raises(Held):
        await made.ask_all()
