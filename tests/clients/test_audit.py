"""`consent audit` against a real registry, from its address and from its folder."""

import json
import shutil
import time
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from consent_client.protocol.cosignatures import WitnessSigner
from consent_client.registrant import Registrant, refusal
from tests.clients.conftest import Consent
from tests.support.people import Picture
from tests.support.published import Published
from tests.support.serving import Server

FAILED, INCOMPLETE, USAGE = 5, 4, 2


@pytest.fixture
def registrant(server: Server, state: Path):
    with Registrant(server.url, state=state) as opened:
        opened.ensure_phrase()
        yield opened


@pytest.fixture
def key(registrant: Registrant) -> str:
    return registrant.meet().pinned.verifier_key


@pytest.fixture
def copy(server: Server, registrant: Registrant, tmp_path: Path) -> Path:
    """A copy of what the registry publishes, with a withdrawn record in it."""
    first = registrant.protect(Picture(21_001).fingerprints, refusal())
    registrant.protect(Picture(21_002).fingerprints, refusal())
    registrant.withdraw(first)
    folder = tmp_path / "published"
    shutil.copytree(server.folder / "data" / "log", folder)
    return folder


def test_a_registrys_log_is_verified_from_its_address_and_its_folder(
    consent: Consent, server: Server, key: str, copy: Path, tmp_path: Path
) -> None:
    for source in (server.url, copy):
        page = tmp_path / "report.html"
        done = consent("audit", "log", source, "--key", key, "--json", "--html", page)
        assert done.returncode == 0, done.stdout
        told = json.loads(done.stdout)
        assert told["ok"] is True
        assert told["facts"]["entries.WITHDRAW"] >= 1
        assert {"verified", "bounded", "unverifiable"} <= told.keys()
        assert "<script" not in page.read_text()
        assert "color-scheme: light dark" in page.read_text()
    shown = consent("audit", "log", copy, "--key", key)
    assert "Verified" in shown.stdout
    assert "Not to be verified, and why" in shown.stdout


def test_keeping_notices_a_log_that_goes_back(
    consent: Consent, key: str, copy: Path, registrant: Registrant, server: Server, tmp_path: Path
) -> None:
    keep = tmp_path / "keep"
    registrant.protect(Picture(21_003).fingerprints, refusal())
    assert consent("audit", "log", server.url, "--key", key, "--keep", keep).returncode == 0
    done = consent("audit", "log", copy, "--key", key, "--keep", keep, "--json")
    assert done.returncode == FAILED
    assert [each["fault"] for each in json.loads(done.stdout)["failed"]] == ["ROLLED_BACK"]
    assert consent("audit", "log", server.url, "--key", key, "--keep", keep).returncode == 0


def test_a_flipped_byte_in_what_a_registry_publishes_is_found(
    consent: Consent, key: str, copy: Path
) -> None:
    bundle = max((copy / "tile/entries/000.p").iterdir(), key=lambda path: int(path.name))
    Published(copy).flip(bundle.relative_to(copy).as_posix(), 40)
    done = consent("audit", "log", copy, "--key", key, "--json")
    assert done.returncode == FAILED
    [failed] = json.loads(done.stdout)["failed"]
    assert failed["fault"] == "BAD_BUNDLE"
    assert failed["where"] == bundle.relative_to(copy).as_posix()


def test_a_receipt_is_verified_offline_and_looked_up_in_the_log(
    consent: Consent, server: Server, key: str, registrant: Registrant, tmp_path: Path
) -> None:
    record = registrant.protect(Picture(21_010).fingerprints, refusal())
    file = tmp_path / "receipt"
    file.write_text(record.receipt or "")
    asked = ("audit", "receipt", file, "--key", key, "--json")
    offline = json.loads(consent(*asked).stdout)
    assert offline["ok"] is True
    assert "status" not in offline["facts"]
    active = json.loads(consent(*asked, "--log", server.url).stdout)
    assert active["facts"]["status"] == "ACTIVE"
    registrant.withdraw(record)
    done = consent(*asked, "--log", server.url)
    assert done.returncode == 0
    assert json.loads(done.stdout)["facts"]["status"] == "WITHDRAWN"

    text = record.receipt or ""
    file.write_text(text.replace("index ", "index 1"))
    assert consent(*asked).returncode == FAILED
    file.write_bytes(b"\xff" * 100)
    assert consent(*asked).returncode == FAILED
    file.write_bytes(b"x" * 2**21)
    assert consent(*asked).returncode == INCOMPLETE
    file.unlink()
    assert consent(*asked).returncode == INCOMPLETE


def test_what_can_not_be_read_has_a_code_of_its_own(
    consent: Consent, key: str, tmp_path: Path
) -> None:
    for source in (tmp_path / "nowhere", tmp_path, "http://registry.example"):
        done = consent("audit", "log", source, "--key", key, "--json")
        assert done.returncode == INCOMPLETE
        assert "error" in json.loads(done.stdout)


@pytest.fixture
def screened(consent: Consent, tmp_path: Path, cat: Path) -> Path:
    """A data set of a thousand pictures and a protected one, screened and certified."""
    assert consent("protect", cat).returncode == 0
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(1_000):
        colour = (number % 256, number // 256 * 40, 91)
        Image.new("RGB", (9, 9), colour).save(pictures / f"{number:04}.png")
    shutil.copy(cat, pictures / "cat.png")
    out = tmp_path / "screened"
    done = consent(
        *("screen", pictures, "--dataset", "d", "--use", "ai_training", "--out", out),
        *("--spaces", "sha256", "--require", "sha256"),
        *("--certify", "--signing-key", tmp_path / "key"),
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_builders_certificate_is_verified_by_who_was_not_there(
    consent: Consent, server: Server, key: str, screened: Path, cat: Path
) -> None:
    cert = screened / "certificate.json"
    asked = ("audit", "certificate", cert, "--log", server.url, "--key", key, "--json")
    done = consent(*asked)
    assert done.returncode == 0, done.stdout
    assert any("1000 CLEAR, 0 PERMIT" in each for each in json.loads(done.stdout)["verified"])
    explicit = ("--shipped", screened / "shipped.manifest", "--evidence", screened)
    assert consent(*asked, *explicit).returncode == 0
    assert consent("audit", "log", server.url, "--key", key).returncode == 0

    own = consent("audit", "self", cat, "--certificate", cert, "--json")
    assert own.returncode == 0
    shipped = consent("audit", "self", screened / "kept" / "0003.png", "--certificate", cert)
    assert shipped.returncode == FAILED
    assert "SHIPPED" in shipped.stdout

    Published(screened).flip("evidence", 200)
    assert consent(*asked).returncode == FAILED
    (screened / "evidence").unlink()
    assert consent(*asked).returncode == INCOMPLETE


def test_a_sample_of_the_pictures_is_looked_at_again(
    consent: Consent, server: Server, key: str, screened: Path, registrant: Registrant
) -> None:
    kept = screened / "kept"
    asked = (
        *("audit", "images", kept, "--certificate", screened / "certificate.json"),
        *("--log", server.url, "--key", key, "--json"),
    )
    sampled = (*asked, "--beacon", "a value of today", "--nonce", "07" * 32, "--share", "0.05")
    done = consent(*sampled, "--screen-at", server.url)
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    rows, screened_again = told["bounded"][-2:]
    assert (rows["looked"], rows["of"], rows["found"]) == (72, 1_000, 0)
    assert rows["shareAtMost"] <= 0.05
    assert (screened_again["looked"], screened_again["found"]) == (72, 0)
    assert told["facts"]["nonce"] == "07" * 32

    registrant.protect({"sha256": (sha256((kept / "0003.png").read_bytes()).digest(),)}, refusal())
    everything = consent(*asked, "--all", "--screen-at", server.url)
    assert everything.returncode == 0
    told = json.loads(everything.stdout)
    assert [each["fault"] for each in told["notes"]] == ["MISSED"]  # opted out since

    (kept / "0003.png").write_bytes((kept / "0004.png").read_bytes() + b"x")
    done = consent(*asked, "--all")
    assert done.returncode == FAILED
    assert {each["fault"] for each in json.loads(done.stdout)["failed"]} == {
        "NOT_SHIPPED_AS_SAID",
        "MISSING_FILE",
    }
    for wrong in ((), ("--beacon", ""), ("--beacon", "x", "--nonce", "00")):
        assert consent(*asked, *wrong).returncode == USAGE


def test_watching_once_and_again(
    consent: Consent, server: Server, key: str, copy: Path, tmp_path: Path, registrant: Registrant
) -> None:
    keep = tmp_path / "keep"
    asked = ("--key", key, "--keep", keep, "--once", "--json")
    assert consent("audit", "watch", server.url, *asked).returncode == 0
    registrant.protect(Picture(21_020).fingerprints, refusal())
    assert consent("audit", "watch", server.url, *asked).returncode == 0
    done = consent("audit", "watch", copy, *asked)
    assert done.returncode == FAILED
    assert json.loads(done.stdout)["failed"][0]["fault"] == "ROLLED_BACK"
    assert consent("audit", "watch", tmp_path / "nowhere", *asked).returncode == INCOMPLETE


def test_watching_goes_on_where_the_log_is_gone(
    consent: Consent, key: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(seconds: float) -> None:
        assert seconds == 7 * 60
        if not (copy / "checkpoint").exists():
            raise KeyboardInterrupt
        (copy / "checkpoint").unlink()

    monkeypatch.setattr(time, "sleep", slept)
    done = consent("audit", "watch", copy, "--key", key, "--every", "7")
    assert "nothing is wrong" in done.stdout
    assert "UNREADABLE" in done.stderr


def test_who_is_believed_has_to_be_said(consent: Consent, key: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text("quorum nobody\n")
    for options in ((), ("--key", "x"), ("--key", key, "--policy", policy), ("--policy", policy)):
        assert consent("audit", "log", tmp_path, *options).returncode == USAGE


def test_a_policy_wants_its_witnesses(
    consent: Consent, key: str, copy: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {key}\nquorum none\n")
    assert consent("audit", "log", copy, "--policy", policy).returncode == 0
    witness = WitnessSigner("witness.example/w", bytes(range(2, 34))).verifier.vkey
    policy.write_text(f"log {key}\nwitness w {witness}\nquorum w\n")
    done = consent("audit", "log", copy, "--policy", policy, "--json")
    assert done.returncode == FAILED
    assert [each["fault"] for each in json.loads(done.stdout)["failed"]] == ["UNWITNESSED"]
