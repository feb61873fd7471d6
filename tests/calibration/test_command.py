"""`consent-registry calibrate`, run as an operator runs it, beside a registry that serves."""

import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from consent_client.fingerprints.images import registration_fingerprints
from consent_client.registrant import Registrant, refusal
from registry.cli import main
from tests.fingerprints import photographs
from tests.support.serving import serving

QUERY = """{ registry { calibrations { day sample images unreadable spaces logSize activeRecords
  inForce policies { name version hits falseHits unsureHits matchedImages falseImages unsureImages
  rate low high } } } }"""


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path / "registry") as started:
        yield started


def test_matched_reviewed_and_published(server, tmp_path):
    path = photographs.path(*photographs.ASTRONAUT)
    with Registrant(server.url, state=tmp_path / "state") as registrant:
        registrant.ensure_phrase()
        made = registration_fingerprints(path, ("sha256", "sscd-1")).fingerprints
        registrant.protect(made, refusal())
    folder, out = tmp_path / "sample", tmp_path / "out"
    folder.mkdir()
    shutil.copy(path, folder / "astronaut.png")
    shutil.copy(photographs.path(*photographs.CAT), folder / "cat.png")

    assert server.ask("{ registry { calibrations { day } } }")["data"]["registry"] == {
        "calibrations": []
    }
    done = server.command("calibrate", str(folder), "--out", str(out))
    assert "2 images matched" in done.stdout
    assert "1 under the policy small" in done.stdout
    assert "matched 2 of 2, 1 hits" in done.stderr
    assert "--review" in done.stdout

    # The same file is a copy for certain: there is nothing left to fill in.
    words = ("calibrate", "--out", str(out), "--review", str(out / "review.csv"))
    done = server.command(*words, "--name", "two photographs", "--json")
    value = json.loads(done.stdout)
    assert value["new"]
    assert value["lookAt"] == []
    (shown,) = server.ask(QUERY)["data"]["registry"]["calibrations"]
    assert shown["sample"] == "two photographs"
    assert (shown["images"], shown["unreadable"], shown["activeRecords"]) == (2, 0, 1)
    assert shown["policies"] == value["policies"]
    assert shown["policies"][0]["rate"] == 0
    failed = server.command(*words[:-1], str(folder), "--name", "x", check=False)
    assert failed.returncode == 1
    assert "can not be read" in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("sample", "--review", "x", "--name", "y"),
        ("--review", "x"),
        ("sample", "--name", "y"),
        ("sample", "--draw", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(wrong, tmp_path):
    done = CliRunner().invoke(main, ["calibrate", *wrong, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_without_the_extras_it_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['PIL'] = None; from registry.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "calibrate", "sample", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "consent-client[images]" in done.stderr
    assert "Traceback" not in done.stderr
