"""A real server in a process of its own, over real HTTP."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

START_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """`consent-registry serve` on a folder of its own."""

    folder: Path
    database_url: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    workers: int = 1
    program: tuple[str, ...] = ("registry.cli", "serve")
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "CONSENT_REGISTRY_DATA_DIR": str(self.folder / "data"),
            "CONSENT_REGISTRY_KEYRING_DIR": str(self.folder / "keyring"),
            "CONSENT_REGISTRY_ORIGIN": "registry.example/test",
            "CONSENT_REGISTRY_PORT": str(self.port),
            "CONSENT_REGISTRY_PROOF_OF_WORK_DIGITS": "1",
            "CONSENT_REGISTRY_BATCH_SECONDS": "0.01",
            "CONSENT_REGISTRY_REGISTRATION_LIMIT": "1000000/minute",
            "CONSENT_REGISTRY_CHALLENGE_LIMIT": "1000000/minute",
        }
        if self.database_url:
            ours["CONSENT_REGISTRY_DATABASE_URL"] = self.database_url
        return os.environ | ours | self.extra

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `consent-registry` with this server's settings."""
        return subprocess.run(
            [sys.executable, "-m", "registry.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def add_builder(self, name: str, *arguments: str) -> str:
        return self.command("builder", "add", name, *arguments).stdout.strip()

    def start(self, *, ready: bool = True) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program, "--workers", str(self.workers)],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that the workers can be killed with it
            )
        if ready:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log_file.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/ready").status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {START_SECONDS} s: {self.log_file.read_text()}")

    def kill(self) -> None:
        """SIGKILL to every process of the server, in the middle of whatever it does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Asks it to end, and makes sure it has."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def ask(self, query: str, token: str | None = None, **variables: object) -> dict[str, object]:
        """Posts a GraphQL request and returns the whole answer."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = httpx.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": variables},
            headers=headers,
            timeout=60,
        )
        assert answer.status_code == httpx.codes.OK, answer.text[:500]
        return json.loads(answer.content)


@contextlib.contextmanager
def serving(folder: Path, database_url: str = "", **extra: str) -> Iterator[Server]:
    """A started server, stopped at the end."""
    server = Server(folder, database_url, extra)
    server.start()
    try:
        yield server
    finally:
        server.stop()
