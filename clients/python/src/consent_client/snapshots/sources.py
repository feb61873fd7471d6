"""Where snapshots are downloaded from: static files, on a web server or in a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

from consent_client.addresses import registry_address
from consent_client.errors import NoSnapshot, SnapshotDamaged, Unreachable
from consent_client.snapshots.layout import FOLDER
from consent_client.transport import USER_AGENT

_TIMEOUT: Final = httpx.Timeout(30.0)
_MISSING: Final = (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN)
_CHUNK: Final = 2**20


class Source(Protocol):
    """Static files."""

    @property
    def fetcher(self) -> FetcherInterface:
        """Reads them for python-tuf, by addresses below `root`."""

    @property
    def root(self) -> str:
        """The address of the folder, without a slash at its end."""


class _FolderFetcher(FetcherInterface):
    """Reads files of a folder; addresses are `folder:/path`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            data = (self._folder / urlsplit(url).path.lstrip("/")).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise DownloadHTTPError("no such file", httpx.codes.NOT_FOUND) from None
        except OSError as error:
            raise DownloadError(f"a file can not be read ({type(error).__name__})") from None
        yield data


class _WebFetcher(FetcherInterface):
    """Reads files of a web server."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            # Compressed or redirected answers are not looked for: these are plain files.
            with httpx.stream(
                "GET",
                url,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=_TIMEOUT,
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise DownloadHTTPError("not there", answer.status_code)
                yield from answer.iter_bytes(_CHUNK)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError(f"no answer ({type(error).__name__})") from None


class FolderSource:
    """A folder on this machine: a mirror, or a disk that was sent.

    Args:
        folder: the registry's snapshot folder, or a copy.
    """

    root = "folder:"

    def __init__(self, folder: Path) -> None:
        self.fetcher: FetcherInterface = _FolderFetcher(folder)


class WebSource:
    """A registry, or whoever copies its files.

    Args:
        address: below which `/snapshots` lies.
        insecure_http: take plain http to other machines too. Snapshots are signed, but whoever
            listens sees that they are downloaded.

    Raises:
        TransportError: a bad address. InsecureRegistry: plain http to another machine.
    """

    def __init__(self, address: str, *, insecure_http: bool = False) -> None:
        self.root = registry_address(address, insecure_http=insecure_http) + FOLDER
        self.fetcher: FetcherInterface = _WebFetcher()


def read_file(source: Source, path: str, most_bytes: int) -> bytes:
    """A small file that python-tuf does not fetch.

    Raises:
        NoSnapshot: it is not there. Unreachable: the source can not be read.
        SnapshotDamaged: it is longer.
    """
    data = bytearray()
    try:
        for chunk in source.fetcher.fetch(f"{source.root}/{path}"):
            data += chunk
            if len(data) > most_bytes:
                raise SnapshotDamaged("a file that is longer than it may be")
        return bytes(data)
    except DownloadHTTPError as error:
        if error.status_code in _MISSING:
            raise NoSnapshot("no snapshot is published there") from None
        raise Unreachable(f"the snapshots' server answered with {error.status_code}") from None
    except DownloadError as error:
        raise Unreachable(str(error)) from None
