"""Published snapshots over HTTP: static files; any web server can serve the folder as well."""

import asyncio
import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

# A name of a part or of metadata holds its hash or its version; these two are replaced.
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_NEVER_KEPT: Final = "no-cache"
_REPLACED: Final = ("root.note", "metadata/timestamp.json")

_NAME: Final = re.compile(r"(metadata|targets)/[0-9a-z][0-9a-z.-]{0,199}")

# There is nothing here that is not for everybody.
_FOR_EVERYBODY: Final = {
    "access-control-allow-origin": "*",
    "x-content-type-options": "nosniff",
}


async def snapshot_file(request: Request, folder: Path) -> Response:
    """A published file; 404 for anything else, whatever lies in the folder."""
    path = request.path_params["path"]
    if path in _REPLACED or _NAME.fullmatch(path):
        file = folder / path
        if await asyncio.to_thread(file.is_file):
            kept = _NEVER_KEPT if path in _REPLACED else _IMMUTABLE
            return FileResponse(
                file,
                media_type="application/octet-stream",
                headers=_FOR_EVERYBODY | {"cache-control": kept},
            )
    return PlainTextResponse(
        "not found\n", 404, headers=_FOR_EVERYBODY | {"cache-control": _NEVER_KEPT}
    )
