"""`consent became`: after a real screening, as a process sees it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import Consent
from tests.support.serving import Server, serving

DATASET = "holidays of many"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that tells at once."""
    folder = tmp_path_factory.mktemp("telling")
    with serving(folder, CONSENT_REGISTRY_TOLD_AFTER_DAYS="0") as made:
        yield made


@pytest.fixture(scope="session")
def token(server: Server) -> str:
    return server.add_builder("A builder")


def test_a_person_sees_which_screening_left_their_picture_out(
    consent: Consent, server: Server, portrait: Path, cat: Path, tmp_path: Path
) -> None:
    assert consent("protect", portrait).returncode == 0
    nothing = consent("became")
    assert nothing.returncode == 0
    assert "Either none of the sets" in nothing.stdout.replace("\n", " ")

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(2):
        (pictures / f"{number}.png").write_bytes(portrait.read_bytes())
    (pictures / "cat.png").write_bytes(cat.read_bytes())
    screened = consent(
        *("screen", pictures, "--dataset", DATASET, "--use", "ai_training"),
        *("--out", tmp_path / "out"),
    )
    assert screened.returncode == 0, screened.stderr

    told = consent("became", "portrait.png")
    assert told.returncode == 0, told.stderr
    words = " ".join(told.stdout.split())
    assert "2 images were left out of" in words
    assert "for AI training" in words
    assert "cat.png" not in told.stdout + told.stderr
    assert "Who never asks is not here" in " ".join(told.stderr.split())

    (record,) = json.loads(consent("became", "--json").stdout)["records"]
    (found,) = record["exclusions"]
    assert found["dataset"] == DATASET
    assert found["images"] == 2
    assert found["certificate"] is None

    examined = json.loads(server.command("dispute", DATASET, portrait, "--json").stdout)
    assert examined["dataset"] == DATASET
    ((entry, spaces),) = [(each["recordEntry"], each["spaces"]) for each in examined["records"]]
    assert {"pdq-1", "sha256"} <= set(spaces)
    none = server.command("dispute", DATASET, cat, check=False)
    assert none.returncode == 1
    assert "excluded no such image" in " ".join(none.stderr.split()) or "No image" in none.stderr
    half = server.command("dispute", DATASET, portrait, "--record", str(entry), check=False)
    assert half.returncode == 2
    decision = ("--record", str(entry), "--outcome", "STANDS", "--reason", "SAME_IMAGE", "--json")
    decided = json.loads(server.command("dispute", DATASET, portrait, *decision).stdout)
    told = consent("became", "portrait.png")
    assert f"log entry {decided['disputeEntry']}" in " ".join(told.stdout.split())
    assert "the exclusion stands, because it is the same image" in " ".join(told.stdout.split())
    key = server.ask("{ registry { verifierKey } }")["data"]["registry"]["verifierKey"]
    audited = consent("audit", "log", server.url, "--key", key)
    assert audited.returncode in {0, 4}, audited.stderr
    assert "BAD_REFERENCE" not in audited.stdout

    assert consent("withdraw", "portrait.png").returncode == 0
    assert json.loads(consent("became", "--json").stdout)["records"] == []
    assert consent("became", "nobody.png").returncode == 2
