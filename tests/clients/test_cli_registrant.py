"""The registrant's commands, as processes of their own against a real registry."""

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from consent_client.protocol.keys import seed_of
from consent_client.state import State
from tests.clients.conftest import CONSENT, Consent
from tests.clients.proxy import SwallowingProxy
from tests.support.serving import Server


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_protect_status_withdraw(consent_process: Consent, portrait: Path, state: Path) -> None:
    consent = consent_process
    done = consent("protect", portrait, "--json")
    assert done.returncode == 0, done.stderr
    value = answer(done)
    assert value["phraseCreated"] is True
    assert value["waiting"] == 0
    assert value["failed"] == []
    (record,) = value["records"]
    assert record["label"] == "portrait.png"
    assert record["status"] == "ACTIVE"
    assert set(record["uses"].values()) == {"notAllowed"}
    assert record["basis"] == "DATA_SUBJECT"
    assert "losing" not in done.stdout
    assert "Write the 12 words down" in done.stderr
    seed_of(consent("phrase", "show").stdout)

    again = consent("protect", portrait)
    assert again.returncode == 0
    assert "was protected already" in again.stdout

    shown = consent("status", "--check")
    assert shown.returncode == 0
    assert "portrait.png" in shown.stdout
    assert "active" in shown.stdout

    ended = consent("withdraw", "portrait.png", "--json")
    assert ended.returncode == 0
    assert answer(ended)["records"][0]["status"] == "WITHDRAWN"
    assert answer(consent("status", "--json"))["records"][0]["status"] == "WITHDRAWN"


def test_statements_are_what_was_said(consent: Consent, portrait: Path) -> None:
    done = consent(
        *("protect", portrait, "--json", "--use", "ai_inference=allowed", "--use"),
        *("data_mining=unsaid", "--basis", "guardian", "--given-for", "identity-verification"),
        *("--until", "2099-12-31", "--label", "school"),
    )
    (record,) = answer(done)["records"]
    assert record["uses"] == {
        "data_mining": "unsaid",
        "ai_inference": "allowed",
        "ai_training": "notAllowed",
        "ai_generative_training": "notAllowed",
    }
    assert record["basis"] == "GUARDIAN"
    assert record["givenFor"] == "dpv:IdentityVerification"
    assert record["until"] == "2099-12-31"
    assert record["label"] == "school"


@pytest.mark.parametrize(
    "arguments",
    [
        ["protect"],
        ["protect", "x.jpg", "--resume"],
        ["protect", "x.jpg", "--use", "training=notAllowed"],
        ["protect", "x.jpg", "--use", "ai_training=perhaps"],
        ["protect", "x.jpg", "--basis", "friend"],
        ["protect", "x.jpg", "--given-for", "fun"],
        ["protect", "x.jpg", "--until", "1999-01-01"],
        ["protect", "x.jpg", "--until", "tomorrow"],
        ["protect", "x.jpg", "y.jpg", "--url", "https://example.org/x.jpg"],
        ["protect", "x.jpg", "--model", "clip=file"],
        ["withdraw"],
        ["withdraw", "nothing"],
        ["withdraw", "--all"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(consent: Consent, arguments: list[str]) -> None:
    done = consent(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_no_registry_is_a_question_of_usage(consent: Consent) -> None:
    done = consent("status", CONSENT_REGISTRY="")
    assert done.returncode == 2
    assert "--registry" in done.stderr


def test_the_registry_is_remembered(consent: Consent, portrait: Path) -> None:
    assert consent("protect", portrait).returncode == 0
    assert consent("status", CONSENT_REGISTRY="").returncode == 0


def test_common_options_before_the_command(consent: Consent, server: Server) -> None:
    done = consent("--json", "--registry", server.url, "status", CONSENT_REGISTRY="")
    assert done.returncode == 0
    assert answer(done)["records"] == []


def test_bad_files_are_named_and_the_others_go_on(
    consent: Consent, portrait: Path, cat: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    portrait.rename(folder / "a.png")
    (folder / "b.jpg").write_bytes(b"no picture")
    whole = cat.read_bytes()
    (folder / "deep" / "c.png").write_bytes(whole[: len(whole) // 2])
    cat.rename(folder / "deep" / "d.png")
    (folder / "notes.txt").write_text("not a picture, and not tried")
    done = consent("protect", folder, tmp_path / "missing.jpg", "--json")
    assert done.returncode == 4
    value = answer(done)
    assert [record["label"] for record in value["records"]] == ["a.png", "d.png"]
    assert [Path(error["file"]).name for error in value["failed"]] == [
        "b.jpg",
        "c.png",
        "missing.jpg",
    ]
    assert "b.jpg" in done.stderr


def test_names_that_steer_a_terminal_are_shown_harmlessly(
    consent: Consent, portrait: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "a\x1b[2J\udcff.jpg"
    try:
        bad.write_bytes(b"no picture")
    except OSError:
        pytest.skip("this file system takes text only")
    good = portrait.rename(tmp_path / "b\x1b[2J\udcff.png")
    done = consent("protect", bad, good)
    assert done.returncode == 4
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in consent("status").stdout


def test_an_unreachable_registry_is_an_error(consent: Consent, portrait: Path) -> None:
    done = consent("protect", portrait, "--json", "--registry", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert answer(done)["error"]["code"] == "UNREACHABLE"


def test_plain_http_to_another_machine_is_refused(consent: Consent, portrait: Path) -> None:
    done = consent("protect", portrait, "--json", "--registry", "http://registry.example")
    assert done.returncode == 1
    assert answer(done)["error"]["code"] == "INSECURE_REGISTRY"


def test_a_client_killed_between_send_and_answer_gets_its_registration(
    consent: Consent, environment: dict[str, str], portrait: Path, server: Server, state: Path
) -> None:
    with SwallowingProxy(server.port, b"mutation Register") as proxy:
        client = subprocess.Popen(
            [*CONSENT, "protect", str(portrait)],
            env=environment | {"CONSENT_REGISTRY": proxy.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert proxy.swallowed.wait(90)
        client.send_signal(signal.SIGKILL)
        client.wait()
        (kept,) = State(state).records()
        assert kept.stage.value == "sent"
        size = server.ask("{registry{logSize}}")["data"]["registry"]["logSize"]
        done = consent("protect", "--resume", "--json", "--registry", proxy.url)
    assert done.returncode == 0, done.stderr
    (record,) = answer(done)["records"]
    assert record["stage"] == "registered"
    assert record["number"] == 0
    assert server.ask("{registry{logSize}}")["data"]["registry"]["logSize"] == size
    (after,) = State(state).records()
    assert after.request == kept.request
    assert after.commitment == kept.commitment


def test_what_can_not_be_sent_is_saved_for_later(
    consent: Consent, portrait: Path, cat: Path, server: Server, state: Path
) -> None:
    """The connection breaks at the first registration: both pictures are saved, none is lost."""
    with SwallowingProxy(server.port, b"mutation Register", hang_up=True) as proxy:
        done = consent("protect", portrait, cat, "--json", "--registry", proxy.url)
    assert done.returncode == 4
    assert answer(done)["waiting"] == 2, done.stdout + done.stderr
    assert [each.stage.value for each in State(state).records()] == ["sent", "waiting"]
    assert "--resume" in done.stderr
    done = consent("protect", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert {each.stage.value for each in State(state).records()} == {"registered"}


def test_spread_saves_first_waits_and_is_resumed(
    consent: Consent, environment: dict[str, str], portrait: Path, cat: Path, state: Path
) -> None:
    client = subprocess.Popen(
        [*CONSENT, "protect", str(portrait), str(cat), "--spread", "--spread-hours", "5"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    assert client.stderr is not None
    while "saved; they are sent" not in client.stderr.readline():
        assert time.monotonic() < deadline
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stderr.close()
    saved = State(state).records()
    assert [record.stage.value for record in saved] == ["waiting", "waiting"]
    assert time.time() < saved[0].send_after <= saved[1].send_after < time.time() + 5 * 3600
    kept = State(state)
    for record in saved:
        kept.save_record(type(record)(**_fields(record) | {"send_after": time.time()}))
    done = consent("protect", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert [record["stage"] for record in answer(done)["records"]] == ["registered"] * 2


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def test_an_address_alone_can_be_protected(consent: Consent) -> None:
    done = consent("protect", "--url", "https://example.org/me.jpg", "--json")
    assert done.returncode == 0, done.stderr
    assert answer(done)["records"][0]["label"] == "https://example.org/me.jpg"


def test_recover_with_a_saved_phrase(consent: Consent, portrait: Path, tmp_path: Path) -> None:
    consent("protect", portrait)
    file = tmp_path / "phrase.txt"
    assert consent("phrase", "save", file).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert consent("phrase", "save", file).returncode == 1  # never over something
    other = str(tmp_path / "other")
    done = consent("recover", "--phrase-file", file, "--json", CONSENT_STATE=other)
    assert done.returncode == 0, done.stderr
    (record,) = answer(done)["records"]
    assert record["status"] == "ACTIVE"
    assert record["label"] == ""
    assert consent("withdraw", "#0", CONSENT_STATE=other).returncode == 0
    assert "withdrawn" in consent("status").stdout


def test_recover_refuses_what_is_no_phrase(consent: Consent, tmp_path: Path, state: Path) -> None:
    file = tmp_path / "phrase.txt"
    file.write_text("twelve words that are not in the list at all my dear friend\n")
    done = consent("recover", "--phrase-file", file, "--json")
    assert done.returncode == 1
    assert answer(done)["error"]["code"] == "BAD_PHRASE"
    assert not (state / "phrase").exists()


def test_a_printed_withdrawal(consent: Consent, portrait: Path, tmp_path: Path) -> None:
    consent("protect", portrait)
    printed = consent("withdraw", "portrait.png", "--print")
    assert printed.returncode == 0
    nowhere = consent("withdraw", "portrait.png", "--print", CONSENT_REGISTRY="")
    assert nowhere.stdout == printed.stdout  # signed here, without asking anybody
    kept = tmp_path / "kept.txt"
    kept.write_text(printed.stdout)
    assert "active" in consent("status").stdout
    elsewhere = str(tmp_path / "elsewhere")
    done = consent("withdraw", "--from", kept, CONSENT_STATE=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "withdrawn" in consent("status").stdout


def test_state_files_hold_no_picture_no_path_and_no_plain_fingerprint(
    consent: Consent, portrait: Path, state: Path, environment: dict[str, str]
) -> None:
    from consent_client.fingerprints.images import available_spaces, registration_fingerprints
    from consent_client.protocol.encoding import encode_base64

    consent("protect", portrait, "--spread", "--spread-hours", "0.001")
    consent("protect", portrait, "--label", "another", "--use", "ai_inference=allowed")
    made = registration_fingerprints(portrait, available_spaces()).fingerprints
    prints = [value for values in made.values() for value in values]
    pixels = portrait.read_bytes()
    files = [path for path in state.rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        data = path.read_bytes()
        assert str(portrait.parent).encode() not in data
        for start in range(0, len(pixels) - 64, 4_096):
            assert pixels[start : start + 64] not in data
        for value in prints:
            for form in (value, value.hex().encode(), encode_base64(value).encode()):
                assert form not in data
    for folder in (state, state / "records", state / "registries"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_waiting_record_holds_no_plain_fingerprint(state: Path, server: Server) -> None:
    from consent_client.protocol.encoding import encode_base64
    from consent_client.registrant import Registrant, refusal
    from tests.support.people import Picture

    picture = Picture(1)
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        registrant.save(picture.fingerprints, refusal())
    (file,) = (state / "records").glob("*.json")
    data = file.read_bytes()
    for (value,) in picture.fingerprints.values():
        for form in (value, value.hex().encode(), encode_base64(value)[:-4].encode()):
            assert form not in data


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_state_others_can_read_is_refused_by_name(
    consent: Consent, portrait: Path, state: Path
) -> None:
    consent("protect", portrait)
    (file,) = (state / "records").glob("*.json")
    file.chmod(0o644)
    before = file.read_bytes()
    done = consent("status", "--json")
    assert done.returncode == 1
    assert answer(done)["error"]["code"] == "STATE_ERROR"
    assert file.name in done.stderr
    assert file.read_bytes() == before


def test_help_has_examples(consent: Consent) -> None:
    for command in ("protect", "status", "withdraw", "recover", "screen"):
        assert "Example" in consent(command, "--help").stdout
    assert "can not reach a model" in consent("--help").stdout.replace("\n  ", " ")
