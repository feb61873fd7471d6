"""The operator's commands, run as an operator runs them."""

import json
import re

import pytest

from registry.api.limits import MAX_DEPTH
from tests.support.serving import Server, serving


@pytest.fixture
def registry(tmp_path):
    """Settings of a registry that nobody serves."""
    (tmp_path / "registry").mkdir()
    return Server(tmp_path / "registry")


def test_init_founds_once_and_again_harmlessly(registry):
    first = registry.command("init")
    assert "registry.example/test" in first.stdout
    keys = {path: path.read_bytes() for path in (registry.folder / "keyring").iterdir()}
    assert keys
    registry.command("init")
    assert {path: path.read_bytes() for path in (registry.folder / "keyring").iterdir()} == keys
    assert (registry.folder / "keyring").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_a_broken_space_file_is_named_and_nothing_is_done(registry, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    registry.extra["CONSENT_SPACES"] = str(broken)
    done = registry.command("init", check=False)
    assert done.returncode == 2
    assert str(broken) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(registry.folder.iterdir())


def test_another_origin_than_the_databases_is_refused(registry):
    registry.command("init")
    registry.extra["CONSENT_REGISTRY_ORIGIN"] = "other.example"
    done = registry.command("init", check=False)
    assert done.returncode == 1
    assert "registry.example/test" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PROOF_OF_WORK_DIGITS", "0"),
        ("DATABASE_URL", "mysql://secret@host/db"),
        ("REGISTRATION_LIMIT", "often"),
        ("TRUSTED_PROXIES", '["nowhere"]'),
        ("ORIGIN", "two words"),
        ("MAX_RECORDS", "many"),
    ],
)
def test_a_bad_setting_is_named_and_nothing_starts(registry, name, value):
    registry.extra[f"CONSENT_REGISTRY_{name}"] = value
    done = registry.command("serve", check=False)
    assert done.returncode == 2
    assert f"CONSENT_REGISTRY_{name}" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_builders_life(registry):
    token = registry.add_builder("Example Lab")
    assert re.fullmatch(r"crb_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", token)
    database = b"".join(path.read_bytes() for path in (registry.folder / "data").iterdir())
    assert token.split("_", 2)[2].encode() not in database
    twice = registry.command("builder", "add", "Example Lab", check=False)
    assert twice.returncode == 1
    other = registry.command("builder", "add", "Small Lab", "--items-per-day", "5", "--json")
    assert json.loads(other.stdout)["token"].startswith("crb_")
    listed = json.loads(registry.command("builder", "list", "--json").stdout)
    assert [row["name"] for row in listed] == ["Example Lab", "Small Lab"]
    assert listed[1]["itemsPerDay"] == 5
    registry.command("builder", "revoke", "Example Lab")
    again = registry.command("builder", "revoke", "Example Lab", check=False)
    assert again.returncode == 1
    assert "revoked" in registry.command("builder", "list").stdout


def test_commands_on_a_registry_that_was_not_founded_say_so(registry):
    for arguments in (("builder", "list"), ("keys", "rotate"), ("backup", "x.db")):
        done = registry.command(*arguments, check=False)
        assert done.returncode == 1
        assert "init" in done.stderr


def test_rotation_without_records_and_its_words(registry):
    registry.command("init")
    first = json.loads(registry.command("keys", "rotate", "--json").stdout)
    assert first == {
        "epoch": 2,
        "resumed": False,
        "rewrapped": 0,
        "destroyed": [],
        "waitingFor": [],
    }
    assert "destroyed: 1" in registry.command("keys", "rotate").stdout
    assert not (registry.folder / "keyring" / "epoch-1.key").exists()


def test_erasing_asks_for_a_known_reason_and_a_record(registry):
    registry.command("init")
    unknown = registry.command("erase", "0", "--reason", "BECAUSE", check=False)
    assert unknown.returncode == 2
    assert "COURT_ORDER" in unknown.stderr
    nothing = registry.command("erase", "0", "--reason", "ABUSE", check=False)
    assert nothing.returncode == 1
    assert "does not register" in nothing.stderr


def test_help_has_examples(registry):
    for arguments in (("serve",), ("erase",), ("keys", "rotate"), ("builder", "add"), ("backup",)):
        text = registry.command(*arguments, "--help").stdout
        assert "Example" in text


def test_a_looser_keyring_is_refused(registry):
    registry.command("init")
    (registry.folder / "keyring").chmod(0o755)
    done = registry.command("serve", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr or "keyring" in done.stderr


def test_serving_with_no_configuration_says_what_is_weak_about_it(tmp_path):
    with serving(tmp_path / "server") as server:
        assert "Embedded default" in server.log_file.read_text()


def test_graphiql_and_introspection_by_it_are_for_development(tmp_path):
    import httpx

    with serving(tmp_path / "server", CONSENT_REGISTRY_DEVELOPMENT="true") as server:
        page = httpx.get(f"{server.url}/graphql", headers={"accept": "text/html"})
        assert page.status_code == httpx.codes.OK
        assert "graphiql" in page.text.lower()
    assert MAX_DEPTH >= 11


def test_several_workers_serve_one_registry(tmp_path):
    server = Server(tmp_path / "server", workers=2)
    server.start()
    try:
        sizes = {
            server.ask("{ registry { logSize ready } }")["data"]["registry"]["logSize"]
            for _ in range(20)
        }
        assert max(sizes) >= 1
    finally:
        server.stop()
