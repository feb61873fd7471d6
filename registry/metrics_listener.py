"""The process that answers `GET /metrics`, and nothing else.

It is a process of its own: it holds no key, no connection to the database and none of its
passwords, and the server's processes, which are forked, are forked from one without threads. It
reads counts from files in a private folder that the server's processes write.

Its standard input is the server's: it ends when every serving process has, however they did, and
removes the folder. Run by `registry.metrics_process` only.
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Somebody who opens connections and says nothing must not pile them up.
CONNECTION_SECONDS = 10


def exposition(folder: Path) -> bytes:
    """All values of all processes that write into the folder, as Prometheus reads them."""
    for pid in _gone(_writers(folder)):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    collected = CollectorRegistry()
    MultiProcessCollector(collected, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(collected)


def serve_metrics(listening: socket.socket, folder: Path) -> None:
    """Answers until the standard input ends."""
    with ThreadingHTTPServer(
        listening.getsockname()[:2], _Handler, bind_and_activate=False
    ) as server:
        server.socket.close()
        server.socket = listening
        server.daemon_threads = True
        _Handler.folder = folder
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while os.read(sys.stdin.fileno(), 1024):
            pass
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    folder: ClassVar[Path]
    timeout = CONNECTION_SECONDS

    def do_GET(self) -> None:
        if self.path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"")
            return
        try:
            body = exposition(self.folder)
        except Exception:  # noqa: BLE001 (a file that is just being made: the next time it is whole)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"")
            return
        self._answer(HTTPStatus.OK, body)

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Keeps no log of who asked."""


def _writers(folder: Path) -> set[int]:
    """Processes that wrote gauges: `gauge_<mode>_<pid>.db`."""
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}


def _gone(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            yield pid
        except PermissionError:
            continue  # it is another user's by now; `observed_timestamp_seconds` will stand still


def main() -> None:
    """Serves on the inherited socket whose number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, whose end is ours
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    try:
        serve_metrics(socket.socket(fileno=int(sys.argv[1])), folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
