"""Withdrawal, erasure, expiry: they take effect, and what has ended becomes unreadable."""

import asyncio
import time
from dataclasses import replace

import pytest

from consent_client.protocol.log import EraseReason
from consent_client.protocol.statements import Stance
from consent_client.protocol.verdicts import Verdict
from registry.errors import Conflict, InvalidInput, NotYours, RateLimited
from registry.services.admission import AddressLimit
from registry.services.days import sequence_day
from registry.services.erasure import erase
from registry.services.own_record import ReadRequest, read_own_record
from registry.services.shredding import shred_ended
from registry.services.withdrawal import WithdrawalRequest, withdraw
from registry.store import entries, records
from registry.store.engine import LOCK_PATIENCE_SECONDS
from registry.store.tables import RecordStatus
from tests.support.people import CONSENT, Picture, until, withdrawal_signature

CAT, DOG = Picture(1), Picture(2)


async def shredded(harness, register_index):
    await harness.registry.publisher.publish()
    await shred_ended(harness.registry.store, harness.registry.publisher.size)
    async with harness.registry.store.read() as connection:
        return await records.sealed(connection, register_index) is None


async def read(harness, owner):
    challenge = harness.registry.challenges.issue(owner.record_id)
    from consent_client.protocol.records import read_message

    signature = owner.sign(read_message(harness.origin, owner.record_id, challenge.nonce))
    return await read_own_record(
        harness.registry,
        ReadRequest(owner.record_id, owner.public, challenge.nonce, signature),
        "192.0.2.1",
    )


async def eventually(condition):
    async with asyncio.timeout(5):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_withdrawing_takes_effect_and_shreds(harness):
    owner, request, done = await harness.protect(CAT)
    assert await harness.verdicts([CAT]) == [Verdict.EXCLUDE]
    ended = await harness.withdraw(owner, request.commitment)
    assert ended.status is RecordStatus.WITHDRAWN
    assert ended.terminal_index > done.register_index
    assert await harness.verdicts([CAT]) == [Verdict.CLEAR]
    await eventually(lambda: shredded(harness, done.register_index))


async def test_withdrawing_twice_gives_the_same_answer(harness):
    owner, request, _ = await harness.protect(CAT)
    first = await harness.withdraw(owner, request.commitment)
    again = await harness.withdraw(owner, request.commitment)
    assert again.terminal_index == first.terminal_index


async def test_a_withdrawn_record_does_not_come_back_by_sending_it_again(harness):
    owner, request, _ = await harness.protect(CAT)
    await harness.withdraw(owner, request.commitment)
    again = await harness.send(request)
    assert again.status is RecordStatus.WITHDRAWN
    assert await harness.verdicts([CAT]) == [Verdict.CLEAR]


async def test_unknown_record_and_wrong_signature_get_one_answer(harness):
    owner, request, _ = await harness.protect(CAT)
    stranger = harness.person.owner(harness.origin, 999)
    answers = []
    for public, commitment, signature in (
        (
            stranger.public,
            request.commitment,
            withdrawal_signature(stranger, harness.origin, request.commitment),
        ),
        (
            owner.public,
            request.commitment,
            withdrawal_signature(stranger, harness.origin, request.commitment),
        ),
        (owner.public, bytes(32), withdrawal_signature(owner, harness.origin, bytes(32))),
        (b"\x01" + bytes(31), request.commitment, bytes(64)),
    ):
        forged = WithdrawalRequest(public, commitment, signature)
        with pytest.raises(NotYours) as caught:
            await withdraw(harness.registry, forged, "192.0.2.1")
        answers.append((caught.value.code, str(caught.value)))
    assert len(set(answers)) == 1
    assert await harness.verdicts([CAT]) == [Verdict.EXCLUDE]


async def test_the_owner_reads_what_was_stated_until_it_has_ended(harness):
    owner, request, _ = await harness.protect(CAT, CONSENT)
    mine = await read(harness, owner)
    assert mine.status is RecordStatus.ACTIVE
    assert mine.statement == CONSENT.encode()
    assert mine.commitment == request.commitment
    await harness.withdraw(owner, request.commitment)
    mine = await read(harness, owner)
    assert mine.status is RecordStatus.WITHDRAWN
    assert mine.statement is None
    assert mine.image_digest is None


async def test_a_nonce_is_good_for_its_record_and_its_time_only(harness):
    owner, _, _ = await harness.protect(CAT)
    from consent_client.protocol.records import read_message

    other = harness.registry.challenges.issue(bytes(16)).nonce
    stale = harness.registry.challenges.issue(owner.record_id).nonce
    harness.clock.advance(seconds=601)
    for nonce in (other, stale, b"x", bytes(20), stale[:-1]):
        signature = owner.sign(read_message(harness.origin, owner.record_id, nonce))
        request = ReadRequest(owner.record_id, owner.public, nonce, signature)
        with pytest.raises(NotYours):
            await read_own_record(harness.registry, request, "192.0.2.1")


async def test_erasing_ends_a_record_with_a_reason(harness):
    _, _, done = await harness.protect(CAT)
    index = await erase(harness.registry.store, done.register_index, EraseReason.ABUSE)
    assert index > done.register_index
    assert await harness.verdicts([CAT]) == [Verdict.CLEAR]
    assert await shredded(harness, done.register_index)
    with pytest.raises(Conflict):
        await erase(harness.registry.store, done.register_index, EraseReason.ABUSE)
    for no_record in (index, 0, 10**6):
        with pytest.raises(InvalidInput):
            await erase(harness.registry.store, no_record, EraseReason.ABUSE)


async def test_a_statement_expires_when_the_day_after_its_last_is_logged(harness):
    _, _, done = await harness.protect(CAT, until(harness.clock.day))
    await harness.protect(DOG)
    await sequence_day(harness.registry.store, harness.registry.follower, harness.clock)
    assert await harness.verdicts([CAT, DOG]) == [Verdict.EXCLUDE, Verdict.EXCLUDE]
    harness.clock.advance(days=1)
    assert await sequence_day(harness.registry.store, harness.registry.follower, harness.clock)
    assert await harness.verdicts([CAT, DOG]) == [Verdict.CLEAR, Verdict.EXCLUDE]
    assert await shredded(harness, done.register_index)


async def test_a_day_is_logged_once(harness):
    registry = harness.registry
    harness.clock.advance(days=1)
    logged = await asyncio.gather(
        *(sequence_day(registry.store, registry.follower, harness.clock) for _ in range(5))
    )
    assert sum(logged) <= 1  # the chores may have been first
    await registry.follower.catch_up()
    assert registry.follower.state.last_day == harness.clock.day


async def test_an_expired_record_stays_expired_when_it_is_withdrawn_later(harness):
    owner, request, _ = await harness.protect(CAT, until(harness.clock.day))
    harness.clock.advance(days=2)
    await sequence_day(harness.registry.store, harness.registry.follower, harness.clock)
    ended = await harness.withdraw(owner, request.commitment)
    assert ended.status is RecordStatus.EXPIRED


async def test_shredding_again_finds_nothing(harness):
    owner, request, _ = await harness.protect(CAT)
    await harness.withdraw(owner, request.commitment)
    publisher = harness.registry.publisher
    await publisher.publish()
    await shred_ended(harness.registry.store, publisher.size)
    assert await shred_ended(harness.registry.store, publisher.size) == 0


async def test_a_refusal_wins_over_a_consent_until_it_is_withdrawn(harness):
    owner, request, _ = await harness.protect(CAT)
    await harness.protect(CAT, CONSENT)
    assert await harness.verdicts([CAT]) == [Verdict.EXCLUDE]
    await harness.withdraw(owner, request.commitment)
    assert await harness.verdicts([CAT]) == [Verdict.PERMIT]
    assert Stance.ALLOWED in CONSENT.stances


async def test_a_long_reader_holds_up_neither_registrations_nor_what_ends(harness, tmp_path):
    """A backup is such a reader: while it reads, SQLite can not empty its write-ahead log."""
    owner, request, _ = await harness.protect(CAT)
    store = harness.registry.store
    async with store.read() as reader:
        await entries.log_size(reader)
        started = time.monotonic()
        await harness.withdraw(owner, request.commitment)
        await harness.protect(DOG)
        assert time.monotonic() - started < LOCK_PATIENCE_SECONDS / 2
        async with asyncio.timeout(LOCK_PATIENCE_SECONDS):
            while await unshredded(store):
                await asyncio.sleep(0.01)


async def unshredded(store):
    async with store.read() as connection:
        return await records.unshredded(connection)


async def test_withdrawals_that_fail_keep_nobody_from_withdrawing(harness):
    """All from one address, as behind a proxy or an exit of Tor."""
    limited = replace(harness.registry, withdrawal_limit=AddressLimit("3/hour"))
    owner, request, _ = await harness.protect(CAT)
    stranger = harness.person.owner(harness.origin, 99)
    unknown = withdrawal_signature(stranger, harness.origin, bytes(32))
    forged = WithdrawalRequest(owner.public, request.commitment, bytes(64))
    nowhere = WithdrawalRequest(stranger.public, bytes(32), unknown)
    for failing in (forged, nowhere, forged):
        with pytest.raises(NotYours):
            await withdraw(limited, failing, "192.0.2.1")
    for failing in (forged, nowhere):
        with pytest.raises(RateLimited):
            await withdraw(limited, failing, "192.0.2.1")
    signature = withdrawal_signature(owner, harness.origin, request.commitment)
    genuine = WithdrawalRequest(owner.public, request.commitment, signature)
    answers = [await withdraw(limited, genuine, "192.0.2.1") for _ in range(5)]
    assert {answer.terminal_index for answer in answers} == {answers[0].terminal_index}
    assert {answer.status for answer in answers} == {RecordStatus.WITHDRAWN}


async def test_what_can_not_be_withdrawn_never_waits_for_the_writers_lock(harness):
    owner, request, _ = await harness.protect(CAT)
    await harness.withdraw(owner, request.commitment)
    stranger = harness.person.owner(harness.origin, 99)
    async with harness.registry.store.write(), asyncio.timeout(LOCK_PATIENCE_SECONDS / 2):
        with pytest.raises(NotYours):
            await harness.withdraw(stranger, bytes(32))
        with pytest.raises(NotYours):
            await harness.withdraw(owner, bytes(32))
        again = await harness.withdraw(owner, request.commitment)
    assert again.status is RecordStatus.WITHDRAWN


async def test_a_record_that_is_just_being_written_can_be_withdrawn(harness):
    owner, request = harness.request(CAT)
    async with harness.registry.store.write():
        registering = asyncio.create_task(harness.send(request))
        while not harness.registry.sequencer.registers(owner.record_id):
            await asyncio.sleep(0.01)
        withdrawing = asyncio.create_task(harness.withdraw(owner, request.commitment))
        await asyncio.sleep(0.1)
    assert (await registering).status is RecordStatus.ACTIVE
    assert (await withdrawing).status is RecordStatus.WITHDRAWN
    assert not harness.registry.sequencer.registers(owner.record_id)
