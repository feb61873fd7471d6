"""What a request costs at the edge: HTTP and GraphQL, with as little behind it as possible.

    python -m benchmarks.edge

One connection asks a real server process the same thing again and again. Given is the server's
processor time for each, all its threads together, which other programs on the machine disturb
little; `/health` is HTTP without GraphQL, and the difference is what GraphQL costs.
"""

import asyncio
import base64
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Report, arguments, show
from benchmarks.machine import load
from benchmarks.registrations import processor_seconds
from benchmarks.screening import TRIVIAL
from benchmarks.wire import connected, get, post
from consent_client import operations
from tests.support.serving import Server

REQUESTS = 2_000

# A record id that nobody has: challenges are made for any.
_RECORD_ID = bytes(16)


def requests(token: str) -> Iterator[tuple[str, bytes]]:
    """What is asked; large bodies are read for builders only."""
    unknown = json.dumps({"query": "{ nobodyKnowsThis }"}).encode()
    big = {
        "query": "query Challenge($recordId: Base64!) { challenge(recordId: $recordId) "
        "{ ... on Problem { code } } }",
        "variables": {"recordId": base64.b64encode(bytes(10**6)).decode()},
    }
    yield "`GET /health`: HTTP alone", get("/health")
    yield "`{ registry { ready } }`", post(TRIVIAL)
    yield "the client's whole `registry` query", post(operations.registry_info().body())
    yield "a challenge", post(operations.challenge(_RECORD_ID).body())
    yield "a query refused by validation", post(unknown)
    yield "a base64 variable of 1 MB, refused", post(json.dumps(big).encode(), token)


async def _processor_ms(server: Server, request: bytes, count: int) -> tuple[float, float]:
    """Milliseconds for each request: the server's processor time, and on the clock."""
    async with connected(server.port) as wire:
        for _ in range(count // 10):
            await wire.send(request)  # caches are warm for what follows
        processor, clock = processor_seconds(server), time.perf_counter()
        for _ in range(count):
            await wire.send(request)
        return (
            1000 * (processor_seconds(server) - processor) / count,
            1000 * (time.perf_counter() - clock) / count,
        )


def measure(count: int) -> Report:
    """All kinds of request, one after the other."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="consent-registry-benchmark-") as folder:
        server = Server(Path(folder))
        token = server.add_builder("one")
        server.start()
        try:
            for what, request in requests(token):
                processor, clock = asyncio.run(
                    _processor_ms(server, request, count if len(request) < 10**5 else count // 10)
                )
                figures += (
                    Figure(f"{what}: processor time of the server", processor, "ms"),
                    Figure("- from request to answer", clock, "ms"),
                )
        finally:
            server.stop()
    return Report(
        command="python -m benchmarks.edge",
        setting=f"one connection, {count:,} requests of each kind, {load()} at the end.",
        figures=tuple(figures),
    )


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"of a kind; {REQUESTS}")
    chosen = parser.parse_args(words)
    show(measure(chosen.requests), as_json=chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
