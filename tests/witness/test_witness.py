"""A witness cosigns what only grows, and remembers it."""

import asyncio
import contextlib
import json
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed, ProtocolError, StateError
from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import WitnessSigner, verify_cosignature
from consent_client.protocol.merkle import EMPTY_ROOT, Tree, consistency_proof, leaf_hash
from consent_client.protocol.notes import NoteSignature, NoteSigner, add_signature
from consent_client.protocol.witnessing import SIZE_TYPE, AddCheckpoint, Witnessed
from registry.errors import ConfigurationError, CorruptRegistry
from registry.witness.app import Witness, create_witness
from registry.witness.memory import Memory
from registry.witness.serving import signer_in
from tests.support.clocks import HandClock

LOG = NoteSigner("registry.example/test", bytes(range(32)))
OTHER_LOG = NoteSigner("other.example/log", bytes(range(7, 39)))
KEY = WitnessSigner("ngo.example/witness", bytes(range(40, 72)))
CLOCK = HandClock()
OLD = "two trees of one size: the log is forked\n"


def tree(count: int, name: bytes = b"entry") -> Tree:
    return Tree(leaf_hash(name + bytes([index])) for index in range(count))


def checkpoint(grown: Tree, signer: NoteSigner = LOG, size: int | None = None) -> str:
    size = len(grown) if size is None else size
    return sign_checkpoint(Checkpoint(signer.name, size, grown.root(size)), signer)


def asked(old: int, grown: Tree, size: int | None = None, signer: NoteSigner = LOG) -> str:
    size = len(grown) if size is None else size
    proof = consistency_proof(grown.node, min(old, size), size)
    return AddCheckpoint(old, proof, checkpoint(grown, signer, size)).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@contextlib.asynccontextmanager
async def clients_of(*witnesses: Witness):
    """Functions that ask these witnesses."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(create_witness(witness)),
                    base_url="http://witness",
                )
            )
            for witness in witnesses
        ]

        def asking(client: httpx.AsyncClient):
            async def ask(body: str | bytes) -> httpx.Response:
                return await client.post("/add-checkpoint", content=body)

            return ask

        yield [asking(client) for client in clients]


@pytest.fixture
async def ask(folder: Path):
    async with clients_of(Witness(KEY, [LOG.verifier], Memory(folder), CLOCK)) as (send,):
        yield send


async def test_it_cosigns_a_log_that_grows(ask):
    grown = tree(20)
    before = 0
    for size in (3, 3, 8, 20):
        answer = await ask(asked(before, grown, size))
        assert answer.status_code == httpx.codes.OK
        note = add_signature(checkpoint(grown, size=size), NoteSignature.parse(answer.text[:-1]))
        assert verify_cosignature(note, KEY.verifier).time == int(CLOCK.now())
        before = size


async def test_a_log_may_have_several_keys(folder):
    """While it changes its key, both are its own; the tree is one."""
    newer = NoteSigner(LOG.name, bytes(range(1, 33)))
    stranger = NoteSigner(LOG.name, bytes(range(2, 34)))
    witness = Witness(KEY, [LOG.verifier, newer.verifier], Memory(folder), CLOCK)
    async with clients_of(witness) as (ask,):
        assert (await ask(asked(0, tree(3)))).status_code == httpx.codes.OK
        assert (await ask(asked(3, tree(5), signer=newer))).status_code == httpx.codes.OK
        assert (await ask(asked(5, tree(8)))).status_code == httpx.codes.OK
        refused = await ask(asked(8, tree(9), signer=stranger))
        assert refused.status_code == httpx.codes.FORBIDDEN


async def test_it_says_from_where_the_proof_has_to_be(ask):
    await ask(asked(0, tree(5)))
    for old in (0, 4, 6):
        answer = await ask(asked(old, tree(9)))
        assert (answer.status_code, answer.text) == (httpx.codes.CONFLICT, "5\n")
        assert answer.headers["content-type"] == SIZE_TYPE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (asked(5, tree(5, b"fork")), 409),
        (asked(5, tree(9, b"fork")), 422),
        (AddCheckpoint(5, (), checkpoint(tree(9))).encode(), 422),
        (AddCheckpoint(5, (EMPTY_ROOT,) * 3, checkpoint(tree(9))).encode(), 422),
        (asked(5, tree(3)), 400),
        (asked(5, tree(9), signer=OTHER_LOG), 404),
        (asked(5, tree(9)).replace("registry.example/test\n9", "registry.example/test\n8"), 403),
        ("", 400),
        ("old 5\n", 400),
        ("old 05\n\n" + checkpoint(tree(9)), 400),
        ("old 5\nAA==\n\n" + checkpoint(tree(9)), 400),
        ("old 5\n" + "A" * 43 + "=\n" * 1 + "\n" + "x", 400),
        (b"\xff\xfe", 400),
        (b"old 0\n" * 100_000, 400),
    ],
)
async def test_it_cosigns_nothing_else_and_remembers_what_it_saw(ask, folder, body, status):
    await ask(asked(0, tree(5)))
    answer = await ask(body)
    assert answer.status_code == status
    assert "— " not in answer.text
    assert Memory(folder).recall(LOG.name).size == 5
    assert (await ask(asked(5, tree(9)))).status_code == httpx.codes.OK


async def test_requests_at_once_can_not_get_a_fork_cosigned(ask):
    """Both are right by themselves; after one of them the other is not."""
    await ask(asked(0, tree(5)))
    forked = Tree(leaf_hash(b"entry" + bytes([index])) for index in range(5))
    forked.append(leaf_hash(b"fork"))
    answers = await asyncio.gather(ask(asked(5, tree(6))), ask(asked(5, forked)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


class Slow(Memory):
    """Does not write down before it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.told = threading.Event(), threading.Event()

    def remember(self, origin: str, seen: Witnessed) -> None:
        self.asked.set()
        assert self.told.wait(10)
        super().remember(origin, seen)


@pytest.mark.parametrize("hung_up", [False, True])
@pytest.mark.parametrize("processes", [1, 2])
async def test_nobody_looks_between_what_was_seen_and_what_is_written_down(
    ask, folder, processes, hung_up
):
    """Or a log gets both branches of a fork cosigned, one after the other."""
    await ask(asked(0, tree(5)))
    forked = tree(5)
    forked.append(leaf_hash(b"fork"))
    slow = Slow(folder)
    witness = Witness(KEY, [LOG.verifier], slow, CLOCK)
    other = witness if processes == 1 else Witness(KEY, [LOG.verifier], Memory(folder), CLOCK)
    async with clients_of(witness, other) as (first, second):
        begun = asyncio.create_task(first(asked(5, tree(6))))
        assert await asyncio.to_thread(slow.asked.wait, 10)
        if hung_up:
            begun.cancel()
            await asyncio.wait([begun])
        then = asyncio.create_task(second(asked(5, forked)))
        await asyncio.wait([then], timeout=0.1)
        slow.told.set()
        assert (await then).status_code == httpx.codes.CONFLICT
        if not hung_up:
            assert (await begun).status_code == httpx.codes.OK
    assert Memory(folder).recall(LOG.name).root == tree(6).root()


async def test_nothing_is_vouched_for_that_is_not_on_disk(ask, monkeypatch):
    def full(*_: object) -> None:
        raise StateError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Memory, "remember", full)
        answer = await ask(asked(0, tree(5)))
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "— " not in answer.text


async def test_a_damaged_memory_is_not_a_new_one(ask, folder):
    await ask(asked(0, tree(5)))
    (path,) = folder.glob("*.json")
    whole = json.loads(path.read_text())
    for damaged in (
        "",
        "{",
        "[]",
        json.dumps(whole | {"size": -1}),
        json.dumps(whole | {"size": True}),
        json.dumps(whole | {"root": "AAAA"}),
        json.dumps(whole | {"origin": "other.example/log"}),
    ):
        path.write_text(damaged)
        with pytest.raises(CorruptRegistry):
            Memory(folder).recall(LOG.name)
        assert (await ask(asked(0, tree(5)))).status_code == httpx.codes.SERVICE_UNAVAILABLE


def test_two_witnesses_do_not_share_a_memory(folder):
    with Memory(folder).alone(), pytest.raises(ConfigurationError), Memory(folder).alone():
        pass
    with Memory(folder).alone():
        pass


def test_the_key_is_made_once_and_for_nobody_elses_eyes(folder):
    first = signer_in(folder, "ngo.example/witness")
    assert signer_in(folder, "ngo.example/witness") == first
    assert (folder / "witness.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError):
        signer_in(folder, "not a name")
    (folder / "witness.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError):
        signer_in(folder, "ngo.example/witness")
    (folder / "witness.key").chmod(0o644)
    with pytest.raises(StateError):
        signer_in(folder, "ngo.example/witness")


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_what_is_no_request_is_one_error(body: str) -> None:
    with pytest.raises(ProtocolError):
        AddCheckpoint.parse(body)


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_request_is_read_as_it_was_written(old: int, proof: list[bytes]) -> None:
    request = AddCheckpoint(old, tuple(proof), checkpoint(tree(3)))
    assert AddCheckpoint.parse(request.encode()) == request


def test_too_many_hashes_are_refused() -> None:
    with pytest.raises(Malformed):
        AddCheckpoint(1, (EMPTY_ROOT,) * 64, "note")
