"""What a person is told about how well a picture can be told from others, and what they may do.

A real server, with a bank in which the cat is one of many and the portrait resembles one.
"""

import json
import math
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from consent_client.errors import RegistryProblem, WrongAnswer
from consent_client.fingerprints.images import registration_fingerprints
from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.protection import Reach
from consent_client.protocol.spaces import SPACES
from consent_client.registrant import Registrant, refusal
from consent_client.saved_records import SavedRecord, Stage
from tests.clients.conftest import CONSENT, Consent
from tests.fingerprints import photographs
from tests.support.bank_server import FILE
from tests.support.people import Picture
from tests.support.serving import Server


def alike(vector: np.ndarray, similarity: float, seed: int) -> np.ndarray:
    """A vector that is this similar to another."""
    other = np.random.default_rng(seed).standard_normal(vector.size)
    other -= (other @ vector) * vector
    other /= np.linalg.norm(other)
    return similarity * vector + math.sqrt(1 - similarity**2) * other


def sscd(which: tuple[str, str]) -> np.ndarray:
    made = registration_fingerprints(photographs.path(*which), ["sscd-1"])
    return decode_floats(made.fingerprints["sscd-1"][0], SPACES["sscd-1"])[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("registry")
    random = np.random.default_rng(0)
    cat, portrait = sscd(photographs.CAT), sscd(photographs.ASTRONAUT)
    vectors = [alike(cat, 0.6, seed) for seed in range(8)] + [alike(portrait, 0.6, 9)]
    codes = random.integers(0, 256, (9, 32), dtype=np.uint8)
    np.savez(folder / "bank.npz", sscd=np.array(vectors, np.float32), pdq=codes)
    extra = {FILE: str(folder / "bank.npz")}
    started = Server(folder, extra=extra, program=("tests.support.bank_server", "serve"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return server.add_builder("A builder")


@pytest.fixture
def coffee() -> Path:
    return photographs.path(*photographs.COFFEE)


def test_the_person_is_told_what_protection_remains(
    consent: Consent, portrait: Path, coffee: Path
) -> None:
    plain = consent("protect", coffee)
    assert plain.returncode == 0, plain.stderr
    assert "copies" not in plain.stdout + plain.stderr  # nothing special to say

    close = consent("protect", portrait)
    assert close.returncode == 0, close.stderr
    assert "Only near-exact copies will be found" in close.stderr

    shown = consent("status").stdout
    (of_coffee,) = [line for line in shown.splitlines() if "coffee" in line]
    (of_portrait,) = [line for line in shown.splitlines() if "portrait" in line]
    assert "edited copies too" in of_coffee
    assert "near-exact copies" in of_portrait  # and "only", in the cell's next line

    records = json.loads(consent("status", "--json").stdout)["records"]
    assert [each["protection"] for each in records] == [
        {"pdq-1": "NEAR_COPIES", "sscd-1": "EDITED_COPIES"},
        {"pdq-1": "NEAR_COPIES", "sscd-1": "NEAR_COPIES"},
    ]
    assert consent("withdraw", "portrait.png").returncode == 0
    (of_portrait,) = [each for each in consent("status").stdout.splitlines() if "portrait" in each]
    assert "copies" not in of_portrait  # nothing is found any more


def test_what_is_too_generic_is_left_out_and_said(consent: Consent, cat: Path) -> None:
    done = consent("protect", cat, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)["records"]
    assert record["leftOut"] == ["sscd-1"]
    assert record["protection"] == {"pdq-1": "NEAR_COPIES"}
    assert record["number"] == 0  # the refused one took no number of its own
    assert "resembles so many other pictures" in done.stderr
    assert "Nothing was stored" in done.stderr
    again = consent("protect", cat)
    assert again.returncode == 0
    assert "was protected already" in again.stdout
    assert len(json.loads(consent("status", "--json").stdout)["records"]) == 1
    assert consent("status", "--check").returncode == 0


def test_who_wants_all_or_nothing_gets_nothing(consent: Consent, cat: Path, coffee: Path) -> None:
    done = consent("protect", cat, "--all-or-nothing")
    assert done.returncode == 4
    assert "resembles so many other pictures" in done.stderr
    assert consent("protect", "--resume").returncode == 0  # it is not tried again and again
    (record,) = json.loads(consent("status", "--json").stdout)["records"]
    assert record["stage"] == "dropped"
    assert record["registerIndex"] is None


@pytest.mark.parametrize(("typed", "left"), [(b"\n", ["sscd-1"]), (b"n\n", None)])
def test_at_a_terminal_the_person_is_asked(
    environment: dict[str, str], cat: Path, consent: Consent, typed: bytes, left: list[str] | None
) -> None:
    terminal, theirs = pty.openpty()
    os.write(terminal, typed)
    done = subprocess.run(
        [*CONSENT, "protect", str(cat)],
        env=environment,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    os.close(theirs)
    os.close(terminal)
    assert "Register it without that?" in done.stderr
    assert done.returncode == (4 if left is None else 0)
    (record,) = json.loads(consent("status", "--json").stdout)["records"]
    assert record["leftOut"] == (left or [])
    assert record["stage"] == ("dropped" if left is None else "registered")


def test_recovery_brings_back_what_protection_there_is(
    consent: Consent, portrait: Path, tmp_path: Path
) -> None:
    assert consent("protect", portrait).returncode == 0
    phrase = consent("phrase", "show").stdout
    (tmp_path / "words").write_text(phrase)
    elsewhere = str(tmp_path / "elsewhere")
    found = consent("recover", "--phrase-file", tmp_path / "words", CONSENT_STATE=elsewhere)
    assert found.returncode == 0, found.stderr
    assert "near-exact copies only" in found.stdout


def generic(server: Server) -> dict[str, tuple[bytes, ...]]:
    made = registration_fingerprints(photographs.path(*photographs.CAT), ["sha256", "sscd-1"])
    return dict(made.fingerprints)


@pytest.fixture
def registrant(server: Server, state: Path) -> Iterator[Registrant]:
    with Registrant(server.url, state=state) as opened:
        opened.ensure_phrase()
        yield opened


def refused(registrant: Registrant, fingerprints: dict[str, tuple[bytes, ...]]) -> SavedRecord:
    """A record that the registry finds too generic, as it is kept then."""
    saved = registrant.save(fingerprints, refusal(), label="cat")
    with pytest.raises(RegistryProblem) as problem:
        registrant.send(saved)
    assert problem.value.problem_code == "TOO_GENERIC"
    assert problem.value.spaces == ("sscd-1",)
    (kept,) = registrant.pending()
    assert kept.stage is Stage.SENT
    return kept


def test_what_is_left_is_on_disk_before_it_is_sent(registrant: Registrant, server: Server) -> None:
    """Killed at any moment, the next run goes on with one of the two, and loses neither."""
    kept = refused(registrant, generic(server))
    less = registrant.leave_out(kept, ["sscd-1"])
    assert less.index == kept.index
    assert less.commitment != kept.commitment
    assert less.stage is Stage.WAITING
    (again,) = Registrant(server.url, state=registrant.state.folder).state.records(
        registrant.origin
    )
    assert again == less
    done = registrant.send(again)
    assert done.stage is Stage.REGISTERED
    assert done.left_out == ("sscd-1",)
    assert done.asked_digest == kept.image_digest
    assert registrant.leave_out(done, ["pdq-1"]) == done  # answered: nothing to leave out of
    assert registrant.check(done).protection == ()
    assert registrant.protect(generic(server), refusal()) == done


@pytest.mark.parametrize("spaces", [[], ["pdq-1"], ["sscd-1", "url-1"], ["sha256", "sscd-1"]])
def test_a_registry_can_not_make_it_leave_out_what_is_not_there_or_all(
    registrant: Registrant, server: Server, spaces: list[str]
) -> None:
    kept = refused(registrant, generic(server))
    with pytest.raises(WrongAnswer):
        registrant.leave_out(kept, spaces)
    assert registrant.pending() == [kept]


def test_a_state_of_an_earlier_version_is_read(registrant: Registrant) -> None:
    record = registrant.protect(Picture(1).fingerprints, refusal())
    assert record.protection is not None
    assert {each.reach for each in record.protection} == {Reach.EDITED_COPIES, Reach.NEAR_COPIES}
    (file,) = (registrant.state.folder / "records").glob("*.json")
    value = json.loads(file.read_text())
    for name in ("askedDigest", "leftOut", "protection"):
        del value[name]
    file.write_text(json.dumps(value))
    (old,) = registrant.state.records(registrant.origin)
    assert old.protection is None
    registrant.check(old)
    assert registrant.state.records(registrant.origin) == [record]
