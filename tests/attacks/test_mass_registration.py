"""Registering very much, what is another's, or what was sent before. Each attack works undefended.

All through the application, each request from an address of its sender's choosing. What is refused
must leave nothing behind: every row of every table is compared. Hostile vectors that match much
are in test_generic.py; races at the ceiling in test_limits.py.
"""

import base64
import contextlib
import json
from dataclasses import dataclass, field, replace

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from consent_client.protocol.log import EraseReason
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.records import build_registration, register_message
from consent_client.protocol.sealing import Suite, decode_sealing_keys, seal
from consent_client.protocol.statements import Stance
from consent_client.protocol.verdicts import Verdict
from registry.api.bodies import BodyLimits
from registry.api.schema import View
from registry.services import challenges, matched
from registry.services.days import sequence_day
from registry.services.erasure import erase
from registry.services.running import running
from registry.settings import Settings
from registry.store.tables import METADATA, PROCESS
from tests.support.clocks import HandClock
from tests.support.people import CONSENT, Person, Picture, content_of, solve, withdrawal_signature
from tests.support.registering import Harness

HERE, ELSEWHERE = "registry.example/test", "elsewhere.example/registry"
CAT = Picture(1)

CHALLENGE = """query($id: Base64!) { challenge(recordId: $id) {
  ... on Challenge { proofOfWork } ... on Problem { code } } }"""
REGISTER = """mutation($input: RegisterInput!) { register(input: $input) { __typename
  ... on Registration { registerIndex status } ... on Problem { code message } } }"""
WITHDRAW = """mutation($input: WithdrawInput!) { withdraw(input: $input) { __typename
  ... on Withdrawal { status } ... on Problem { code message } } }"""

UNLIMITED = "1000000/minute"
DAY = 86_400
TAKEN = "taken"
"""As what a registration that was not refused counts."""


def b64(data):
    return base64.b64encode(data).decode()


@dataclass
class World:
    """A registry, and people who send it what they like from where they like."""

    harness: Harness
    application: object
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    async def post(self, address, query, **variables):
        if address not in self.clients:
            transport = httpx.ASGITransport(self.application, client=(address, 4711))
            self.clients[address] = httpx.AsyncClient(
                transport=transport, base_url="http://registry.example"
            )
        body = {"query": query, "variables": variables}
        return (await self.clients[address].post("/graphql", json=body)).json()

    def request(self, person, picture, *statement):
        registry = self.harness.registry
        return person.seal(
            HERE,
            registry.sealing.note,
            registry.signer.verifier.vkey,
            picture.fingerprints,
            *statement,
        )

    async def work(self, record_id, address="192.0.2.99"):
        answer = await self.post(address, CHALLENGE, id=b64(record_id))
        return solve(answer["data"]["challenge"]["proofOfWork"])

    async def send(self, request, work=None, address="192.0.2.1"):
        """The code of what became of it, or `TAKEN`, and all of the answer."""
        work = await self.work(request.record_id) if work is None else work
        sent = request.to_json() | {"proofOfWork": work}
        answer = await self.post(address, REGISTER, input=sent)
        if answer.get("errors"):
            return answer["errors"][0]["extensions"]["code"], answer
        done = answer["data"]["register"]
        return done.get("code", TAKEN), done

    async def withdraw(self, owner, commitment, address="192.0.2.1"):
        sent = {
            "ownerPublicKey": b64(owner.public),
            "commitment": b64(commitment),
            "signature": b64(withdrawal_signature(owner, HERE, commitment)),
        }
        return (await self.post(address, WITHDRAW, input=sent))["data"]["withdraw"]

    async def verdict(self, picture):
        return (await self.harness.verdicts([picture]))[0]

    async def rows(self):
        """Every row of every table, but the heartbeat."""
        kept = {}
        async with self.harness.registry.store.read() as connection:
            for table in METADATA.sorted_tables:
                if table is not PROCESS:
                    kept[table.name] = sorted(map(repr, await connection.execute(select(table))))
        return kept


@contextlib.asynccontextmanager
async def world(folder, **changed):
    settings = Settings(
        origin=changed.pop("origin", HERE),
        data_dir=folder / "data",
        keyring_dir=folder / "keyring",
        **{
            "proof_of_work_digits": 1,
            "registration_limit": UNLIMITED,
            "challenge_limit": UNLIMITED,
            "follow_seconds": 0.05,
        }
        | changed,
    )
    clock = HandClock()
    clock.advance(seconds=1.5 * DAY - clock.now() % DAY)  # noon: no day begins in between
    async with running(settings, clock) as registry, contextlib.AsyncExitStack() as stack:
        await sequence_day(registry.store, registry.follower, clock)
        made = World(Harness(registry, clock), BodyLimits(View(registry), registry))
        yield made
        for client in made.clients.values():
            stack.push_async_callback(client.aclose)


@pytest.fixture
async def here(tmp_path):
    async with world(tmp_path) as it:
        yield it


# Flooding.


async def test_who_does_no_work_of_their_own_is_refused_before_anything_costs(here, monkeypatch):
    """Work is for one record: nobody does it once and registers a thousand."""
    person = Person()
    requests = [here.request(person, Picture(seed))[1] for seed in range(8)]
    one = await here.work(requests[0].record_id)
    assert (await here.send(requests[0], one))[0] == TAKEN
    stale = await here.work(requests[1].record_id)
    theirs = challenges.Challenges(b"another secret", 1, here.harness.clock)
    own_make = solve(theirs.issue(requests[2].record_id).proof_of_work)
    unsolved = b64(b'{"challenge": {}, "solution": {}}')
    opened, genuine = [], here.harness.registry.sealing.open

    async def counting(*arguments):
        opened.append(arguments)
        return await genuine(*arguments)

    monkeypatch.setattr(here.harness.registry.sealing, "open", counting)
    before = await here.rows()
    attempts = [(requests[2], own_make), (requests[3], unsolved)]
    attempts += [(request, one) for request in requests[4:]]
    codes = {(await here.send(*attempt))[0] for attempt in attempts}
    here.harness.clock.advance(seconds=challenges.CHALLENGE_SECONDS + 1)
    codes.add((await here.send(requests[1], stale))[0])
    assert codes == {"PROOF_OF_WORK_REJECTED"}
    assert not opened  # the costly step was never reached
    assert await here.rows() == before
    # The control: the same requests, each with its own work, fill the registry.
    codes = [(await here.send(request))[0] for request in requests[1:]]
    assert codes == [TAKEN] * 7


async def test_each_digit_makes_a_flood_sixteen_times_dearer(tmp_path):
    """How many keys a sender must derive until one has enough zeros; no clock is asked."""
    tries = {}
    for digits in (1, 2):
        async with world(tmp_path / str(digits), proof_of_work_digits=digits) as there:
            solved = [await there.work(Picture(seed).sha256[:16]) for seed in range(24)]
        tries[digits] = sum(counter(each) for each in solved)
    # Of 24 geometric numbers the sum is four times too small or large once in 10⁷ times.
    assert 24 * 16 / 4 < tries[1] < 24 * 16 * 4
    assert 24 * 256 / 4 < tries[2] < 24 * 256 * 4


def counter(payload):
    return json.loads(base64.b64decode(payload))["solution"]["counter"] + 1


@pytest.mark.parametrize("defended", [True, False])
async def test_one_address_registers_as_much_as_the_limit_says(tmp_path, defended):
    """An IPv6 /64 is one address: who has one has 2⁶⁴."""
    limit = "3/year" if defended else UNLIMITED
    async with world(tmp_path, registration_limit=limit) as there:
        person = Person()
        sent = [there.request(person, Picture(seed)) for seed in range(6)]
        codes = []
        for number, (_, request) in enumerate(sent):
            if number == 3:
                before = await there.rows()
            codes.append((await there.send(request, address=f"2001:db8::{number + 1:x}"))[0])
        if not defended:
            assert codes == [TAKEN] * 6
            return
        assert codes == [TAKEN] * 3 + ["RATE_LIMITED"] * 3
        assert await there.rows() == before
        # Nobody else is kept out by it, and the flooder may still withdraw.
        assert (await there.send(sent[3][1], address="2001:db8:0:1::1"))[0] == TAKEN
        owner, request = sent[0]
        done = await there.withdraw(owner, request.commitment, "2001:db8::1")
        assert done["status"] == "WITHDRAWN"


@pytest.mark.parametrize("defended", [True, False])
async def test_beyond_the_ceiling_a_flood_leaves_nothing_and_the_others_can_still_withdraw(
    tmp_path, defended
):
    async with world(tmp_path, max_records=4 if defended else 1_000) as there:
        alice, mallory = Person(), Person()
        owner, request = there.request(alice, CAT)
        assert (await there.send(request))[0] == TAKEN
        flood = [there.request(mallory, Picture(seed))[1] for seed in range(10, 18)]
        codes = []
        for number, each in enumerate(flood):
            if number == 3:
                await there.harness.registry.follower.catch_up()
                before = await there.rows()
            codes.append((await there.send(each, address=f"192.0.2.{number}"))[0])
            await there.harness.registry.follower.catch_up()
        if not defended:
            assert codes == [TAKEN] * 8
            return
        assert codes == [TAKEN] * 3 + ["REGISTRY_FULL"] * 5
        assert await there.rows() == before
        assert await there.verdict(CAT) is Verdict.EXCLUDE
        assert (await there.withdraw(owner, request.commitment))["status"] == "WITHDRAWN"
        await there.harness.registry.follower.catch_up()
        assert (await there.send(flood[-1]))[0] == TAKEN  # there is room for one again


# Squatting: a picture registered by somebody whose it is not, and before its owner.


async def squatted(there, squatters, owners):
    """Mallory states something about Alice's picture first; both keys, commitments, answers."""
    mallory, alice = Person(), Person()
    theirs, first = there.request(mallory, CAT, *squatters)
    hers, second = there.request(alice, CAT, *owners)
    assert (await there.send(first))[0] == (await there.send(second))[0] == TAKEN
    return (theirs, first.commitment), (hers, second.commitment)


async def test_a_permission_that_was_stated_first_does_not_outweigh_the_owners_refusal(here):
    squatter, owner = await squatted(here, [CONSENT], [])
    assert await here.verdict(CAT) is Verdict.EXCLUDE
    assert (await here.withdraw(*squatter))["status"] == "WITHDRAWN"
    assert await here.verdict(CAT) is Verdict.EXCLUDE
    assert (await here.withdraw(*owner))["status"] == "WITHDRAWN"
    assert await here.verdict(CAT) is Verdict.CLEAR


async def test_where_permissions_won_squatting_would_work(here, monkeypatch):
    """The control: one permission would undo every refusal of the picture."""
    combine = matched.combine_block

    def the_other_way_round(count, rows, stances, unknown):
        permitted = set(rows[stances == Stance.ALLOWED].tolist())
        kept = np.array([row not in permitted for row in rows.tolist()], np.bool_)
        kept |= stances == Stance.ALLOWED
        return combine(count, rows[kept], stances[kept], unknown)

    monkeypatch.setattr(matched, "combine_block", the_other_way_round)
    await squatted(here, [CONSENT], [])
    assert await here.verdict(CAT) is Verdict.PERMIT


async def test_a_false_refusal_stands_until_the_operator_erases_it(here):
    """What is left of squatting: it leaves a picture out that its owner would have had used."""
    (_, commitment), owner = await squatted(here, [], [CONSENT])
    assert await here.verdict(CAT) is Verdict.EXCLUDE
    assert (await here.withdraw(owner[0], commitment))["code"] == "NOT_YOURS"
    registry = here.harness.registry
    async with registry.store.read() as connection:
        table = METADATA.tables["record"]
        wanted = table.c.commitment == commitment
        index = await connection.scalar(select(table.c.register_index).where(wanted))
    await erase(registry.store, index, EraseReason.FALSE_STATEMENT)
    assert await here.verdict(CAT) is Verdict.PERMIT


# Replay.


async def test_the_same_bytes_again_are_the_same_record_and_bring_none_back(here):
    owner, request = here.request(Person(), CAT)
    work = await here.work(request.record_id)
    _, first = await here.send(request, work)
    before = await here.rows()
    for address in ("192.0.2.1", "198.51.100.7"):
        code, again = await here.send(request, work, address)
        assert (code, again["registerIndex"]) == (TAKEN, first["registerIndex"])
    assert await here.rows() == before
    await here.withdraw(owner, request.commitment)
    assert await here.verdict(CAT) is Verdict.CLEAR
    before = await here.rows()
    _, again = await here.send(request, work, "198.51.100.7")
    assert again["status"] == "WITHDRAWN"
    assert await here.verdict(CAT) is Verdict.CLEAR
    after = await here.rows()
    assert (after["entry"], after["record"]) == (before["entry"], before["record"])


async def test_what_another_registry_was_sent_is_worth_nothing_here(here, tmp_path):
    """Its operator holds everything that was sent there, opened too."""
    person = Person()
    async with world(tmp_path / "elsewhere", origin=ELSEWHERE) as there:
        registry = there.harness.registry
        owner, theirs = person.seal(
            ELSEWHERE, registry.sealing.note, registry.signer.verifier.vkey, CAT.fingerprints
        )
        assert (await there.send(theirs))[0] == TAKEN
    key = sealing_key(here)
    content = content_of(owner, CAT.fingerprints).encode()
    resealed = replace(
        theirs,
        sealing_key_id=key.key_id,
        sealed=seal(content, key, HERE, owner.record_id, owner.public),
    )
    before = await here.rows()
    assert (await here.send(theirs))[0] == "SIGNATURE_REJECTED"
    assert (await here.send(resealed))[0] == "SIGNATURE_REJECTED"
    assert await here.rows() == before
    # The control: what lacks is the owner's signature, and nothing else.
    signature = owner.sign(register_message(HERE, owner.record_id, theirs.commitment))
    assert (await here.send(replace(theirs, signature=signature)))[0] == "SEALING_KEY_UNKNOWN"
    assert (await here.send(replace(resealed, signature=signature)))[0] == TAKEN


def sealing_key(there):
    registry = there.harness.registry
    verifier = NoteVerifier.parse(registry.signer.verifier.vkey)
    keys = decode_sealing_keys(registry.sealing.note, HERE, verifier)
    return next(key for key in keys if key.suite is Suite.X_WING)


async def test_what_was_recorded_on_the_way_is_worth_nothing_when_its_sealing_key_is_old(here):
    _, request = here.request(Person(), CAT)
    _, control = here.request(Person(), CAT)  # sealed to the same key
    assert control.sealing_key_id == request.sealing_key_id
    assert (await here.send(control))[0] == TAKEN
    days = here.harness.registry.settings.sealing_key_days
    here.harness.clock.advance(days=days + 1)
    await sequence_day(
        here.harness.registry.store, here.harness.registry.follower, here.harness.clock
    )
    await here.harness.registry.sealing.refresh()
    before = await here.rows()
    assert (await here.send(request))[0] == "SEALING_KEY_EXPIRED"
    assert await here.rows() == before
    # Nor would it be where the clock was put back: the private half is destroyed.
    here.harness.clock.advance(days=-days - 1)
    assert (await here.send(request))[0] == "SEALING_KEY_UNKNOWN"
    assert await here.rows() == before


# Taking what is another's.


async def test_who_copies_from_the_wire_or_the_log_can_register_none_of_it(here):
    """Mallory saw Alice's whole request before the registry did."""
    alice, mallory = Person(), Person()
    hers, request = here.request(alice, CAT)
    mallorys, own = here.request(mallory, Picture(2))
    before = await here.rows()

    def signed(commitment):
        return mallorys.sign(register_message(HERE, mallorys.record_id, commitment))

    copies = {
        # Her blob, under Mallory's key: the seal names its owner.
        "SEAL_REJECTED": replace(
            own,
            sealed=request.sealed,
            sealing_key_id=request.sealing_key_id,
            commitment=request.commitment,
            signature=signed(request.commitment),
        ),
        # Her record id and key with Mallory's content.
        "SIGNATURE_REJECTED": replace(own, record_id=hers.record_id, owner_public_key=hers.public),
    }
    for code, copy in copies.items():
        assert (await here.send(copy))[0] == code
    # Her commitment, which the log shows, over Mallory's own content.
    taken = replace(own, commitment=request.commitment, signature=signed(request.commitment))
    assert (await here.send(taken))[0] == "SEAL_REJECTED"
    # Her record id with Mallory's key.
    work = await here.work(hers.record_id)
    named = own.to_json() | {"recordId": b64(hers.record_id), "proofOfWork": work}
    answer = await here.post("192.0.2.1", REGISTER, input=named)
    assert answer["data"]["register"]["code"] == "INVALID_INPUT"
    assert await here.rows() == before
    # The controls: as they were made, both are taken.
    assert (await here.send(request))[0] == (await here.send(own))[0] == TAKEN


async def test_a_record_id_can_not_be_taken_before_its_owner_comes(here):
    """Only who has the owner's key can: another content under it is a conflict with her own."""
    alice = Person()
    hers, request = here.request(alice, CAT)
    earlier = build_registration(hers, HERE, CONSENT, Picture(3).fingerprints, sealing_key(here))
    forged = replace(earlier, signature=Person().owner(HERE, 0).sign(b"x"))
    assert (await here.send(forged))[0] == "SIGNATURE_REJECTED"
    assert (await here.send(request))[0] == TAKEN
    before = await here.rows()
    # The control: with her key it reaches the last check of all.
    assert (await here.send(earlier))[0] == "CONFLICT"
    assert await here.rows() == before
