"""Logs over the web, from servers that mean no good: nothing is followed, unpacked or endless."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consent_client.auditor.logs import audit_log
from consent_client.auditor.reports import Fault
from consent_client.auditor.sources import TRIES, WebSource, open_source
from consent_client.errors import InsecureRegistry, TransportError, Unreachable, Unreadable
from tests.support.published import POLICY, Published, plain

type Answer = Callable[[BaseHTTPRequestHandler], None]


class Web:
    """A web server on this machine that answers as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.instead: dict[str, Answer] = {}
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix("/log/")
                web.asked.append(path)
                answer = web.instead.get(path)
                if answer is not None:
                    answer(self)
                    return
                file = web.folder / path
                if not file.is_file():
                    send(self, 404, b"not found")
                    return
                send(self, 200, file.read_bytes())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler: send(handler, status, body, **headers)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    published = Published(tmp_path / "log")
    published.write(plain(600))
    served = Web(published.folder)
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def source(web: Web, waits: list[float]) -> Iterator[WebSource]:
    with WebSource(web.url, wait=waits.append) as opened:
        yield opened


def test_a_log_over_the_web_is_verified(web: Web, source: WebSource) -> None:
    report = audit_log(source, POLICY)
    assert report.ok
    assert len(web.asked) == len(set(web.asked)) == 1 + 3 + 3 + 1


def test_the_address_of_the_log_itself_is_one_too(web: Web) -> None:
    with WebSource(f"{web.url}/log/") as source:
        assert source.name == f"{web.url}/log"
        assert audit_log(source, POLICY).ok


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(65_536))
    except OSError:
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (answering(302, Location="http://127.0.0.1:1/elsewhere"), "redirects are not followed"),
        (answering(301, Location="/log/tile/entries/001"), "redirects are not followed"),
        (answering(200, bytes(2**20)), "longer"),
        (endless, "longer"),
        (answering(200, gzip.compress(bytes(2**20)), Content_Encoding="gzip"), "compressed"),
        (answering(403), "403"),
        (answering(204), "204"),
    ],
)
def test_what_is_no_file_of_a_log_ends_the_audit(
    web: Web, source: WebSource, answer: Answer, message: str
) -> None:
    for path in ("checkpoint", "tile/entries/001", "tile/0/001"):
        web.instead = {path: answer}
        with pytest.raises(Unreadable, match=message):
            audit_log(source, POLICY)


def test_a_page_in_place_of_a_tile_is_a_wrong_tile(web: Web, source: WebSource) -> None:
    web.instead = {"tile/0/001": answering(200, b"<html>welcome</html>", Content_Type="text/html")}
    report = audit_log(source, POLICY)
    assert [(each.fault, each.where) for each in report.failed] == [(Fault.BAD_TILE, "tile/0/001")]


def test_a_checkpoint_that_is_a_page(web: Web, source: WebSource) -> None:
    web.instead = {"checkpoint": answering(200, b"<html>welcome</html>")}
    assert [each.fault for each in audit_log(source, POLICY).failed] == [Fault.BAD_CHECKPOINT]
    web.instead = {"checkpoint": answering(200, b"\xff\xfe")}
    with pytest.raises(Unreadable, match="no checkpoint"):
        audit_log(source, POLICY)


def test_a_fault_that_passes_is_waited_for(web: Web, source: WebSource, waits: list[float]) -> None:
    web.instead = {"tile/0/001": answering(503)}
    with pytest.raises(Unreachable):
        audit_log(source, POLICY)
    assert len(waits) == TRIES - 1
    waits.clear()

    def once(handler: BaseHTTPRequestHandler) -> None:
        web.instead.clear()
        send(handler, 429, b"", Retry_After="3")

    web.instead = {"tile/0/001": once}
    assert audit_log(source, POLICY).ok
    assert waits == [3]


def test_a_server_that_is_not_there(web: Web) -> None:
    with WebSource("http://127.0.0.1:9", wait=lambda _: None) as source, pytest.raises(Unreachable):
        audit_log(source, POLICY)


def test_addresses_follow_the_rules_of_the_client() -> None:
    with pytest.raises(InsecureRegistry):
        open_source("http://registry.example")
    for bad in ("ftp://registry.example", "https://user@registry.example", "https://x/?q"):
        with pytest.raises(TransportError):
            open_source(bad)
    open_source("http://registry.example", insecure_http=True).close()
    with pytest.raises(Unreadable):
        open_source("no/such/folder")


_HEAVY = ("registry", "numba", "onnxruntime", "PIL", "pyarrow", "faiss", "consent_client.search")


def test_the_auditor_needs_no_server_no_pictures_and_no_models() -> None:
    program = (
        "import pkgutil, sys, importlib, consent_client.auditor as a\n"
        "for m in pkgutil.iter_modules(a.__path__):\n"
        "    importlib.import_module(f'{a.__name__}.{m.name}')\n"
        f"print([n for n in {_HEAVY!r} if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
