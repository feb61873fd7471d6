"""The budget of positives: what is counted, what holds a builder, and what releases it."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import Held, InvalidInput
from registry.services import budget, operating, screening, sessions
from registry.services.blocks import Block
from registry.services.running import running
from registry.services.sessions import Opening
from registry.services.shredding import shred_ended
from registry.store import budgets
from registry.store.tables import POSITIVE, SCREENING_BLOCK, Rate
from tests.support.people import Picture, columns
from tests.support.registering import Harness

CAT, DOG = Picture(1), Picture(2)
SMALL = 4


@pytest.fixture
async def harness(settings, clock):
    small = settings.model_copy(update={"budget": SMALL, "border_budget": SMALL})
    async with running(small, clock) as registry:
        yield Harness(registry, clock)


def near(picture, seed):
    """Another image that is much like a picture in sscd-1."""
    axis = np.frombuffer(picture.sscd, "<f2").astype(np.float64)
    made = axis + 0.02 * np.random.default_rng(seed).standard_normal(axis.size)
    return encode_float((made / np.linalg.norm(made)).astype(np.float32))


def resembling(picture, similarity, seed):
    """A vector whose cosine with a picture's is as given."""
    axis = np.frombuffer(picture.sscd, "<f2").astype(np.float64)
    axis /= np.linalg.norm(axis)
    other = np.random.default_rng([seed, 7]).standard_normal(axis.size)
    other -= (other @ axis) * axis
    other /= np.linalg.norm(other)
    return encode_float((similarity * axis + np.sqrt(1 - similarity**2) * other).astype(np.float32))


def block(number, vectors):
    return Block(number, (Column("sscd-1", np.ones(len(vectors), np.bool_), b"".join(vectors)),))


async def session(harness, builder):
    await harness.registry.follower.catch_up()
    opening = Opening("a set", Use.AI_TRAINING, (), 1_000)
    row, _ = await sessions.open_screening(harness.registry, builder, opening)
    return row.id


async def ask(harness, builder, screening_id, number, vectors):
    answer = await screening.screen(harness.registry, builder, screening_id, block(number, vectors))
    return [Verdict(byte) for byte in answer.verdicts]


async def rows(harness, table):
    async with harness.registry.store.read() as connection:
        return await connection.scalar(select(func.count()).select_from(table))


async def test_beyond_the_budget_nothing_new_is_answered_until_a_release(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    first = await session(harness, builder)
    within = [near(CAT, seed) for seed in range(SMALL)]
    assert await ask(harness, builder, first, 0, within) == [Verdict.EXCLUDE] * SMALL
    with pytest.raises(Held):
        await ask(harness, builder, first, 1, [near(CAT, 99), DOG.sscd])
    assert await rows(harness, POSITIVE) == SMALL
    assert await rows(harness, SCREENING_BLOCK) == 1
    with pytest.raises(Held):  # what matches nothing would tell by its answer what the hold was for
        await ask(harness, builder, first, 2, [DOG.sscd])
    with pytest.raises(Held):
        await session(harness, builder)
    assert await ask(harness, builder, first, 0, within) == [Verdict.EXCLUDE] * SMALL
    other = await harness.builder("another")
    assert await ask(harness, other, await session(harness, other), 0, [DOG.sscd]) == [
        Verdict.CLEAR
    ]
    settings = harness.registry.settings
    (hold,) = await operating.list_holds(settings, released=False)
    assert (hold.builder, hold.rate) == ("Example Lab", Rate.FREE)
    assert await operating.release_builder(settings, harness.clock, "Example Lab") == 1
    assert await operating.list_holds(settings, released=False) == []
    assert await ask(harness, builder, first, 1, [near(CAT, 99), DOG.sscd]) == [
        Verdict.EXCLUDE,
        Verdict.CLEAR,
    ]


async def test_the_same_candidate_costs_nothing_again(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    first, second = await session(harness, builder), await session(harness, builder)
    same = [near(CAT, 1)] * 50
    for number in range(3):
        await ask(harness, builder, first, number, same)
        await ask(harness, builder, second, number, same)
    assert await rows(harness, POSITIVE) == 1


async def test_equality_costs_nothing(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    first = await session(harness, builder)
    answer = await screening.screen(
        harness.registry, builder, first, Block(0, columns([CAT] * 20, "sha256"))
    )
    assert set(answer.verdicts) == {Verdict.EXCLUDE}
    assert await rows(harness, POSITIVE) == 0


def told(vectors, *, committed, space="sscd-1", border=False):
    pairs = {space: np.array([[row, 0] for row in range(len(vectors))])}
    found, none = (none_of(space), pairs) if border else (pairs, none_of(space))
    return budget.spending(b"k", block(0, vectors).columns, found, none, {}, committed=committed)


def none_of(space):
    return {space: np.empty((0, 2), np.int64)}


async def test_committed_sessions_have_a_budget_of_their_own_and_faces_never(harness):
    builder = await harness.builder()
    vectors = [near(CAT, seed) for seed in range(3)]
    settings = harness.registry.settings.model_copy(update={"budget": 2, "committed_budget": 3})
    async with harness.registry.store.write() as connection:
        await budget.spend(connection, settings, builder, told(vectors, committed=True))
        faces = told(vectors, committed=True, space="face-1")
        with pytest.raises(budget.Exceeded):
            await budget.spend(connection, settings, builder, faces)


async def test_what_comes_near_the_border_is_counted_on_either_side(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    asking = await session(harness, builder)
    beside = [resembling(CAT, 0.53, 1), resembling(CAT, 0.47, 2), resembling(CAT, 0.44, 3)]
    assert await ask(harness, builder, asking, 0, beside) == [
        Verdict.EXCLUDE,
        Verdict.CLEAR,
        Verdict.CLEAR,
    ]
    async with harness.registry.store.read() as connection:
        counted = await budgets.counted(connection, builder.id, range(10))
    assert [number for (rate, _), number in counted.items() if rate is Rate.BORDER] == [2]
    beside = [resembling(CAT, 0.47, seed) for seed in range(10, 10 + SMALL)]
    with pytest.raises(Held):
        await ask(harness, builder, asking, 1, beside)
    assert told(beside, committed=True, border=True).counts == {}


async def test_a_bit_more_or_less_is_counted_too(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    asking = await session(harness, builder)
    codes = []
    for flipped in (29, 30, 31, 32, 33, 34):
        bits = np.unpackbits(np.frombuffer(CAT.pdq, np.uint8))
        bits[:flipped] ^= 1
        codes.append(np.packbits(bits).tobytes())
    column = Column("pdq-1", np.ones(6, np.bool_), b"".join(codes))
    answer = await screening.screen(harness.registry, builder, asking, Block(0, (column,)))
    assert list(answer.verdicts) == [Verdict.EXCLUDE] * 3 + [Verdict.CLEAR] * 3
    async with harness.registry.store.read() as connection:
        counted = await budgets.counted(connection, builder.id, range(10))
    assert [number for (rate, _), number in counted.items() if rate is Rate.BORDER] == [4]


async def test_blocks_at_once_do_not_pass_the_budget_together(harness):
    await harness.protect(CAT)
    builder = await harness.builder()
    first = await session(harness, builder)
    answers = await asyncio.gather(
        *(
            ask(harness, builder, first, n, [near(CAT, 2 * n), near(CAT, 2 * n + 1)])
            for n in range(6)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, list) for answer in answers) == SMALL // 2
    assert all(isinstance(answer, list | Held) for answer in answers)
    assert await rows(harness, POSITIVE) == SMALL


async def test_all_that_hold_a_builder_are_told_alike(harness):
    await harness.protect(CAT)
    told = []
    for name in ("budget", "quota", "operator"):
        builder = await harness.builder(name)
        if name == "quota":
            builder = replace(builder, daily_items=0)
        asking = await session(harness, builder)
        if name == "operator":
            await operating.hold_builder(harness.registry.settings, harness.clock, name)
        with pytest.raises(Held) as caught:
            await ask(harness, builder, asking, 0, [near(CAT, seed) for seed in range(SMALL + 1)])
        told.append((str(caught.value), caught.value.code, caught.value.retry_after))
    assert len(set(told)) == 1


async def test_a_block_that_matches_too_much_is_held(harness, monkeypatch):
    monkeypatch.setattr(budget, "MAX_PAIRS", 3)
    await harness.protect(CAT)
    builder = await harness.builder()
    first = await session(harness, builder)
    with pytest.raises(Held):
        await ask(harness, builder, first, 0, [near(CAT, seed) for seed in range(4)])
    (hold,) = await operating.list_holds(harness.registry.settings, released=False)
    assert hold.register_index is None


async def test_what_was_counted_goes_with_the_record(harness):
    owner, request, _ = await harness.protect(CAT)
    builder = await harness.builder()
    await ask(harness, builder, await session(harness, builder), 0, [near(CAT, 1)])
    await harness.withdraw(owner, request.commitment)
    await harness.registry.publisher.publish()
    await shred_ended(harness.registry.store, harness.registry.publisher.size)
    assert await rows(harness, POSITIVE) == 0


async def test_who_is_no_builder_can_not_be_held(harness):
    settings = harness.registry.settings
    with pytest.raises(InvalidInput, match="no builder"):
        await operating.hold_builder(settings, harness.clock, "nobody")
    with pytest.raises(InvalidInput, match="no builder"):
        await operating.release_builder(settings, harness.clock, "nobody")


async def test_a_candidate_can_not_be_guessed_without_the_key(harness):
    vectors = [near(CAT, 1)]
    pairs = {"sscd-1": np.array([[0, 0]])}
    one, same, other = (
        budget.spending(secret, block(0, vectors).columns, pairs, {}, {}, committed=False)
        for secret in (b"a" * 32, b"a" * 32, b"b" * 32)
    )
    assert one == same
    assert one != other
    assert "candidate" not in budgets.HoldRow.__slots__  # operators do not see any
