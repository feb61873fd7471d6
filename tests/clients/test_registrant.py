"""The registrant's SDK against a real registry."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from consent_client.async_registrant import AsyncRegistrant
from consent_client.builder import Builder
from consent_client.errors import (
    LogShortened,
    NoPhrase,
    RecordsLost,
    RegistryKeyChanged,
    RegistryProblem,
    StateError,
    Unreachable,
)
from consent_client.operations import RecordStatus, Registration
from consent_client.protocol.keys import new_phrase
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.records import RegistrationRequest
from consent_client.protocol.statements import Stance, Statement, Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant, refusal
from consent_client.saved_records import SavedRecord, Stage
from consent_client.withdrawals import SignedWithdrawal
from tests.support.people import Picture
from tests.support.serving import Server

SPACES = ("sha256", "pdq-1", "sscd-1")


@pytest.fixture
def registrant(server: Server, state: Path):
    with Registrant(server.url, state=state) as opened:
        opened.ensure_phrase()
        yield opened


def verdict(server: Server, token: str, picture: Picture) -> Verdict:
    with Builder(server.url, token=token) as builder:
        (answer,) = builder.screen(
            [("it", picture.fingerprints)],
            dataset="test",
            use=Use.AI_TRAINING,
            required_spaces=SPACES,
        )
    return answer.verdict


def test_protect_excludes_and_withdraw_clears(
    registrant: Registrant, server: Server, token: str
) -> None:
    picture = Picture(10_001)
    assert verdict(server, token, picture) is Verdict.CLEAR
    record = registrant.protect(picture.fingerprints, refusal(), label="me")
    assert record.stage is Stage.REGISTERED
    assert record.status is RecordStatus.ACTIVE
    assert verdict(server, token, picture) is Verdict.EXCLUDE
    ended = registrant.withdraw(record)
    assert ended.status is RecordStatus.WITHDRAWN
    assert verdict(server, token, picture) is Verdict.CLEAR
    assert registrant.withdraw(record) == ended


def test_a_consent_is_permitted(registrant: Registrant, server: Server, token: str) -> None:
    picture = Picture(10_002)
    statement = Statement.of(dict.fromkeys(Use, Stance.ALLOWED))
    registrant.protect(picture.fingerprints, statement)
    assert verdict(server, token, picture) is Verdict.PERMIT


def test_the_same_picture_and_statement_is_registered_once(registrant: Registrant) -> None:
    picture = Picture(10_003)
    first = registrant.protect(picture.fingerprints, refusal())
    assert registrant.protect(picture.fingerprints, refusal()) == first
    other = registrant.protect(
        picture.fingerprints, Statement.of({Use.AI_TRAINING: Stance.NOT_ALLOWED})
    )
    assert other.index == first.index + 1


def test_everything_is_on_disk_before_it_is_sent(registrant: Registrant, state: Path) -> None:
    record = registrant.save(Picture(10_004).fingerprints, refusal(), label="me")
    assert record.stage is Stage.WAITING
    assert registrant.state.record(record.origin, record.index) == record
    with Registrant(registrant._connection.address, state=state) as other:
        sent = other.send(record)
    assert sent.stage is Stage.REGISTERED
    assert sent.request == record.request
    assert sent.kept_list is None


def test_sending_again_gets_the_same_registration(registrant: Registrant) -> None:
    record = registrant.save(Picture(10_005).fingerprints, refusal())
    first = registrant.send(record)
    registrant.state.save_record(replace(record, stage=Stage.SENT))  # the answer was lost
    again = registrant.send(record)
    assert again == first


def test_a_number_taken_on_another_device_is_passed_over(
    registrant: Registrant, server: Server, tmp_path: Path
) -> None:
    for seed in range(3):
        registrant.protect(Picture(10_100 + seed).fingerprints, refusal())
    with Registrant(server.url, state=tmp_path / "other") as other:
        other.state.create_phrase(registrant.state.phrase())
        record = other.protect(Picture(10_110).fingerprints, refusal(), label="mine")
        assert record.index == 3
        assert record.stage is Stage.REGISTERED
        dropped = other.state.record(record.origin, 0)
        assert dropped is not None
        assert dropped.stage is Stage.DROPPED
        assert dropped.kept_list is None


def test_an_expired_sealing_key_is_replaced_for_the_same_commitment(
    registrant: Registrant,
) -> None:
    """The registry answers for a key it does not know as for one that expired: seal again."""
    record = registrant.save(Picture(10_006).fingerprints, refusal())
    request = replace(record.request, sealing_key_id=bytes(8), sealed=bytes(record.request.sealed))
    registrant.state.save_record(replace(record, request=request))
    sent = registrant.send(record)
    assert sent.stage is Stage.REGISTERED
    assert sent.commitment == record.commitment
    assert sent.request.sealing_key_id != bytes(8)
    assert sent.request.sealed != record.request.sealed
    assert registrant.check(sent).commitment == record.commitment


def test_recovery_on_another_device(
    registrant: Registrant, server: Server, token: str, tmp_path: Path
) -> None:
    pictures = [Picture(10_200 + seed) for seed in range(4)]
    made = [registrant.protect(each.fingerprints, refusal(), label="x") for each in pictures]
    registrant.withdraw(made[1])
    with Registrant(server.url, state=tmp_path / "new") as other:
        other.state.create_phrase(registrant.state.phrase())
        found = other.recover()
        assert [record.index for record in found] == [0, 1, 2, 3]
        assert [record.commitment for record in found] == [record.commitment for record in made]
        assert [record.status for record in found] == [
            RecordStatus.ACTIVE,
            RecordStatus.WITHDRAWN,
            RecordStatus.ACTIVE,
            RecordStatus.ACTIVE,
        ]
        assert found[0].statement == refusal()
        assert found[0].image_digest == made[0].image_digest
        assert found[1].statement is None
        assert other.withdraw(found[2]).status is RecordStatus.WITHDRAWN
        fresh = other.protect(Picture(10_210).fingerprints, refusal())
        assert fresh.index == 4
    assert verdict(server, token, pictures[2]) is Verdict.CLEAR
    assert verdict(server, token, pictures[3]) is Verdict.EXCLUDE


def test_a_lost_answer_is_found_in_the_log(registrant: Registrant) -> None:
    record = registrant.save(Picture(10_007).fingerprints, refusal())
    registrant.send(record)
    registrant.state.save_record(replace(record, stage=Stage.SENT))
    (found,) = registrant.recover()
    assert found.stage is Stage.REGISTERED
    assert found.kept_list is None
    assert found.label == record.label


def test_another_phrase_finds_nothing(
    registrant: Registrant, server: Server, tmp_path: Path
) -> None:
    registrant.protect(Picture(10_008).fingerprints, refusal())
    with Registrant(server.url, state=tmp_path / "new") as other:
        other.ensure_phrase()
        assert other.recover() == []


def test_what_became_of_records_is_read_from_the_log(
    registrant: Registrant, server: Server, tmp_path: Path
) -> None:
    kept = registrant.protect(Picture(10_300).fingerprints, refusal())
    gone = registrant.protect(Picture(10_301).fingerprints, refusal())
    erased = registrant.protect(Picture(10_302).fingerprints, refusal())
    with Registrant(server.url, state=tmp_path / "other") as other:
        other.state.create_phrase(registrant.state.phrase())
        other.recover()
        other.withdraw(gone)
    server.command("erase", str(erased.register_index), "--reason", "TECHNICAL")
    statuses = [record.status for record in registrant.follow()]
    assert statuses == [RecordStatus.ACTIVE, RecordStatus.WITHDRAWN, RecordStatus.ERASED]
    assert registrant.follow()[0] == kept


@pytest.mark.parametrize("where", [0, "another's", "beyond the end"])
def test_a_log_that_lost_our_record_is_noticed(registrant: Registrant, where: str | int) -> None:
    other = registrant.protect(Picture(10_010).fingerprints, refusal())
    record = registrant.protect(Picture(10_009).fingerprints, refusal())
    registrant.withdraw(other)
    if where == "another's":
        where = other.register_index
        registrant.state.save_record(replace(other, stage=Stage.DROPPED))
    elif where == "beyond the end":
        where = 10**6
    registrant.state.save_record(replace(record, register_index=where))
    with pytest.raises(RecordsLost, match=f"#{record.index}") as caught:
        registrant.follow()
    assert caught.value.numbers == (record.index,)
    (lost,) = [each for each in registrant.follow() if each.index == record.index]
    assert lost.stage is Stage.LOST
    assert not lost.active


@pytest.mark.parametrize("lost", [1, 5_000])
def test_a_log_that_became_shorter_is_noticed(registrant: Registrant, lost: int) -> None:
    registrant.protect(Picture(10_099).fingerprints, refusal())
    registrant.follow()
    pinned = registrant.state.registry(registrant.origin)
    assert pinned is not None
    registrant.state.save_registry(replace(pinned, seen=pinned.seen + lost))
    with pytest.raises(LogShortened, match="shorter"):
        registrant.follow()
    (record,) = registrant.follow()
    assert record.active


def test_a_kept_withdrawal_needs_no_phrase(
    registrant: Registrant, server: Server, token: str, tmp_path: Path
) -> None:
    picture = Picture(10_011)
    record = registrant.protect(picture.fingerprints, refusal())
    text = registrant.signed_withdrawal(record).to_text()
    with Registrant(server.url, state=tmp_path / "elsewhere") as other:
        status = other.send_withdrawal(SignedWithdrawal.from_text(text))
    assert status is RecordStatus.WITHDRAWN
    assert verdict(server, token, picture) is Verdict.CLEAR


def test_a_record_never_sent_is_dropped_without_telling(registrant: Registrant) -> None:
    record = registrant.save(Picture(10_012).fingerprints, refusal())
    assert registrant.withdraw(record).stage is Stage.DROPPED
    assert registrant.pending() == []


def late(registrant: Registrant, number: int) -> SavedRecord:
    """A record whose request is still under way, as far as this device knows."""
    record = registrant.save(Picture(number).fingerprints, refusal())
    sent = replace(record, stage=Stage.SENT)
    registrant.state.save_record(sent)
    return sent


def test_a_registration_under_way_can_not_outlive_its_withdrawal(
    registrant: Registrant, server: Server, token: str
) -> None:
    sent = late(registrant, 10_013)
    assert sent.request is not None
    proof = registrant._proof(sent.request)
    ended = registrant.withdraw(sent)
    assert ended.status is RecordStatus.WITHDRAWN
    arrived = registrant._register(sent.request, proof)  # now, after all
    assert arrived.status is RecordStatus.WITHDRAWN
    assert verdict(server, token, Picture(10_013)) is Verdict.CLEAR


def test_what_was_taken_back_is_never_sent_again_to_be_registered(
    registrant: Registrant, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = late(registrant, 10_014)

    def broken(*_: object) -> NoReturn:
        raise Unreachable("no network")

    with monkeypatch.context() as patched:
        patched.setattr(registrant._connection, "run", broken)
        with pytest.raises(Unreachable):
            registrant.withdraw(sent)
    assert registrant.pending() == []
    (waiting,) = registrant.withdrawing()
    assert registrant.send(waiting).stage is Stage.WITHDRAWING
    assert registrant.withdraw(waiting).status is RecordStatus.WITHDRAWN
    assert registrant.withdrawing() == []


def test_a_registration_that_is_refused_for_good_is_dropped(registrant: Registrant) -> None:
    sent = late(registrant, 10_015)
    assert sent.request is not None
    forged = replace(sent.request, signature=bytes(64))
    registrant.state.save_record(replace(sent, request=forged))
    assert registrant.withdraw(sent).stage is Stage.DROPPED


def test_a_withdrawal_meanwhile_is_not_written_over(
    registrant: Registrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = registrant.save(Picture(10_016).fingerprints, refusal())
    register = registrant._register

    def withdrawn_meanwhile(request: RegistrationRequest, proof: str) -> Registration:
        with monkeypatch.context() as patched:
            patched.setattr(registrant, "_register", register)
            with Registrant(registrant._connection.address, state=registrant.state) as other:
                other.withdraw(record)
        return register(request, proof)

    monkeypatch.setattr(registrant, "_register", withdrawn_meanwhile)
    assert registrant.send(record).status is RecordStatus.WITHDRAWN
    assert registrant.state.records()[0].status is RecordStatus.WITHDRAWN


def test_a_picture_whose_record_was_erased_is_protected_anew(
    registrant: Registrant, server: Server, token: str
) -> None:
    picture = Picture(10_017)
    first = registrant.protect(picture.fingerprints, refusal())
    server.command("erase", str(first.register_index), "--reason", "TECHNICAL")
    second = registrant.protect(picture.fingerprints, refusal())
    assert second.index != first.index
    assert second.status is RecordStatus.ACTIVE
    assert verdict(server, token, picture) is Verdict.EXCLUDE


def test_a_picture_whose_record_was_lost_is_protected_anew(registrant: Registrant) -> None:
    picture = Picture(10_018)
    first = registrant.protect(picture.fingerprints, refusal())
    other = registrant.protect(Picture(10_019).fingerprints, refusal())
    registrant.state.save_record(replace(first, register_index=10**6))
    second = registrant.protect(picture.fingerprints, refusal())
    assert second.index not in {first.index, other.index}
    assert [each.stage for each in registrant.state.records()] == [
        Stage.LOST,
        Stage.REGISTERED,
        Stage.REGISTERED,
    ]
    assert registrant.withdraw(first).status is RecordStatus.WITHDRAWN  # it was there after all


def test_a_kill_between_two_numbers_registers_once(
    registrant: Registrant, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrant.ensure_phrase()
    with Registrant(server.url, state=tmp_path / "other") as other:
        other.state.create_phrase(registrant.state.phrase())
        other.protect(Picture(10_020).fingerprints, refusal())
    record = registrant.save(Picture(10_021).fingerprints, refusal())
    save = registrant.state.save_record

    def killed(saved: SavedRecord) -> None:
        if saved.stage is Stage.DROPPED:
            raise KeyboardInterrupt
        save(saved)

    with monkeypatch.context() as patched:
        patched.setattr(registrant.state, "save_record", killed)
        with pytest.raises(KeyboardInterrupt):
            registrant.send(record)
    for each in registrant.pending():
        registrant.send(each)
    registered = [each for each in registrant.state.records() if each.stage is Stage.REGISTERED]
    assert len(registered) == 1


async def test_a_cancelled_call_keeps_others_out_until_it_ends(server: Server, state: Path) -> None:
    registrant = Registrant(server.url, state=state)
    registrant.ensure_phrase()
    take = registrant.state.take_index

    def slowly(origin: str) -> int:
        index = take(origin)
        time.sleep(0.3)
        return index

    registrant.state.take_index = slowly  # type: ignore[method-assign]
    async with AsyncRegistrant(registrant) as slow:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(
                slow.protect(Picture(10_022).fingerprints, refusal(), label="one"), 0.1
            )
        second = await slow.protect(Picture(10_023).fingerprints, refusal(), label="two")
    labels = {record.index: record.label for record in registrant.state.records()}
    assert sorted(labels.values()) == ["one", "two"]
    assert labels[second.index] == "two"


def test_without_a_phrase_nothing_is_saved(server: Server, state: Path) -> None:
    with Registrant(server.url, state=state) as registrant, pytest.raises(NoPhrase):
        registrant.save(Picture(1).fingerprints, refusal())


def test_a_record_of_another_phrase_is_refused(registrant: Registrant, state: Path) -> None:
    record = registrant.save(Picture(10_014).fingerprints, refusal())
    (state / "phrase").unlink()
    registrant.state.create_phrase(new_phrase())
    with pytest.raises(StateError, match="another recovery phrase"):
        registrant.send(record)
    with pytest.raises(StateError, match="another recovery phrase"):
        registrant.withdraw(record)


def test_a_changed_key_is_refused_and_nothing_sent(
    registrant: Registrant, server: Server, state: Path
) -> None:
    origin = registrant.origin
    pinned = registrant.state.registry(origin)
    assert pinned is not None
    strange = NoteSigner(origin, bytes(range(32))).verifier.vkey
    registrant.state.save_registry(replace(pinned, verifier_key=strange))
    with (
        Registrant(server.url, state=state) as other,
        pytest.raises(RegistryKeyChanged, match="another key"),
    ):
        other.protect(Picture(10_015).fingerprints, refusal())
    with Registrant(server.url, state=state, registry_key=pinned.verifier_key) as other:
        assert other.meet().pinned.verifier_key == pinned.verifier_key
    with (
        Registrant(server.url, state=state, registry_key=strange) as other,
        pytest.raises(RegistryKeyChanged),
    ):
        other.meet()


def test_an_address_does_not_become_another_registry_unseen(
    registrant: Registrant, server: Server, state: Path
) -> None:
    pinned = registrant.meet().pinned
    path = next((state / "registries").glob("*.json"))
    path.unlink()
    key = NoteSigner("somebody/else", bytes(32)).verifier.vkey
    mirrored = replace(pinned, origin="somebody/else", verifier_key=key).reached_at(
        "https://mirror"
    )
    registrant.state.save_registry(mirrored)  # the other address is not forgotten for it
    with (
        Registrant(server.url, state=state) as other,
        pytest.raises(RegistryKeyChanged, match="calls itself"),
    ):
        other.meet()


def test_the_registry_refuses_what_it_does_not_take(registrant: Registrant) -> None:
    past = Statement.of({Use.AI_TRAINING: Stance.NOT_ALLOWED}, valid_until=1)
    with pytest.raises(RegistryProblem) as caught:
        registrant.protect(Picture(10_016).fingerprints, past)
    assert caught.value.problem_code == "INVALID_INPUT"


async def test_the_asynchronous_form(server: Server, state: Path) -> None:
    async with AsyncRegistrant(Registrant(server.url, state=state)) as registrant:
        assert await registrant.ensure_phrase()
        record = await registrant.protect(Picture(10_017).fingerprints, refusal())
        assert record.stage is Stage.REGISTERED
        assert (await registrant.withdraw(record)).status is RecordStatus.WITHDRAWN
        assert [each.status for each in await registrant.follow()] == [RecordStatus.WITHDRAWN]
        assert len(await registrant.recover()) == 1


def test_secrets_are_in_no_repr(registrant: Registrant) -> None:
    record = registrant.save(Picture(10_018).fingerprints, refusal())
    shown = repr(record) + repr(registrant.signed_withdrawal(record)) + repr(registrant.meet())
    for secret in (record.opening, record.request.sealed[:64], record.request.signature):
        assert repr(secret)[2:20] not in shown
        assert secret.hex() not in shown
