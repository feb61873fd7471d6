"""`consent screen --certify`, from photographs to a certificate that needs nobody."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from consent_client.errors import WrongAnswer
from consent_client.manifest_files import open_manifest
from consent_client.operations import entries
from consent_client.protocol.certificates import check_evidence, check_logged, verify_certificate
from consent_client.protocol.log import Close, Session, decode_bundle, decode_entry
from consent_client.protocol.results import verify_evidence
from consent_client.protocol.tlog_proofs import TlogProof
from consent_client.screening import certified, run
from consent_client.transport import Connection
from tests.clients.conftest import Consent
from tests.fingerprints import photographs
from tests.support.serving import Server

COUNT = 1_010


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand small pictures, a photograph, the same photograph twice, and what is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        colour = (number % 256, number // 256 * 40, 90)
        Image.new("RGB", (9, 9), colour).save(folder / f"{number:04}.png")
    cat = photographs.path(*photographs.CAT).read_bytes()
    for name in ("cat.png", "the-same-cat.png"):
        (folder / name).write_bytes(cat)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50)
    return folder


def entry(server: Server, index: int) -> object:
    with Connection(server.url) as connection:
        (data,) = decode_bundle(connection.run(entries(index, 1)).data)
    return decode_entry(data)


def screen(consent: Consent, pictures: Path, out: Path, *more: str | Path) -> dict[str, object]:
    done = consent(
        *("screen", pictures, "--dataset", "d", "--use", "ai_training", "--out", out, "--json"),
        *("--spaces", "sha256,pdq-1", "--require", "sha256"),
        *("--certify", "--signing-key", out.parent / "key", *more),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(server: Server, out: Path) -> int:
    """What an auditor does, step by step."""
    read = verify_certificate((out / "certificate.json").read_bytes())
    session, close = entry(server, read.session_index), entry(server, read.close_index)
    assert isinstance(session, Session)
    assert isinstance(close, Close)
    check_logged(read, session, close)
    shipped = open_manifest(out / "shipped.manifest")
    evidence = io.BytesIO((out / "evidence").read_bytes())
    shown = verify_evidence(evidence, shipped.rows(), session.count, close, read.close_index)
    check_evidence(read, shown)
    TlogProof.parse((out / "certify.proof").read_text())
    return shipped.count


def test_from_pictures_to_a_certificate(
    consent: Consent, server: Server, cat: Path, pictures: Path, tmp_path: Path
) -> None:
    assert consent("protect", cat).returncode == 0
    out = tmp_path / "screened"
    summary = screen(consent, pictures, out)
    assert summary["verdicts"] == {"clear": COUNT, "exclude": 2, "permit": 0, "unknown": 1}
    assert check(server, out) == COUNT
    kept = {path.name for path in (out / "kept").iterdir()}
    assert kept == {f"{number:04}.png" for number in range(COUNT)}
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert not list(out.rglob("fingerprints.db"))
    assert screen(consent, pictures, out) == summary  # done: nothing is asked again

    shown = consent("certificate", "show", out / "certificate.json")
    assert f"{COUNT} images are shipped, out of {COUNT + 1} that were screened" in shown.stdout
    assert "What it does not prove" in shown.stdout
    told = json.loads(consent("certificate", "show", out / "certificate.json", "--json").stdout)
    assert (told["shipped"], told["verdicts"]["exclude"]) == (COUNT, 1)
    croissant = consent("certificate", "export", out / "certificate.json")
    assert "sha256" in croissant.stdout


@pytest.mark.parametrize("step", ["_ask", "_check", "_ship"])
def test_interrupted_anywhere_it_goes_on(
    consent: Consent,
    server: Server,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    class Killed(BaseException):
        """A kill."""

    def killed(*_: object) -> None:
        raise Killed

    out = tmp_path / "screened"
    with monkeypatch.context() as patch:
        patch.setattr(certified._Certifying, step, killed)
        with pytest.raises(Killed):
            screen(consent, pictures, out)
    assert not (out / "certificate.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(
            run, "fingerprint_many", lambda *_, **__: iter(())
        )  # nothing is computed a second time
        screen(consent, pictures, out)
    assert check(server, out) in {COUNT, COUNT + 1}


def test_too_few_pictures_make_no_certificate(consent: Consent, cat: Path, tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "cat.png").write_bytes(cat.read_bytes())
    done = consent(
        *("screen", folder, "--dataset", "d", "--use", "ai_training", "--out", tmp_path / "out"),
        *("--certify", "--signing-key", tmp_path / "key"),
    )
    assert done.returncode == 1
    assert "1000 different pictures" in done.stderr


@pytest.mark.parametrize(
    "words", [["--certify"], ["--signing-key", "k"], ["--certify", "--signing-key", "k", "--faces"]]
)
def test_what_does_not_go_together_is_told(
    consent: Consent, tmp_path: Path, words: list[str]
) -> None:
    done = consent(
        *("screen", tmp_path, "--dataset", "d", "--use", "ai_training", "--out", tmp_path / "out"),
        *words,
    )
    assert done.returncode == 2


def test_a_registry_that_logs_other_results_than_it_gave_is_found_out(
    consent: Consent, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certified, "results_block_root", lambda *_: bytes(32))
    done = consent(
        *("screen", pictures, "--dataset", "d", "--use", "ai_training", "--json"),
        *("--spaces", "sha256", "--out", tmp_path / "out"),
        *("--certify", "--signing-key", tmp_path / "key"),
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == WrongAnswer.code
    assert not (tmp_path / "out" / "certificate.json").exists()
