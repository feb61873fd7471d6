"""Witnesses in processes of their own: real ones, and one that vouches for anything."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import granian
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.notes import split_note
from consent_client.protocol.witnessing import AddCheckpoint
from tests.support.serving import free_port

LIAR = WitnessSigner("liar.example/witness", bytes(range(1, 33)))


@dataclass(frozen=True)
class Running:
    """A witness that listens."""

    vkey: str
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def witnessing(name: str, folder: Path, log_vkey: str) -> Iterator[Running]:
    """`consent-registry witness` until the end of the block."""
    port = free_port()
    arguments = ["--name", name, "--folder", str(folder), "--log", log_vkey, "--port", str(port)]
    with running([sys.executable, "-m", "registry.cli", "witness", *arguments], port) as it:
        yield it


@contextmanager
def lying() -> Iterator[Running]:
    """A witness that cosigns whatever it is shown."""
    port = free_port()
    with running([sys.executable, "-m", "tests.support.witnesses", str(port)], port) as it:
        yield it


@contextmanager
def running(command: list[str], port: int) -> Iterator[Running]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        vkey = process.stdout.readline().decode().strip()
        yield Running(vkey, f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


async def _cosign_anything(request: Request) -> Response:
    asked = AddCheckpoint.parse((await request.body()).decode())
    return PlainTextResponse(cosign(split_note(asked.note)[0], LIAR, 1_800_000_000).line)


def application() -> Starlette:
    return Starlette(routes=[Route("/add-checkpoint", _cosign_anything, methods=["POST"])])


if __name__ == "__main__":
    print(LIAR.verifier.vkey, flush=True)
    granian.Granian(
        "tests.support.witnesses:application",
        factory=True,
        port=int(sys.argv[1]),
        interface=granian.constants.Interfaces.ASGI,
        log_enabled=False,
    ).serve()
