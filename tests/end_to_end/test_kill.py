"""`kill -9` in the middle of registrations, withdrawals and rotations, again and again.

Nothing that was acknowledged may be lost, nothing may be half-written, and what was not
acknowledged can be sent again, byte for byte. A record that lost its key would make the server
refuse to be ready: its follower reads every record at every start.

What was published stays, byte for byte, and every checkpoint that anybody was given is an ancestor
of the newest one.
"""

import base64
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest

from consent_client.protocol.checkpoints import open_checkpoint
from consent_client.protocol.log import Register, Withdraw, decode_bundle, decode_entry
from consent_client.protocol.merkle import leaf_hash
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.tlog_proofs import TlogProof
from registry.services.rotation import GONE_AFTER_SECONDS
from tests.support.people import Person, Picture, solve, withdrawal_signature
from tests.support.serving import Server
from tests.support.unchanging import Unchanging

CLIENTS = 8

CHALLENGE = "query($id: Base64!) { challenge(recordId: $id) { ... on Challenge { proofOfWork } } }"
REGISTER = """mutation($input: RegisterInput!) { register(input: $input) { __typename
  ... on Registration { registerIndex status proof } ... on Problem { code } } }"""
WITHDRAW = """mutation($input: WithdrawInput!) { withdraw(input: $input) { __typename
  ... on Withdrawal { registerIndex terminalIndex } ... on Problem { code } } }"""
ENTRIES = """query($start: LogIndex!) { entries(start: $start, count: 16384) {
  ... on EntryBundle { count logSize data } } }"""


def b64(data):
    return base64.b64encode(data).decode()


@dataclass
class Load:
    """Clients that register and withdraw until the server dies under them."""

    server: Server
    seed: int
    sent: dict = field(default_factory=dict)  # record id → (owner, request)
    registered: dict = field(default_factory=dict)  # record id → REGISTER index, acknowledged
    proofs: dict = field(default_factory=dict)  # record id → C2SP tlog-proof, as acknowledged
    withdrawing: set = field(default_factory=set)  # record ids, sent
    withdrawn: dict = field(default_factory=dict)  # record id → WITHDRAW index, acknowledged
    problems: list = field(default_factory=list)

    def post(self, client, query, **variables):
        answer = client.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        return answer.json()["data"]

    def register(self, client, owner, request):
        self.sent[request.record_id] = (owner, request)
        work = self.post(client, CHALLENGE, id=b64(request.record_id))["challenge"]["proofOfWork"]
        variables = request.to_json() | {"proofOfWork": solve(work)}
        answer = self.post(client, REGISTER, input=variables)["register"]
        if answer["__typename"] == "Registration":
            self.proofs[request.record_id] = answer["proof"]
            self.registered[request.record_id] = answer["registerIndex"]
        elif answer["code"] != "BUSY":
            self.problems.append(answer)

    def withdraw(self, client, record_id):
        owner, request = self.sent[record_id]
        self.withdrawing.add(record_id)
        signature = withdrawal_signature(owner, "registry.example/test", request.commitment)
        answer = self.post(
            client,
            WITHDRAW,
            input={
                "ownerPublicKey": b64(owner.public),
                "commitment": b64(request.commitment),
                "signature": b64(signature),
            },
        )["withdraw"]
        if answer["__typename"] == "Withdrawal":
            self.withdrawn[record_id] = answer["terminalIndex"]
        elif answer["code"] != "BUSY":
            self.problems.append(answer)

    def client(self, number):
        chance = random.Random(f"{self.seed}/{number}")
        person = Person()
        with (
            contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError),
            httpx.Client(base_url=self.server.url, timeout=10) as client,
        ):
            info = self.post(client, "{ registry { origin verifierKey sealingKeys } }")["registry"]
            while True:
                mine = Picture(chance.randrange(2**40))
                owner, request = person.seal(
                    info["origin"], info["sealingKeys"], info["verifierKey"], mine.fingerprints
                )
                self.register(client, owner, request)
                if chance.random() < 0.3:
                    self.withdraw(client, request.record_id)

    def run(self, seconds, *, rotating):
        threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        rotation = None
        if rotating:
            time.sleep(seconds / 3)
            rotation = subprocess.Popen(
                [sys.executable, "-m", "registry.cli", "keys", "rotate", "--wait", "1"],
                env=self.server.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        time.sleep(seconds)
        self.server.kill()
        if rotation is not None:
            rotation.send_signal(signal.SIGKILL)
            rotation.wait()
        for thread in threads:
            thread.join()


def log_of(server):
    entries = []
    while True:
        page = server.ask(ENTRIES, start=len(entries))["data"]["entries"]
        entries += [decode_entry(data) for data in decode_bundle(base64.b64decode(page["data"]))]
        if len(entries) >= page["logSize"]:
            return entries


def check(server, load, published):
    """Everything acknowledged is in the log, where it was said to be, once, and published."""
    entries = log_of(server)
    check_published(server, load, published, entries)
    registers = [e.commitment for e in entries if isinstance(e, Register)]
    assert len(set(registers)) == len(registers)
    for record_id, index in load.registered.items():
        assert entries[index].commitment == load.sent[record_id][1].commitment
    for record_id, index in load.withdrawn.items():
        withdrawal = entries[index]
        assert isinstance(withdrawal, Withdraw)
        assert entries[withdrawal.register_index].commitment == load.sent[record_id][1].commitment
    ended = [e.register_index for e in entries if isinstance(e, Withdraw)]
    assert len(set(ended)) == len(ended)


def check_published(server, load, published, entries):
    """Acknowledged proofs verify, under checkpoints that the published log grew from."""
    seen = set()
    for record_id, text in load.proofs.items():
        proof = TlogProof.parse(text)
        checkpoint = open_checkpoint(proof.checkpoint, published.verifier)
        assert proof.index == load.registered[record_id]
        proof.verify(leaf_hash(entries[proof.index].encode()), checkpoint)
        seen.add(checkpoint)
    newest = published.check(seen)
    assert newest.size >= max(load.withdrawn.values(), default=-1) + 1
    served = httpx.get(f"{server.url}/log/checkpoint").text
    assert open_checkpoint(served, published.verifier).size >= newest.size


def rounds(server, count):
    load = Load(server, seed=0)
    server.start()
    key = server.ask("{ registry { verifierKey } }")["data"]["registry"]["verifierKey"]
    server.stop()
    published = Unchanging(server.folder / "data" / "log", NoteVerifier.parse(key))
    chance = random.Random(os.environ.get("KILL_SEED", "7"))
    for number in range(count):
        load.seed = number
        server.start()
        check(server, load, published)
        load.run(0.25 + chance.random() * 0.5, rotating=number % 3 == 2)
    server.start()
    check(server, load, published)
    assert not load.problems
    assert len(load.registered) >= count / 10  # on a very busy machine, too
    assert load.withdrawn

    # What was sent and not acknowledged: the same bytes again, never a conflict.
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for record_id, (owner, request) in load.sent.items():
            if record_id not in load.registered:
                load.register(client, owner, request)
        for record_id in load.withdrawing - load.withdrawn.keys():
            load.withdraw(client, record_id)
    assert not load.problems
    assert load.registered.keys() == load.sent.keys()
    check(server, load, published)
    # The one killed last counts as serving until it was not heard of for so long.
    rotated = server.command("keys", "rotate", "--wait", str(2 * GONE_AFTER_SECONDS), "--json")
    assert '"waitingFor": []' in rotated.stdout
    server.stop()
    server.start()
    check(server, load, published)


@pytest.fixture
def server(store_url, tmp_path):
    server = Server(tmp_path / "server", store_url, {"CONSENT_REGISTRY_FOLLOW_SECONDS": "0.1"})
    yield server
    server.stop()


def test_nothing_acknowledged_is_lost_by_kill_9(server):
    rounds(server, 20)


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_by_kill_9_two_hundred_times(server):
    rounds(server, 200)
