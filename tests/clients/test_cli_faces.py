"""`consent protect --face` and `consent screen --faces`, against a real registry."""

import base64
import json
import os
import pty
import re
import select
import shutil
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from consent_client.builder import Builder
from consent_client.errors import Malformed, RegistryProblem
from consent_client.fingerprints.images import fingerprint_image, registration_fingerprints
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant, refusal
from tests.clients.conftest import CONSENT, Consent
from tests.fingerprints import photographs, portraits
from tests.support.serving import Server

pytest.importorskip("onnxruntime", reason="needs consent-client[face]")
pytest.importorskip("onnx", reason="needs consent-client[face]")

USE = Use.AI_GENERATIVE_TRAINING


def verdicts(server: Server, token: str, *paths: Path, faces: bool = True) -> list[Verdict]:
    """What a builder hears who looks for people, or who does not."""
    spaces = ("face-1", "sha256") if faces else ("sha256",)
    items = [(path, fingerprint_image(path, spaces).fingerprints) for path in paths]
    with Builder(server.url, token=token) as builder:
        answers = builder.screen(
            items,
            dataset="faces",
            use=USE,
            required_spaces=spaces,
            opt_in_spaces=("face-1",) if faces else (),
            lawful_basis_stated=faces,
        )
        return [answer.verdict for answer in answers]


def test_a_registered_face_is_found_in_other_photographs_and_nobody_else_is(
    consent: Consent, server: Server, token: str
) -> None:
    done = consent("protect", portraits.A_NOW, "--face", "--json")
    assert done.returncode == 0, done.stderr
    assert "biometric data" in done.stderr
    assert len(json.loads(done.stdout)["records"]) == 1
    others = (portraits.B_NOW, portraits.OTHERS[0])
    assert verdicts(server, token, portraits.A_BEFORE, *others) == [
        Verdict.EXCLUDE,
        Verdict.CLEAR,
        Verdict.CLEAR,
    ]
    # Who does not look for people finds copies, as before, and nothing else.
    assert verdicts(server, token, portraits.A_BEFORE, portraits.A_NOW, faces=False) == [
        Verdict.CLEAR,
        Verdict.EXCLUDE,
    ]
    assert consent("withdraw", portraits.A_NOW.name).returncode == 0
    assert verdicts(server, token, portraits.A_BEFORE) == [Verdict.CLEAR]


def test_faces_are_never_registered_unasked(
    consent: Consent, server: Server, token: str, tmp_path: Path
) -> None:
    assert consent("protect", portraits.OTHERS[1]).returncode == 0
    edited = tmp_path / "other.png"
    portraits.opened(portraits.OTHERS[1]).rotate(20, expand=True).save(edited)
    assert verdicts(server, token, edited) == [Verdict.CLEAR]


def test_several_faces_are_named_where_nobody_can_be_asked(
    consent: Consent, server: Server, token: str, tmp_path: Path
) -> None:
    together = tmp_path / "together.png"
    portraits.group(portraits.B_NOW, portraits.OTHERS[0]).save(together)
    done = consent("protect", together, "--face", "--json")
    assert done.returncode == 4
    value = json.loads(done.stdout)
    assert value["records"] == []
    assert value["failed"][0]["code"] == "SEVERAL_FACES"
    words = done.stderr
    assert "--face-number" in words
    left = re.search(r"(\d): left", words)
    assert left is not None
    assert "pixels wide" in words
    chosen = consent("protect", together, "--face-number", left[1], "--json")
    assert chosen.returncode == 0, chosen.stderr
    found = verdicts(server, token, portraits.B_BEFORE, portraits.OTHERS[0])
    assert found == [Verdict.EXCLUDE, Verdict.CLEAR]
    assert consent("withdraw", "--all", "--yes").returncode in (0, 2)


def test_a_picture_that_shows_no_usable_face_is_said_and_nothing_is_registered(
    consent: Consent, tmp_path: Path
) -> None:
    cat = tmp_path / "cat.png"
    shutil.copy(photographs.path(*photographs.CAT), cat)
    small = tmp_path / "small.png"
    portraits.opened(portraits.B_NOW).resize((100, 130)).save(small)
    done = consent("protect", cat, small, "--face", "--json")
    assert done.returncode == 4
    value = json.loads(done.stdout)
    assert value["records"] == []
    assert [each["code"] for each in value["failed"]] == ["NO_FACE", "POOR_FACE"]
    assert "from nearer" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--face"],
        ["--face", "--url", "https://example.org/x.jpg"],
        ["x.jpg", "--face-number", "0"],
        ["x.jpg", "y.jpg", "--face-number", "1"],
        [".", "--face-number", "1"],
        ["x.jpg", "--face", "--basis", "rightsholder"],
        ["x.jpg", "--face-number", "1", "--basis", "rightsholder"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(consent: Consent, arguments: list[str]) -> None:
    done = consent("protect", *arguments)
    assert done.returncode == 2, done.stderr


def test_a_person_at_a_terminal_picks_from_a_sheet_that_goes_away(
    environment: dict[str, str], tmp_path: Path, server: Server, token: str
) -> None:
    together = tmp_path / "together.png"
    portraits.group(portraits.A_NOW, portraits.OTHERS[1]).save(together)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*CONSENT, "protect", str(together), "--face"],
        env=environment | {"TMPDIR": str(temporary), "TERM": "dumb", "COLUMNS": "400"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    said = read_until(ours, "0 to stop")
    (sheet,) = temporary.glob("consent-faces-*/faces.png")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert stat.S_IMODE(sheet.parent.stat().st_mode) == 0o700
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert str(sheet) in said.replace("\r\n", "")
    left = re.search(r"(\d): left", said)
    assert left is not None
    os.write(ours, b"7\n")
    read_until(ours, "0 to stop")
    os.write(ours, f"{left[1]}\n".encode())
    said = read_until(ours, "protected at")
    assert process.wait(60) == 0
    os.close(ours)
    assert list(temporary.iterdir()) == []
    assert verdicts(server, token, portraits.A_BEFORE) == [Verdict.EXCLUDE]


def test_stopping_registers_nothing_and_leaves_no_sheet(
    environment: dict[str, str], tmp_path: Path, state: Path
) -> None:
    together = tmp_path / "together.png"
    portraits.group(portraits.A_NOW, portraits.B_NOW).save(together)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*CONSENT, "protect", str(together), "--face"],
        env=environment | {"TMPDIR": str(temporary), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    read_until(ours, "0 to stop")
    os.write(ours, b"0\n")
    assert process.wait(60) != 0
    os.close(ours)
    assert list(temporary.iterdir()) == []
    assert list(state.glob("records/*")) == []


def read_until(terminal: int, words: str, seconds: float = 60.0) -> str:
    said = ""
    end = time.monotonic() + seconds
    while words not in said:
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 4096).decode(errors="replace")
    return said


# The SDK


def test_what_was_not_opted_in_to_is_not_sent(server: Server, token: str, state: Path) -> None:
    """Even where somebody computed it: the registry would refuse the column."""
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        made = registration_fingerprints(portraits.B_NOW, ["face-1"])
        registrant.protect(made.fingerprints, refusal())
    seen = fingerprint_image(portraits.B_BEFORE, ["face-1", "sha256"]).fingerprints
    with Builder(server.url, token=token) as builder:
        options = {"dataset": "x", "use": USE, "required_spaces": ("sha256",)}
        (answer,) = builder.screen([("b", seen)], **options)
        assert (answer.verdict, answer.spaces) == (Verdict.CLEAR, ("sha256",))
        (answer,) = builder.screen(
            [("b", seen)], **options, opt_in_spaces=("face-1",), lawful_basis_stated=True
        )
        assert (answer.verdict, answer.spaces) == (Verdict.EXCLUDE, ("face-1", "sha256"))
        with pytest.raises(RegistryProblem) as caught:
            list(builder.screen([("b", seen)], **options, opt_in_spaces=("face-1",)))
        assert caught.value.problem_code == "INVALID_INPUT"
        assert "lawful basis" in str(caught.value)


def test_nobody_seen_is_clear_and_not_looked_at_is_unknown(server: Server, token: str) -> None:
    items = [("nobody", {"face-1": ()}), ("not looked at", {"sha256": (bytes(32),)})]
    with Builder(server.url, token=token) as builder:
        answers = builder.screen(
            items,
            dataset="x",
            use=USE,
            required_spaces=("face-1",),
            opt_in_spaces=("face-1",),
            lawful_basis_stated=True,
        )
        assert [answer.verdict for answer in answers] == [Verdict.CLEAR, Verdict.UNKNOWN]


def test_more_faces_than_a_column_takes_are_refused_here(server: Server, token: str) -> None:
    (vector,) = registration_fingerprints(portraits.B_NOW, ["face-1"]).fingerprints["face-1"]
    with Builder(server.url, token=token) as builder, pytest.raises(Malformed):
        list(
            builder.screen(
                [("crowd", {"face-1": (vector,) * 65})],
                dataset="x",
                use=USE,
                required_spaces=(),
                opt_in_spaces=("face-1",),
                lawful_basis_stated=True,
            )
        )


# consent screen


@pytest.fixture(scope="module")
def protected(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One person registered their face."""
    with Registrant(server.url, state=tmp_path_factory.mktemp("person") / "state") as registrant:
        registrant.ensure_phrase()
        made = registration_fingerprints(portraits.B_NOW, ["face-1"])
        registrant.protect(made.fingerprints, refusal())


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    shutil.copy(portraits.B_BEFORE, folder / "b.jpg")
    shutil.copy(portraits.OTHERS[0], folder / "other.jpg")
    noise = np.random.default_rng(20_26).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(folder / "nobody.png")
    portraits.group(portraits.OTHERS[0], portraits.B_BEFORE).save(folder / "both.png")
    portraits.crowd(9, 8, face_width=24).save(folder / "crowd.png")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    return folder


@pytest.mark.usefixtures("protected")
def test_a_data_set_is_screened_for_people(consent: Consent, dataset: Path, tmp_path: Path) -> None:
    arguments = ("screen", dataset, "--dataset", "x", "--use", "ai_training", "--json")
    done = consent(*arguments, "--out", tmp_path / "out", "--faces", "--lawful-basis")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert "face-1" in value["required_spaces"]
    # A crowd of more than 64 could not be checked: it is UNKNOWN, as what could not be read is.
    assert value["verdicts"] == {"clear": 2, "exclude": 2, "permit": 0, "unknown": 2}
    assert value["checked"]["face-1"] == 4
    kept = {path.name for path in (tmp_path / "out" / "kept").iterdir()}
    assert kept == {"nobody.png", "other.jpg"}

    unasked = consent(*arguments, "--out", tmp_path / "without")
    value = json.loads(unasked.stdout)
    assert "face-1" not in value["spaces"]
    assert value["verdicts"] == {"clear": 5, "exclude": 0, "permit": 0, "unknown": 1}


@pytest.mark.parametrize(
    "arguments", [["--faces"], ["--lawful-basis"], ["--require", "face-1"]], ids=" ".join
)
def test_looking_for_people_is_said_in_full_or_not_done(
    consent: Consent, dataset: Path, tmp_path: Path, arguments: list[str]
) -> None:
    words = ("screen", dataset, "--dataset", "x", "--use", "ai_training", "--out", tmp_path / "o")
    done = consent(*words, *arguments)
    assert done.returncode in (1, 2)
    assert "people" in done.stderr
    assert not (tmp_path / "o" / "kept").exists()


@pytest.mark.usefixtures("protected")
def test_nothing_of_a_face_stays_in_the_folder_for_results(
    consent: Consent, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("screen", dataset, "--dataset", "x", "--use", "ai_training", "--out", out)
    assert consent(*words, "--faces", "--lawful-basis").returncode == 0
    written = b"".join(
        path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and "kept" not in path.relative_to(out).parts
    )
    seen = fingerprint_image(dataset / "both.png", ["face-1"]).fingerprints["face-1"]
    assert len(seen) == 2
    for vector in seen:
        for part in (vector[:12], vector[-12:]):
            assert part not in written
            assert part.hex().encode() not in written
            assert base64.b64encode(part)[:14] not in written
