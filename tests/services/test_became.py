"""What became of an opt-out: counted exactly, told late, to its owner and nobody else."""

import dataclasses
import json

import numpy as np
import pytest
from sqlalchemy import text

from consent_client.protocol.certificates import certify_digest
from consent_client.protocol.manifests import BLOCK_ROWS
from consent_client.protocol.records import read_message
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import Held, NotYours
from registry.matching.policies import STANDS_FROM
from registry.services import became
from registry.services.became import changed_by_contest, images_of
from registry.services.certification import certify
from registry.services.days import sequence_day
from registry.services.own_record import ReadRequest, read_own_record
from registry.services.running import running
from registry.services.shredding import shred_ended
from tests.services.test_committed import images
from tests.services.test_contest import SPACES, Alike, Session, contest_of, crops_of
from tests.support.committing import Committed
from tests.support.people import CONSENT, Person, Picture
from tests.support.registering import Harness

CAT, DOG, OWL = Picture(1), Picture(2), Picture(3)
DAYS = 7


async def read(harness, owner, signed_by=None):
    nonce = harness.registry.challenges.issue(owner.record_id).nonce
    signature = (signed_by or owner).sign(read_message(harness.origin, owner.record_id, nonce))
    request = ReadRequest(owner.record_id, owner.public, nonce, signature)
    return await read_own_record(harness.registry, request, "here")


async def told(harness, owner):
    return (await read(harness, owner)).exclusions


def later(harness, days=DAYS):
    harness.clock.advance(days=days)


async def test_a_session_is_told_of_with_how_many_images_it_left_out(harness):
    owner, _, _ = await harness.protect(CAT)
    other, _, _ = await harness.protect(DOG)
    session = await Session.opened(harness)
    await session.ask(0, [CAT, OWL, Alike(11, CAT, 0.8), CAT])
    await session.ask(1, [OWL, CAT])
    day = harness.clock.day
    await session.close()
    later(harness)
    (found,) = await told(harness, owner)
    assert found == became.Exclusion(
        dataset="a set",
        organisation="Example Lab",
        use=Use.AI_TRAINING,
        day=day,
        images=4,
        session_index=None,
        certificate=None,
    )
    assert await told(harness, other) == ()


async def test_an_image_that_matches_in_many_spaces_counts_once(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [CAT], *SPACES)
    await session.close()
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [1]


async def test_a_block_sent_again_counts_once(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    for _ in range(3):
        assert await session.ask(0, [CAT]) == [Verdict.EXCLUDE]
    await session.close()
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [1]


async def test_who_allows_excludes_nothing(harness):
    allows, _, _ = await harness.protect(CAT, CONSENT)
    refuses, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    assert await session.ask(0, [CAT]) == [Verdict.EXCLUDE]
    await session.close()
    later(harness)
    assert await told(harness, allows) == ()
    assert [each.images for each in await told(harness, refuses)] == [1]


async def test_nothing_is_told_before_the_days_have_passed(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [CAT])
    later(harness, DAYS - 1)
    assert await told(harness, owner) == ()
    await session.close()  # and from now on it counts
    later(harness, DAYS - 1)
    assert await told(harness, owner) == ()
    later(harness, 1)
    assert len(await told(harness, owner)) == 1


async def test_an_open_session_is_told_of_when_it_has_been_quiet_so_long(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [CAT])
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [1]


async def test_a_contest_that_overturns_takes_the_image_back(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [CAT, Alike(11, CAT, 0.52), Alike(12, CAT, 0.52)]
    assert await session.ask(0, pictures) == [Verdict.EXCLUDE] * 3
    crops = [crops_of(CAT, STANDS_FROM - 0.1), crops_of(CAT, STANDS_FROM + 0.02, seed=70)]
    contested = contest_of(0, pictures, [1, 2], crops)
    for _ in range(2):  # sent again it is the same
        assert await session.contest(contested) == [Verdict.CLEAR, Verdict.EXCLUDE]
    await session.close()
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [2]


async def test_a_session_whose_only_image_was_overturned_is_not_told_of(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.52)]
    await session.ask(0, pictures)
    await session.contest(contest_of(0, pictures, [0], [crops_of(CAT)]))
    await session.close()
    later(harness)
    assert await told(harness, owner) == ()


async def test_who_registered_after_the_block_counts_from_the_contest_on(harness):
    first, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.52)]
    await session.ask(0, pictures)
    second, _, _ = await harness.protect(CAT)
    await harness.registry.follower.catch_up()
    crops = [crops_of(CAT, STANDS_FROM + 0.02)]
    assert await session.contest(contest_of(0, pictures, [0], crops)) == [Verdict.EXCLUDE]
    await session.close()
    later(harness)
    for owner in (first, second):
        assert [each.images for each in await told(harness, owner)] == [1]


async def test_nobody_else_is_told(harness):
    owner, _, _ = await harness.protect(CAT)
    stranger, _, _ = await harness.protect(DOG)
    session = await Session.opened(harness)
    await session.ask(0, [CAT])
    await session.close()
    later(harness)
    with pytest.raises(NotYours):
        await read(harness, owner, signed_by=stranger)
    assert await told(harness, stranger) == ()


async def test_a_record_that_has_ended_is_told_nothing_and_nothing_is_kept(harness):
    owner, request, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [CAT])
    await session.close()
    later(harness)
    await harness.withdraw(owner, request.commitment)
    assert await told(harness, owner) == ()
    assert await _rows(harness) == 1
    await harness.registry.publisher.publish()
    await shred_ended(harness.registry.store, harness.registry.publisher.size)
    assert await _rows(harness) == 0


async def test_a_session_that_was_refused_to_be_answered_leaves_nothing(settings, clock):
    small = settings.model_copy(update={"budget": 2})
    async with running(small, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        harness = Harness(registry, clock)
        await harness.protect(CAT)
        session = await Session.opened(harness)
        with pytest.raises(Held):
            await session.ask(0, [Alike(20 + n, CAT, 0.9) for n in range(5)])
        assert await _rows(harness) == 0


async def test_a_committed_session_is_told_of_with_its_entry_and_its_certificate(harness):
    owner, _, _ = await harness.protect(CAT)
    made = Committed(harness, images(BLOCK_ROWS))
    await made.open()
    await made.ask_all()
    closing = await made.close()
    later(harness)
    (before,) = await told(harness, owner)
    assert before.session_index == closing.logged.session_index
    assert before.certificate is None
    certificate = made.certificate(closing)
    index = await certify(harness.registry, made.builder, made.screening.id, certificate)
    (after,) = await told(harness, owner)
    assert after.certificate == became.Certified(index, certify_digest(certificate))


async def test_an_operator_may_tell_nothing_and_terms_say_which(settings, clock):
    for tells in (False, True):
        chosen = settings.model_copy(update={"tell_exclusions": tells, "told_after_days": 0})
        async with running(chosen, clock) as registry:
            await sequence_day(registry.store, registry.follower, clock)
            harness = Harness(registry, clock, Person())
            owner, _, _ = await harness.protect(CAT)
            session = await Session.opened(harness, name=f"lab {tells}")
            assert json.loads(session.row.terms).get("told") == (
                {"afterDays": 0} if tells else None
            )
            await session.ask(0, [CAT])
            await session.close()
            assert len(await told(harness, owner)) == tells


async def test_nothing_else_of_the_set_is_in_what_is_told(harness):
    owner, _, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [OWL, CAT, DOG])
    await session.close()
    later(harness)
    (found,) = await told(harness, owner)
    names = {field.name for field in dataclasses.fields(found)}
    assert names == {
        "dataset", "organisation", "use", "day", "images", "session_index", "certificate",
    }  # fmt: skip
    shown = repr(found)
    assert session.row.id.hex() not in shown


def test_what_a_contest_changes_is_counted_by_row():
    refused = np.array([[0, 5], [1, 5], [1, 6], [2, 5], [2, 9]])
    stands = np.array([[1, 6], [2, 5], [2, 9]])
    more, fewer = changed_by_contest(refused, stands, 8)
    assert more == {9: 1}
    assert fewer == {5: 2}
    nothing = np.empty((0, 2), np.int64)
    assert changed_by_contest(nothing, nothing, 8) == ({}, {})
    assert images_of(nothing) == {}


async def _rows(harness):
    async with harness.registry.store.read() as connection:
        return await connection.scalar(text("SELECT count(*) FROM exclusion"))
