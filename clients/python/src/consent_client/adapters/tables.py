"""What a row of a table comes to, whether it was Parquet or CSV."""

from dataclasses import dataclass, field
from pathlib import Path

from consent_client.adapters.rows import Row, shown_key
from consent_client.errors import DamagedSource, NotAnImage, UnreadableImage


@dataclass(frozen=True, slots=True)
class Cells:
    """What a row holds in the columns that are read; None where it holds nothing."""

    image: bytes | None = field(repr=False)
    path: str | None
    url: str | None


def row_of(number: int, key: str, cells: Cells, root: Path, *, wants_image: bool) -> Row:
    """The candidate of a row.

    Args:
        number: of the row.
        key: its name.
        cells: what it holds.
        root: paths are below this folder; others are not read.
        wants_image: whether the table has pictures or paths, so that a row without is trouble.
    """
    url = cells.url or None
    if cells.image is not None:
        return Row(number, key, image=cells.image, url=url)
    if cells.path:
        path = below(root, cells.path)
        if path is None:
            trouble = UnreadableImage(f"{key}: its path leads out of {shown_key(str(root))}", key)
            return Row(number, key, url=url, trouble=trouble)
        return Row(number, key, image=path, url=url)
    if wants_image:
        return Row(number, key, url=url, trouble=NotAnImage(f"{key} holds no picture", key))
    return Row(number, key, url=url)


def row_key(value: object, number: int, source: str) -> str:
    """A key cell as text.

    Raises:
        DamagedSource: the cell is empty.
    """
    if value is None or value == "":
        raise DamagedSource(f"row {number} of {source} has no key", source)
    return str(value)


def below(root: Path, text: str) -> Path | None:
    """A path, resolved, where it lies below `root`."""
    try:
        folder = root.resolve(strict=True)
        path = (folder / text).resolve()
    except (OSError, ValueError, RuntimeError):  # a zero byte, a loop of links
        return None
    return path if path.is_relative_to(folder) else None
