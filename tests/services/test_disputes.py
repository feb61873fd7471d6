"""Disputes: found by the picture alone, decided in public, and shown to the record's owner."""

from hashlib import sha256

import pytest

from consent_client.protocol.log import (
    Dispute,
    DisputeOutcome,
    DisputeReason,
    Erase,
    EraseReason,
    decode_entry,
)
from registry.errors import Conflict, InvalidInput
from registry.services import disputes
from registry.services.disputes import OwnDispute, Refusal, decide, find, reference, refusals
from registry.store import entries
from registry.store.tables import RecordStatus
from tests.services.test_became import later, read, told
from tests.services.test_contest import SPACES, Alike, Session
from tests.support.people import CONSENT, Picture

CAT, DOG, OWL = Picture(1), Picture(2), Picture(3)
STANDS, MISTAKEN, ERASED = DisputeOutcome
ADDRESS = sha256(b"https://example.org/cat.jpg").digest()


class Addressed(Picture):
    """A picture that was found at an address."""

    def one(self, space_id):
        return ADDRESS if space_id == "url-1" else super().one(space_id)


def fingerprints(picture):
    return {name: (picture.one(name),) for name in SPACES}


async def found(harness, session, picture):
    async with harness.registry.store.read() as connection:
        return await find(
            connection, harness.registry.block_secret, session.row, fingerprints(picture)
        )


async def decided(harness, disputed, index, outcome, reason):
    registry = harness.registry
    return await decide(registry.store, registry.block_secret, disputed, index, outcome, reason)


async def logged(harness, index, count=1):
    async with harness.registry.store.read() as connection:
        return [decode_entry(data) for data in await entries.read_data(connection, index, count)]


@pytest.fixture
async def disputed(harness):
    """An image that only resembles the cat, disputed."""
    owner, _, done = await harness.protect(CAT)
    await harness.protect(CAT, CONSENT)
    session = await Session.opened(harness)
    image = Alike(11, CAT, 0.8)
    await session.ask(0, [OWL, DOG])
    await session.ask(1, [OWL, image, CAT])
    await session.close()
    return owner, done, session, image


async def test_an_image_is_found_by_its_fingerprints_alone(harness, disputed):
    _, done, session, image = disputed
    place = await found(harness, session, image)
    assert (place.block, place.row) == (1, 1)
    state = await harness.registry.follower.answerable()
    assert refusals(state, place) == (Refusal(done.register_index, ("sscd-1",)),)
    same = await found(harness, session, CAT)
    assert (same.block, same.row) == (1, 2)
    assert refusals(state, same) == (Refusal(done.register_index, ("pdq-1", "sha256", "sscd-1")),)


@pytest.mark.parametrize("picture", [OWL, DOG, Picture(9)], ids=["kept", "kept too", "foreign"])
async def test_what_was_not_excluded_can_not_be_disputed(harness, disputed, picture):
    with pytest.raises(InvalidInput, match="excluded"):
        await found(harness, disputed[2], picture)


async def test_another_session_does_not_know_it(harness, disputed):
    other = await Session.opened(harness, name="another lab")
    await other.ask(0, [CAT])
    with pytest.raises(InvalidInput):
        await found(harness, other, disputed[3])


async def test_a_decision_is_logged_and_its_owner_sees_it(harness, disputed):
    owner, done, session, image = disputed
    place = await found(harness, session, image)
    index = await decided(harness, place, done.register_index, STANDS, DisputeReason.SAME_IMAGE)
    (entry,) = await logged(harness, index)
    assert entry == Dispute(
        done.register_index,
        reference(harness.registry.block_secret, place, done.register_index),
        STANDS,
        DisputeReason.SAME_IMAGE,
    )
    record = await read(harness, owner)
    assert record.disputes == (OwnDispute(index, STANDS, DisputeReason.SAME_IMAGE),)
    assert record.status is RecordStatus.ACTIVE
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [2]
    other, _, _ = await harness.protect(DOG)
    assert (await read(harness, other)).disputes == ()


async def test_the_same_decision_is_logged_once_and_another_is_refused(harness, disputed):
    _, done, session, image = disputed
    place = await found(harness, session, image)
    why = (place, done.register_index, MISTAKEN, DisputeReason.ANOTHER_IMAGE)
    index = await decided(harness, *why)
    assert await decided(harness, *why) == index
    with pytest.raises(Conflict, match="before"):
        await decided(harness, place, done.register_index, STANDS, DisputeReason.UNDECIDED)
    elsewhere = await found(harness, session, CAT)
    assert (
        await decided(harness, elsewhere, done.register_index, STANDS, DisputeReason.SAME_IMAGE)
        > index
    )


async def test_what_was_mistaken_no_longer_counts(harness, disputed):
    owner, done, session, image = disputed
    place = await found(harness, session, image)
    for _ in range(2):
        await decided(harness, place, done.register_index, MISTAKEN, DisputeReason.ANOTHER_IMAGE)
    later(harness)
    assert [each.images for each in await told(harness, owner)] == [1]


async def test_a_record_that_was_not_its_owners_to_state_ends_in_public(harness, disputed):
    owner, done, session, image = disputed
    place = await found(harness, session, image)
    index = await decided(
        harness, place, done.register_index, ERASED, DisputeReason.FALSE_STATEMENT
    )
    entry, erase = await logged(harness, index, 2)
    assert entry.outcome is ERASED
    assert erase == Erase(done.register_index, EraseReason.FALSE_STATEMENT)
    record = await read(harness, owner)
    assert record.status is RecordStatus.ERASED
    assert record.exclusions == ()
    assert [each.outcome for each in record.disputes] == [ERASED]
    state = await harness.registry.follower.answerable()
    assert refusals(state, place) == ()
    with pytest.raises(Conflict, match="ended"):
        await decided(
            harness,
            await found(harness, session, CAT),
            done.register_index,
            STANDS,
            DisputeReason.SAME_IMAGE,
        )


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (STANDS, DisputeReason.ANOTHER_IMAGE),
        (STANDS, DisputeReason.FALSE_STATEMENT),
        (MISTAKEN, DisputeReason.SAME_IMAGE),
        (ERASED, DisputeReason.UNDECIDED),
    ],
)
async def test_a_reason_has_to_fit(harness, disputed, outcome, reason):
    _, done, session, image = disputed
    place = await found(harness, session, image)
    before = harness.registry.follower.state.log_size
    with pytest.raises(InvalidInput, match="reasons"):
        await decided(harness, place, done.register_index, outcome, reason)
    await harness.registry.follower.catch_up()
    assert harness.registry.follower.state.log_size == before


async def test_a_record_that_is_none_is_refused(harness, disputed):
    _, _, session, image = disputed
    place = await found(harness, session, image)
    with pytest.raises(InvalidInput, match="register"):
        await decided(harness, place, 0, STANDS, DisputeReason.UNDECIDED)


async def test_the_log_does_not_tell_which_image_it_was_about(harness, disputed):
    """Whoever has the picture, its session and its place can not make the reference."""
    _, done, session, image = disputed
    place = await found(harness, session, image)
    index = await decided(harness, place, done.register_index, STANDS, DisputeReason.UNDECIDED)
    (entry,) = await logged(harness, index)
    guesses = [session.row.id, image.one("sha256"), sha256(session.row.id).digest()]
    for key in (bytes(32), *guesses):
        assert reference(key, place, done.register_index) != entry.reference
    data = entry.encode()
    assert session.row.id not in data
    assert all(image.one(name)[:8] not in data for name in SPACES)
    again = reference(harness.registry.block_secret, place, done.register_index + 1)
    assert again != entry.reference


async def test_what_was_screened_with_an_address_needs_it(harness):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    await session.ask(0, [Addressed(1)], *SPACES, "url-1")
    with pytest.raises(InvalidInput, match="address"):
        await found(harness, session, CAT)
    async with harness.registry.store.read() as connection:
        place = await find(
            connection,
            harness.registry.block_secret,
            session.row,
            {**fingerprints(CAT), "url-1": (ADDRESS,)},
        )
    assert place.row == 0


def test_columns_of_people_have_counts():
    (column,) = disputes.columns_of_one({"face-1": ()}, ["face-1"])
    assert column.present.tolist() == [True]
    (column,) = disputes.columns_of_one({}, ["face-1"])
    assert column.present.tolist() == [False]
