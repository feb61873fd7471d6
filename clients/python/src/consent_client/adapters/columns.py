"""Which columns of a table hold the pictures, their paths, their addresses and their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consent_client.errors import UnknownColumns

ROW_NUMBER: Final = ":row"
"""Given as the key column: rows are named by their number, whatever columns there are."""

_IMAGE: Final = ("image", "jpg", "jpeg", "png", "webp", "img", "image_bytes", "bytes", "content")
_PATH: Final = ("path", "image_path", "file_name", "filename", "filepath", "file", "image")
_URL: Final = ("url", "image_url", "img_url", "imageurl", "image_link", "src")
_KEY: Final = ("__key__", "key")


class Holds(StrEnum):
    """What a column can hold, by its type."""

    BYTES = "bytes"
    """Binary, or a struct with a binary field `bytes` as `datasets` writes images."""
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """What the person named; None: to be told from names and types.

    Attributes:
        image: pictures' bytes (in CSV: base64).
        path: paths of pictures.
        url: addresses of pictures.
        key: names of rows; `ROW_NUMBER`: their numbers.
    """

    image: str | None = None
    path: str | None = None
    url: str | None = None
    key: str | None = None


NO_CHOICE: Final = ColumnChoice()


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read; at least one of `image`, `path`, `url` is not None.

    Attributes:
        key: None: rows are named by their number.
    """

    image: str | None
    path: str | None
    url: str | None
    key: str | None

    @property
    def names(self) -> list[str]:
        """Those that are read, once each."""
        chosen = (self.image, self.path, self.url, self.key)
        return sorted({name for name in chosen if name is not None})


def choose(columns: Sequence[tuple[str, Holds]], choice: ColumnChoice, source: str) -> Columns:
    """The columns to read.

    Args:
        columns: names and types, as the table has them.
        choice: what the person named.
        source: what errors call the table.

    Raises:
        UnknownColumns: one named is not there or holds something else, or none can be told.
    """
    kinds = dict(columns)
    if len(kinds) != len(columns):
        raise UnknownColumns(f"{source} has two columns of one name", source)
    image = choice.image or _told(columns, _IMAGE, Holds.BYTES)
    path = choice.path or (None if image else _told(columns, _PATH, Holds.TEXT))
    url = choice.url or _told(columns, _URL, Holds.TEXT)
    key = choice.key or _told(columns, _KEY, Holds.TEXT)
    _check(kinds, image, {Holds.BYTES, Holds.TEXT}, source)
    _check(kinds, path, {Holds.TEXT}, source)
    _check(kinds, url, {Holds.TEXT}, source)
    if key == ROW_NUMBER:
        key = None
    _check(kinds, key, {Holds.TEXT, Holds.OTHER}, source)
    if image is None and path is None and url is None:
        raise UnknownColumns(
            f"no column of {source} could be told to hold pictures, paths or addresses; name one "
            f"with --image-column, --path-column or --url-column. There are: "
            f"{', '.join(name for name, _ in columns)[:500]}",
            source,
        )
    return Columns(image, path, url, key)


def _told(columns: Sequence[tuple[str, Holds]], names: Sequence[str], holds: Holds) -> str | None:
    by_name = {name.lower(): name for name, kind in reversed(columns) if kind is holds}
    for name in names:
        if name in by_name:
            return by_name[name]
    return None


def _check(kinds: dict[str, Holds], name: str | None, holds: set[Holds], source: str) -> None:
    if name is None:
        return
    if name not in kinds:
        raise UnknownColumns(f"{source} has no column {name!r}", source)
    if kinds[name] not in holds:
        raise UnknownColumns(f"column {name!r} of {source} holds something else", source)
