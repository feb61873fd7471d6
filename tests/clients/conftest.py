"""A real registry, real people's state folders, real photographs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consent_client.cli import main
from tests.fingerprints import photographs
from tests.support.serving import Server, serving

type Consent = Callable[..., subprocess.CompletedProcess[str]]

CONSENT = [sys.executable, "-c", "from consent_client.cli import main; main()"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="session")
def token(server: Server) -> str:
    return server.add_builder("A builder")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def environment(server: Server, token: str, state: Path) -> dict[str, str]:
    """What a person's or a builder's shell has set."""
    ours = {
        "CONSENT_REGISTRY": server.url,
        "CONSENT_STATE": str(state),
        "CONSENT_TOKEN": token,
        "COLUMNS": "200",
        "CONSENT_CACHE": os.environ["CONSENT_CACHE"],
    }
    return {k: v for k, v in os.environ.items() if not k.startswith("CONSENT")} | ours


@pytest.fixture
def consent(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Consent:
    """Runs the command in this process, which spares the start of Python and of the model."""
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)

    def run(*arguments: str | Path, **overrides: str) -> subprocess.CompletedProcess[str]:
        words = [str(each) for each in arguments]
        done = CliRunner().invoke(main, words, env=environment | overrides, prog_name="consent")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def consent_process(environment: dict[str, str], tmp_path: Path) -> Consent:
    """Runs the command in a process of its own."""

    def run(*arguments: str | Path, **overrides: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CONSENT, *map(str, arguments)],
            env=environment | overrides,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    return Path(shutil.copy(photographs.path(*photographs.ASTRONAUT), tmp_path / "portrait.png"))


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    return Path(shutil.copy(photographs.path(*photographs.CAT), tmp_path / "cat.png"))
