"""A real registry in a process of its own: the embedded default, in a folder of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ORIGIN = "demo.example/consent-registry"

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """Where it answers, where it keeps everything, and a builder's token for it."""

    address: str
    folder: Path
    token: str = field(repr=False)


@contextlib.contextmanager
def running_registry(folder: Path) -> Iterator[RunningRegistry]:
    """Founds a registry in `folder`, adds a builder, and serves until the end.

    Raises:
        RuntimeError: it did not start; the message ends with what it logged.
    """
    folder.mkdir(parents=True)
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if "CONSENT_REGISTRY" not in name},
        "CONSENT_REGISTRY_DATA_DIR": str(folder),
        "CONSENT_REGISTRY_ORIGIN": ORIGIN,
        "CONSENT_REGISTRY_PORT": str(port),
    }
    token = _command(environment, "builder", "add", "A builder in the demonstration")
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "registry.cli", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, address, log)
            yield RunningRegistry(address, folder, token)
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _command(environment: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "registry.cli", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"consent-registry {words[0]} failed:\n{done.stderr}"
        raise RuntimeError(message)
    return done.stdout.strip()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/ready").is_success:
                return
        time.sleep(POLL_SECONDS)
    message = f"The registry did not start:\n{log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
