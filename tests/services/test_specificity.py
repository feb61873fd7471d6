"""Records are held to their own threshold, sessions to their terms, and nothing too generic enters.

The bank here is tiny: a few random vectors, like which no test's pictures are unless they are meant
to be.
"""

import json
import math
import re

import numpy as np
import pytest
from sqlalchemy import text

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.protection import Reach
from consent_client.protocol.records import read_message
from consent_client.protocol.screening import Column
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import CorruptRegistry, ProofOfWorkRejected, ScreeningClosed, TooGeneric
from registry.matching import policies
from registry.matching.policies import STANDS_FROM, Band, Policy, Thresholds, policy_for
from registry.matching.specificity import Bank, Breadth
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.days import sequence_day
from registry.services.own_record import ReadRequest, read_own_record
from registry.services.registration import register
from registry.services.running import running
from registry.services.sessions import Opening
from registry.services.terms import policy_in, write_terms
from registry.store import records
from registry.store.tables import RecordStatus
from registry.vault.envelope import decrypt_record, unwrap_data_key
from registry.vault.stored_content import StoredContent
from tests.support.people import Picture, columns
from tests.support.registering import Harness

PICTURES = 60
"""In the tiny bank: many more than a record may resemble."""


def unit(random, *shape):
    vectors = random.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def alike(vector, similarity, seed=0):
    """A vector that is this similar to another."""
    other = unit(np.random.default_rng([seed, 77]), vector.size)
    other -= (other @ vector) * vector
    other /= np.linalg.norm(other)
    return similarity * vector + math.sqrt(1 - similarity**2) * other


def bank(version=1, seed=9):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 256, (PICTURES, 32), dtype=np.uint8)
    codes[:10] = np.packbits(np.arange(256) < 20 + np.arange(10)[:, None], axis=1)  # near-uniform
    return Bank(
        version,
        {"sscd-1": unit(random, PICTURES, 512)},
        {"pdq-1": codes},
        Breadth(similarity=0.30, radius=31, most=5),
    )


BANK = bank()
PAGE = BANK.vectors["sscd-1"][0]


class Drawn(Picture):
    """A picture whose sscd is given."""

    def __init__(self, seed, vector):
        super().__init__(seed)
        object.__setattr__(self, "vector", vector)

    @property
    def sscd(self):
        return encode_float(self.vector)


@pytest.fixture
async def harness(settings, clock):
    async with running(settings, clock, BANK) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


async def stored(harness, register_index):
    """A record's content as it lies in the database, decrypted."""
    registry = harness.registry
    async with registry.store.read() as connection:
        sealed = await records.sealed(connection, register_index)
        row = await records.by_register_index(connection, register_index)
    data_key = unwrap_data_key(registry.keyring.keks, row.record_id, sealed.wrapped)
    return StoredContent.decode(decrypt_record(data_key, row.record_id, sealed.ciphertext))


async def found_at(harness, vector, similarities):
    """Verdicts for candidates that are so similar to a registered vector."""
    candidates = [Drawn(1000 + i, alike(vector, s, i)) for i, s in enumerate(similarities)]
    return await harness.verdicts(candidates, "sscd-1")


EXCLUDE, CLEAR = Verdict.EXCLUDE, Verdict.CLEAR


async def test_a_record_like_the_bank_needs_more_likeness_to_match(harness):
    landscape, page = unit(np.random.default_rng(5), 512), alike(PAGE, 0.60)
    await harness.protect(Drawn(1, landscape))
    await harness.protect(Drawn(2, page))
    similarities = [0.45, 0.55, 0.80, 0.90]
    assert await found_at(harness, landscape, similarities) == [CLEAR, EXCLUDE, EXCLUDE, EXCLUDE]
    assert await found_at(harness, page, similarities) == [CLEAR, CLEAR, CLEAR, EXCLUDE]


async def test_what_was_measured_is_kept_with_the_record_and_nowhere_else(harness, tmp_path):
    _, _, done = await harness.protect(Drawn(1, alike(PAGE, 0.60)))
    record = await stored(harness, done.register_index)
    assert record.bank == 1
    assert record.nearest["sscd-1"] == pytest.approx([0.60], abs=0.01)
    async with harness.registry.store.read() as connection:
        row = (
            await connection.execute(
                text("SELECT * FROM record WHERE register_index = :i"), {"i": done.register_index}
            )
        ).one()
    half = np.array(record.nearest["sscd-1"], "<f2").tobytes()
    plain = [value for value in row if isinstance(value, bytes) and len(value) < 1_000]
    assert plain
    assert not any(half in value for value in plain)
    assert not any(isinstance(value, float) for value in row)


@pytest.mark.parametrize("layout", ["older bank", "not measured"])
async def test_records_measured_otherwise_are_measured_again_at_replay(
    settings, clock, layout, harness
):
    """A registry that is upgraded: other bank, or records from before there was one."""
    page = alike(PAGE, 0.60)
    before = Bank(0) if layout == "not measured" else bank(7, seed=1)
    object.__setattr__(harness.registry, "bank", before)
    _, _, done = await harness.protect(Drawn(1, page))
    assert (await stored(harness, done.register_index)).bank == before.version
    async with running(settings, clock, BANK) as upgraded:
        again = Harness(upgraded, clock)
        assert await found_at(again, page, [0.55, 0.80, 0.90]) == [CLEAR, CLEAR, EXCLUDE]


async def test_a_session_keeps_the_terms_it_was_opened_under(harness, monkeypatch):
    """The registry grows past the border between two blocks."""
    page = alike(PAGE, 0.55)
    await harness.protect(Drawn(1, page))
    between = Drawn(2, alike(page, 0.82))  # 0.80 while it is small, 0.85 when it is larger
    builder = await harness.builder()
    opening = Opening("a set", Use.AI_TRAINING, (), 10)
    early, _ = await sessions.open_screening(harness.registry, builder, opening)
    medium = (1_000_000, policies.BY_SIZE[1][1])
    monkeypatch.setattr(policies, "BY_SIZE", ((0, policies.BY_SIZE[0][1]), medium))
    late, _ = await sessions.open_screening(harness.registry, builder, opening)
    for row, expected in ((early, EXCLUDE), (late, CLEAR)):
        for number in (0, 1):
            block = Block(number, columns([between] * (number + 1), "sscd-1"))
            answer = await screening.screen(harness.registry, builder, row.id, block)
            assert list(answer.verdicts) == [expected] * (number + 1)
    assert json.loads(early.terms)["policy"] == {"name": "small", "version": 2}
    assert json.loads(late.terms)["policy"] == {"name": "medium", "version": 2}


async def test_a_session_keeps_its_threshold_for_faces_too(settings, clock, harness):
    """The operator makes it stricter and starts anew, while a session is open."""
    face = unit(np.random.default_rng(3), 128)
    fingerprints = {"face-1": (encode_float(face),)}
    _, request = harness.request(Picture(1), fingerprints=fingerprints)
    await harness.send(request)
    builder = await harness.builder()
    opening = Opening("a set", Use.AI_TRAINING, (), 10, ("face-1",), lawful_basis_stated=True)
    early, _ = await sessions.open_screening(harness.registry, builder, opening)
    stricter = settings.model_copy(update={"face_threshold": 0.75})
    seen = Column(
        "face-1",
        np.ones(1, np.bool_),
        encode_float(alike(face, 0.60)),
        np.ones(1, np.uint8),
    )
    async with running(stricter, clock, BANK) as registry:
        await registry.follower.catch_up()
        late, _ = await sessions.open_screening(registry, builder, opening)
        for row, expected in ((early, EXCLUDE), (late, CLEAR)):
            answer = await screening.screen(registry, builder, row.id, Block(0, (seen,)))
            assert list(answer.verdicts) == [expected]


async def test_terms_say_what_is_matched_and_are_stored_with_the_session(harness):
    builder = await harness.builder()
    opening = Opening(
        "a set", Use.AI_TRAINING, ("sha256",), 10, ("face-1",), lawful_basis_stated=True
    )
    row, _ = await sessions.open_screening(harness.registry, builder, opening)
    async with harness.registry.store.read() as connection:
        held = await sessions.own_screening(connection, builder, row.id)
    assert held.terms == row.terms
    assert json.loads(row.terms) == {
        "bank": 1,
        "contest": {"standsFrom": STANDS_FROM},
        "optInSpaces": ["face-1"],
        "policy": {"name": "small", "version": 2},
        "requiredSpaces": ["sha256"],
        "spaces": {
            "face-1": {"bands": [{"ceiling": 0.5, "floor": 0.5, "margin": 0, "upTo": 1}]},
            "pdq-1": {"radius": 31},
            "sha256": {"equal": True},
            "sscd-1": {"bands": [{"ceiling": 0.94, "floor": 0.5, "margin": 0.25, "upTo": 1}]},
            "url-1": {"equal": True},
        },
        "told": {"afterDays": 7},
        "use": "ai_training",
        "version": 1,
    }
    assert policy_in(row.terms, 1) == policy_for(0, 0.5)
    # canonical: the same however it is written again
    assert json.dumps(json.loads(row.terms), sort_keys=True, separators=(",", ":")) == row.terms


async def put_terms(harness, terms):
    async with harness.registry.store.write() as connection:
        await connection.execute(text("UPDATE screening SET terms = :terms"), {"terms": terms})


async def test_terms_that_can_not_be_kept_are_not_pretended_to_be(harness):
    """After an upgrade that brings another bank; and of sessions from before there were terms."""
    builder = await harness.builder()
    row, _ = await sessions.open_screening(
        harness.registry, builder, Opening("a set", Use.AI_TRAINING, (), 10)
    )
    block = Block(0, columns([Picture(1)], "sscd-1"))
    other = write_terms(Use.AI_TRAINING, (), (), policy_for(0, 0.5), 2)
    await put_terms(harness, other)
    with pytest.raises(ScreeningClosed, match="upgraded"):
        await screening.screen(harness.registry, builder, row.id, block)
    await put_terms(harness, "")
    with pytest.raises(ScreeningClosed, match="upgraded"):
        await screening.screen(harness.registry, builder, row.id, block)
    assert (await sessions.close_screening(harness.registry, builder, row.id)).answered == 0


@pytest.mark.parametrize("policy", [policy_for(size, 0.6) for size in (0, 10**5, 10**7)])
def test_terms_are_read_back_as_they_were_written(policy):
    spaces = {**policy.spaces, "sscd-1": Thresholds((Band(1.0, 0.1, 1 / 3, 0.7),))}
    odd = Policy("odd", 3, spaces, stands_from=2 / 3)
    for each in (policy, odd):
        terms = write_terms(Use.AI_TRAINING, (), ("face-1",), each, 4)
        assert policy_in(terms, 4) == each
    without = policy_in(write_terms(Use.AI_TRAINING, (), (), policy, 4), 4)
    assert set(without.spaces) == {"sscd-1"}  # nobody asked to look for people


def test_terms_from_before_they_said_it_let_contested_matches_stand_as_they_did_then():
    terms = json.loads(write_terms(Use.AI_TRAINING, (), (), policy_for(0, 0.5), 4))
    del terms["contest"]
    assert policy_in(json.dumps(terms), 4).stands_from == 0.70


@pytest.mark.parametrize(
    "terms",
    [
        "x", "[]", "{}", "null", '{"bank":1}', '{"bank":1,"policy":{},"spaces":{}}',
        '{"bank":1,"policy":{"name":"a","version":1},"spaces":{"sscd-1":{"bands":[]}}}',
        '{"bank":1,"policy":{"name":"a","version":1},"spaces":{"sscd-1":{"bands":[{"upTo":1}]}}}',
        '{"bank":1,"policy":{"name":"a","version":1},"spaces":[]}',
        '{"bank":1,"contest":{},"policy":{"name":"a","version":1},"spaces":{}}',
        '{"bank":1,"contest":{"standsFrom":2},"policy":{"name":"a","version":1},"spaces":{}}',
    ],
)  # fmt: skip
def test_damaged_terms_are_corruption(terms):
    with pytest.raises(CorruptRegistry):
        policy_in(terms, 1)


def centroid(count):
    """What resembles so many pictures of the bank at once as can be."""
    mean = BANK.vectors["sscd-1"][:count].sum(axis=0)
    return mean / np.linalg.norm(mean)


NEAR_UNIFORM = np.packbits(np.arange(256) < 25).tobytes()


async def written(harness):
    """All rows there are of entries, records and keys."""
    async with harness.registry.store.read() as connection:
        return [
            int(await connection.scalar(text(f"SELECT count(*) FROM {table}")))
            for table in ("entry", "record", "data_key")
        ]


@pytest.mark.parametrize(
    ("spoilt", "spaces"),
    [
        ({"sscd-1": (encode_float(centroid(7)),)}, ("sscd-1",)),
        ({"sscd-1": (Picture(3).sscd, encode_float(centroid(7)))}, ("sscd-1",)),
        ({"pdq-1": (NEAR_UNIFORM,)}, ("pdq-1",)),
        (
            {"pdq-1": (NEAR_UNIFORM,), "sscd-1": (encode_float(centroid(7)),)},
            ("pdq-1", "sscd-1"),
        ),
    ],
)
async def test_what_resembles_too_much_is_refused_and_nothing_is_stored(harness, spoilt, spaces):
    fingerprints = {**Picture(1).fingerprints, **spoilt}
    _, request = harness.request(Picture(1), fingerprints=fingerprints)
    before, work = await written(harness), harness.work(request.record_id)
    with pytest.raises(TooGeneric) as refused:
        await register(harness.registry, request, work)
    assert refused.value.spaces == spaces
    assert all(space in str(refused.value) for space in spaces)
    assert not re.search(r"\d\.\d|%", str(refused.value))  # how much it resembles is not told
    assert await written(harness) == before
    with pytest.raises(ProofOfWorkRejected):  # without work nobody is told even that
        await register(harness.registry, request, "")
    # the same number takes what is left of it, under another C
    harness.person.used -= 1
    rest = {name: each for name, each in fingerprints.items() if name not in spaces}
    _, other = harness.request(Picture(1), fingerprints=rest)
    assert other.record_id == request.record_id
    assert other.commitment != request.commitment
    assert (await harness.send(other)).status is RecordStatus.ACTIVE


async def test_one_page_among_many_is_not_too_generic(harness):
    await harness.protect(Drawn(1, alike(PAGE, 0.95)))


async def test_who_registered_before_the_rule_still_gets_the_answer(harness):
    """A client that never heard it, at a registry that was upgraded meanwhile."""
    object.__setattr__(harness.registry, "bank", Bank(0))
    _, request, done = await harness.protect(Drawn(1, centroid(7)))
    object.__setattr__(harness.registry, "bank", BANK)
    assert (await harness.send(request)).register_index == done.register_index


async def test_a_plain_picture_is_told_that_edited_copies_are_found(harness):
    _, request, done = await harness.protect(Picture(1))
    kept = {each.space: each.reach for each in done.protection}
    assert kept == {"pdq-1": Reach.NEAR_COPIES, "sscd-1": Reach.EDITED_COPIES}
    assert (await harness.send(request)).protection == done.protection


async def test_a_page_is_told_that_only_near_copies_are_found(harness):
    owner, request, done = await harness.protect(Drawn(1, alike(PAGE, 0.45)))
    kept = {each.space: each.reach for each in done.protection}
    assert kept == dict.fromkeys(("pdq-1", "sscd-1"), Reach.NEAR_COPIES)
    assert (await harness.send(request)).protection == done.protection
    nonce = harness.registry.challenges.issue(owner.record_id).nonce
    signature = owner.sign(read_message(harness.origin, owner.record_id, nonce))
    own = await read_own_record(
        harness.registry, ReadRequest(owner.record_id, owner.public, nonce, signature), "here"
    )
    assert own.protection == done.protection
    await harness.withdraw(owner, request.commitment)
    nonce = harness.registry.challenges.issue(owner.record_id).nonce
    signature = owner.sign(read_message(harness.origin, owner.record_id, nonce))
    own = await read_own_record(
        harness.registry, ReadRequest(owner.record_id, owner.public, nonce, signature), "here"
    )
    assert own.protection == ()
