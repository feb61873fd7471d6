"""The registry and its witnesses, each in a process of its own."""

import asyncio
import contextlib
import gzip
import re
import socket

import pytest

from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.log import Day
from consent_client.protocol.merkle import EMPTY_ROOT, Tree, leaf_hash
from consent_client.protocol.notes import (
    MAX_SIGNATURES,
    NoteSignature,
    NoteSigner,
    add_signature,
    split_note,
)
from consent_client.protocol.policies import Standing, parse_policy, vouch
from consent_client.protocol.witnessing import AddCheckpoint
from registry.errors import ConfigurationError
from registry.services.publishing import Publisher, open_publisher
from registry.services.witnessing import Witnesses
from registry.settings import Settings
from registry.store import entries
from registry.store.engine import open_store
from registry.store.migrate import upgrade
from registry.tlog.storage import FolderStorage
from tests.support.witnesses import lying, witnessing

SIGNER = NoteSigner("registry.example/test", bytes(range(32)))
EMPTY = Checkpoint(SIGNER.name, 0, EMPTY_ROOT)


@contextlib.asynccontextmanager
async def log_of(folder, policy=None, patience=20.0):
    """A log with a database of its own, and the same key as every other here."""
    url = f"sqlite+aiosqlite:///{folder / 'registry.db'}"
    folder.mkdir(exist_ok=True)
    await upgrade(url)
    store = open_store(url)
    cosign = Witnesses(policy, patience).cosign if policy else None
    try:
        yield store, Publisher(store, FolderStorage(folder / "log"), SIGNER, cosign)
    finally:
        await store.dispose()


async def append(store, first, last):
    async with store.write() as connection:
        await entries.append(connection, [Day(day).encode() for day in range(first, last)])


def policy_of(*witnesses, quorum):
    lines = [f"log {SIGNER.verifier.vkey}"]
    lines += [f"witness w{i} {it.vkey} {it.url}" for i, it in enumerate(witnesses)]
    names = " ".join(f"w{i}" for i in range(len(witnesses)))
    lines += [f"group enough {quorum} {names}", "quorum enough", ""]
    return parse_policy("\n".join(lines).encode())


async def test_two_of_three_witnesses_find_out_a_fork_that_the_third_vouches_for(tmp_path):
    with contextlib.ExitStack() as stack:
        honest = [
            stack.enter_context(
                witnessing(f"ngo{i}.example/witness", tmp_path / f"ngo{i}", SIGNER.verifier.vkey)
            )
            for i in range(2)
        ]
        policy = policy_of(*honest, stack.enter_context(lying()), quorum=2)
        async with log_of(tmp_path / "log", policy) as (store, publisher):
            for first, last in ((0, 3), (3, 300)):
                await append(store, first, last)
                await publisher.publish()
                vouched = vouch(policy, publisher.published.note)
                assert (vouched.checkpoint.size, len(vouched.cosignatures)) == (last, 3)
                assert vouched.standing is Standing.WITNESSED
        for start, size in ((900, 300), (900, 400), (900, 100)):  # as long, longer, shorter
            forked = tmp_path / f"fork{size}"
            async with log_of(forked, policy) as (store, publisher):
                await append(store, start, start + size)
                await publisher.publish()
                vouched = vouch(policy, publisher.published.note)
                assert [each.witness.name for each in vouched.cosignatures] == [
                    "liar.example/witness"
                ]
                assert not vouched.satisfied
                assert vouched.standing is Standing.UNWITNESSED
        # A registry that starts anew asks from the beginning, and is told where they are.
        async with log_of(tmp_path / "log", policy) as (store, publisher):
            await append(store, 300, 301)
            await publisher.publish()
            assert vouch(policy, publisher.published.note).standing is Standing.WITNESSED


async def test_witnesses_that_do_not_answer_hold_the_log_up_a_little_and_no_more(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        line = f"http://127.0.0.1:{silent.getsockname()[1]}"
        vkey = NGO.verifier.vkey
        text = f"log {SIGNER.verifier.vkey}\nwitness w {vkey} {line}\nquorum w\n"
        policy = parse_policy(text.encode())
        async with log_of(tmp_path / "log", policy, patience=0.2) as (store, publisher):
            await append(store, 0, 3)
            assert await publisher.publish() == 3
            assert vouch(policy, publisher.published.note).standing is Standing.UNWITNESSED


NGO = WitnessSigner("ngo.example/witness", bytes(range(9, 41)))
STRANGE = NoteSignature("ngo.example/witness", b"\6abc", bytes(2_428))  # of another algorithm


@contextlib.asynccontextmanager
async def answering(answer, headers=b"", signers=(NGO,)):
    """A policy with a witness, which answers with what a function makes of its cosignature."""

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"accept-encoding: identity\r\n" in head.lower()
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        asked = AddCheckpoint.parse((await reader.readexactly(length)).decode())
        text = split_note(asked.note)[0]
        body = answer("".join(cosign(text, each, 1_700_000_000).line for each in signers))
        size = b"content-length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + size + headers + b"\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        line = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        lines = [f"log {SIGNER.verifier.vkey}"]
        lines += [f"witness w{i} {it.verifier.vkey} {line}" for i, it in enumerate(signers)]
        yield parse_policy("\n".join([*lines, "quorum w0", ""]).encode())


async def standing_with(answer, headers=b""):
    tree = Tree(map(leaf_hash, [b"one", b"two", b"three"]))
    note = sign_checkpoint(Checkpoint(SIGNER.name, 3, tree.root()), SIGNER)
    async with answering(answer, headers) as policy:
        return vouch(policy, await Witnesses(policy, 20.0).cosign(note, tree.node)).standing


@pytest.mark.parametrize(
    "answer",
    [
        lambda line: line.encode(),
        lambda line: (STRANGE.line + line).encode(),
        lambda line: (line + STRANGE.line).encode(),
    ],
    ids=["alone", "after another", "before another"],
)
async def test_of_a_witness_with_several_keys_the_policys_is_taken(answer):
    assert await standing_with(answer) is Standing.WITNESSED


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: STRANGE.line.encode(),
        lambda line: (line + line).encode(),
        lambda line: line.encode()[:-1],
        lambda line: line.encode() + b"\n",
        lambda line: b"\n" + line.encode(),
        lambda line: line.encode() + b"x\n",
        lambda line: line.encode() + b"\xff\n",
        lambda line: line.encode() * 100,
        lambda _: b"",
        lambda _: b"\n",
        lambda _: cosign(EMPTY.encode(), NGO, 7).line.encode(),
    ],
    ids=[
        "another's",
        "twice",
        "cut",
        "an empty line",
        "an empty line before",
        "no signature",
        "no UTF-8",
        "too long",
        "nothing",
        "a newline",
        "of another checkpoint",
    ],
)
async def test_what_is_no_answer_of_a_witness_is_left_out(answer):
    assert await standing_with(answer) is Standing.UNWITNESSED


async def test_more_cosignatures_than_a_note_holds_do_not_end_the_log():
    others = [WitnessSigner(f"ngo.example/{i}", bytes([i]) * 32) for i in range(1, 3)]
    tree = Tree([leaf_hash(b"one")])
    note = sign_checkpoint(Checkpoint(SIGNER.name, 1, tree.root()), SIGNER)
    for i in range(MAX_SIGNATURES - 2):
        note = add_signature(note, NoteSignature(f"stranger.example/{i}", bytes(4), b"x"))
    async with answering(str.encode, signers=others) as policy:
        cosigned = await Witnesses(policy, 20.0).cosign(note, tree.node)
        assert len(vouch(policy, cosigned).cosignatures) == 1


async def test_nothing_is_unpacked_that_a_witness_sends():
    """A few bytes unpack to gigabytes."""
    packed = standing_with(lambda line: gzip.compress(line.encode()), b"content-encoding: gzip\r\n")
    assert await packed is Standing.UNWITNESSED


@pytest.mark.parametrize("text", ["", "log x\n", "quorum nobody\n", "\xff"])
def test_a_policy_that_is_none_is_a_clear_error(tmp_path, text):
    path = tmp_path / "policy"
    path.write_bytes(text.encode("latin-1"))
    settings = Settings(data_dir=tmp_path, witness_policy=path)
    with pytest.raises(ConfigurationError, match="policy"):
        open_publisher(settings, None, SIGNER)
    with pytest.raises(ConfigurationError, match="policy"):
        open_publisher(settings.model_copy(update={"witness_policy": tmp_path}), None, SIGNER)


def test_a_policy_about_another_log_is_a_clear_error(tmp_path):
    other = NoteSigner("other.example/log", bytes(range(3, 35)))
    path = tmp_path / "policy"
    path.write_text(f"log {other.verifier.vkey}\nquorum none\n")
    with pytest.raises(ConfigurationError, match="does not name this log"):
        open_publisher(Settings(data_dir=tmp_path, witness_policy=path), None, SIGNER)
