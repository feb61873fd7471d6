"""Registering what would exclude much at once. Each attack works where there is no bank.

The world here has kinds of pictures, each as alike as pages of text are; the bank holds some of
every kind, and the victims are others of them.
"""

import re

import numpy as np
import pytest

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.verdicts import Verdict
from registry.errors import TooGeneric
from registry.matching.specificity import NO_PICTURES, Bank, Breadth
from registry.services.days import sequence_day
from registry.services.running import running
from registry.settings import Settings
from tests.support.clocks import HandClock
from tests.support.people import Picture
from tests.support.registering import Harness

KINDS = 4
ALIKE = 0.35
"""Of two pictures of one kind: most do not match each other."""


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def world(seed):
    """float32[KINDS, 40, 512]: pictures of each kind."""
    kinds = unit(np.random.default_rng(0).standard_normal((KINDS, 1, 512)))
    own = unit(np.random.default_rng(seed).standard_normal((KINDS, 40, 512)))
    return unit(np.sqrt(ALIKE) * kinds + np.sqrt(1 - ALIKE) * own).astype(np.float32)


KNOWN, VICTIMS = world(1), world(2)
BANK = Bank(
    1,
    {"sscd-1": KNOWN.reshape(-1, 512)},
    {"pdq-1": np.packbits(np.arange(256) < np.arange(30)[:, None], axis=1)},
    Breadth(similarity=0.50, radius=31, most=20),
)


class Drawn(Picture):
    """A picture whose sscd is given."""

    def __init__(self, seed, vector):
        super().__init__(seed)
        object.__setattr__(self, "vector", vector)

    @property
    def sscd(self):
        return encode_float(self.vector)


@pytest.fixture(params=["defended", "without a bank"])
async def harness(request, sqlite_url, tmp_path):
    settings = Settings(
        origin="registry.example/test",
        data_dir=tmp_path / "data",
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
        registration_limit="100000/minute",
        challenge_limit="100000/minute",
        follow_seconds=0.05,
    )
    clock = HandClock()
    bank = BANK if request.param == "defended" else NO_PICTURES
    async with running(settings, clock, bank) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


def defended(harness):
    return harness.registry.bank is BANK


async def excluded(harness, vectors):
    """How many of these pictures are excluded."""
    pictures = [Drawn(100 + i, vector) for i, vector in enumerate(vectors)]
    verdicts = await harness.verdicts(pictures, "sscd-1")
    return verdicts.count(Verdict.EXCLUDE)


async def attempted(harness, vectors, pdq=None):
    """Registers each vector as a picture of its own; how many were taken."""
    taken = 0
    for number, vector in enumerate(vectors):
        fingerprints = {"sscd-1": (encode_float(vector),)}
        if pdq is not None:
            fingerprints["pdq-1"] = (pdq,)
        _, request = harness.request(Picture(number), fingerprints=fingerprints)
        try:
            await harness.send(request)
        except TooGeneric:
            continue
        taken += 1
    return taken


async def test_the_middle_of_a_kind_does_not_exclude_the_kind(harness):
    """One record that comes near hundreds of other people's pictures."""
    middles = unit(VICTIMS.mean(axis=1))
    taken = await attempted(harness, middles)
    hit = await excluded(harness, VICTIMS.reshape(-1, 512))
    if defended(harness):
        assert (taken, hit) == (0, 0)
    else:
        assert taken == KINDS
        assert hit > 0.9 * VICTIMS.shape[0] * VICTIMS.shape[1]


async def test_the_middle_of_a_few_does_not_exclude_them(harness):
    """Small enough a group not to be refused: it is held to its distance from the bank."""
    groups = unit(VICTIMS[:, :3].mean(axis=1))
    assert await attempted(harness, groups) == KINDS
    hit = await excluded(harness, VICTIMS[:, :3].reshape(-1, 512))
    if defended(harness):
        assert hit == 0
    else:
        assert hit == KINDS * 3


async def test_a_flood_of_the_generic_leaves_nothing_and_nothing_is_told_of_it(harness, capsys):
    await harness.registry.follower.catch_up()
    size = harness.registry.follower.log_size
    random = np.random.default_rng(5)
    middle = unit(VICTIMS.mean(axis=1))[0]
    near = unit(middle + 0.2 * unit(random.standard_normal((25, 512)))).astype(np.float32)
    taken = await attempted(harness, near)
    await harness.registry.follower.catch_up()
    assert taken == (0 if defended(harness) else 25)
    assert harness.registry.follower.log_size - size == taken
    assert harness.registry.follower.state.active_records == taken
    assert not re.search(r"0\.\d{2}", capsys.readouterr().out)  # no likeness in any log line


async def test_a_plain_hash_does_not_exclude_what_is_plain(harness):
    plain = np.packbits(np.arange(256) < 12).tobytes()
    unrelated = unit(np.random.default_rng(8).standard_normal((1, 512))).astype(np.float32)
    taken = await attempted(harness, unrelated, pdq=plain)
    assert taken == (0 if defended(harness) else 1)


async def test_real_pictures_of_a_kind_are_taken_and_found(harness):
    """The defence is not bought with people's own pictures."""
    own = VICTIMS[:, 0]
    assert await attempted(harness, own) == KINDS
    assert await excluded(harness, own) == KINDS
    copies = unit(own + 0.3 * unit(np.random.default_rng(6).standard_normal(own.shape)))
    assert await excluded(harness, copies.astype(np.float32)) == KINDS
