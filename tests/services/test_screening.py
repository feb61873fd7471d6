"""Screening: one verdict a row, one log size a block, the same answer for the same block."""

import asyncio
from dataclasses import replace

import pytest

from consent_client.errors import Malformed
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Basis, Stance, Statement, Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import (
    Conflict,
    Held,
    InvalidInput,
    NotReady,
    ScreeningClosed,
    UnknownScreening,
)
from registry.services import screening, sessions
from registry.services.admission import BuilderQuota
from registry.services.blocks import Block
from registry.services.sessions import Opening
from registry.store import log_state
from tests.support.people import CONSENT, Picture, columns

CAT, DOG, OWL = Picture(1), Picture(2), Picture(3)


async def opened(harness, builder, count=10, required=(), use=Use.AI_TRAINING):
    row, _ = await sessions.open_screening(
        harness.registry, builder, Opening("a set", use, tuple(required), count)
    )
    return row.id


async def ask(harness, builder, screening_id, number, pictures, *spaces):
    block = Block(number, columns(pictures, *spaces))
    return await screening.screen(harness.registry, builder, screening_id, block)


async def test_one_verdict_a_row_in_order(harness):
    await harness.protect(CAT)
    await harness.protect(OWL, CONSENT)
    assert await harness.verdicts([DOG, CAT, OWL, DOG]) == [
        Verdict.CLEAR,
        Verdict.EXCLUDE,
        Verdict.PERMIT,
        Verdict.CLEAR,
    ]


async def test_each_use_has_its_own_answer(harness):
    said = Statement.of(
        {Use.AI_TRAINING: Stance.ALLOWED, Use.AI_GENERATIVE_TRAINING: Stance.NOT_ALLOWED},
        Basis.RIGHTSHOLDER,
    )
    await harness.protect(CAT, said)
    answers = {use: (await harness.verdicts([CAT], use=use))[0] for use in Use}
    assert answers == {
        Use.DATA_MINING: Verdict.CLEAR,
        Use.AI_INFERENCE: Verdict.CLEAR,
        Use.AI_TRAINING: Verdict.PERMIT,
        Use.AI_GENERATIVE_TRAINING: Verdict.EXCLUDE,
    }


async def test_what_could_not_be_checked_is_unknown_never_clear(harness):
    await harness.protect(CAT)
    assert await harness.verdicts([None, CAT, DOG], "sha256", required=["sha256"]) == [
        Verdict.UNKNOWN,
        Verdict.EXCLUDE,
        Verdict.CLEAR,
    ]
    # A required space that was not sent at all: unknown, unless another space excludes.
    assert await harness.verdicts([DOG, CAT], "sha256", required=["sscd-1"]) == [
        Verdict.UNKNOWN,
        Verdict.EXCLUDE,
    ]


async def test_a_mirrored_fingerprint_of_a_record_matches_too(harness):
    mirrored = {"pdq-1": (CAT.pdq, OWL.pdq)}
    _, request = harness.request(CAT, fingerprints=mirrored)
    await harness.send(request)
    assert await harness.verdicts([OWL, DOG], "pdq-1") == [Verdict.EXCLUDE, Verdict.CLEAR]


async def test_the_same_block_again_gets_the_same_answer_whatever_happened_since(harness):
    builder = await harness.builder()
    session = await opened(harness, builder)
    first = await ask(harness, builder, session, 0, [CAT, DOG])
    await harness.protect(DOG)
    await harness.registry.follower.catch_up()
    assert await ask(harness, builder, session, 0, [CAT, DOG]) == first
    later = await ask(harness, builder, session, 1, [CAT, DOG])
    assert later.log_size > first.log_size
    assert list(later.verdicts) == [Verdict.CLEAR, Verdict.EXCLUDE]


async def test_another_block_under_the_same_number_is_a_conflict(harness):
    builder = await harness.builder()
    session = await opened(harness, builder)
    await ask(harness, builder, session, 0, [CAT, DOG])
    for other in ([CAT, OWL], [CAT], [DOG, CAT], [CAT, None]):
        with pytest.raises(Conflict):
            await ask(harness, builder, session, 0, other)
    with pytest.raises(Conflict):
        await ask(harness, builder, session, 0, [CAT, DOG], "sha256")


async def test_the_same_block_many_times_at_once_is_answered_and_counted_once(harness):
    builder = await harness.builder()
    session = await opened(harness, builder, count=2)
    answers = await asyncio.gather(
        *(ask(harness, builder, session, 0, [CAT, DOG]) for _ in range(8))
    )
    assert len({(answer.verdicts, answer.log_size) for answer in answers}) == 1
    closing = await sessions.close_screening(harness.registry, builder, session)
    assert closing.answered == 2
    assert closing.complete


async def test_no_more_images_than_announced(harness):
    builder = await harness.builder()
    session = await opened(harness, builder, count=3)
    await ask(harness, builder, session, 0, [CAT, DOG])
    with pytest.raises(InvalidInput):
        await ask(harness, builder, session, 1, [CAT, DOG])
    await ask(harness, builder, session, 1, [CAT])


async def test_a_session_is_its_builders_alone(harness):
    builder, stranger = await harness.builder("one"), await harness.builder("two")
    session = await opened(harness, builder)
    for who, which in ((stranger, session), (builder, bytes(16)), (builder, b"")):
        with pytest.raises(UnknownScreening):
            await ask(harness, who, which, 0, [CAT])
        with pytest.raises(UnknownScreening):
            await sessions.close_screening(harness.registry, who, which)


async def test_a_closed_session_answers_only_what_it_answered(harness):
    builder = await harness.builder()
    await harness.protect(CAT)
    await harness.registry.follower.catch_up()
    session = await opened(harness, builder, count=4, required=["sha256"])
    first = await ask(harness, builder, session, 0, [CAT, DOG, None], "sha256", "pdq-1")
    closing = await sessions.close_screening(harness.registry, builder, session)
    assert closing.verdicts == {
        Verdict.CLEAR: 1,
        Verdict.EXCLUDE: 1,
        Verdict.PERMIT: 0,
        Verdict.UNKNOWN: 1,
    }
    assert closing.present == {"pdq-1": 2, "sha256": 2}
    assert (closing.answered, closing.candidate_count, closing.complete) == (3, 4, False)
    assert closing.least_log_size == closing.greatest_log_size == first.log_size
    assert await sessions.close_screening(harness.registry, builder, session) == closing
    assert await ask(harness, builder, session, 0, [CAT, DOG, None], "sha256", "pdq-1") == first
    with pytest.raises(ScreeningClosed):
        await ask(harness, builder, session, 1, [CAT])


async def test_the_quota_counts_images_and_a_block_sent_again_is_free(harness):
    builder = replace(await harness.builder(), daily_items=5)
    session = await opened(harness, builder, count=100)
    await ask(harness, builder, session, 0, [CAT, DOG, OWL])
    await ask(harness, builder, session, 0, [CAT, DOG, OWL])
    with pytest.raises(Held) as caught:
        await ask(harness, builder, session, 1, [CAT, DOG, OWL])
    assert caught.value.retry_after >= 1
    await ask(harness, builder, session, 1, [CAT, DOG])


def test_quotas_of_builders_are_apart():
    quota = BuilderQuota(10)
    quota.count(1, None, 10)
    with pytest.raises(Held), quota.reserve(1, None, 1):
        pass
    with quota.reserve(2, None, 10):
        pass


def test_what_is_reserved_is_no_longer_free_until_it_is_let_go():
    quota = BuilderQuota(10)
    with quota.reserve(1, None, 10), pytest.raises(Held), quota.reserve(1, None, 1):
        pass
    with quota.reserve(1, None, 10):
        pass


@pytest.mark.parametrize(
    ("space", "data"),
    [
        ("sscd-1", b"\x00\x7e" * 512),  # NaN
        ("sscd-1", b"\x00\x7c" + bytes(1022)),  # infinity
        ("sscd-1", bytes(1024)),  # norm 0
        ("sscd-1", b"\x00\x3c" * 512),  # norm 22.6
    ],
)
async def test_vectors_that_are_no_unit_vectors_are_refused_and_nothing_is_stored(
    harness, space, data
):
    builder = await harness.builder()
    session = await opened(harness, builder)
    column = Column(space, columns([CAT])[0].present, data)
    with pytest.raises(InvalidInput):
        await screening.screen(harness.registry, builder, session, Block(0, (column,)))
    closing = await sessions.close_screening(harness.registry, builder, session)
    assert closing.answered == 0


def test_a_block_checks_itself():
    one, two = columns([CAT], "sha256"), columns([CAT, DOG], "pdq-1")
    for number, cols in ((0, ()), (-1, one), (0, one + one), (0, one + two)):
        with pytest.raises(Malformed):
            Block(number, cols)


@pytest.mark.parametrize(
    ("dataset", "required", "count"),
    [
        ("", (), 1),
        ("  ", (), 1),
        ("x" * 201, (), 1),
        ("a", ("sha256", "sha256"), 1),
        ("a", ("clip",), 1),
        ("a", (), 0),
        ("a", (), 10**12),
    ],
)
async def test_a_screening_is_opened_for_something_sensible(harness, dataset, required, count):
    builder = await harness.builder()
    with pytest.raises(InvalidInput):
        await sessions.open_screening(
            harness.registry, builder, Opening(dataset, Use.AI_TRAINING, tuple(required), count)
        )


async def test_what_was_acknowledged_before_a_block_came_counts_in_it(harness):
    builder = await harness.builder()
    session = await opened(harness, builder)
    for number in range(5):
        picture = Picture(500 + number)
        owner, request, _ = await harness.protect(picture)
        answer = await ask(harness, builder, session, 2 * number, [picture])
        assert list(answer.verdicts) == [Verdict.EXCLUDE]
        await harness.withdraw(owner, request.commitment)
        answer = await ask(harness, builder, session, 2 * number + 1, [picture])
        assert list(answer.verdicts) == [Verdict.CLEAR]


async def test_nobody_answers_below_the_shred_watermark(harness, monkeypatch):
    monkeypatch.setattr("registry.services.following.PATIENCE_SECONDS", 0.1)
    builder = await harness.builder()
    session = await opened(harness, builder)

    async def above(_connection):
        return harness.registry.follower.log_size + 1

    monkeypatch.setattr(log_state, "shred_watermark", above)
    with pytest.raises(NotReady):
        await ask(harness, builder, session, 0, [CAT])
