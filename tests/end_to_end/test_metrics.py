"""`/metrics` of a real server, of one process and of several."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from registry.metrics import PREFIX
from registry.settings import Settings
from tests.attacks.leaks import Scanner, Secret
from tests.end_to_end.test_byte_scan import OPEN, Story
from tests.support.people import Picture
from tests.support.serving import Server, free_port

PATIENCE_SECONDS = 20


@dataclass
class Watched(Server):
    """A server whose metrics are served."""

    metrics_port: int = field(default_factory=free_port)

    def __post_init__(self):
        self.extra["CONSENT_REGISTRY_METRICS_LISTEN"] = f"127.0.0.1:{self.metrics_port}"

    @property
    def metrics_url(self):
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    def values(self):
        answer = httpx.get(self.metrics_url)
        assert answer.status_code == httpx.codes.OK
        return {
            (
                sample.name.removeprefix(PREFIX),
                *(value for _, value in sorted(sample.labels.items())),
            ): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def kill_all_but(self, spared):
        """SIGKILL to the parent and its workers, not to one."""
        parent = psutil.Process(self.process.pid)
        for process in [parent, *parent.children()]:
            if process.pid != spared.pid:
                process.kill()
        self.process.wait()

    def until(self, **wanted):
        """The values, once those have come to be what is wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            values = self.values()
            if all(values.get((name,)) == value for name, value in wanted.items()):
                return values
            assert time.monotonic() < deadline, (wanted, values)
            time.sleep(0.05)


# One server of each kind for the tests in their order here, the last of which ends it.
@pytest.fixture(scope="module", params=[1, 2])
def server(request, tmp_path_factory):
    started = Watched(tmp_path_factory.mktemp("watched") / "server", workers=request.param)
    try:
        started.start()
        yield started
    finally:
        started.stop()


def folder_of(server):
    """The folder of values, as the process that reads it knows it."""
    for child in psutil.Process(server.process.pid).children():
        if "registry.metrics_listener" in child.cmdline():
            return child, Path(child.environ()["PROMETHEUS_MULTIPROC_DIR"])
    raise AssertionError("nobody serves metrics")


def test_counts_of_all_processes_come_together_and_hold_no_secret(server):
    story = Story(server)
    name = "An organisation whose name nobody tells"
    token = server.add_builder(name)
    cat = Picture(1)
    owner, request = story.protect("cat", cat)
    sent = story.screen(cat, token)
    story.blunder(request, sent, token)
    server.command("builder", "hold", name)
    for _ in range(10):
        answer = server.ask(OPEN, token, input=OPENING)
        assert answer["errors"][0]["extensions"]["code"] == "HELD"
    values = server.until(processes=server.workers, ready_processes=server.workers, builders_held=1)
    assert values["requests_total", "register"] == 2  # one of them a blunder without its variables
    assert values["refusals_total", "HELD", "openScreening"] == 10
    assert values["refusals_total", "INVALID_INPUT", "screen"] >= 1
    assert values["refusals_total", "BAD_REQUEST", "other"] >= 1
    assert values["log_entries", "REGISTER"] == 1
    assert values["holds", "whole", "waiting"] == 1
    assert values["index_lag_entries",] == 0
    assert values["log_size",] == values["index_log_size",] == 2
    assert values["queue_capacity",] == 1_000 * server.workers
    story.withdraw(owner, request)
    server.until(log_size=3, index_log_size=3, active_records=0)

    names = [Secret("organisation", name.encode(), text=True), Secret("token", token.encode())]
    scanner = Scanner([*story.secrets, *names])
    assert scanner.in_bytes("a control", b"x" + token.encode())
    _, folder = folder_of(server)
    assert folder.stat().st_mode & 0o077 == 0
    assert not scanner.in_bytes("/metrics", httpx.get(server.metrics_url).content)
    assert not scanner.in_folders(folder)
    assert httpx.get(f"{server.url}/metrics").status_code == httpx.codes.NOT_FOUND


OPENING = {
    "dataset": "a set",
    "use": "AI_TRAINING",
    "requiredSpaces": ["sha256"],
    "candidateCount": 8,
}


def test_it_answers_metrics_only_and_knows_no_password(server):
    listener, _ = folder_of(server)
    assert not [name for name in listener.environ() if name.startswith("CONSENT_REGISTRY_")]
    for path in ("/", "/metrics/", "/../etc/passwd", "/graphql"):
        url = server.metrics_url.removesuffix("/metrics") + path
        assert httpx.get(url).status_code == httpx.codes.NOT_FOUND
    answer = httpx.get(server.metrics_url)
    assert "server" not in answer.headers
    assert not httpx.post(server.metrics_url).is_success


def writers(folder):
    """Processes that have written how many changes wait, as they do once they serve."""
    return {path.name for path in folder.glob("gauge_livesum_*.db")}


def test_a_killed_process_is_missed_and_its_counts_are_kept(server):
    asked = server.until(processes=server.workers).get(("requests_total", "registry"), 0)
    for _ in range(20):
        server.ask("{ registry { logSize } }")
    listener, folder = folder_of(server)
    workers = [
        child
        for child in psutil.Process(server.process.pid).children()
        if child.pid != listener.pid and list(folder.glob(f"gauge_*_{child.pid}.db"))
    ]
    assert len(workers) == server.workers
    known = writers(folder)
    workers[0].send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not writers(folder) - known:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    values = server.until(processes=server.workers)  # of it, and of the one that came instead
    assert values["requests_total", "registry"] == asked + 20


def test_it_ends_with_the_server_and_leaves_nothing(server):
    listener, folder = folder_of(server)
    os.kill(listener.pid, signal.SIGINT)  # Ctrl-C reaches everybody; the server decides
    assert server.values()
    if server.workers == 1:
        server.stop()
    else:
        server.kill_all_but(listener)
    listener.wait(PATIENCE_SECONDS)
    assert not folder.exists()
    with pytest.raises(httpx.TransportError):
        httpx.get(server.metrics_url)


def test_without_an_address_nothing_is_written_or_served(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    server = Server(tmp_path / "server", extra={"PROMETHEUS_MULTIPROC_DIR": str(elsewhere)})
    try:
        server.start()
        server.ask("{ registry { logSize } }")
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert not any("registry.metrics_listener" in child.cmdline() for child in children)
    finally:
        server.stop()
    assert not list(elsewhere.iterdir())


def test_an_address_in_use_is_said_and_nothing_starts(tmp_path):
    server = Watched(tmp_path)
    with socket.create_server(("127.0.0.1", server.metrics_port)):
        done = server.command("serve", check=False)
    assert done.returncode == 1
    assert "Metrics can not be served on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "listen",
    [
        *("9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536"),
        *("::1:9464", "[127.0.0.1]:9464", "[::1]", "127.0.0.1:+1", "127.0.0.1:\u0669", ":9464"),
    ],
)
def test_an_address_that_is_none_is_a_clear_error(listen):
    with pytest.raises(ValidationError, match="must be an IP address and a port"):
        Settings(metrics_listen=listen)


def test_metrics_are_never_beside_the_api():
    with pytest.raises(ValidationError, match="another port than the API's"):
        Settings(port=9464, metrics_listen="127.0.0.1:9464")
    assert Settings(metrics_listen="[::1]:9464").metrics_address == ("::1", 9464)
    assert Settings().metrics_address is None


def test_the_servers_parent_imports_no_prometheus():
    """It would decide where values are kept before the folder is known."""
    code = "import sys, registry.cli; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
