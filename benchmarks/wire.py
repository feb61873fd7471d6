"""A client that is not what is measured: prepared bytes over one kept connection.

A comfortable HTTP client costs as much processor time as the server it asks. This one writes a
request that was made before and reads the answer by its length; it knows no more of HTTP than the
registry's answers need.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

HOST = "127.0.0.1"


class Wire:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, request: bytes) -> bytes:
        """Sends a request and returns the body of the answer.

        Raises:
            RuntimeError: any other status than 200.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, _, headers = head.lower().partition(b"\r\n")
        _, _, length = headers.partition(b"content-length:")
        body = await self._reader.readexactly(int(length.partition(b"\r\n")[0]))
        if b" 200 " not in status + b" ":
            raise RuntimeError(f"{status.decode()}: {body[:200].decode(errors='replace')}")
        return body


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    """A connection to the server on this machine, closed at the end."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def post(body: bytes, token: str = "") -> bytes:
    """The bytes of a GraphQL request."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\n{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    """The bytes of a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
