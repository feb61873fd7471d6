"""Contests: what stands, what falls, and what is refused."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from consent_client.errors import ProtocolError
from consent_client.protocol.contests import CROPS, Contest, CropColumn
from consent_client.protocol.encoding import pack_bitmap
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import (
    Conflict,
    Held,
    InvalidInput,
    ScreeningClosed,
    UnknownScreening,
)
from registry.matching.policies import STANDS_FROM
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.contest import contest
from registry.services.contested import views_of
from registry.services.days import sequence_day
from registry.services.running import running
from registry.services.sessions import Opening
from registry.store import contests
from tests.support.people import CONSENT, Picture, columns
from tests.support.registering import Harness

CAT, DOG, OWL = Picture(1), Picture(2), Picture(3)
SPACES = ("pdq-1", "sha256", "sscd-1")


def sscd(vector):
    return encode_float((vector / np.linalg.norm(vector)).astype(np.float32))


def resembling(picture, similarity, seed):
    """A fingerprint in sscd-1 whose cosine with a picture's is as given."""
    axis = np.frombuffer(picture.sscd, "<f2").astype(np.float64)
    axis /= np.linalg.norm(axis)
    other = np.random.default_rng([seed, 7]).standard_normal(512)
    other -= (other @ axis) * axis
    other /= np.linalg.norm(other)
    return sscd(similarity * axis + np.sqrt(1 - similarity**2) * other)


class Alike(Picture):
    """An image that resembles a picture as much as given in sscd-1, and in nothing else."""

    def __init__(self, seed, picture, similarity):
        super().__init__(seed)
        object.__setattr__(self, "vector", resembling(picture, similarity, seed))

    @property
    def sscd(self):
        return self.vector


def crops_of(picture, *similarities, seed=50):
    """Crops that resemble a picture as much as given; the others nothing at all."""
    made = [resembling(picture, each, seed + k) for k, each in enumerate(similarities)]
    while len(made) < CROPS:
        made.append(Picture(seed + 90 + len(made)).sscd)
    return tuple(made)


def contest_of(block, pictures, rows, crops, *spaces):
    """A contest of some rows of a block of pictures."""
    which = np.zeros(len(pictures), np.bool_)
    which[list(rows)] = True
    cropped = CropColumn("sscd-1", b"".join(each for row in crops for each in row))
    contested = columns([pictures[row] for row in rows], *(spaces or SPACES))
    return Contest(block, pack_bitmap(which), contested, (cropped,))


class Session:
    """A builder's session, whose blocks and contests are as short to write as can be."""

    def __init__(self, harness, builder, row):
        self.harness = harness
        self.builder = builder
        self.row = row

    @classmethod
    async def opened(cls, harness, *, count=10, required=(), builder=None, name="Example Lab"):
        await harness.registry.follower.catch_up()
        asking = builder or await harness.builder(name)
        opening = Opening("a set", Use.AI_TRAINING, tuple(required), count)
        row, _ = await sessions.open_screening(harness.registry, asking, opening)
        return cls(harness, asking, row)

    async def ask(self, number, pictures, *spaces):
        block = Block(number, columns(pictures, *(spaces or SPACES)))
        answer = await screening.screen(self.harness.registry, self.builder, self.row.id, block)
        return [Verdict(byte) for byte in answer.verdicts]

    async def contest(self, contested):
        answer = await contest(self.harness.registry, self.builder, self.row.id, contested)
        return [Verdict(byte) for byte in answer.verdicts]

    async def close(self):
        return await sessions.close_screening(self.harness.registry, self.builder, self.row.id)


async def test_a_chance_resemblance_falls_and_an_edited_copy_stands(harness):
    await harness.protect(CAT)
    chance, copy = Alike(11, CAT, 0.52), Alike(12, CAT, 0.52)
    session = await Session.opened(harness)
    pictures = [DOG, chance, copy]
    assert await session.ask(0, pictures) == [Verdict.CLEAR, Verdict.EXCLUDE, Verdict.EXCLUDE]
    crops = [
        crops_of(CAT, STANDS_FROM - 0.15, STANDS_FROM - 0.01),
        crops_of(CAT, 0.1, STANDS_FROM + 0.02, seed=70),
    ]
    answer = await session.contest(contest_of(0, pictures, [1, 2], crops))
    assert answer == [Verdict.CLEAR, Verdict.EXCLUDE]
    closing = await session.close()
    assert (closing.contested, closing.overturned, closing.answered) == (2, 1, 3)
    assert closing.verdicts[Verdict.EXCLUDE] == 1
    assert closing.verdicts[Verdict.CLEAR] == 2


@pytest.mark.parametrize("similarity", [STANDS_FROM - 0.01, STANDS_FROM + 0.01])
async def test_the_image_itself_is_a_view_too(harness, similarity):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, similarity)]
    assert await session.ask(0, pictures) == [Verdict.EXCLUDE]
    fell = await session.contest(contest_of(0, pictures, [0], [crops_of(CAT)]))
    assert fell == [Verdict.EXCLUDE if similarity >= STANDS_FROM else Verdict.CLEAR]


@pytest.mark.parametrize("promised", [STANDS_FROM - 0.05, STANDS_FROM + 0.05])
async def test_a_contest_is_answered_by_what_its_session_was_promised(harness, promised):
    """Also when the registry was upgraded meanwhile to one that would say otherwise."""
    await harness.protect(CAT)
    session = await Session.opened(harness)
    await put_stands_from(harness, session.row, promised)
    pictures = [Alike(11, CAT, 0.52)]
    assert await session.ask(0, pictures) == [Verdict.EXCLUDE]
    crops = [crops_of(CAT, STANDS_FROM)]
    fell = await session.contest(contest_of(0, pictures, [0], crops))
    assert fell == [Verdict.EXCLUDE if promised < STANDS_FROM else Verdict.CLEAR]


async def put_stands_from(harness, row, similarity):
    """Writes terms anew, as another version of the registry would have written them."""
    terms = json.loads(row.terms)
    terms["contest"] = {"standsFrom": similarity}
    async with harness.registry.store.write() as connection:
        await connection.execute(
            text("UPDATE screening SET terms = :terms"),
            {"terms": json.dumps(terms, sort_keys=True, separators=(",", ":"))},
        )


async def test_a_crop_near_another_record_saves_nothing(harness):
    """Only the record that matched the image counts."""
    await harness.protect(CAT)
    await harness.protect(DOG)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55)]
    await session.ask(0, pictures)
    answer = await session.contest(contest_of(0, pictures, [0], [crops_of(DOG, 0.9)]))
    assert answer == [Verdict.CLEAR]


@pytest.mark.parametrize("space", ["sha256", "pdq-1"])
async def test_what_is_equal_or_nearly_stands_whatever_the_crops(harness, space):
    await harness.protect(CAT)
    session = await Session.opened(harness)

    class Edited(Alike):
        @property
        def fingerprints(self):
            own = {"sha256": (self.sha256,), "pdq-1": (self.pdq,), "sscd-1": (self.sscd,)}
            return own | {space: (CAT.one(space),)}

    pictures = [Edited(11, CAT, 0.55)]
    assert await session.ask(0, pictures) == [Verdict.EXCLUDE]
    answer = await session.contest(contest_of(0, pictures, [0], [crops_of(CAT)]))
    assert answer == [Verdict.EXCLUDE]


async def test_what_else_matches_decides_when_a_match_falls(harness):
    await harness.protect(CAT)
    await harness.protect(OWL, CONSENT)
    session = await Session.opened(harness, required=["pdq-1"])

    class Allowed(Alike):
        @property
        def pdq(self):
            return OWL.pdq

    pictures = [Allowed(11, CAT, 0.55), Alike(12, CAT, 0.55)]
    assert await session.ask(0, pictures) == [Verdict.EXCLUDE] * 2
    answer = await session.contest(contest_of(0, pictures, [0], [crops_of(CAT)]))
    assert answer == [Verdict.PERMIT]
    # And without what the session requires: unknown, never clear.
    assert await session.ask(1, [Alike(13, CAT, 0.55)], "sscd-1") == [Verdict.EXCLUDE]
    lacking = contest_of(1, [Alike(13, CAT, 0.55)], [0], [crops_of(CAT)], "sscd-1")
    assert await session.contest(lacking) == [Verdict.UNKNOWN]


async def test_a_record_withdrawn_meanwhile_is_gone_and_a_new_one_counts(harness):
    owner, request, _ = await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55), Alike(12, CAT, 0.55)]
    await session.ask(0, pictures)
    await harness.withdraw(owner, request.commitment)
    near = [crops_of(CAT, 0.9)]
    before = harness.registry.follower.log_size
    answer = await contest(
        harness.registry,
        session.builder,
        session.row.id,
        contest_of(0, pictures, [0], near),
    )
    assert list(answer.verdicts) == [Verdict.CLEAR]
    assert answer.log_size >= before
    await harness.protect(CAT)
    assert await session.contest(contest_of(0, pictures, [1], near)) == [Verdict.EXCLUDE]


async def test_the_same_contest_again_gets_the_same_answer_and_another_is_a_conflict(harness):
    owner, request, _ = await harness.protect(CAT)
    session = await Session.opened(harness, count=20)
    pictures = [Alike(11, CAT, 0.55), Alike(12, CAT, 0.55)]
    await session.ask(0, pictures)
    first = contest_of(0, pictures, [0], [crops_of(CAT, 0.8)])
    assert await session.contest(first) == [Verdict.EXCLUDE]
    await harness.withdraw(owner, request.commitment)
    assert await session.contest(first) == [Verdict.EXCLUDE]
    for other in (
        contest_of(0, pictures, [0], [crops_of(CAT, 0.81)]),
        contest_of(0, pictures, [0, 1], [crops_of(CAT, 0.8), crops_of(CAT)]),
    ):
        with pytest.raises(Conflict):
            await session.contest(other)
    assert (await session.close()).contested == 1
    # Closed, it says what it said, and nothing new.
    assert await session.contest(first) == [Verdict.EXCLUDE]
    with pytest.raises(ScreeningClosed):
        await session.contest(contest_of(0, pictures, [1], [crops_of(CAT)]))


async def test_the_same_contest_many_times_at_once_is_answered_once(harness):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55)]
    await session.ask(0, pictures)
    one = contest_of(0, pictures, [0], [crops_of(CAT)])
    answers = await asyncio.gather(*(session.contest(one) for _ in range(6)))
    assert answers == [[Verdict.CLEAR]] * 6
    others = [contest_of(0, pictures, [0], [crops_of(CAT, seed=k)]) for k in range(60, 64)]
    refused = await asyncio.gather(*map(session.contest, others), return_exceptions=True)
    assert all(isinstance(each, Conflict) for each in refused)
    async with harness.registry.store.read() as connection:
        assert len(await contests.of_block(connection, session.row.id, 0)) == 1


async def test_only_rows_as_they_were_screened_are_looked_at_again(harness):
    await harness.protect(CAT)
    session = await Session.opened(harness, count=20)
    pictures = [Alike(11, CAT, 0.55), DOG, Alike(12, CAT, 0.55)]
    await session.ask(0, pictures)
    other = [Alike(14, CAT, 0.55), DOG, Alike(12, CAT, 0.55)]
    swapped = [pictures[2], DOG, pictures[0]]
    crops = [crops_of(CAT)]
    for wrong in (other, swapped):
        with pytest.raises(Conflict):
            await session.contest(contest_of(0, wrong, [0], crops))
    with pytest.raises(Conflict):  # a space left out
        await session.contest(contest_of(0, pictures, [0], crops, "sscd-1"))
    with pytest.raises(InvalidInput):  # not excluded
        await session.contest(contest_of(0, pictures, [1], crops))
    with pytest.raises(InvalidInput):  # no such block
        await session.contest(contest_of(7, pictures, [0], crops))
    with pytest.raises(InvalidInput):  # a bitmap of another length
        await session.contest(replace(contest_of(0, pictures, [0], crops), rows=b"\x01\x00"))
    with pytest.raises(InvalidInput):  # a reserved bit
        await session.contest(replace(contest_of(0, pictures, [0], crops), rows=b"\x81"))
    with pytest.raises(InvalidInput):  # more rows than fingerprints
        await session.contest(replace(contest_of(0, pictures, [0], crops), rows=b"\x05"))
    # The same rows of another session, and of another block of this one.
    second = await Session.opened(harness, builder=session.builder)
    await second.ask(0, [DOG])
    with pytest.raises(InvalidInput):
        await second.contest(contest_of(0, pictures[:1], [0], crops))
    await session.ask(1, other)
    with pytest.raises(Conflict):
        await session.contest(contest_of(1, pictures, [0], crops))
    assert (await session.close()).contested == 0


async def test_a_session_is_its_builders_alone(harness):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55)]
    await session.ask(0, pictures)
    session.builder = await harness.builder("Another Lab")
    with pytest.raises(UnknownScreening):
        await session.contest(contest_of(0, pictures, [0], [crops_of(CAT)]))


@pytest.mark.parametrize("crop", [b"\x00\x7e" * 512, b"\x00\x7c" + bytes(1022), bytes(1024)])
async def test_crops_are_checked_like_any_fingerprint(harness, crop):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55)]
    await session.ask(0, pictures)
    with pytest.raises(InvalidInput):
        await session.contest(contest_of(0, pictures, [0], [(*crops_of(CAT)[:4], crop)]))
    assert (await session.close()).contested == 0


def test_a_contest_checks_itself():
    good = contest_of(0, [CAT], [0], [crops_of(CAT)])
    (crops,) = good.crops
    for wrong in (
        {"block": -1},
        {"crops": ()},
        {"crops": (crops, crops)},
        {"crops": (CropColumn("sscd-1", crops.data * 2),)},
        {"columns": ()},
        {"columns": columns([CAT], "sha256")},
        {"columns": columns([CAT], "sha256"), "crops": ()},
        {"columns": columns([None], "sscd-1"), "crops": (CropColumn("sscd-1", b""),)},
        {"columns": (*columns([CAT], "sscd-1"), *columns([CAT, DOG], "pdq-1"))},
    ):
        with pytest.raises(ProtocolError):
            replace(good, **wrong)
    for space, data in (
        ("sscd-1", bytes(1024)),
        ("pdq-1", bytes(32 * 5)),
        ("face-1", bytes(256 * 5)),
        ("clip", b""),
    ):
        with pytest.raises(ProtocolError):
            CropColumn(space, data)


async def test_every_crop_counts_as_an_image_of_the_quota(harness):
    await harness.protect(CAT)
    builder = replace(await harness.builder(), daily_items=11)
    session = await Session.opened(harness, builder=builder)
    pictures = [Alike(11, CAT, 0.55), Alike(12, CAT, 0.55), Alike(13, CAT, 0.55)]
    await session.ask(0, pictures)
    one = contest_of(0, pictures, [0], [crops_of(CAT)])
    await session.contest(one)
    await session.contest(one)
    with pytest.raises(Exception, match="quota"):
        await session.contest(contest_of(0, pictures, [1], [crops_of(CAT)]))


async def test_nothing_of_what_is_contested_is_stored(harness):
    await harness.protect(CAT)
    session = await Session.opened(harness)
    pictures = [Alike(11, CAT, 0.55)]
    await session.ask(0, pictures)
    crops = crops_of(CAT)
    contested = contest_of(0, pictures, [0], [crops])
    await session.contest(contested)
    async with harness.registry.store.read() as connection:
        (row,) = await contests.of_block(connection, session.row.id, 0)
        digests = await contests.excluded(connection, session.row.id, 0)
    assert len(digests) == 16
    stored = row.digest + row.rows + row.verdicts + digests
    for value in (*crops, pictures[0].sscd, pictures[0].pdq, pictures[0].sha256):
        assert value[:8] not in stored
    assert "vector" not in repr(contested)
    assert repr(crops[0]) not in repr(contested)


def test_row_contents_tell_rows_apart_and_not_how_they_were_sent():
    from consent_client.protocol.contests import row_contents

    block = columns([CAT, None, DOG], *SPACES)
    again = columns([DOG, CAT], *reversed(SPACES))
    first = row_contents(block, [0, 2])
    assert first == row_contents(again, [1, 0])
    assert row_contents(block, [1]) == [b""]
    counted = Column("face-1", np.array([True, True]), bytes(256 * 3), np.array([0, 3], np.uint8))
    none, three = row_contents([counted], [0, 1])
    assert none != b""
    assert len(three) == len(none) + 3 * 256


def test_what_a_row_showed_is_its_fingerprint_and_its_crops():
    crops = [crops_of(CAT, seed=50), crops_of(DOG, seed=70)]
    contested = contest_of(0, [CAT, OWL, DOG], [0, 2], crops)
    assert views_of(contested, "sscd-1") == [
        CAT.sscd + b"".join(crops[0]),
        DOG.sscd + b"".join(crops[1]),
    ]


async def test_a_contest_is_one_more_candidate_of_the_records_budget(settings, clock):
    async with running(settings.model_copy(update={"budget": 3}), clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        harness = Harness(registry, clock)
        await harness.protect(CAT)
        session = await Session.opened(harness)
        pictures = [Alike(11, CAT, 0.55), Alike(12, CAT, 0.55)]
        assert await session.ask(0, pictures) == [Verdict.EXCLUDE] * 2  # two of three
        first = contest_of(0, pictures, [0], [crops_of(CAT)])
        assert await session.contest(first) == [Verdict.CLEAR]
        with pytest.raises(Held):
            await session.contest(contest_of(0, pictures, [1], [crops_of(CAT, 0.9)]))
        async with registry.store.read() as connection:
            assert len(await contests.of_block(connection, session.row.id, 0)) == 1
        # What was answered is answered again, and costs nothing.
        assert await session.contest(first) == [Verdict.CLEAR]
