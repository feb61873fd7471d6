"""Where a published log is read from: a folder, or a web address.

Whoever serves a log may be what is audited. So nothing is read without a limit, no redirect is
followed, nothing is decompressed, and a folder's links lead nowhere.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import httpx

from consent_client.addresses import registry_address
from consent_client.errors import Unreachable, Unreadable
from consent_client.protocol.merkle import HASH_BYTES
from consent_client.protocol.notes import MAX_NOTE_BYTES
from consent_client.protocol.tiles import TILE_WIDTH

CHECKPOINT: Final = "checkpoint"

TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES

MAX_ENTRY_BYTES: Final = 1_024
"""The longest entry, WITHDRAW, has 108; later types may be longer."""

BUNDLE_BYTES: Final = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

TRIES: Final = 5

READERS: Final = 8
"""Files asked for at once: what hides the way to a server, and does it no harm."""

WINDOW: Final = 4 * READERS
"""Files that are read ahead, 9 MB at most."""

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_AGENT: Final = "consent-client"
_LOG: Final = "/log"
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30
_OK, _REDIRECTS, _GONE = 200, range(300, 400), (404, 410)
_TOO_MANY, _SERVER_ERRORS = 429, 500


class Source(Protocol):
    """A published log: C2SP tlog-tiles' files below a prefix."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def read(self, path: str, limit: int) -> bytes | None:
        """A file, or None where there is none.

        Args:
            path: below the log's prefix, as `tiles` writes it.
            limit: most bytes that it may have.

        Raises:
            Unreadable: longer than that, or no file.
            TransportError: it could not be asked for; `Unreachable` where that may pass.
        """

    def close(self) -> None:
        """Ends what is open."""


def limit_of(path: str) -> int:
    """Most bytes of a file of a log: of its longest kind."""
    if path == CHECKPOINT:
        return MAX_NOTE_BYTES
    return BUNDLE_BYTES if path.startswith("tile/entries/") else TILE_BYTES


class FolderSource:
    """A folder with a log's files.

    Args:
        folder: what holds `checkpoint` and `tile`, or holds that as `log`.

    Raises:
        Unreadable: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            root = folder.resolve(strict=True)
        except OSError as error:
            raise Unreadable(f"{folder} can not be read: {error.strerror}", str(folder)) from None
        if not (root / CHECKPOINT).exists() and (root / "log" / CHECKPOINT).exists():
            root /= "log"
        if not root.is_dir():
            raise Unreadable(f"{folder} is no folder", str(folder))
        self._root = root
        self.name = str(folder)

    def read(self, path: str, limit: int) -> bytes | None:
        """See `Source`."""
        return read_file(self._root / path, limit, within=self._root)

    def close(self) -> None:
        """See `Source`."""


def read_file(path: Path, limit: int, *, within: Path | None = None) -> bytes | None:
    """A regular file of at most `limit` bytes, or None where there is none.

    Args:
        path: the file.
        limit: most bytes that it may have.
        within: a folder that it must lie in, links followed.

    Raises:
        Unreadable: longer, no regular file, outside of the folder, or it can not be read.
    """
    try:
        if within is not None and not path.resolve().is_relative_to(within):
            raise Unreadable(f"{path} leads out of the log", str(path))
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(f"{path} is not a regular file", str(path))
            data = file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"{path} can not be read: {error.strerror}", str(path)) from None
    if len(data) > limit:
        raise Unreadable(f"{path} is longer than {limit} bytes", str(path))
    return data


class WebSource:
    """A log below a web address.

    Args:
        address: the registry's base address, below which `/log/` lies, or one ending in `/log`.
        insecure_http: take plain http to other machines too.
        wait: sleeps between tries; seconds.

    Raises:
        TransportError: a bad address. InsecureRegistry: plain http to another machine.
    """

    def __init__(
        self,
        address: str,
        *,
        insecure_http: bool = False,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        base = registry_address(address, insecure_http=insecure_http)
        self.name = base if base.endswith(_LOG) else base + _LOG
        self._wait = wait
        self._http = httpx.Client(
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
            timeout=_TIMEOUT,
            follow_redirects=False,
        )

    def read(self, path: str, limit: int) -> bytes | None:
        """See `Source`."""
        seconds = _FIRST_WAIT
        for _ in range(TRIES - 1):
            try:
                return self._read(path, limit)
            except Unreachable as error:
                self._wait(min(error.retry_after or seconds, _LONGEST_WAIT))
                seconds *= 2
        return self._read(path, limit)

    def _read(self, path: str, limit: int) -> bytes | None:
        url = f"{self.name}/{path}"
        body = bytearray()
        fault = None
        try:
            with self._http.stream("GET", url) as response:
                if not self._is_there(response, url):
                    return None
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > limit:
                        raise Unreadable(f"{url} is longer than {limit} bytes", url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = Unreachable(f"{url} can not be reached ({type(error).__name__})")
        if fault is not None:
            raise fault
        return bytes(body)

    def _is_there(self, response: httpx.Response, url: str) -> bool:
        status = response.status_code
        if status in _GONE:
            return False
        if status == _TOO_MANY or status >= _SERVER_ERRORS:
            asked = response.headers.get("Retry-After", "")
            seconds = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else None  # noqa: PLR2004
            raise Unreachable(f"{url} answered with HTTP status {status}", seconds)
        if status in _REDIRECTS:
            raise Unreadable(f"{url} leads elsewhere; redirects are not followed", url)
        if status != _OK:
            raise Unreadable(f"{url} answered with HTTP status {status}", url)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unreadable(f"{url} came compressed, which nobody asked for", url)
        return True

    def close(self) -> None:
        """See `Source`."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_source(text: str, *, insecure_http: bool = False) -> Source:
    """The log that a folder or an address names; what has `://` in it is an address.

    Raises:
        Unreadable: no such folder.
        TransportError: a bad address. InsecureRegistry: plain http to another machine.
    """
    if "://" in text:
        return WebSource(text, insecure_http=insecure_http)
    return FolderSource(Path(text))


def ahead[T, R](read: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What is read for each item, in order, some of it before it is asked for."""
    waiting = iter(items)
    with ThreadPoolExecutor(READERS) as pool:
        asked: list[Future[R]] = [pool.submit(read, item) for item in islice(waiting, WINDOW)]
        try:
            while asked:
                done = asked.pop(0).result()
                asked.extend(pool.submit(read, item) for item in islice(waiting, 1))
                yield done
        finally:
            for each in asked:
                each.cancel()
