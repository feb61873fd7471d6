"""Limits by address, queue, ceiling and quota: what is refused has not happened."""

import asyncio
import base64
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request

from consent_client.protocol.statements import Use
from registry.api.context import Context
from registry.errors import Held, RegistryFull
from registry.services import screening, sessions
from registry.services.blocks import Block
from registry.services.days import sequence_day
from registry.services.running import running
from registry.services.sessions import Opening
from registry.settings import Settings
from tests.support.clocks import HandClock
from tests.support.people import Person, Picture, columns, solve
from tests.support.registering import Harness
from tests.support.serving import serving

CHALLENGE = """query($id: Base64!) { challenge(recordId: $id) {
  ... on Challenge { proofOfWork } } }"""
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { __typename } }"
LOG = """{ entries(start: 0, count: 100) { ... on EntryBundle { logSize } } }"""


def settings_of(**changed):
    return type("Running", (), {"settings": Settings(**changed)})


def address(peer, forwarded, trusted):
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
    return Context(settings_of(trusted_proxies=trusted), Request(scope)).address


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        # Nobody is believed who was not named.
        ("192.0.2.1", ["198.51.100.9"], (), "192.0.2.1"),
        ("192.0.2.1", ["10.0.0.1"], ("10.0.0.0/8",), "192.0.2.1"),
        ("192.0.2.1", [], ("10.0.0.0/8",), "192.0.2.1"),
        # A named proxy is, for what it wrote itself: the right-most.
        ("10.0.0.1", ["198.51.100.9"], ("10.0.0.0/8",), "198.51.100.9"),
        ("10.0.0.1", ["203.0.113.5, 198.51.100.9"], ("10.0.0.0/8",), "198.51.100.9"),
        ("10.0.0.1", ["203.0.113.5", "198.51.100.9"], ("10.0.0.0/8",), "198.51.100.9"),
        ("10.0.0.1", ["203.0.113.5, 10.9.9.9, 10.0.0.2"], ("10.0.0.0/8",), "203.0.113.5"),
        ("10.0.0.1", ["127.0.0.1, 198.51.100.9, 10.0.0.2"], ("10.0.0.0/8",), "198.51.100.9"),
        # Nothing useful: the proxy itself, so that all share one limit.
        ("10.0.0.1", [], ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", [" , ,"], ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.7"], ("10.0.0.0/8",), "10.0.0.1"),
        # A port would make each connection a client of its own.
        ("10.0.0.1", ["198.51.100.9:4711"], ("10.0.0.0/8",), "198.51.100.9"),
        ("10.0.0.1", ["[2001:db8::9]:4711"], ("10.0.0.0/8",), "2001:db8::9"),
        ("10.0.0.1", ["[2001:db8::9]"], ("10.0.0.0/8",), "2001:db8::9"),
        ("10.0.0.1", ["2001:db8::9"], ("10.0.0.0/8",), "2001:db8::9"),
        ("10.0.0.1", ["198.51.100.9, 10.0.0.2:80"], ("10.0.0.0/8",), "198.51.100.9"),
        # Sockets that listen on both write IPv4 peers so.
        ("::ffff:10.0.0.1", ["198.51.100.9"], ("10.0.0.0/8",), "198.51.100.9"),
        ("fd00::1", ["2001:db8::9, fd00::2"], ("fd00::/8",), "2001:db8::9"),
        # Not an address: taken as it is, one limit for all who say the same.
        ("10.0.0.1", ["unknown"], ("10.0.0.0/8",), "unknown"),
        ("10.0.0.1", ["[::1"], ("10.0.0.0/8",), "::1"),
        ("", ["198.51.100.9"], ("10.0.0.0/8",), ""),
    ],
)
def test_whose_request_it_is(peer, forwarded, trusted, client):
    assert address(peer, forwarded, trusted) == client


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    limits = {
        "CONSENT_REGISTRY_REGISTRATION_LIMIT": "2/hour",
        "CONSENT_REGISTRY_CHALLENGE_LIMIT": "12/hour",
        "CONSENT_REGISTRY_ENTRIES_LIMIT": "10/hour",
        "CONSENT_REGISTRY_TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    with serving(tmp_path_factory.mktemp("limited"), **limits) as server:
        yield server


def post(server, client, query, **variables):
    """A request that a proxy passes on for a client's address."""
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": variables},
        headers={"x-forwarded-for": client},
    )
    assert answer.status_code == httpx.codes.OK
    return answer.json()


def limited_error(answer):
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfterSeconds"] >= 1
    return True


def test_registrations_are_limited_by_address_and_the_refused_are_not_registered(limited):
    info = post(limited, "192.0.2.50", "{ registry { origin verifierKey sealingKeys } }")
    info, person, outcomes = info["data"]["registry"], Person(), []
    before = post(limited, "192.0.2.50", LOG)["data"]["entries"]["logSize"]
    for seed, client in enumerate(["192.0.2.1", "x, 192.0.2.1", "192.0.2.1:9", "192.0.2.2"]):
        owner, request = person.seal(
            info["origin"], info["sealingKeys"], info["verifierKey"], Picture(seed).fingerprints
        )
        asked = base64.b64encode(owner.record_id).decode()
        work = post(limited, "192.0.2.60", CHALLENGE, id=asked)["data"]["challenge"]
        variables = request.to_json() | {"proofOfWork": solve(work["proofOfWork"])}
        outcomes.append(post(limited, client, REGISTER, input=variables))
    assert [bool(outcome["data"]) for outcome in outcomes] == [True, True, False, True]
    assert limited_error(outcomes[2])
    assert post(limited, "192.0.2.50", LOG)["data"]["entries"]["logSize"] == before + 3


def test_challenges_are_limited_by_address_under_aliases_too(limited):
    fields = " ".join(
        f'a{i}: challenge(recordId: "AAAAAAAAAAAAAAAAAAAAAA==") {{ __typename }}' for i in range(5)
    )
    answers = [post(limited, "192.0.2.3", f"{{ {fields} }}") for _ in range(3)]
    assert "errors" not in answers[1]
    # 12 of 15: the third request had its two, then no more; the field is not nullable.
    errors = answers[2]["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"RATE_LIMITED"}
    assert "errors" not in post(limited, "192.0.2.4", f"{{ {fields} }}")


def test_reading_the_log_is_limited_by_entries(limited):
    query = "query($count: Int!) { entries(start: 0, count: $count) { __typename } }"
    size = post(limited, "192.0.2.7", LOG)["data"]["entries"]["logSize"]
    assert 0 < size < 10  # the whole log was read, and counted
    answers = [post(limited, "192.0.2.7", query, count=size) for _ in range(10)]
    assert limited_error(answers[-1])
    assert sum(bool(answer["data"]) for answer in answers) == 10 // size - 1
    assert "errors" not in post(limited, "192.0.2.8", query, count=1)


def test_looking_for_new_entries_costs_one_a_time(limited):
    query = "{ entries(start: 1000, count: 16384) { __typename } }"
    answers = [post(limited, "192.0.2.9", query) for _ in range(11)]
    assert not any("errors" in answer for answer in answers[:10])
    assert limited_error(answers[10])


@pytest.fixture
async def harness(sqlite_url, tmp_path):
    settings = Settings(
        origin="registry.example/test",
        data_dir=tmp_path,
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
        max_records=3,
        queue_size=100,
    )
    clock = HandClock()
    async with running(settings, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        yield Harness(registry, clock)


async def test_the_ceiling_holds_against_many_at_once(harness):
    requests = [harness.request(Picture(seed))[1] for seed in range(20)]
    async with harness.registry.store.write():  # all of them are asked before any is written
        tasks = [asyncio.create_task(harness.send(request)) for request in requests]
        async with asyncio.timeout(20):
            while sum(task.done() for task in tasks) + harness.registry.sequencer.waiting < 20:
                await asyncio.sleep(0.01)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RegistryFull)]
    await harness.registry.follower.catch_up()
    active = harness.registry.follower.state.active_records
    assert active + len(refused) == 20
    assert active == 3


async def test_at_the_ceiling_a_retry_still_gets_its_answer(harness):
    sent = [await harness.protect(Picture(seed)) for seed in range(3)]
    await harness.registry.follower.catch_up()
    _, request = harness.request(Picture(9))
    with pytest.raises(RegistryFull):
        await harness.send(request)
    _, request, answer = sent[1]
    assert (await harness.send(request)).register_index == answer.register_index
    other = replace(request, commitment=bytes(32))
    with pytest.raises(RegistryFull):
        await harness.send(other)


async def test_blocks_at_once_do_not_slip_under_the_quota_together(harness):
    builder = replace(await harness.builder(), daily_items=4)
    row, _ = await sessions.open_screening(
        harness.registry, builder, Opening("a set", Use.AI_TRAINING, (), 100)
    )
    blocks = [
        Block(number, columns([Picture(number), Picture(number + 100)])) for number in range(10)
    ]
    answers = await asyncio.gather(
        *(screening.screen(harness.registry, builder, row.id, block) for block in blocks),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Held)]
    closing = await sessions.close_screening(harness.registry, builder, row.id)
    assert closing.answered == 4
    assert len(refused) == 8
