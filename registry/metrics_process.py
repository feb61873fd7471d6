"""Starts and ends the process that answers `GET /metrics` (`registry.metrics_listener`).

Nothing here imports prometheus-client: it decides where values are kept when it is imported, which
the server's processes do after they are forked.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from registry.errors import ConfigurationError
from registry.settings import Settings

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

END_SECONDS = 5

# What Python needs to start; not the settings, among which is the database's password.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")


@contextlib.contextmanager
def metrics_served(settings: Settings) -> Iterator[None]:
    """Serves metrics on a listener of their own while the block runs, if the operator set one.

    To be entered before the server's processes are started: they find the folder of values, which
    nobody else may read, in the environment.

    Raises:
        ConfigurationError: the address can not be listened on.
    """
    os.environ.pop(FOLDER_VARIABLE, None)  # somebody else's folder is not for our values
    if settings.metrics_address is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        listening = _listen(*settings.metrics_address)
        stack.callback(listening.close)
        folder = Path(tempfile.mkdtemp(prefix="consent-registry-metrics-"))  # only ours: 0700
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "registry.metrics_listener", str(listening.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {FOLDER_VARIABLE: str(folder)},
        )
        stack.callback(_end, process)
        listening.close()  # the server's processes are not to inherit it
        os.environ[FOLDER_VARIABLE] = str(folder)
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        message = f"Metrics can not be served on {host} port {port}: {error.strerror}."
        raise ConfigurationError(message) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 (it was started with one)
    process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
