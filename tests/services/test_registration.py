"""Registration: what is accepted, what is refused, and that a refusal leaves nothing behind."""

import asyncio
from dataclasses import replace

import pytest

from consent_client.protocol.records import RegistrationRequest, register_message
from consent_client.protocol.sealing import Suite, decode_sealing_keys
from consent_client.protocol.spaces import WORK_SPACES
from consent_client.protocol.verdicts import Verdict
from registry.errors import (
    Busy,
    Conflict,
    InvalidInput,
    ProofOfWorkRejected,
    RegistryFull,
    SealingKeyExpired,
    SealingKeyUnknown,
    SealRejected,
    SignatureRejected,
)
from registry.services.following import Follower
from registry.services.registration import register
from registry.services.running import running
from registry.store import entries
from registry.store.tables import RecordStatus
from registry.vault.key_store import FileKeyStore
from tests.support.people import Picture, until
from tests.support.registering import Harness

CAT, DOG = Picture(1), Picture(2)


async def log_size(harness):
    async with harness.registry.store.read() as connection:
        return await entries.log_size(connection)


async def refused(harness, request, proof_of_work, error):
    before = await log_size(harness)
    with pytest.raises(error):
        await register(harness.registry, request, proof_of_work)
    assert await log_size(harness) == before


@pytest.mark.parametrize("suite", Suite)
async def test_a_registered_picture_is_excluded_in_every_space(harness, suite):
    _, request = harness.request(CAT, suite=suite)
    done = await harness.send(request)
    assert done.status is RecordStatus.ACTIVE
    assert done.log_size > done.register_index
    for space in set(WORK_SPACES) - {"url-1"}:
        assert await harness.verdicts([CAT, DOG], space) == [Verdict.EXCLUDE, Verdict.CLEAR]


async def test_the_same_bytes_again_get_the_same_answer(harness):
    _, request, first = await harness.protect(CAT)
    size = await log_size(harness)
    again = await harness.send(request)
    assert again.register_index == first.register_index
    assert await log_size(harness) == size


async def test_the_same_request_many_times_at_once_is_one_record(harness):
    _, request = harness.request(CAT)
    size = await log_size(harness)
    answers = await asyncio.gather(*(harness.send(request) for _ in range(20)))
    assert len({answer.register_index for answer in answers}) == 1
    assert await log_size(harness) == size + 1


async def test_other_content_under_the_same_record_id_is_a_conflict(harness):
    owner, request, _ = await harness.protect(CAT)
    harness.person.used = 0
    _, other = harness.request(DOG)
    assert other.record_id == request.record_id
    await refused(harness, other, harness.work(owner.record_id), Conflict)


async def test_work_for_another_record_is_refused(harness):
    _, request = harness.request(CAT)
    other, _ = harness.request(DOG)
    await refused(harness, request, harness.work(other.record_id), ProofOfWorkRejected)


@pytest.mark.parametrize("payload", ["", "x", "e30=", "bnVsbA==", "A" * 5000, "é", "W10="])
async def test_malformed_work_is_refused(harness, payload):
    _, request = harness.request(CAT)
    await refused(harness, request, payload, ProofOfWorkRejected)


async def test_stale_work_is_refused(harness):
    _, request = harness.request(CAT)
    work = harness.work(request.record_id)
    harness.clock.advance(seconds=601)
    await refused(harness, request, work, ProofOfWorkRejected)


async def test_a_signature_by_somebody_else_is_refused(harness):
    _, request = harness.request(CAT)
    stranger, _ = harness.request(DOG)
    message = register_message(harness.origin, request.record_id, request.commitment)
    forged = replace(request, signature=stranger.sign(message))
    await refused(harness, forged, harness.work(request.record_id), SignatureRejected)


async def test_a_signature_for_another_registry_is_refused(harness):
    owner, request = harness.request(CAT)
    message = register_message("other.example", request.record_id, request.commitment)
    moved = replace(request, signature=owner.sign(message))
    await refused(harness, moved, harness.work(request.record_id), SignatureRejected)


async def test_a_blob_sealed_for_another_owner_is_refused(harness):
    _, request = harness.request(CAT)
    _, other = harness.request(DOG)
    stolen = replace(request, sealed=other.sealed)
    await refused(harness, stolen, harness.work(request.record_id), SealRejected)


@pytest.mark.parametrize("place", [0, 500, 1200, 5000, -1])
async def test_an_altered_blob_is_refused(harness, place):
    _, request = harness.request(CAT)
    sealed = bytearray(request.sealed)
    sealed[place] ^= 1
    altered = replace(request, sealed=bytes(sealed))
    await refused(harness, altered, harness.work(request.record_id), SealRejected)


async def test_a_blob_that_holds_something_else_than_was_signed_is_refused(harness):
    owner, request = harness.request(CAT)
    wrong = bytes(32)
    message = register_message(harness.origin, request.record_id, wrong)
    swapped = replace(request, commitment=wrong, signature=owner.sign(message))
    await refused(harness, swapped, harness.work(request.record_id), SealRejected)


async def test_an_unknown_sealing_key_is_named_as_such(harness):
    _, request = harness.request(CAT)
    unknown = replace(request, sealing_key_id=bytes(8))
    await refused(harness, unknown, harness.work(request.record_id), SealingKeyUnknown)


async def test_an_expired_sealing_key_is_named_as_such(harness):
    owner, request = harness.request(CAT)
    harness.clock.advance(days=harness.registry.settings.sealing_key_days + 1)
    await refused(harness, request, harness.work(owner.record_id), SealingKeyExpired)


async def test_a_new_sealing_key_is_published_at_half_time_and_the_old_one_still_opens(harness):
    _, request = harness.request(CAT)
    old = harness.registry.sealing.note
    harness.clock.advance(days=harness.registry.settings.sealing_key_days // 2 + 1)
    await harness.registry.sealing.refresh()
    assert harness.registry.sealing.note != old
    await harness.send(request)
    await harness.protect(DOG)


async def test_a_private_sealing_key_is_destroyed_a_day_after_its_expiry(harness):
    names = harness.registry.sealing
    before = {key.key_name for key in names._keys.values()}
    harness.clock.advance(days=harness.registry.settings.sealing_key_days)
    await harness.registry.sealing.refresh()
    kept = {path.name for path in harness.registry.settings.keyring_dir.iterdir()}
    assert any(any(name in file for file in kept) for name in before)
    harness.clock.advance(days=1)
    await harness.registry.sealing.refresh()
    kept = {path.name for path in harness.registry.settings.keyring_dir.iterdir()}
    assert not any(any(name in file for file in kept) for name in before)


async def test_a_sealing_key_left_over_by_a_crash_goes_when_no_database_can_need_it(harness):
    folder = harness.registry.settings.keyring_dir
    FileKeyStore(folder).create("sealing-0123456789abcdef")
    lifetime = harness.registry.settings.sealing_key_days
    for days, there in ((1, True), (lifetime - 1, True), (2, False)):
        harness.clock.advance(days=days)
        await harness.registry.sealing.refresh()
        assert (folder / "sealing-0123456789abcdef.key").exists() == there
    await harness.protect(CAT)


async def test_a_statement_whose_last_day_has_passed_is_refused(harness):
    owner, request = harness.request(CAT, until(harness.clock.day - 1))
    await refused(harness, request, harness.work(owner.record_id), InvalidInput)


async def test_the_record_ceiling_holds(harness):
    registry = replace(
        harness.registry,
        settings=harness.registry.settings.model_copy(update={"max_records": 1}),
    )
    harness.registry = registry
    await harness.protect(CAT)
    await registry.follower.catch_up()
    owner, request = harness.request(DOG)
    await refused(harness, request, harness.work(owner.record_id), RegistryFull)


async def test_a_full_queue_says_busy_and_loses_nothing(harness):
    sequencer = harness.registry.sequencer
    requests = [harness.request(Picture(seed))[1] for seed in range(40)]
    async with harness.registry.store.write():  # nobody can commit meanwhile
        sequencer._queue._maxsize = 10
        waiting = [asyncio.create_task(harness.send(request)) for request in requests]
        async with asyncio.timeout(20):
            while sum(task.done() for task in waiting) + sequencer.waiting < len(requests):
                await asyncio.sleep(0.01)
        done, pending = await asyncio.wait(waiting, timeout=0)
        assert done
        assert all(isinstance(task.exception(), Busy) for task in done)
    answers = await asyncio.gather(*pending)
    indices = [answer.register_index for answer in answers]
    assert len(set(indices)) == len(pending)
    refused = next(request for request, task in zip(requests, waiting, strict=True) if task in done)
    again = await harness.send(refused)
    assert again.register_index not in indices


async def test_many_registrations_at_once_get_dense_indices(harness):
    start = await log_size(harness)
    requests = [harness.request(Picture(seed))[1] for seed in range(100)]
    answers = await asyncio.gather(*(harness.send(request) for request in requests))
    assert sorted(answer.register_index for answer in answers) == list(range(start, start + 100))


def test_nothing_in_a_request_is_shown_by_repr():
    request = RegistrationRequest.__dataclass_fields__
    shown = {name for name, field in request.items() if field.repr}
    assert shown <= {"record_id", "sealing_key_id"}


async def test_a_sealing_key_of_a_day_is_replaced_before_it_expires(settings, clock):
    short = settings.model_copy(update={"sealing_key_days": 1})
    for _ in range(3):
        async with running(short, clock) as registry:
            await Harness(registry, clock).send(Harness(registry, clock).request(CAT)[1])
            clock.advance(days=1)
            await registry.sealing.refresh()
            verifier = registry.signer.verifier
            assert decode_sealing_keys(registry.sealing.note, settings.origin, verifier)
            assert all(
                key.expiry_day > clock.day
                for key in decode_sealing_keys(registry.sealing.note, settings.origin, verifier)
            )


async def test_the_record_ceiling_holds_while_the_log_is_still_read(settings, clock, monkeypatch):
    async with running(settings, clock) as registry:
        await Harness(registry, clock).protect(CAT)

    async def nothing(_):
        return 1

    monkeypatch.setattr(Follower, "catch_up", nothing)
    full = settings.model_copy(update={"max_records": 1})
    async with running(full, clock) as registry:
        harness = Harness(registry, clock)
        assert not registry.ready
        _, request = harness.request(DOG)
        with pytest.raises(RegistryFull):
            await harness.send(request)
