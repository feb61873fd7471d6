"""The page for people at `/`: files that `make web` builds, served from memory.

The page holds a person's recovery phrase while it is open, so everything about how it is served is
strict: only files of ours, by name, and headers with which the browser lets it load nothing and
tell nothing elsewhere. Without built files a plain page says so; the registry needs none.
"""

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

BUILT: Final = Path(__file__).parent / "web_assets"
"""Where `clients/web` writes what it builds; never committed."""

ENTRY: Final = "index.html"
HASHED: Final = "assets/"
"""Below it, names hold a digest of the content, so that what was fetched is good for ever."""

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_MESSAGES: Final = re.compile(re.escape(HASHED) + r"(?P<language>[a-z]{2})-[\w-]+\.js")
_ELSE: Final = "en"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_ASKED_EACH_TIME: Final = "no-cache"

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",  # a person's own pictures, shown to that person
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS: Final = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}
"""On every answer of the page."""

_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<title>Consent registry</title>
<h1>Consent registry</h1>
<p>This registry answers, and serves no page: its operator has not built it. The command
<code>make web</code> builds it. The command-line client works without it.</p>
</html>
"""


@dataclass(frozen=True)
class _File:
    """One built file, as it is sent."""

    content: bytes = field(repr=False)
    compressed: bytes = field(repr=False)
    media_type: str
    cache: str
    etag: str

    def answer(self, request: Request) -> Response:
        headers = HEADERS | {
            "cache-control": self.cache,
            "etag": self.etag,
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.compressed, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def page_routes(folder: Path = BUILT) -> list[Route]:
    """A route for `/` and one for each file below the folder; read once, at start.

    There is a route for each file and no pattern: no path that a client writes reaches the disk.
    """
    files = _built(folder)
    entry = files.get(ENTRY)
    if entry is None:
        return [Route("/", _not_built)]
    return [
        Route("/", _serving_in(entry, _messages(files))),
        *(Route(f"/{name}", _serving(file)) for name, file in files.items() if name != ENTRY),
    ]


def _serving(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return file.answer(request)

    return serve


def _serving_in(entry: _File, messages: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Serves the page and names the messages it will ask for, so that they come with its script."""

    async def serve(request: Request) -> Response:
        answer = entry.answer(request)
        wanted = messages.get(_language(request.headers.get("accept-language", ""), messages))
        if wanted is not None:
            answer.headers["link"] = f"</{wanted}>; rel=modulepreload"
            answer.headers["vary"] = "accept-encoding, accept-language"
        return answer

    return serve


def _messages(files: Iterable[str]) -> dict[str, str]:
    """The files of messages, by language: `assets/de-1a2b.js` holds the German ones."""
    found = (_MESSAGES.fullmatch(name) for name in files)
    return {match["language"]: match[0] for match in found if match}


def _language(wished: str, there: Collection[str]) -> str:
    """The first language of Accept-Language that there is, as the page chooses; else English."""
    tags = (part.partition(";")[0].strip()[:2].lower() for part in wished.split(","))
    return next((tag for tag in tags if tag in there), _ELSE)


def _built(folder: Path) -> dict[str, _File]:
    """The files that are of a kind a page is made of, by path; nothing else is served."""
    found = {}
    for path in sorted(folder.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix)
        if media_type is None or not path.is_file() or path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        found[name] = _File(
            content=content,
            compressed=gzip.compress(content, mtime=0),
            media_type=media_type,
            cache=_IMMUTABLE if name.startswith(HASHED) else _ASKED_EACH_TIME,
            etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        )
    return found


async def _not_built(_: Request) -> Response:
    return HTMLResponse(_NOT_BUILT, headers=HEADERS | {"cache-control": _ASKED_EACH_TIME})
