"""Requests that no library would send: cut off, slow, doubled, mislabelled, far too many."""

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import threading
import time

import httpx
import pytest

from tests.attacks.leaks import Scanner, Secret
from tests.support.people import Picture

QUERY = json.dumps({"query": "{ registry { origin } }"}).encode()
TEN_MEGABYTES = 10 * 2**20
AT_ONCE = 200
SLOW_CONNECTIONS = 50


@pytest.fixture(autouse=True)
def still_healthy(server):
    """After each of these the same processes answer, and nothing went wrong inside."""
    serving = server.process.poll()
    errors = server.log_file.read_text().count('"error"')
    yield
    assert server.process.poll() is serving is None
    answer = httpx.post(f"{server.url}/graphql", content=QUERY, headers=JSON, timeout=30)
    assert answer.json()["data"]["registry"]["origin"] == "registry.example/test"
    assert httpx.get(f"{server.url}/ready").json() == {"ready": True}
    assert server.log_file.read_text().count('"error"') == errors


JSON = {"content-type": "application/json"}


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def head(length, *more):
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {length}", *more, "", ""]).encode()


def exchange(server, data):
    """Sends raw bytes and reads until the server closes, or says no more for a moment."""
    with connect(server) as peer:
        peer.sendall(data)
        peer.settimeout(2)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := peer.recv(65536):
                received += piece
        return received


def statuses(received):
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def test_a_body_cut_off_half_way_does_nothing_and_is_forgotten(server):
    secret = Picture(41).sscd * 5_000
    body = b'{"query": "{ __typename }", "x": "' + base64.b64encode(secret)
    token = server.add_builder("half a body")  # or the body would not be read at all
    start = head(TEN_MEGABYTES, f"Authorization: Bearer {token}") + body[: TEN_MEGABYTES // 2]
    for _ in range(5):
        with connect(server) as peer:
            peer.sendall(start)
    time.sleep(0.3)
    found = Scanner([Secret("half a body", Picture(41).sscd)]).in_folders(server.folder)
    assert not found


def test_headers_that_never_end_do_not_keep_others_waiting(server):
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connect(server)) for _ in range(SLOW_CONNECTIONS)]
        for peer in peers:
            peer.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-A: ")
        started = time.monotonic()
        for _ in range(5):
            assert httpx.get(f"{server.url}/health", timeout=10).status_code == httpx.codes.OK
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.sendall(b"a")
        assert time.monotonic() - started < 10


def test_bodies_that_trickle_do_not_keep_others_waiting(server):
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW_CONNECTIONS):
            stack.enter_context(connect(server)).sendall(head(TEN_MEGABYTES) + b"{")
        assert httpx.get(f"{server.url}/health", timeout=10).status_code == httpx.codes.OK
        answer = httpx.post(f"{server.url}/graphql", content=QUERY, headers=JSON, timeout=10)
        assert answer.status_code == httpx.codes.OK


async def test_two_hundred_requests_at_once_are_all_answered(server):
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
        answers = await asyncio.gather(
            *(client.post("/graphql", content=QUERY, headers=JSON) for _ in range(AT_ONCE))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_two_hundred_clients_that_hang_up_at_once(server):
    def come_and_go():
        with contextlib.suppress(OSError), connect(server) as peer:
            peer.sendall(head(len(QUERY)) + QUERY)

    threads = [threading.Thread(target=come_and_go) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-encoding": "gzip"}, gzip.compress(QUERY, mtime=0)),
        ({"content-encoding": "gzip"}, gzip.compress(bytes(2**26), mtime=0)),  # a bomb stays folded
        ({"content-encoding": "br"}, b"\x0b\x02\x80"),
        ({"content-type": "text/plain"}, QUERY),
        ({"content-type": "application/graphql"}, b"{ registry { origin } }"),
        ({"content-type": "multipart/form-data"}, QUERY),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\n--x--"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"query={__typename}"),
        ({"content-type": ""}, QUERY),
        ({"content-type": "\N{LATIN SMALL LETTER Y WITH DIAERESIS}".encode("latin-1")}, QUERY),
    ],
)
def test_what_is_not_plain_json_is_refused(server, headers, body):
    answer = httpx.post(f"{server.url}/graphql", content=body, headers=JSON | headers)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "multipart/mixed; subscriptionSpec=1.0", "image/png", "*/*"]
)
def test_errors_are_masked_in_whichever_form_the_answer_is_asked_for(server, accept):
    secret = "c2VjcmV0IGZpbmdlcnByaW50"
    query = "query($id: Base64!) { challenge(recordId: $id) { __typename } }"
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": {"id": secret + "!"}},
        headers={"accept": accept},
    )
    assert answer.status_code == httpx.codes.OK
    assert "BAD_REQUEST" in answer.text
    assert secret not in answer.text


SMUGGLED = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        head(len(QUERY), f"Content-Length: {len(QUERY) + 5}") + QUERY + SMUGGLED,
        head(0, f"Content-Length: {len(QUERY)}") + QUERY,
        head(len(QUERY), "Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head(len(QUERY), "Transfer-Encoding: xchunked") + QUERY,
        head("-1") + QUERY,
        head("+5") + QUERY,
        head("0x10") + QUERY,
        head("9" * 30) + QUERY,
        head(f"{len(QUERY)}, {len(QUERY)}") + QUERY,
        head(len(QUERY), "X: a\x00b") + QUERY,
        head(len(QUERY), " folded: x") + QUERY,
        head(len(QUERY), "A: " + "x" * 2**20) + QUERY,
        head(len(QUERY), *[f"H{i}: x" for i in range(2_000)]) + QUERY,
        b"POST /graphql HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # a TLS greeting
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
        b"\x00" * 1000,
        b"\r\n" * 1000,
    ],
    ids=range(18),
)
def test_requests_with_two_readings_are_never_answered_twice(server, request_bytes):
    """Whoever stands in front must not read one request where the registry reads two."""
    answered = statuses(exchange(server, request_bytes))
    assert all(status < 500 or status == 505 for status in answered)
    assert len([status for status in answered if status == httpx.codes.OK]) <= 1
    if SMUGGLED in request_bytes:
        assert httpx.codes.OK not in answered[1:]


def test_a_trailing_slash_is_not_redirected(server):
    """Behind a proxy that ends TLS the redirect would lead to http, with token and body."""
    answer = httpx.post(f"{server.url}/graphql/", content=QUERY, headers=JSON)
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "location" not in answer.headers
