"""Every byte that the registry leaves anywhere, searched for what must not be in it.

The databases with their write-ahead logs, PostgreSQL's whole folder, the key store, the logs, the
temporary folder: after registrations, a withdrawal, a screening, refusals of every kind, errors and
two rotations. What is searched for, and in which encodings: `tests/attacks/leaks.py`.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import sqlite3
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.keys import seed_of
from consent_client.protocol.purposes import Purpose
from consent_client.protocol.records import RecordContent, read_message
from consent_client.protocol.spaces import SPACES, Kind
from consent_client.protocol.statements import Basis, Stance, Statement, Use
from registry.services.founding import found
from registry.store import epochs, sealing_keys
from registry.store.engine import SQLITE, open_store
from registry.vault import sealing_keys as vault_keys
from registry.vault.envelope import unwrap_data_key
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring, _context
from tests.attacks.leaks import Scanner, Secret, binary_forms, files, text_forms
from tests.support.clocks import HandClock
from tests.support.people import (
    Person,
    Picture,
    columns,
    content_of,
    solve,
    withdrawal_signature,
)
from tests.support.serving import Server

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (looked into, not used)
ORIGIN = "registry.example/test"
CHALLENGE = """query($id: Base64!) { challenge(recordId: $id) {
  ... on Challenge { proofOfWork nonce } } }"""
REGISTER = """mutation($input: RegisterInput!) { register(input: $input) { __typename
  ... on Problem { code message } } }"""
WITHDRAW = """mutation($input: WithdrawInput!) { withdraw(input: $input) { __typename
  ... on Problem { code message } } }"""
RECORD = """query($input: ReadRecordInput!) { record(input: $input) { __typename
  ... on OwnRecord { status } ... on Problem { code message } } }"""
OPEN = """mutation($input: OpenScreeningInput!) { openScreening(input: $input) { __typename
  ... on Screening { id } ... on Problem { code message } } }"""
SCREEN = """mutation($input: ScreenInput!) { screen(input: $input) { __typename
  ... on ScreenedBlock { verdicts } ... on Problem { code message } } }"""
CONTEST = """mutation($input: ContestInput!) { contest(input: $input) { __typename
  ... on ContestedBlock { verdicts } ... on Problem { code message } } }"""
LOG_SIZE = "{ registry { logSize ready } }"

# Every use another stance, a purpose and a last day: bytes that do not stand anywhere by chance.
STATEMENT = Statement.of(
    {
        Use.DATA_MINING: Stance.ALLOWED,
        Use.AI_INFERENCE: Stance.UNSAID,
        Use.AI_TRAINING: Stance.NOT_ALLOWED,
        Use.AI_GENERATIVE_TRAINING: Stance.NOT_ALLOWED,
    },
    Basis.GUARDIAN,
    given_for=max(Purpose),
    valid_until=0x9A5B6C,
)


def b64(data):
    return base64.b64encode(data).decode()


def face_of(picture):
    """The vector of the face in a picture."""
    return encode_float(np.random.default_rng([picture.seed, 3]).standard_normal(128))


def fingerprints_of(picture):
    """Of all spaces, as a client would send them: rotations of pdq, a mirrored sscd."""
    url = hashlib.sha256(b"https://example.org/%d" % picture.seed).digest()
    turned = Picture(picture.seed + 10**6)
    return picture.fingerprints | {
        "url-1": (url,),
        "pdq-1": (picture.pdq, turned.pdq),
        "sscd-1": (picture.sscd, turned.sscd),
        "face-1": (face_of(picture),),
    }


def secrets_of_picture(name, fingerprints):
    """Its fingerprints; the vectors also as the numbers that a matcher holds."""
    secrets = []
    for space_id, several in fingerprints.items():
        for number, data in enumerate(several):
            vector = None
            if SPACES[space_id].kind is Kind.FLOAT:
                vector = np.frombuffer(data, "<f2").astype(np.float32)
                unit = decode_floats(data, SPACES[space_id])
                secrets.append(Secret(f"{name} {space_id}/{number} of norm 1", unit.tobytes()))
            secrets.append(Secret(f"{name} {space_id}/{number}", data, vector))
    return secrets


def secrets_of_record(name, person, owner, fingerprints):
    content = content_of(owner, fingerprints, STATEMENT)
    plain = content.encode()
    return [
        *secrets_of_picture(name, fingerprints),
        Secret(f"{name} F", content.image_digest),
        Secret(f"{name} opening", owner.opening),
        Secret(f"{name} private key", owner.private),
        Secret(f"{name} seed", seed_of(person.phrase)),
        Secret(f"{name} phrase", person.phrase.encode(), text=True),
        # The end of r, the length, the statement and the beginning of the list.
        Secret(f"{name} statement", plain[1 + 24 : 1 + 32 + 4 + 10 + 1]),
    ]


class Story:
    """Plays everything against a real server and remembers what must not be found."""

    def __init__(self, server):
        self.server = server
        self.person = Person()
        self.secrets = []
        self.answers = []

    def ask(self, query, token=None, **variables):
        answer = self.server.ask(query, token, **variables)
        self.answers.append(str(answer))
        return answer

    def made(self, name, picture):
        """A request, whose secrets and signature are remembered."""
        info = self.server.ask("{ registry { verifierKey sealingKeys } }")["data"]["registry"]
        fingerprints = fingerprints_of(picture)
        owner, request = self.person.seal(
            ORIGIN, info["sealingKeys"], info["verifierKey"], fingerprints, STATEMENT
        )
        self.secrets += secrets_of_record(name, self.person, owner, fingerprints)
        self.secrets += [
            Secret(f"{name} registration's signature", request.signature),
            Secret(f"{name} sealed", request.sealed),
        ]
        return owner, request

    def challenge(self, record_id):
        return self.server.ask(CHALLENGE, id=b64(record_id))["data"]["challenge"]

    def register(self, request, **changed):
        work = solve(self.challenge(request.record_id)["proofOfWork"])
        variables = request.to_json() | {"proofOfWork": work} | changed
        return self.ask(REGISTER, input=variables)["data"]["register"]

    def protect(self, name, picture):
        owner, request = self.made(name, picture)
        assert self.register(request)["__typename"] == "Registration"
        return owner, request

    def withdraw(self, owner, request):
        signature = withdrawal_signature(owner, ORIGIN, request.commitment)
        variables = {
            "ownerPublicKey": b64(owner.public),
            "commitment": b64(request.commitment),
            "signature": b64(signature),
        }
        answer = self.ask(WITHDRAW, input=variables)["data"]["withdraw"]
        assert answer["__typename"] == "Withdrawal"

    def read(self, owner):
        nonce = base64.b64decode(self.challenge(owner.record_id)["nonce"])
        signature = owner.sign(read_message(ORIGIN, owner.record_id, nonce))
        self.secrets.append(Secret("reader's signature", signature))
        variables = {
            "recordId": b64(owner.record_id),
            "ownerPublicKey": b64(owner.public),
            "nonce": b64(nonce),
        }
        for said in (signature, signature[::-1]):
            self.ask(RECORD, input=variables | {"signature": b64(said)})

    def screen(self, registered, token):
        """A block with strangers and a match, and blocks that are refused for each reason."""
        strangers = [Picture(seed) for seed in (7001, 7002, 7003)]
        for picture in strangers:
            seen = picture.fingerprints | {"face-1": (face_of(picture),)}
            self.secrets += secrets_of_picture(f"candidate {picture.seed}", seen)
        sent = [
            {"space": c.space_id, "present": b64(c.bitmap), "fingerprints": b64(c.data)}
            for c in columns([*strangers, registered])
        ]
        # Two people in the first image, nobody in the second; the registered one in the last.
        people = [face_of(each) for each in (*strangers, registered)]
        sent.append(
            {
                "space": "face-1",
                "present": b64(b"\x0f"),
                "fingerprints": b64(b"".join(people)),
                "counts": b64(bytes([2, 0, 1, 1])),
            }
        )
        # Everything that was acknowledged counts: the block must find the registered picture.
        variables = {"dataset": "a set", "use": "AI_TRAINING", "requiredSpaces": ["sha256"]}
        variables |= {"candidateCount": 8}
        unwanted = self.ask(OPEN, token, input=variables)["data"]["openScreening"]["id"]
        refused = {"screeningId": unwanted, "block": 0, "count": 4, "columns": sent}
        assert self.ask(SCREEN, token, input=refused)["data"]["screen"]["code"] == "INVALID_INPUT"
        variables |= {"optInSpaces": ["face-1"], "lawfulBasisStated": True}
        opened = self.ask(OPEN, token, input=variables)
        block = {"screeningId": opened["data"]["openScreening"]["id"], "block": 0, "count": 4}
        answer = self.ask(SCREEN, token, input=block | {"columns": sent})["data"]["screen"]
        assert base64.b64decode(answer["verdicts"]) == bytes([0, 0, 0, 1])
        for change in (
            {"columns": sent[::-1], "count": 3},
            {"columns": sent + sent},
            {"columns": [column | {"space": column["fingerprints"][:60]} for column in sent]},
            {"columns": sent, "block": 1, "count": 4, "screeningId": sent[0]["fingerprints"]},
            {"columns": [column | {"fingerprints": [column["fingerprints"]]} for column in sent]},
            {"columns": [column | {column["fingerprints"]: 1} for column in sent]},
        ):
            self.ask(SCREEN, token, input=block | change)
        for counts in ("", b64(bytes([4])), b64(bytes([1, 1, 1, 2])), sent[-1]["fingerprints"]):
            self.ask(SCREEN, token, input=block | {"columns": [sent[-1] | {"counts": counts}]})
        halved = [sent[0] | {"fingerprints": b64(strangers[0].sha256)}]
        self.ask(SCREEN, token, input=block | {"columns": halved, "count": 4})
        self.ask(SCREEN, "crb_000000000000_" + "A" * 43, input=block | {"columns": sent})
        self.contest(block, registered, token)
        return sent

    def contest(self, block, registered, token):
        """The excluded image again with crops of it, and contests that are refused."""
        crops = tuple(Picture(seed).sscd for seed in range(7101, 7106))
        self.secrets += secrets_of_picture("crop", {"sscd-1": crops})
        sent = [
            {"space": c.space_id, "present": b64(c.bitmap), "fingerprints": b64(c.data)}
            for c in columns([registered])
        ]
        face = {"present": b64(b"\x01"), "fingerprints": b64(face_of(registered))}
        sent.append({"space": "face-1", "counts": b64(b"\x01")} | face)
        cropped = {"space": "sscd-1", "fingerprints": b64(b"".join(crops))}
        contested = {
            "screeningId": block["screeningId"],
            "block": 0,
            "count": 1,
            "rows": b64(b"\x08"),
            "columns": sent,
            "crops": [cropped],
        }
        for change in (
            {"rows": b64(b"\x01")},
            {"columns": sent[:-1]},
            {"crops": [cropped | {"fingerprints": b64(b"".join(crops[:4]))}]},
            {"crops": [cropped | {"space": cropped["fingerprints"][:60]}]},
            {"crops": [cropped | {"fingerprints": [cropped["fingerprints"]]}]},
            {"rows": cropped["fingerprints"]},
            {"screeningId": cropped["fingerprints"]},
        ):
            answer = self.ask(CONTEST, token, input=contested | change)
            assert "verdicts" not in str(answer)
        answer = self.ask(CONTEST, token, input=contested)["data"]["contest"]
        assert base64.b64decode(answer["verdicts"]) == b"\x01"

    def blunder(self, request, sent, token):
        """What careless clients send: secrets in wrong places, halves of requests."""
        fingerprint = sent[0]["fingerprints"]
        for query in (
            f'{{ challenge(recordId: "{fingerprint}!") {{ __typename }} }}',
            f'{{ challenge(recordId: "{fingerprint}") {{ __typename }} }}',
            f'{{ nonsense(x: "{fingerprint}") }}',
            '{ challenge(recordId: "' + fingerprint,
        ):
            self.post({"query": query})
        self.post({"query": CHALLENGE, "operationName": fingerprint})
        self.post({"query": CHALLENGE, "variables": fingerprint})
        self.post({"query": CHALLENGE, "variables": {"id": [fingerprint]}})
        self.post({"query": REGISTER, "variables": {"input": {"sealed": b64(request.sealed)}}})
        self.post({"query": OPEN, "variables": {"input": {"dataset": "\ud800", "use": token}}})
        for path in (f"/{fingerprint}", f"/graphql?query={fingerprint}", f"/ready?{token}"):
            httpx.get(f"{self.server.url}{path}", headers={"authorization": token})
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(
                f"{self.server.url}/graphql",
                content=iter([b'{"query": "', fingerprint.encode()]),
                headers={"content-type": "application/json"},
            )

    def post(self, body):
        answer = httpx.post(
            f"{self.server.url}/graphql",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 500
        self.answers.append(answer.text)


def kept_secrets(server):
    """What only a holder of the key store can open: keys of epochs, records, sealing and notes."""

    async def opened():
        store = open_store(server.database_url)
        key_store = FileKeyStore(Path(server.environment["CONSENT_REGISTRY_KEYRING_DIR"]))
        keyring = Keyring(key_store)
        kept = await found(store, key_store, keyring, HandClock(), ORIGIN)
        async with store.read() as connection:
            live = await epochs.live(connection)
            keyring.load(live)
            wrapped = await connection.exec_driver_sql(
                "SELECT r.record_id, k.wrapped FROM data_key k JOIN record r USING (register_index)"
            )
            secrets = [
                Secret("data key", unwrap_data_key(keyring.keks, bytes(record_id), bytes(data)))
                for record_id, data in wrapped.fetchall()
            ]
            for row in live:
                kek = key_store.unwrap(row.key_name, row.wrapped, _context(row.epoch))
                secrets.append(Secret("epoch key", kek))
            for key in await sealing_keys.all_keys(connection):
                loaded = vault_keys.load(key_store, key)
                secrets.append(Secret("sealing key", loaded.private_bytes))
        await store.dispose()
        raw = [kept.note_signing, kept.challenges, kept.block_digests]
        return secrets + [Secret("secret of the registry", secret) for secret in raw]

    secrets = asyncio.run(opened())
    assert len(secrets) == 1 + 2 + 2 + 3  # of the live record, epochs, suites, and the three
    return secrets


def play(server, story):
    token = server.add_builder("a lab")
    story.secrets.append(Secret("token", token.split("_", 2)[2].encode()))
    picture = Picture(1)
    kept = story.protect("kept record", picture)
    gone = story.protect("withdrawn record", Picture(2))
    owner, request = story.made("record that is refused", Picture(3))
    assert story.register(request, signature=b64(bytes(64)))["code"] == "SIGNATURE_REJECTED"
    assert story.register(request, sealed=b64(request.sealed[::-1]))["code"] == "SEAL_REJECTED"
    story.register(request, commitment=b64(kept[1].commitment))
    story.withdraw(*gone)
    story.read(kept[0])
    story.read(owner)
    sent = story.screen(picture, token)
    story.blunder(request, sent, token)
    for _ in range(2):
        rotated = server.command("keys", "rotate", "--wait", "20", check=False)
        story.answers += [rotated.stdout, rotated.stderr]
    listed = server.command("builder", "list", "--json")
    story.answers += [listed.stdout, listed.stderr]
    story.read(kept[0])


def open_files(server):
    """Plain files that the server's processes hold open, deleted ones too."""
    process = psutil.Process(server.process.pid)
    for one in (process, *process.children(recursive=True)):
        for link in Path(f"/proc/{one.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = link.readlink()
                if target.is_absolute() and not str(target).startswith(("/dev/", "/proc/")):
                    yield target


@pytest.fixture
def folders(request, tmp_path, store_url):
    """Everywhere the server or its database can write: the database's folder comes last."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    if store_url.startswith(SQLITE):
        return tmp_path, temporary, tmp_path
    postgresql = request.getfixturevalue("postgresql_server")
    return tmp_path, temporary, Path(postgresql._server.pgdata)


@pytest.fixture
def server(store_url, folders):
    _, temporary, _ = folders
    names = "TMPDIR HOME SQLITE_TMPDIR XDG_CACHE_HOME XDG_DATA_HOME XDG_CONFIG_HOME"
    places = dict.fromkeys(names.split(), str(temporary))
    server = Server(folders[0] / "server", store_url, places)
    yield server
    server.stop()


def flush(request, store_url):
    """PostgreSQL writes what it still has in memory into its files."""
    if not store_url.startswith(SQLITE):
        request.getfixturevalue("postgresql_server").execute("CHECKPOINT;")


def test_no_file_holds_what_was_registered_screened_or_kept_secret(
    request, server, store_url, folders
):
    shared_memory = set(SHARED_MEMORY.iterdir())
    server.start()
    story = Story(server)
    play(server, story)
    here, _, database = folders
    secrets = story.secrets + kept_secrets(server)
    scanner = Scanner(secrets)
    flush(request, store_url)
    known = [folder.resolve() for folder in {here, database, Path(os.sys.prefix)}]
    strays = {
        path
        for path in open_files(server)
        if not any(path.is_relative_to(folder) for folder in known) and os.access(path, os.W_OK)
    }
    assert not {path for path in strays if not path.is_relative_to("/usr")}, strays
    scanned = list(files(here, database))
    if store_url.startswith(SQLITE):
        assert {"registry.db", "registry.db-wal", "registry.db-shm"} <= {f.name for f in scanned}
    else:
        assert any("pg_wal" in file.parts for file in scanned)
    found = scanner.in_folders(here, database)
    for answer in story.answers:
        found |= scanner.in_bytes("an answer or a command's output", answer.encode())
    for new in set(SHARED_MEMORY.iterdir()) - shared_memory:
        with contextlib.suppress(OSError):
            found |= scanner.in_bytes(str(new), new.read_bytes())
    assert not found, "\n".join(sorted(map(str, found)))
    server.stop()  # SQLite writes its log into the database now
    found = scanner.in_folders(here)
    assert not found, "\n".join(sorted(map(str, found)))

    # What wraps all keys lies in the key store, and nowhere else.
    keys = [Secret(f.name, f.read_bytes()) for f in files(here / "server" / "keyring")]
    assert len(keys) >= 3
    places = {Path(f.place).parent for f in Scanner(keys).in_folders(here, database)}
    assert places == {here / "server" / "keyring"}


def test_no_log_line_repeats_a_withdrawals_signature(server):
    """It is public in the log of entries by design, but not in the log of the server."""
    server.start()
    story = Story(server)
    owner, request = story.protect("record", Picture(11))
    story.withdraw(owner, request)
    server.stop()
    signature = withdrawal_signature(owner, ORIGIN, request.commitment)
    secrets = [
        Secret("withdrawal's signature", signature),
        Secret("public key", owner.public),
        Secret("commitment", request.commitment),
    ]
    found = Scanner(secrets).in_bytes("log", server.log_file.read_bytes())
    assert not found, "\n".join(sorted(map(str, found)))


def planted():
    picture = Picture(int.from_bytes(os.urandom(4)))
    return secrets_of_picture("planted", fingerprints_of(picture))


def test_the_scanner_finds_what_is_planted_in_sqlite_in_every_encoding(tmp_path):
    """The control: without it an empty result would mean nothing."""
    secrets = planted()
    expected = set()
    with contextlib.closing(sqlite3.connect(tmp_path / "planted.db")) as connection:
        connection.execute("CREATE TABLE t (data BLOB)")
        for secret in secrets:
            for name, form in (*binary_forms(secret), *text_forms(secret)):
                # Not at a convenient place: a little noise before it.
                noise = os.urandom(os.urandom(1)[0] % 64)
                connection.execute("INSERT INTO t VALUES (?)", (noise + form + noise,))
                expected.add((secret.name, name))
        connection.commit()
    found = {(f.secret, f.encoding) for f in Scanner(secrets).in_folders(tmp_path)}
    assert expected <= found


def test_the_scanner_finds_a_sixteenth_of_a_fingerprint(tmp_path):
    """Sixteen bytes out of any place of it, or sixteen characters of its text."""
    secrets = planted()
    scanner = Scanner(secrets)
    for secret in secrets:
        for start in range(0, len(secret.data) - 15, 5):
            piece = os.urandom(13) + secret.data[start : start + 16] + os.urandom(13)
            assert any(f.secret == secret.name for f in scanner.in_bytes("piece", piece))
        text = secret.data.hex()
        for start in range(0, len(text) - 15, 7):
            assert scanner.in_bytes("text", b'"' + text[start : start + 16].encode() + b'"')


def test_the_scanner_finds_nothing_in_noise():
    scanner = Scanner(planted())
    assert not scanner.in_bytes("noise", os.urandom(2**23) + bytes(2**20) + b"0, " * 2**16)


def test_the_scanner_finds_a_plain_record_in_postgresql(postgresql_server):
    """Its pages cut long values and compress them: what is found must survive that."""
    owner = Person().owner(ORIGIN, 0)
    fingerprints = fingerprints_of(Picture(int.from_bytes(os.urandom(4))))
    secrets = secrets_of_picture("planted", fingerprints)
    plain = RecordContent(owner.opening, STATEMENT, fingerprints).encode()
    name = postgresql_server.create()
    postgresql_server.execute(
        f"\\c {name}\nCREATE TABLE t (data bytea);\n"
        f"INSERT INTO t VALUES ('\\x{plain.hex()}');\nCHECKPOINT;"
    )
    found = Scanner(secrets).in_folders(Path(postgresql_server._server.pgdata))
    postgresql_server.drop(name)
    pages = {f.secret for f in found if "pg_wal" not in Path(f.place).parts}
    assert pages >= {secret.name for secret in secrets if "norm 1" not in secret.name}
