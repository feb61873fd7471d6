"""The published log over HTTP: static files, named as C2SP tlog-tiles names them.

Everything a stranger needs to check the registry is among them, without GraphQL and without this
program: any web server can serve the folder as well.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from consent_client.errors import Malformed
from consent_client.protocol.tiles import parse_path
from registry.tlog.storage import CHECKPOINT, LogStorage

# What is published never changes.
_IMMUTABLE = {"cache-control": "public, max-age=31536000, immutable"}
_NEVER_KEPT = {"cache-control": "no-cache"}

# A page of the auditor may lie on another host; there is nothing here that is not for everybody.
_FOR_EVERYBODY = {"access-control-allow-origin": "*", "x-content-type-options": "nosniff"}


async def log_file(request: Request, storage: LogStorage) -> Response:
    """A tile, a bundle or the checkpoint; 404 for anything else, whatever lies in the folder."""
    path = request.path_params["path"]
    if path == CHECKPOINT:
        note = await asyncio.to_thread(storage.checkpoint)
        if note is not None:
            return PlainTextResponse(note, headers=_NEVER_KEPT | _FOR_EVERYBODY)
    else:
        try:
            parse_path(path)
        except Malformed:
            return _missing()
        data = await asyncio.to_thread(storage.read, path)
        if data is not None:
            return Response(
                data,
                media_type="application/octet-stream",
                headers=_IMMUTABLE | _FOR_EVERYBODY,
            )
    return _missing()


def _missing() -> Response:
    return PlainTextResponse("not found\n", 404, headers=_NEVER_KEPT | _FOR_EVERYBODY)
