"""The connection, against a small real HTTP server that misbehaves in named ways."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client import operations, transport
from consent_client.addresses import registry_address
from consent_client.errors import (
    InsecureRegistry,
    RegistryProblem,
    TransportError,
    Unreachable,
)
from consent_client.protocol.statements import Use
from consent_client.transport import AsyncConnection, Connection, Patience

FEW = Patience(tries=3, throttled_seconds=2)
BUNDLE = {"data": {"entries": {"start": 0, "logSize": 5, "data": "AAAA"}}}


def problem(code: str, **extra: object) -> dict[str, object]:
    return {"data": {"entries": {"code": code, "message": "words", **extra}}}


def top_level(code: str, **extra: object) -> dict[str, object]:
    return {"data": None, "errors": [{"message": "words", "extensions": {"code": code, **extra}}]}


@contextlib.contextmanager
def answering(*answers: object) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that gives these answers one after the other, the last for ever."""
    left = list(answers)
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(dict(self.headers))
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer == "hang up":
                self.close_connection = True
                return
            status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(transport, "JITTER_SECONDS", 0.01)


def ask(url: str, patience: Patience = FEW, **options: object) -> operations.EntryBundle:
    with Connection(url, patience=patience, **options) as connection:
        return connection.run(operations.entries(0, 5))


@pytest.mark.parametrize(
    "fault",
    [
        "hang up",
        (503, {}, b"no"),
        (502, {"Retry-After": "0"}, b"<html>"),
        (429, {}, b""),
        problem("BUSY", retryAfterSeconds=0),
        problem("NOT_READY", retryAfterSeconds=0),
        top_level("RATE_LIMITED", retryAfterSeconds=0),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(fault: object) -> None:
    told = []
    with answering(fault, BUNDLE) as (url, seen):
        assert ask(url, on_wait=told.append).log_size == 5
    assert len(seen) == 2
    assert len(told) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        problem("CONFLICT"),
        problem("INVALID_INPUT"),
        top_level("UNAUTHENTICATED"),
        top_level("INTERNAL"),
        (404, {}, b"nothing here"),
        (302, {"Location": "https://elsewhere.example/"}, b""),
        b"<html>not json</html>",
        b"[]",
        b"{}",
        b'{"data": {"entries": null}}',
        b'{"data": {"entries": {"start": -1, "logSize": 5, "data": ""}}}',
        b'{"data": {"entries": {"start": 0, "logSize": 5, "data": "not base64!"}}}',
        b'{"data": {"entries": {"start": 0, "logSize": true, "data": ""}}}',
        b'{"errors": "all of them"}',
        b'{"errors": [{"message": "x"}]}',
        b"[" * 100_000,
    ],
    ids=lambda refusal: str(refusal)[:40],
)
def test_anything_else_is_raised_at_once(refusal: object) -> None:
    with answering(refusal) as (url, seen):
        with pytest.raises((RegistryProblem, TransportError)) as caught:
            ask(url)
        assert len(seen) == 1
    assert not isinstance(caught.value, Unreachable)


def test_tries_are_counted() -> None:
    with answering((500, {}, b"")) as (url, seen):
        with pytest.raises(Unreachable):
            ask(url)
        assert len(seen) == 3


def test_throttling_is_waited_for_only_so_long() -> None:
    with answering(top_level("HELD", retryAfterSeconds=1_000)) as (url, seen):
        with pytest.raises(RegistryProblem) as caught:
            ask(url)
        assert caught.value.retry_after == 1_000
        assert len(seen) == 1
    with answering(top_level("RATE_LIMITED", retryAfterSeconds=0)) as (url, seen):
        with pytest.raises(RegistryProblem):
            ask(url)
        assert len(seen) == 3  # each counts for a second, at the least


def test_a_hostile_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_WAIT_SECONDS", 0.05)
    told = []
    with answering(problem("BUSY", retryAfterSeconds=10**9), BUNDLE) as (url, _):
        ask(url, on_wait=told.append)
    assert told[0].seconds < 1


def test_too_long_an_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 10_000)
    with (
        answering(b" " * 1_000_000) as (url, _),
        pytest.raises(TransportError, match="too long"),
    ):
        ask(url)


def test_nothing_identifies_the_client() -> None:
    with answering(BUNDLE) as (url, (*_,)), answering(BUNDLE) as (other, seen):
        ask(url)
        ask(other)
    (headers,) = seen
    assert headers["User-Agent"] == "consent-client"
    assert headers.keys() <= {
        *("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"),
        *("Content-Type", "Content-Length"),
    }


def test_control_characters_of_a_registry_are_not_shown() -> None:
    hostile = problem("BUSY")
    hostile["data"]["entries"]["message"] = "\x1b[2Jgone\n" + "x" * 10_000
    with answering(hostile) as (url, _), pytest.raises(RegistryProblem) as caught:
        ask(url)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) <= 500


def test_no_token_and_no_fingerprint_in_errors() -> None:
    secret = "crb_0123456789ab_averysecretsecret"
    with answering((500, {}, b"")) as (url, seen):
        with pytest.raises(Unreachable) as caught, Connection(url, token=secret, patience=FEW) as c:
            c.run(operations.open_screening("x", Use.AI_TRAINING, [], 1))
        assert seen[0]["Authorization"] == f"Bearer {secret}"
    error: BaseException | None = caught.value
    while error is not None:
        assert secret not in repr(error) + repr(vars(error))
        assert not hasattr(error, "request")
        error = error.__cause__ or error.__context__
    assert secret not in repr(c._endpoint)
    for bad in ("", "two words", "crb_\nx", "ü", "a\x00b"):
        with pytest.raises(TransportError) as refused:
            Connection("https://registry.example", token=bad)
        assert not bad.strip() or bad not in str(refused.value)


async def test_the_asynchronous_form_does_the_same() -> None:
    told = []
    with answering("hang up", (503, {}, b""), BUNDLE) as (url, seen):
        async with AsyncConnection(url, patience=FEW, on_wait=told.append) as connection:
            assert (await connection.run(operations.entries(0, 5))).log_size == 5
    assert len(seen) == 3
    assert len(told) == 2
    with answering((500, {}, b"")) as (url, seen):
        async with AsyncConnection(url, patience=FEW) as connection:
            with pytest.raises(Unreachable):
                await connection.run(operations.entries(0, 5))
        assert len(seen) == 3


# Answers as such

OPERATIONS = [
    operations.registry_info(),
    operations.challenge(bytes(16)),
    operations.own_record(bytes(16), bytes(32), bytes(20), bytes(64)),
    operations.withdraw(bytes(32), bytes(32), bytes(64)),
    operations.entries(0, 1),
    operations.open_screening("x", Use.AI_TRAINING, ["sha256"], 1),
    operations.screen("x", 0, 1, []),
    operations.close_screening("x"),
]
NAMES = [
    *("origin", "software", "ready", "logSize", "verifierKey", "sealingKeys", "spaces", "limits"),
    *("id", "status", "code", "message", "retryAfterSeconds", "verdicts", "block", "data", "start"),
    *("proofOfWork", "nonce", "expiresAt", "recordId", "registerIndex", "use", "complete"),
]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
    ),
    max_leaves=12,
)


@given(st.sampled_from(OPERATIONS), VALUES)
def test_any_answer_raises_nothing_else(
    operation: operations.Operation[object], value: object
) -> None:
    body = json.dumps({"data": {operation.name: value}}).encode()
    with contextlib.suppress(TransportError, RegistryProblem):
        operation.result(body)


@given(st.sampled_from(OPERATIONS), st.binary(max_size=60))
def test_any_bytes_raise_nothing_else(operation: operations.Operation[object], body: bytes) -> None:
    with pytest.raises((TransportError, RegistryProblem)):
        operation.result(body)


# Addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("registry.example", "https://registry.example"),
        ("https://Registry.Example/path/", "https://registry.example/path"),
        ("http://127.0.0.1:8400", "http://127.0.0.1:8400"),
        ("http://localhost/", "http://localhost"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("https://registry.example:443/", "https://registry.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://registry.example:80", "https://registry.example:80"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert registry_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "http://registry.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "HTTP://registry.example",
    ],
)
def test_plain_http_is_for_this_machine_only(text: str) -> None:
    with pytest.raises(InsecureRegistry):
        registry_address(text)
    assert registry_address(text, insecure_http=True).startswith("http://")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "://",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?a",
        "https://x#a",
        "https://x:y",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(TransportError):
        registry_address(text)
