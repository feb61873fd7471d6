"""A thief with everything but the keys, and the pictures that are said to be registered.

She has the database as it lay when the server was killed, with its write-ahead log, a backup from
before, a companion, the published log and the server's own log; and of `2 * KNOWN` public pictures
the fingerprints, as she can compute them herself. Which of them are registered? Each attack is made
again with the keys, and then tells all: so that finding nothing means something.

Bytes, in more encodings than here, and after refusals, rotations and on PostgreSQL:
tests/end_to_end/test_byte_scan.py.
"""

import base64
import contextlib
import hashlib
import hmac
import random
import shutil
import sqlite3
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from consent_client.fingerprints.images import (
    available_spaces,
    registration_fingerprints,
)
from consent_client.protocol.records import RecordContent
from consent_client.protocol.statements import Stance, Statement, Use
from registry.services.budget import candidates_of
from registry.services.days import sequence_day
from registry.services.founding import found
from registry.services.running import running
from registry.settings import Settings
from registry.store import epochs
from registry.store.engine import open_store
from registry.vault.envelope import decrypt_record, unwrap_data_key
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring
from registry.vault.stored_content import StoredContent
from registry.vault.verdicts import keystream, show_verdicts
from tests.attacks.leaks import Scanner, Secret, files
from tests.support.clocks import HandClock
from tests.support.people import CONSENT, REFUSAL, Person, Picture, columns, solve
from tests.support.registering import Harness
from tests.support.serving import Server
from tests.support.shared_data import SHARED

ORIGIN = "registry.example/test"
PHOTOGRAPHS = SHARED / "photos"

KNOWN = 30
"""Public pictures that are registered; as many are not."""

SURE = 0.40
"""How far from a half the share of pairs (one registered, one not) put in the right order may be by
accident: once in 10⁷ times, for 30 and 30 (normal approximation of Mann and Whitney's U)."""

ALIKE, BITS_APART = 0.40, 60
"""What no picture reaches by accident anywhere in 10⁷ places: nine and eight deviations."""

CHALLENGE = """query($id: Base64!) { challenge(recordId: $id) {
  ... on Challenge { proofOfWork } } }"""
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { __typename } }"
OPEN = """mutation($input: OpenScreeningInput!) { openScreening(input: $input) {
  ... on Screening { id } } }"""
SCREEN = """mutation($input: ScreenInput!) { screen(input: $input) {
  ... on ScreenedBlock { verdicts } } }"""


def b64(data):
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Public:
    """A picture that anybody can have.

    Attributes:
        fingerprints: one for each space.
        registered_as: what its owner would register.
    """

    name: str
    fingerprints: dict[str, bytes]
    registered_as: dict[str, tuple[bytes, ...]]

    def one(self, space_id):
        return self.fingerprints[space_id]

    @property
    def vector(self):
        return np.frombuffer(self.one("sscd-1"), "<f2").astype(np.float32)


def public_pictures():
    """Real photographs where they are here, and pictures that were made up."""
    found = []
    if PHOTOGRAPHS.is_dir() and "sscd-1" in available_spaces():
        spaces = ("sha256", "pdq-1", "sscd-1")
        for path in sorted(PHOTOGRAPHS.glob("*.jpg")):
            several = registration_fingerprints(path, spaces).fingerprints
            if several.keys() == set(spaces):  # the first of each is the picture as it is
                one = {space_id: values[0] for space_id, values in several.items()}
                found.append(Public(path.name, one, dict(several)))
    made = [Picture(seed) for seed in range(2 * KNOWN - len(found))]
    return found + [
        Public(f"picture {p.seed}", {k: v[0] for k, v in p.fingerprints.items()}, p.fingerprints)
        for p in made
    ]


@dataclass
class Loot:
    """What the thief has, and what she does not know.

    Attributes:
        folder: every file but the keys.
        keyring: the folder of the keys, and the database that it opens.
        pictures: in an order that has nothing to do with which are registered.
        registered: bool[n], which are.
        verdicts: what a builder was answered about them, in this order.
    """

    folder: Path
    keyring: Path
    pictures: list[Public]
    registered: np.ndarray
    verdicts: bytes

    @property
    def database(self):
        return self.folder / "data" / "registry.db"

    def rows(self, query):
        """Of a copy: reading a database that was killed changes its files."""
        copy = self.folder.parent / "looked-into"
        if not copy.exists():
            shutil.copytree(self.folder / "data", copy)
        with contextlib.closing(sqlite3.connect(copy / "registry.db")) as connection:
            return connection.execute(query).fetchall()


def register(server, picture):
    info = server.ask("{ registry { verifierKey sealingKeys } }")["data"]["registry"]
    owner, request = Person().seal(
        ORIGIN, info["sealingKeys"], info["verifierKey"], picture.registered_as
    )
    work = server.ask(CHALLENGE, id=b64(owner.record_id))["data"]["challenge"]["proofOfWork"]
    sent = request.to_json() | {"proofOfWork": solve(work)}
    done = server.ask(REGISTER, input=sent)["data"]["register"]
    assert done["__typename"] == "Registration"


def screen(server, token, pictures):
    asked = {"dataset": "public", "use": "AI_TRAINING", "requiredSpaces": []}
    asked |= {"candidateCount": len(pictures)}
    opened = server.ask(OPEN, token, input=asked)["data"]["openScreening"]["id"]
    sent = [
        {"space": c.space_id, "present": b64(c.bitmap), "fingerprints": b64(c.data)}
        for c in columns(pictures)
    ]
    block = {"screeningId": opened, "block": 0, "count": len(pictures), "columns": sent}
    answer = server.ask(SCREEN, token, input=block)["data"]["screen"]
    return base64.b64decode(answer["verdicts"])


@pytest.fixture(scope="module")
def loot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stolen")
    pictures = public_pictures()
    random.Random(4).shuffle(pictures)
    registered = np.zeros(len(pictures), np.bool_)
    registered[random.Random(5).sample(range(len(pictures)), KNOWN)] = True
    server = Server(folder / "server")
    server.start()
    try:
        token = server.add_builder("a lab")
        wanted = [picture for picture, is_in in zip(pictures, registered, strict=True) if is_in]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda each: register(server, each), wanted[: KNOWN // 2]))
            with contextlib.closing(sqlite3.connect(folder / "server/data/registry.db")) as source:
                source.execute(f"VACUUM INTO '{folder / 'server/backup.db'}'")
            list(threads.map(lambda each: register(server, each), wanted[KNOWN // 2 :]))
        verdicts = screen(server, token, pictures)
        server.command("backup", str(folder / "server" / "companion.db"))
        server.kill()  # and what it had not written into the database stays in the log
    finally:
        server.stop()
    keyring = folder / "keyring"
    (folder / "server" / "keyring").rename(keyring)
    names = {path.name for path in files(folder / "server")}
    assert {"registry.db", "registry.db-wal", "backup.db", "companion.db", "server.log"} <= names
    return Loot(folder / "server", keyring, pictures, registered, verdicts)


@pytest.fixture(scope="module")
async def opened(loot, tmp_path_factory):
    """The control's: every plaintext and the secret of the digests, with the keys."""
    folder = tmp_path_factory.mktemp("with the keys")
    shutil.copytree(loot.folder / "data", folder / "data")
    shutil.copytree(loot.keyring, folder / "keyring")
    key_store = FileKeyStore(folder / "keyring")
    keyring = Keyring(key_store)
    store = open_store(f"sqlite+aiosqlite:///{folder / 'data' / 'registry.db'}")
    secrets = await found(store, key_store, keyring, HandClock(), ORIGIN)
    async with store.read() as connection:
        keyring.load(await epochs.live(connection))
        rows = await connection.exec_driver_sql(
            "SELECT r.record_id, r.ciphertext, k.wrapped"
            " FROM record r JOIN data_key k USING (register_index)"
        )
        plain = [
            decrypt_record(unwrap_data_key(keyring.keks, record, wrapped), record, ciphertext)
            for record, ciphertext, wrapped in rows.fetchall()
        ]
    await store.dispose()
    return plain, secrets.block_digests


# Bytes.


def test_no_byte_of_a_public_fingerprint_is_in_the_loot_and_with_the_keys_all_are(loot, opened):
    scanner = Scanner(
        [
            Secret(f"{number} {space_id}", data, vector)
            for number, picture in enumerate(loot.pictures)
            for space_id, data in picture.fingerprints.items()
            for vector in [picture.vector if space_id == "sscd-1" else None]
        ]
    )
    found = scanner.in_folders(loot.folder)
    assert not found, "\n".join(sorted(map(str, found)))
    found = {
        f.secret for f in scanner.in_bytes("plain", b"".join(opened[0])) if f.encoding == "bytes"
    }
    assert {name.partition(" ")[0] for name in found} == set(
        map(str, np.flatnonzero(loot.registered))
    )
    assert len(found) == 3 * KNOWN


HASHES = (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.blake2b, hashlib.sha3_256)


def guesses(picture, keys):
    """What a registry might have kept of a picture to find it again, under any key there is."""
    content = RecordContent(bytes(32), REFUSAL, picture.registered_as)
    values = [*picture.fingerprints.values(), content.image_digest]
    yield content.commitment
    for opening in keys:
        if len(opening) == 32:
            yield RecordContent(opening, REFUSAL, picture.registered_as).commitment
    for value in values:
        for make in HASHES:
            yield make(value).digest()
        for key in keys:
            yield hmac.digest(key, value, "sha256")


def test_no_hash_of_a_public_fingerprint_is_in_the_loot_under_no_key_that_is_there(loot, opened):
    """Every value of every table is tried as a key, as an opening, and as the digests' secret."""
    held = b"".join(path.read_bytes() for path in files(loot.folder))
    starts = np.concatenate(
        [np.frombuffer(held, "<u8", (len(held) - shift) // 8, shift) for shift in range(8)]
    )
    keys = values_of(loot)
    guessed = b"".join(guess[:8] for picture in loot.pictures for guess in guesses(picture, keys))
    assert not np.isin(np.frombuffer(guessed, "<u8"), starts).any()
    digests = {bytes(row[0]) for row in loot.rows("SELECT candidate FROM positive")}
    assert not any(counted(loot, key) & digests for key in keys)
    # The control: the right secret tells every one of them apart.
    right = candidates_of(opened[1], columns(loot.pictures), range(len(loot.pictures)), {})
    assert [right[number] in digests for number in sorted(right)] == loot.registered.tolist()


def values_of(loot):
    tables = [name for (name,) in loot.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    values = {b"", bytes(32), ORIGIN.encode()}
    for table in tables:
        for row in loot.rows(f"SELECT * FROM {table}"):
            values |= {
                v.encode() if isinstance(v, str) else v for v in row if type(v) in (str, bytes)
            }
    return sorted(value for value in values if len(value) <= 64)


def counted(loot, key):
    return set(candidates_of(key, columns(loot.pictures), range(len(loot.pictures)), {}).values())


# Resemblance.

PAGE = 4096
KINDS = ("i1", "<f2", "<f4")


def heap(folder):
    """The bytes of all files, each page of the databases once."""
    seen = {}
    for path in sorted(files(folder)):
        data = path.read_bytes()
        start, step = (32 + 24, PAGE + 24) if path.name.endswith("-wal") else (0, PAGE)
        for at in range(start, len(data), step):
            seen.setdefault(data[at : at + PAGE].rstrip(b"\0"))
    return b"".join(seen)


def resemblance(data, pictures, kinds=KINDS):
    """float64[n] for each kind of number: the best cosine of each picture's vector anywhere."""
    vectors = np.stack([picture.vector for picture in pictures])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    size, best = vectors.shape[1], {}
    for kind in kinds:
        width = np.dtype(kind).itemsize
        best[kind] = np.full(len(pictures), -1.0)
        for shift in range(width):
            count = (len(data) - shift) // width
            with np.errstate(invalid="ignore"):
                numbers = np.frombuffer(data, kind, count, shift).astype(np.float32)
            if kind != "i1":  # no number of a vector of norm 1 is larger
                numbers[~(np.abs(numbers) <= 1)] = 0
            squares = np.concatenate([[0.0], np.cumsum(numbers.astype(np.float64) ** 2)])
            norms = np.sqrt(np.maximum(squares[size:] - squares[:-size], 1e-12))
            places = np.lib.stride_tricks.sliding_window_view(numbers, size)
            for start in range(0, len(places), PAGE):
                products = places[start : start + PAGE] @ vectors.T
                products /= norms[start : start + PAGE, None]
                best[kind] = np.maximum(best[kind], products.max(axis=0))
    return best


def distance(data, pictures):
    """int64[n]: the least number of bits between each picture's pdq and any 32 bytes."""
    codes = np.stack([np.frombuffer(p.one("pdq-1"), "<u8") for p in pictures])
    least = np.full(len(pictures), 256)
    for shift in range(8):
        words = np.frombuffer(data, "<u8", (len(data) - shift) // 8, shift)
        places = np.lib.stride_tricks.sliding_window_view(words, 4)
        for number, code in enumerate(codes):
            apart = np.bitwise_count(places ^ code).sum(axis=1)
            least[number] = min(least[number], int(apart.min()))
    return least


def in_order(scores, registered):
    """Share of pairs of a registered picture and another in which the first scores higher."""
    higher = scores[registered][:, None] - scores[~registered][None, :]
    return float(((higher > 0) + 0.5 * (higher == 0)).mean())


def test_no_stored_bytes_resemble_a_registered_picture_more_than_any_other(loot, capsys):
    data = heap(loot.folder)
    best, least = resemblance(data, loot.pictures), distance(data, loot.pictures)
    shares = {kind: in_order(scores, loot.registered) for kind, scores in best.items()}
    shares["pdq-1"] = in_order(-least, loot.registered)
    with capsys.disabled():
        told = [f"{kind} {share:.2f}" for kind, share in shares.items()]
        print(f" [{len(data)} bytes; in order: {', '.join(told)}]", end="")
    assert all(scores.max() < ALIKE for scores in best.values()), best
    assert least.min() > BITS_APART
    assert all(abs(share - 0.5) < SURE for share in shares.values()), shares


def test_in_what_the_keys_open_the_same_attack_finds_every_registered_picture(loot, opened):
    """The control; the numbers of each kind, at places that fit no alignment."""
    plain = b"".join(opened[0])
    assert in_order(resemblance(plain, loot.pictures, ["<f2"])["<f2"], loot.registered) == 1
    assert in_order(-distance(plain, loot.pictures), loot.registered) == 1
    drawn = np.random.default_rng(1)
    for kind in KINDS:
        data = b""
        for picture, is_in in zip(loot.pictures, loot.registered, strict=True):
            if is_in:
                scale = 127 / np.abs(picture.vector).max() if kind == "i1" else 1
                data += drawn.bytes(61) + (picture.vector * scale).round(4).astype(kind).tobytes()
        assert in_order(resemblance(data, loot.pictures, [kind])[kind], loot.registered) == 1


# Sizes and order.

LITTLE = {"sha256": (bytes(31) + b"\x01",)}
MUCH = {
    "sha256": (bytes(31) + b"\x02",),
    "pdq-1": tuple(Picture(seed).pdq for seed in range(8)),
    "sscd-1": tuple(Picture(seed).sscd for seed in range(6)),
}


async def shape(folder, fingerprints, statement):
    """The sizes that a registry of a few such records leaves: of its files, columns and pages."""
    settings = Settings(
        origin=ORIGIN,
        data_dir=folder / "data",
        keyring_dir=folder / "keyring",
        proof_of_work_digits=1,
    )
    clock = HandClock()
    async with running(settings, clock) as registry:
        await sequence_day(registry.store, registry.follower, clock)
        harness = Harness(registry, clock)
        sent = []
        for _ in range(4):
            owner, request = harness.request(Picture(1), statement, fingerprints=fingerprints)
            await harness.send(request)
            sent.append(owner.record_id)
        await registry.store.checkpoint_wal()
    with contextlib.closing(sqlite3.connect(folder / "data" / "registry.db")) as connection:
        ciphertexts = [c for (c,) in connection.execute("SELECT ciphertext FROM record")]
        stored = [
            bytes(r)
            for (r,) in connection.execute("SELECT record_id FROM record ORDER BY register_index")
        ]
        sizes = connection.execute(
            "SELECT r.register_index, length(r.record_id), length(r.owner_public_key),"
            " length(r.commitment), length(r.ciphertext), length(k.wrapped), length(e.data)"
            " FROM record r JOIN data_key k USING (register_index)"
            ' JOIN entry e ON e."index" = register_index ORDER BY 1'
        ).fetchall()
        pages = connection.execute("PRAGMA page_count").fetchall()
    assert stored == sent  # the order in which they came, which the log shows anyway
    assert all(len(zlib.compress(c, 9)) >= len(c) for c in ciphertexts)
    return sizes, pages, (folder / "data" / "registry.db").stat().st_size


async def test_sizes_and_order_tell_nothing_of_what_a_record_holds(tmp_path):
    one = Statement.of({Use.AI_TRAINING: Stance.NOT_ALLOWED}, REFUSAL.basis)
    little = await shape(tmp_path / "little", LITTLE, one)
    assert little == await shape(tmp_path / "much", MUCH, CONSENT)


async def test_without_padding_the_number_of_fingerprints_would_show(tmp_path, monkeypatch):
    """The control; zeros, which the padding is made of, can not be told from the rest either."""
    full = StoredContent.encode
    lengths = set()

    def noted(self):
        data = full(self)
        lengths.add((len(data), len(data.rstrip(b"\0")), len(zlib.compress(data))))
        return data

    monkeypatch.setattr(StoredContent, "encode", noted)
    await shape(tmp_path / "little", LITTLE, REFUSAL)
    await shape(tmp_path / "much", MUCH, REFUSAL)
    assert len({size for size, _, _ in lengths}) == 1
    little, much = sorted(lengths, key=lambda each: each[1])[:: len(lengths) - 1]
    assert much[1] > 20 * little[1]
    assert much[2] > 20 * little[2]


# Verdicts: who knows the order of a list would read from them which of its images are registered.


def test_the_order_of_a_screened_list_tells_nothing_of_its_verdicts(loot):
    ((stored,),) = loot.rows("SELECT verdicts FROM screening_block")
    right = [(byte & 0x7F) == verdict for byte, verdict in zip(stored, loot.verdicts, strict=True)]
    assert sum(right) < len(right) / 4
    excluded = [byte for byte, out in zip(stored, loot.registered, strict=True) if out]
    others = [byte for byte, out in zip(stored, loot.registered, strict=True) if not out]
    # Of 128 values each; that so many of one kind were alike would tell the kinds apart.
    for kind in (excluded, others):
        assert len(set(kind)) > len(kind) / 2


def test_with_the_keys_they_are_read(loot, opened):
    """The control."""
    secret = opened[1]
    ((*row, stored),) = loot.rows(
        "SELECT screening_id, number, digest, log_size, verdicts FROM screening_block"
    )
    stream = keystream(secret, "screening_block.verdicts", *row, len(stored))
    assert show_verdicts(bytes(stored), stream) == loot.verdicts
    assert [byte == 1 for byte in loot.verdicts] == loot.registered.tolist()
