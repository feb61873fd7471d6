"""The processes that hold fingerprints in memory leave nothing of it behind when they crash."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

PROGRAM = """
import ctypes, resource
from registry.cli import application
application()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
print("closed")
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def processes(server):
    parent = psutil.Process(server.process.pid)
    children = parent.children(recursive=True)
    assert children
    return [parent, *children]


def test_no_serving_process_may_write_a_core_file(server):
    for process in processes(server):
        limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        (line,) = [line for line in limits if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into any process")
def test_the_same_user_can_not_read_a_serving_process(server):
    serving = [p for p in processes(server) if "registry.cli" in " ".join(p.cmdline())]
    for process in serving:
        with pytest.raises(PermissionError):
            Path(f"/proc/{process.pid}/environ").read_bytes()


def test_what_every_worker_calls_first_closes_the_process(server):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=server.environment, capture_output=True, check=False
    )
    assert done.stdout == b"closed\n", done.stderr


def test_a_worker_that_crashes_leaves_no_core_and_another_takes_its_place(server):
    workers = [p for p in processes(server)[1:] if "spawn_main" in " ".join(p.cmdline())]
    before = set(Path.cwd().glob("core*")) | set(server.folder.rglob("core*"))
    for worker in workers or processes(server)[1:]:
        worker.send_signal(signal.SIGABRT)
    deadline = time.monotonic() + 30
    time.sleep(0.5)
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{server.url}/ready").status_code == httpx.codes.OK:
                break
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    else:
        raise AssertionError("no worker came back")
    assert set(Path.cwd().glob("core*")) | set(server.folder.rglob("core*")) == before
