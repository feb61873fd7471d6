"""What every form of data set looks like to a screening."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import DuplicateKey, ImageError

IMAGE_SUFFIXES: Final = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "avif", "gif", "tif", "tiff"),
        *("bmp", "heic", "heif", "jxl", "jp2"),
    )
)
"""What counts as a picture. Those that can not be decoded here are UNKNOWN, never passed over."""

_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate.

    Attributes:
        number: its position in the source, from 0.
        key: its name in the source.
        image: the picture's bytes, or where it lies; None where the row has none.
        url: the picture's address; None where the row has none.
        trouble: why the picture can not be read; None where it may be tried.
        given: fingerprints that the source itself holds, by space.
    """

    number: int
    key: str
    image: bytes | Path | None = field(default=None, repr=False)
    url: str | None = None
    trouble: ImageError | None = None
    given: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Kept:
    """What was written.

    Attributes:
        rows: candidates that were kept.
        files: files written.
        left_out: members or files that belong to no picture and were not taken along.
    """

    rows: int
    files: int
    left_out: int


class Source(Protocol):
    """A data set. Every method raises `SourceError` for what can not be read or trusted."""

    @property
    def form(self) -> str:
        """`folder`, `tar`, `parquet` or `csv`."""

    @property
    def has_images(self) -> bool:
        """Whether rows hold pictures or paths of pictures."""

    @property
    def has_urls(self) -> bool:
        """Whether rows hold addresses."""

    def survey(self) -> tuple[int, str]:
        """Checks the whole source; the number of rows, and a digest that changes when it does."""

    def rows(self, skip: NDArray[np.bool_]) -> Iterator[Row]:
        """The rows, in order, without those where `skip` (bool[n]) is set."""

    def keys(self) -> Iterator[str]:
        """The keys of all rows, in order."""

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """Writes the rows where `keep` (bool[n]) is set below an empty folder, in the same form.

        Raises:
            SourceError: as reading. OSError: the folder can not be written.
        """


@runtime_checkable
class GivesFingerprints(Protocol):
    """A source whose rows hold fingerprints (`Row.given`)."""

    @property
    def given_spaces(self) -> tuple[str, ...]:
        """In which spaces; nothing is computed in them."""


def given_spaces(source: object) -> tuple[str, ...]:
    """The spaces in which the rows of a source hold fingerprints; most hold none."""
    return source.given_spaces if isinstance(source, GivesFingerprints) else ()


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


class KeyCheck:
    """Notices keys that come twice, in 16 bytes a key."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, key: str) -> None:
        """Takes down a key."""
        data = key.encode(errors="surrogatepass")
        self._digests += hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()

    def check(self, source: str, hint: str) -> None:
        """Refuses duplicates.

        Raises:
            DuplicateKey: a key came twice.
        """
        digests = np.frombuffer(bytes(self._digests), f"V{_DIGEST_BYTES}")
        pairs = digests.view(np.uint64).reshape(-1, 2)
        if len(np.unique(pairs, axis=0)) != len(pairs):
            raise DuplicateKey(f"{source} holds two rows of one name. {hint}", source)


def shown_key(name: str) -> str:
    """A file's name as text that every table can hold."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def relative_names(paths: list[Path]) -> list[str]:
    """Names that tell files apart: relative to the folder they have in common."""
    if len(paths) == 1:
        return [paths[0].name]
    folders = [path.parent.parts for path in paths]
    depth = 0
    while all(len(parts) > depth for parts in folders) and (
        len({parts[depth] for parts in folders}) == 1
    ):
        depth += 1
    return ["/".join(path.parts[depth:]) for path in paths]
