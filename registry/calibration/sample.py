"""The sample: images of a real data set, and their fingerprints.

The only module of the server that takes more of the client than the protocol: the operator's
machine fingerprints the sample as a builder's would. Needs what `consent screen` needs:
`consent-client[screen,sscd]`.
"""

import io
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.opening import open_source
from consent_client.adapters.rows import Row, Source
from consent_client.errors import BadUrl, ConsentError, EmptySource, ImageError
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import IMAGE_SPACES, load_models
from consent_client.fingerprints.loading import decoded, read_source
from consent_client.fingerprints.url import url_fingerprint
from registry.errors import InvalidInput

THUMBNAIL_SIDE: Final = 240
"""Pixels along the longer side: enough to see what a picture shows."""

_QUALITY = 80
_URL = "url-1"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the sample.

    Attributes:
        row: its number in the source.
        fingerprints: space id → fingerprints; empty where it can not be read.
    """

    row: int
    fingerprints: Mapping[str, Sequence[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """A source, and which of its rows are looked at.

    Attributes:
        digest: changes when the source does.
        chosen: bool[rows].
        spaces: in which images are fingerprinted.
    """

    source: Source = field(repr=False)
    digest: str
    chosen: NDArray[np.bool_] = field(repr=False)
    spaces: tuple[str, ...]

    @property
    def size(self) -> int:
        """Images in it."""
        return int(np.count_nonzero(self.chosen))

    def images(self, after: int, workers: int | None) -> Iterator[Image]:
        """The images, in order, from the `after`-th on.

        Raises:
            ConsentError: the source can not be read.
        """
        skip = ~self.chosen
        skip[np.flatnonzero(self.chosen)[:after]] = True
        rows = self.source.rows(skip)
        if not self.source.has_images:
            for row in rows:
                yield Image(row.number, _of_url(row))
            return
        models = load_models(IMAGE_SPACES)
        sources = ((_Key(row), b"" if row.image is None else row.image) for row in rows)
        for key, found in fingerprint_many(sources, IMAGE_SPACES, workers, models=models):
            if isinstance(found, ImageError):
                yield Image(key.number, {})
            else:
                yield Image(key.number, {**found.fingerprints, **key.url})

    def pictures(self, rows: NDArray[np.bool_]) -> Iterator[tuple[Row, bytes | None]]:
        """Rows and small JPEGs of what they show; None where there is nothing to show."""
        for row in self.source.rows(~rows):
            yield row, thumbnail(row)

    def changed(self) -> bool:
        """Whether the source is no longer what it was."""
        return self.source.survey() != (len(self.chosen), self.digest)


class _Key:
    """What is kept of a row while its picture is fingerprinted."""

    def __init__(self, row: Row) -> None:
        self.number = row.number
        self.url = _of_url(row)
        self._key = row.key

    def __str__(self) -> str:
        return self._key


def new_seed() -> int:
    """For `draw`: 64 bits from the operating system."""
    return secrets.randbits(64)


def draw(text: str, drawn: int | None, seed: int) -> Sample:
    """The sample at a path.

    Args:
        text: a folder of pictures, tar, Parquet or CSV files, as `consent screen` takes them.
        drawn: how many rows to draw at random; None: all of them.
        seed: of the drawing.

    Raises:
        ConsentError: it can not be read, is empty, or something is not installed.
        InvalidInput: fewer rows than are to be drawn.
    """
    source = open_source(text)
    count, digest = source.survey()
    if count == 0:
        raise EmptySource(f"there is no image in {text}", text)
    chosen = np.ones(count, np.bool_)
    if drawn is not None:
        if drawn > count:
            message = f"{drawn} images can not be drawn from {count}."
            raise InvalidInput(message)
        chosen[:] = False
        chosen[np.random.default_rng(seed).choice(count, drawn, replace=False)] = True
    if source.has_images:
        load_models(IMAGE_SPACES)  # says at once what is not installed
    spaces = (*(IMAGE_SPACES if source.has_images else ()), *((_URL,) if source.has_urls else ()))
    return Sample(source, digest, chosen, tuple(sorted(spaces)))


def thumbnail(row: Row) -> bytes | None:
    """A small JPEG of a row's picture; None where there is none, or it can not be read."""
    if row.image is None:
        return None
    with suppress(ConsentError), decoded(read_source(row.image, row.key), row.key) as picture:
        small = picture.copy()
        small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()
    return None


def _of_url(row: Row) -> dict[str, tuple[bytes, ...]]:
    if row.url is None:
        return {}
    try:
        return {_URL: (url_fingerprint(row.url),)}
    except BadUrl:
        return {}
