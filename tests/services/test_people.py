"""Spaces of people: only in sessions that opted in, any number of faces, in memory only."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import PERSON_SPACES, SPACES, WORK_SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import InvalidInput
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.people import check_columns, check_opt_in, spaces_in_force
from registry.services.running import running
from registry.services.sessions import Opening
from registry.settings import Settings
from registry.store import screenings
from tests.support.people import CONSENT, Picture, columns
from tests.support.registering import Harness

CAT = Picture(1)
CLEAR, EXCLUDE, PERMIT, UNKNOWN = Verdict


def someone(seed):
    """A face's vector; the seed stands for the person."""
    return np.random.default_rng([seed, 2]).standard_normal(128).astype(np.float32)


def near(vector, cosine, seed=9):
    """Another vector of norm 1 at this cosine."""
    own = vector / np.linalg.norm(vector)
    other = someone(seed)
    other -= (other @ own) * own
    return cosine * own + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)


def faces(*seen):
    """A column: for each image its people's vectors, or None where nobody was looked for."""
    looked = [each for each in seen if each is not None]
    return Column(
        "face-1",
        np.array([each is not None for each in seen]),
        b"".join(encode_float(vector) for each in looked for vector in each),
        np.array([len(each) for each in looked], np.uint8),
    )


async def register(harness, vector, statement=None):
    values = {"face-1": (encode_float(vector),)}
    words = () if statement is None else (statement,)
    _, request = harness.request(CAT, *words, fingerprints=values)
    await harness.send(request)
    await harness.registry.follower.catch_up()


async def opened(harness, builder, count, *, opt_in=("face-1",), required=()):
    row, _ = await sessions.open_screening(
        harness.registry,
        builder,
        Opening(
            "a set",
            Use.AI_TRAINING,
            tuple(required),
            count,
            opt_in_spaces=opt_in,
            lawful_basis_stated=bool(opt_in),
        ),
    )
    return row.id


async def ask(harness, *block_columns, required=(), opt_in=("face-1",)):
    builder = await harness.builder(f"lab {id(block_columns)}")
    count = block_columns[0].count
    screening_id = await opened(harness, builder, count, opt_in=opt_in, required=required)
    block = Block(0, tuple(block_columns))
    answer = await screening.screen(harness.registry, builder, screening_id, block)
    return [Verdict(byte) for byte in answer.verdicts]


async def test_any_face_in_an_image_excludes_it(harness):
    await register(harness, someone(1))
    asked = faces(
        [someone(2), near(someone(1), 0.6), someone(3)],
        [someone(4)],
        [],
        [someone(5)] * 63 + [someone(1)],
        [someone(1)],
    )
    assert await ask(harness, asked) == [EXCLUDE, CLEAR, CLEAR, EXCLUDE, EXCLUDE]


async def test_nobody_seen_is_checked_and_not_looked_at_is_unknown(harness):
    await register(harness, someone(1))
    asked = faces([], None, [someone(1)], None)
    assert await ask(harness, asked, required=["face-1"]) == [CLEAR, UNKNOWN, EXCLUDE, UNKNOWN]


async def test_statements_about_several_people_combine_as_ever(harness):
    await register(harness, someone(1))
    await register(harness, someone(2), CONSENT)
    asked = faces([someone(2)], [someone(2), someone(1)], [someone(3), someone(2)])
    assert await ask(harness, asked) == [PERMIT, EXCLUDE, PERMIT]


async def test_faces_and_works_are_asked_about_in_one_block(harness):
    await register(harness, someone(1))
    await harness.protect(CAT)
    await harness.registry.follower.catch_up()
    works = columns([CAT, Picture(2), Picture(3)], "sha256")
    asked = faces([], [someone(1)], [someone(4)])
    assert await ask(harness, *works, asked) == [EXCLUDE, EXCLUDE, CLEAR]


async def test_a_session_that_did_not_opt_in_is_asked_about_nobody(harness):
    await register(harness, someone(1))
    builder = await harness.builder("not opted in")
    screening_id = await opened(harness, builder, 2, opt_in=())
    for column in (faces([someone(1)], []), faces(None, None)):
        with pytest.raises(InvalidInput, match="did not opt in"):
            await screening.screen(harness.registry, builder, screening_id, Block(0, (column,)))
    async with harness.registry.store.read() as connection:
        assert await screenings.block(connection, screening_id, 0) is None
        assert await screenings.answered(connection, screening_id) == 0


@pytest.mark.parametrize(
    ("required", "opt_in", "stated", "words"),
    [
        (["face-1"], [], False, "not opt in"),
        (["face-1"], [], True, "not opt in"),
        (["sha256"], ["face-1"], False, "lawful basis"),
        (["face-1"], ["face-1"], False, "lawful basis"),
        ([], ["sha256"], True, "spaces of people"),
        ([], ["face-1", "pdq-1"], True, "spaces of people"),
        ([], ["face-1", "face-1"], True, "twice"),
        ([], ["face-9"], True, "no fingerprint space"),
    ],
)
def test_looking_for_people_is_said_or_refused(required, opt_in, stated, words):
    with pytest.raises(InvalidInput, match=words):
        Opening(
            "a set",
            Use.AI_TRAINING,
            tuple(required),
            1,
            opt_in_spaces=tuple(opt_in),
            lawful_basis_stated=stated,
        )


async def test_what_was_opted_in_to_is_kept_with_the_session(harness):
    builder = await harness.builder("opted in")
    screening_id = await opened(harness, builder, 1)
    async with harness.registry.store.read() as connection:
        row = await screenings.by_id(connection, screening_id)
    assert row.opt_in_spaces == ("face-1",)


async def test_a_block_with_other_counts_is_another_block(harness):
    """The same faces, given to other images, are not the same question."""
    builder = await harness.builder("counting")
    screening_id = await opened(harness, builder, 2)
    vectors = [someone(1), someone(2)]
    await screening.screen(harness.registry, builder, screening_id, Block(0, (faces(vectors, []),)))
    with pytest.raises(Exception, match="for other images"):
        await screening.screen(
            harness.registry, builder, screening_id, Block(0, (faces([], vectors),))
        )


@pytest.mark.parametrize("bad", [b"\x00\x7e" * 128, b"\x00\x7c" * 128, bytes(256), b"\0<" * 128])
async def test_what_is_no_face_is_refused(harness, bad):
    builder = await harness.builder("hostile")
    screening_id = await opened(harness, builder, 1)
    column = Column("face-1", np.ones(1, bool), bad, np.ones(1, np.uint8))
    with pytest.raises(InvalidInput):
        await screening.screen(harness.registry, builder, screening_id, Block(0, (column,)))


# The threshold


async def test_the_operator_may_match_faces_more_strictly(settings, clock):
    strict = Settings(**settings.model_dump() | {"face_threshold": 0.7})
    async with running(strict, clock) as registry:
        harness = Harness(registry, clock)
        await register(harness, someone(1))
        asked = faces([near(someone(1), 0.6)], [near(someone(1), 0.75)])
        assert await ask(harness, asked) == [CLEAR, EXCLUDE]


@pytest.mark.parametrize("looser", [0.4999, 0.0, -1.0, float("nan"), 1.0])
def test_and_never_less(looser):
    with pytest.raises(ValidationError):
        Settings(face_threshold=looser)


def test_only_the_threshold_of_faces_is_the_operators():
    force = spaces_in_force(0.6)
    assert force["face-1"] == dataclasses.replace(SPACES["face-1"], threshold=0.6)
    assert {name: force[name] for name in WORK_SPACES} == {n: SPACES[n] for n in WORK_SPACES}
    assert dict(spaces_in_force(0.5)) == dict(SPACES)


# The rules alone


def test_every_space_of_people_is_guarded():
    """Not only the one there is today."""
    for name in PERSON_SPACES:
        with pytest.raises(InvalidInput):
            check_opt_in([], [name], lawful_basis_stated=False)
        with pytest.raises(InvalidInput):
            check_opt_in([name], [], lawful_basis_stated=True)
        check_opt_in([name], [name], lawful_basis_stated=True)
    check_opt_in(WORK_SPACES, [], lawful_basis_stated=False)
    check_columns(columns([CAT]), [])
    check_columns([faces([])], ["face-1"])
