"""`consent snapshot` against a real server over HTTP, as a builder uses it."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from consent_client.cli import main
from tests.support.serving import serving


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("snapshots")) as server:
        yield server


@pytest.fixture(scope="module")
def published(server):
    return json.loads(server.command("publish", "--json").stdout)


@pytest.fixture
def consent(server, tmp_path):
    def run(*arguments, registry=server.url):
        given = ["snapshot", *arguments, "--registry", registry, "--state", str(tmp_path / "state")]
        return CliRunner().invoke(main, given)

    return run


def test_what_is_pulled_can_be_verified_and_told_of(consent, published):
    pulled = consent("pull", "--json")
    assert pulled.exit_code == 0, pulled.output
    told = json.loads(pulled.stdout)
    assert (told["serial"], told["logSize"]) == (published["serial"], published["logSize"])
    assert told["spaces"]["sscd-1"]["bits"] == 256
    assert "face-1" not in told["spaces"]
    assert consent("verify").exit_code == 0
    assert "finds 99" in consent("info").stdout


def test_a_damaged_download_ends_with_five(consent, published, tmp_path):
    assert consent("pull").exit_code == 0
    (part,) = (tmp_path / "state" / "snapshots").glob("*/targets/*sha256-0.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    for command in ("verify", "info"):
        refused = consent(command, "--json")
        assert refused.exit_code == 5
        assert json.loads(refused.stdout)["error"]["code"] == "SNAPSHOT_DAMAGED"
    assert consent("pull").exit_code == 0
    assert consent("verify").exit_code == 0


def test_where_nothing_was_pulled_it_ends_with_five(consent, server):
    key = _vkey(consent, server)
    refused = consent("verify", "--registry-key", key, "--json")
    assert refused.exit_code == 5
    assert json.loads(refused.stdout)["error"]["code"] == "NO_SNAPSHOT"


def test_a_copy_of_the_folder_is_as_good(consent, server, published, tmp_path):
    key = _vkey(consent, server)
    mirror = server.folder / "data" / "snapshots"
    pulled = consent("pull", "--from", str(mirror), "--registry-key", key)
    assert pulled.exit_code == 0, pulled.output


def test_only_published_files_are_served(server, published):
    assert httpx.get(f"{server.url}/snapshots/metadata/timestamp.json").status_code == 200
    assert httpx.get(f"{server.url}/snapshots/metadata/1.root.json").headers["cache-control"] == (
        "public, max-age=31536000, immutable"
    )
    for path in (".lock", "metadata", "targets/..%2f.lock", "../registry.db", "%2e%2e/registry.db"):
        assert httpx.get(f"{server.url}/snapshots/{path}").status_code == 404


def _vkey(consent, server):
    query = "{ registry { verifierKey } }"
    answer = server.ask(query)
    return answer["data"]["registry"]["verifierKey"]
