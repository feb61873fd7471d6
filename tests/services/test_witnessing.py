"""The registry and its witnesses, each in a process of its own."""

import contextlib
import socket

import pytest

from consent_client.protocol.log import Day
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.policies import Standing, parse_policy, vouch
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
        vkey = "ngo.example/witness+" + _vkey_rest()
        text = f"log {SIGNER.verifier.vkey}\nwitness w {vkey} {line}\nquorum w\n"
        policy = parse_policy(text.encode())
        async with log_of(tmp_path / "log", policy, patience=0.2) as (store, publisher):
            await append(store, 0, 3)
            assert await publisher.publish() == 3
            assert vouch(policy, publisher.published.note).standing is Standing.UNWITNESSED


def _vkey_rest():
    from consent_client.protocol.cosignatures import WitnessSigner

    vkey = WitnessSigner("ngo.example/witness", bytes(range(9, 41))).verifier.vkey
    return vkey.removeprefix("ngo.example/witness+")


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
