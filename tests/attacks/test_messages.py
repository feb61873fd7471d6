"""What is shown of a value, said of an error, or logged of an exception holds no secret."""

import asyncio
import dataclasses
import importlib
import os
import pkgutil
import subprocess
import sys
import traceback
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import consent_client
import registry
from consent_client.errors import ConsentError
from consent_client.protocol.fingerprints import check_fingerprints, decode_floats, decode_list
from consent_client.protocol.keys import new_phrase, seed_of
from consent_client.protocol.log import decode_bundle, decode_entry
from consent_client.protocol.records import RecordContent, RegistrationRequest
from consent_client.protocol.screening import Column
from consent_client.protocol.sealing import SealingSecret, Suite, open_sealed
from consent_client.protocol.spaces import SPACES, space
from consent_client.protocol.statements import Statement
from registry.errors import RegistryError
from registry.services import builders, own_record, screening, sessions
from registry.services.blocks import Block
from registry.services.days import sequence_day
from registry.services.registration import register
from registry.services.running import running
from registry.services.sessions import Opening
from registry.services.withdrawal import WithdrawalRequest, withdraw
from registry.settings import Settings
from registry.vault.stored_content import StoredContent
from tests.attacks.leaks import Scanner, Secret
from tests.support.clocks import HandClock
from tests.support.people import Person, Picture, columns, content_of
from tests.support.registering import Harness

# Fields of bytes, or named like a secret, that `repr` may show, each for a reason.
SHOWN = {
    # Random or hashed names of things, useless without a key.
    "record_id", "key_id", "sealing_key_id", "screening_id", "id", "token_id", "process_id",
    # Published by the registry, in its log or in a note.
    "public", "public_key", "public_bytes", "owner_public_key", "commitment", "owner_tag",
    "data", "signature", "new_entries", "known",
    "key_name", "verifier_key", "sealing_keys", "sealing_keys_by_id", "key_hash",
    "root", "hashes", "proof", "results_root", "shipped_root", "manifest_digest", "levels",
    "bundle", "builder", "terms", "supersedes",
    # Of files that everybody may have.
    "digests",
    # Where a token is, not the token.
    "token_file", "token_variable",
    # What the builder is told, and hashes under a secret key.
    "verdicts", "digest", "nonce",
}  # fmt: skip
# `data` and `signature` are shown where they are entries of the log only.
SHOWN_ONLY_IN = {
    "data": {"Page", "EntryRow", "EntryBundle", "Entry", "ReplayRow"},
    "signature": {"Withdraw", "NoteSignature"},
    "nonce": {"Challenge", "ReadRequest"},
    "digests": {"Packaged"},
}
TELLING = ("secret", "phrase", "seed", "private", "opening", "plaintext", "token", "fingerprints")


def modules():
    for package in (registry, consent_client):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "alembic" in found.name or found.name.endswith("__main__"):
                continue
            try:
                yield importlib.import_module(found.name)
            except ModuleNotFoundError as error:  # an optional package
                if str(error.name).startswith(("registry", "consent_client")):
                    raise


def dataclasses_of_ours():
    found = {}
    for module in modules():
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and dataclasses.is_dataclass(value)
                and value.__module__ == module.__name__
            ):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


OURS = dataclasses_of_ours()


def generated(method):
    """Whether a dataclass's `repr` is the generated one, which shows every field."""
    return hasattr(method, "__wrapped__")


def test_there_is_something_to_look_at():
    assert len(OURS) > 50


@pytest.mark.parametrize("name", OURS)
def test_bytes_and_secrets_are_hidden_by_repr_unless_there_is_a_reason(name):
    cls = OURS[name]
    if name.startswith("registry.api.types"):
        return  # answers: what they hold is sent to whoever asked
    if not generated(cls.__repr__):
        return
    for field in dataclasses.fields(cls):
        kind = str(field.type)
        may_tell = (
            "bytes" in kind or "Base64" in kind or any(word in field.name for word in TELLING)
        )
        if "int" in kind or "Mapping[str, int]" in kind or not (may_tell and field.repr):
            continue
        allowed = field.name in SHOWN and cls.__name__ in SHOWN_ONLY_IN.get(
            field.name, {cls.__name__}
        )
        assert allowed, f"{name}.{field.name}: {kind} is shown by repr"


def secrets_of(*named):
    return Scanner([Secret(name, data) for name, data in named])


def test_the_values_that_hold_secrets_do_not_show_them():
    person, picture = Person(), Picture(5)
    owner = person.owner("registry.example/test", 0)
    content = content_of(owner, picture.fingerprints)
    secret = SealingSecret.generate(Suite.X_WING)
    block = Block(0, columns([picture]))
    request = own_record.ReadRequest(bytes(16), owner.public, bytes(20), owner.sign(b"x"))
    scanner = secrets_of(
        *[(name, values[0]) for name, values in picture.fingerprints.items()],
        ("opening", owner.opening),
        ("private", owner.private),
        ("sealing", secret.private_bytes),
        ("signature", request.signature),
    )
    for value in (owner, content, secret, block, block.columns, request):
        for text in (repr(value), str(value), f"{value}", repr([value]), repr({"v": value})):
            assert not scanner.in_bytes(type(value).__name__, text.encode())


PARSERS = {
    "list": decode_list,
    "content": RecordContent.decode,
    "stored": RecordContent.decode_stored,
    "measured": lambda data: StoredContent.decode(b"\x02" + data),
    "statement": Statement.decode,
    "entry": decode_entry,
    "bundle": decode_bundle,
    "floats": lambda data: decode_floats(data, space("sscd-1")),
    "phrase": lambda data: seed_of(data.hex()),
    "words": lambda data: seed_of(" ".join(f"{byte:x}" * 3 for byte in data[:12])),
    "column": lambda data: Column.decode("sha256", 2, data[:1], data),
    "space": lambda data: Column.decode(data.hex(), 1, b"\x01", data),
    "fingerprint": lambda data: check_fingerprints({"pdq-1": [data]}),
    "other space": lambda data: check_fingerprints({data.hex(): [data]}),
    "request": lambda data: RegistrationRequest(data, data, data, data, data, data),
    "request in JSON": lambda data: RegistrationRequest.from_json(
        dict.fromkeys(("recordId", "ownerPublicKey", "commitment", "signature"), data.hex())
    ),
    "blob": lambda data: open_sealed(
        data, SEALING, b"12345678", "registry.example", bytes(16), bytes(32)
    ),
}
SEALING = SealingSecret.generate(Suite.X25519)


def told(error):
    """Everything an exception would say: its whole chain, notes and arguments."""
    said = "".join(traceback.format_exception(error))
    while error is not None:
        said += repr(error) + repr(error.args) + str(vars(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


@pytest.mark.parametrize("name", PARSERS)
@given(start=st.binary(max_size=60), secret=st.binary(min_size=16, max_size=300))
def test_no_message_repeats_what_could_not_be_parsed(name, start, secret):
    # No byte of the secret is ASCII: none of it stands in a message by chance.
    secret = bytes(byte | 0x80 for byte in secret)
    try:
        PARSERS[name](start + secret)
    except ConsentError as error:
        said = told(error)
        assert not any(
            run in said.lower()
            for run in (secret.hex()[:16], repr(secret)[2:18], str(list(secret))[1:17])
        )
        if len(set(secret)) > 6:
            assert not secrets_of(("input", secret)).in_bytes("message", said.encode())


def test_a_wrong_word_of_a_phrase_is_not_repeated():
    words = new_phrase().split()
    words[4] = "supercalifragilistic"
    with pytest.raises(ConsentError) as caught:
        seed_of(" ".join(words))
    assert "supercali" not in told(caught.value)
    assert not {word for word in words if f" {word} " in str(caught.value)} - {"word", "list"}


@pytest.fixture
async def harness(sqlite_url, tmp_path):
    settings = Settings(
        origin="registry.example/test",
        data_dir=tmp_path,
        keyring_dir=tmp_path / "keyring",
        database_url=sqlite_url,
        proof_of_work_digits=1,
    )
    clock = HandClock()
    async with running(settings, clock) as running_registry:
        await sequence_day(running_registry.store, running_registry.follower, clock)
        yield Harness(running_registry, clock)


async def test_every_refusal_of_a_service_keeps_what_it_was_given_to_itself(harness):
    here = harness.registry
    owner, request, _ = await harness.protect(Picture(1))
    _, other = harness.request(Picture(2))
    token = await builders.add_builder(here.store, harness.clock, "a lab", None)
    builder = await builders.authenticate(here.store, f"Bearer {token}")
    row, _ = await sessions.open_screening(here, builder, Opening("a set", 2, (), 4))
    candidate = Picture(3)
    block = Block(0, columns([candidate]))
    await screening.screen(here, builder, row.id, block)
    nan = np.full(512, np.nan, np.float16).tobytes()
    work = harness.work(other.record_id)
    reading = own_record.ReadRequest(owner.record_id, owner.public, bytes(20), owner.sign(b"x"))

    async def opening(dataset, required):
        return await sessions.open_screening(here, builder, Opening(dataset, 2, required, 4))

    attempts = [
        register(here, other, harness.work(request.record_id)),
        register(here, other, work[:-8]),
        register(here, other, candidate.sscd.hex() * 9),
        register(here, replace(other, signature=owner.sign(b"x")), work),
        register(here, replace(other, sealed=request.sealed), work),
        register(here, replace(other, commitment=request.commitment), work),
        register(here, replace(other, sealing_key_id=candidate.pdq[:8]), work),
        withdraw(here, WithdrawalRequest(owner.public, bytes(32), owner.sign(b"x")), "192.0.2.1"),
        withdraw(here, WithdrawalRequest(owner.public, owner.sign(b"x"), b""), "192.0.2.1"),
        own_record.read_own_record(here, reading, "192.0.2.1"),
        own_record.read_own_record(here, replace(reading, signature=b""), "192.0.2.1"),
        screening.screen(here, builder, candidate.sha256, block),
        screening.screen(here, builder, row.id, Block(0, columns([Picture(4)]))),
        screening.screen(here, builder, row.id, Block(1, columns([candidate] * 9))),
        screening.screen(
            here,
            builder,
            row.id,
            Block(1, (Column("sscd-1", np.ones(2, np.bool_), candidate.sscd + nan),)),
        ),
        opening(candidate.sscd.hex(), ()),
        opening("d", (candidate.sscd.hex(),) * 2),
        builders.authenticate(here.store, f"Bearer {token[:-1]}"),
        builders.authenticate(here.store, f"Basic {token}"),
        builders.add_builder(here.store, harness.clock, token * 9, None),
    ]
    scanner = secrets_of(
        *[(f"{seed} {name}", values[0])
          for seed in (1, 2, 3, 4) for name, values in Picture(seed).fingerprints.items()],
        ("private", owner.private),
        ("opening", owner.opening),
        ("signature", request.signature),
        ("signature", other.signature),
        ("sealed", other.sealed),
        ("work", work.encode()),
        ("token", token.encode()),
    )  # fmt: skip
    for number, attempt in enumerate(attempts):
        with pytest.raises(RegistryError) as caught:
            await attempt
        found = scanner.in_bytes(f"attempt {number}", told(caught.value).encode())
        assert not found, "\n".join(map(str, found))
    assert not scanner.in_bytes("repr", repr(here).encode())
    kept = here.block_secret
    assert not secrets_of(("block secret", kept)).in_bytes("repr", repr(here).encode())


# Run apart, since it takes over the process's logging: exceptions whose messages, local variables
# and tasks hold a secret, logged by us, by a library, and by the event loop.
CARELESS = """
import asyncio, logging, os, sys
if sys.argv[1] == "terminal":
    sys.stderr.isatty = lambda: True
from registry import logs
logs.configure(verbose=True)
import structlog
secret = os.environ["CARELESS_SECRET"]
def careless(fingerprint):
    local = [fingerprint]
    raise ValueError(f"bad value {local}")
try:
    careless(secret)
except ValueError as error:
    structlog.get_logger("registry.x").exception("ours", code="X")
    structlog.get_logger("registry.x").error("ours", exc_info=error)
    logging.getLogger("library").exception("theirs")
    logging.getLogger("library").error("theirs", exc_info=True, stack_info=True)
async def main():
    asyncio.get_running_loop().set_exception_handler(logs.note_unhandled)
    async def task():
        careless(secret)
    asyncio.get_running_loop().call_soon(careless, secret)
    lost = asyncio.ensure_future(task())
    await asyncio.sleep(0.01)
    del lost
    await asyncio.sleep(0.01)
asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["terminal", "file"])
def test_a_logged_exception_is_its_type_and_place_alone(where):
    secret = os.urandom(32)
    environment = os.environ | {"CARELESS_SECRET": secret.hex(), "FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CARELESS, where], env=environment, capture_output=True, check=True
    )
    assert done.stderr.count(b"ValueError") == 6
    assert b"careless" in done.stderr
    assert not secrets_of(("secret", secret)).in_bytes("log", done.stderr + done.stdout)
    assert b"bad value" not in done.stderr


async def test_the_running_registry_takes_over_what_the_event_loop_would_print(harness):
    assert asyncio.get_running_loop().get_exception_handler() is not None


def test_spaces_are_named_in_messages_of_unknown_ones_nowhere():
    with pytest.raises(ConsentError) as caught:
        space("a" * 64)
    assert "a" * 16 not in told(caught.value)
    assert SPACES
