"""Pictures from bytes, safely: the only place where files of unknown origin are decoded.

Six formats are read, told apart by their first bytes, each by its own decoder of Pillow and never
by another. The header is read and its limits are checked before any pixel is decoded. What comes
out is always the same thing: the first frame, upright, on white, 8 bits of red, green and blue.
Colour profiles are not applied: no two programs apply them alike, and the spaces do not need it.
"""

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import (
    ImageError,
    ImageTooLarge,
    NotAnImage,
    TruncatedImage,
    UnreadableImage,
)
from consent_client.fingerprints.orientation import AS_STORED, read_orientation
from consent_client.fingerprints.pillow import (
    AvifImageFile,
    GifImageFile,
    Image,
    ImageFile,
    JpegImageFile,
    PngImageFile,
    TiffImageFile,
    WebPImageFile,
)
from consent_client.fingerprints.tiff import check_first_directory

MAX_PIXELS: Final = 1 << 27
"""134 million: the largest pictures that phones and cameras commonly make (108 megapixels) pass.
Decoded they take 384 MiB, which one process can still hold."""

MAX_SIDE: Final = 65_535
"""Longest side in pixels: the longest that a JPEG or GIF can have. No photograph is longer."""

MAX_FILE_BYTES: Final = 3 * MAX_PIXELS
"""Largest file, 384 MiB: the largest picture accepted, uncompressed."""

LARGE_PIXELS: Final = 1 << 24
"""Pictures above this (16 megapixels, 48 MiB of RGB) are decoded one at a time, so that many
workers do not multiply the memory of the largest."""


class _Jpeg(JpegImageFile):
    """A JPEG whose resolution in dots per inch is not looked up in its EXIF.

    The look-up warns of damage in tags that say nothing about the picture, and a program that makes
    errors of warnings would refuse such a photograph where others read it.
    """

    def _read_dpi_from_exif(self) -> None:
        pass


_FORMATS: Final[tuple[tuple[int, tuple[bytes, ...], type[ImageFile.ImageFile]], ...]] = (
    (0, (b"\xff\xd8\xff",), _Jpeg),
    (0, (b"\x89PNG\r\n\x1a\n",), PngImageFile),
    (0, (b"GIF87a", b"GIF89a"), GifImageFile),
    (0, (b"II*\0", b"MM\0*"), TiffImageFile),
    (8, (b"WEBP",), WebPImageFile),
    (4, (b"ftypavif", b"ftypavis"), AvifImageFile),
)
"""Where the signature stands, what it may be, and who decodes it."""

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_TIFF_ORIENTATION: Final = 274
_TIFF_TILE_WIDTH: Final = 322
_TIFF_TILE_LENGTH: Final = 323
_SIXTEEN_BIT: Final = ("I;16", "I;16B", "I;16L", "I;16N")
_NO_AGREED_BRIGHTNESS: Final = ("I", "F", "LAB")
_WHITE: Final = (255, 255, 255)

_large_pictures = threading.Lock()


def read_source(source: bytes | os.PathLike[str] | str, name: str) -> bytes:
    """The bytes of a picture's file, read once.

    Args:
        source: the bytes themselves, or the path of a regular file.
        name: what errors call it.

    Raises:
        UnreadableImage: there is no such regular file, or it may not be read.
        ImageTooLarge: more than `MAX_FILE_BYTES`.
        NotAnImage: there are no bytes.
    """
    data = source if isinstance(source, bytes) else _read_file(Path(source), name)
    if len(data) > MAX_FILE_BYTES:
        raise ImageTooLarge(f"{name}: the file has more than {MAX_FILE_BYTES} bytes", name)
    if not data:
        raise NotAnImage(f"{name}: the file is empty", name)
    return data


def _read_file(path: Path, name: str) -> bytes:
    try:
        # Not blocking: a named pipe that calls itself photo.jpg must not hold a worker for ever.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(number, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableImage(f"{name}: not a regular file", name)
            if status.st_size > MAX_FILE_BYTES:
                raise ImageTooLarge(f"{name}: the file has {status.st_size} bytes", name)
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as problem:  # ValueError: a zero byte in the path
        reason = getattr(problem, "strerror", None) or "not a path"
        raise UnreadableImage(f"{name}: can not be read ({reason})", name) from problem


@contextmanager
def decoded(data: bytes, name: str) -> Iterator[Image.Image]:
    """The picture in these bytes; within the `with` block a large one is the only large one.

    Args:
        data: the whole file.
        name: what errors call it.

    Yields:
        An image of mode RGB, upright, on white.

    Raises:
        NotAnImage: the bytes do not begin like a JPEG, PNG, WebP, AVIF, GIF or TIFF, or hold
            samples without an agreed brightness (32-bit numbers, Lab).
        TruncatedImage: they do, but what follows is cut short or damaged.
        ImageTooLarge: more than `MAX_PIXELS`, or a side longer than `MAX_SIDE`.
    """
    decoder = _decoder(data, name)
    with _damage_named(name):
        if decoder is TiffImageFile:
            check_first_directory(data)
        image = decoder(io.BytesIO(data))
        _check_size(image, name)
    turn = _large_pictures if image.width * image.height > LARGE_PIXELS else nullcontext()
    with turn:
        yield _upright(image, name)


def load_image(source: bytes | os.PathLike[str] | str, name: str = "") -> NDArray[np.uint8]:
    """One picture's pixels, uint8 of shape (height, width, 3), red, green, blue, read-only.

    Args:
        source: the file's bytes or path.
        name: what errors call it; a path's own name where empty.

    Raises:
        ImageError: as `read_source` and `decoded`.
    """
    called = name or source_name(source)
    with decoded(read_source(source, called), called) as picture:
        return np.asarray(picture)


def source_name(source: bytes | os.PathLike[str] | str) -> str:
    """What errors call a file that its caller gave no name."""
    return "(bytes)" if isinstance(source, bytes) else os.fspath(source)


def _decoder(data: bytes, name: str) -> type[ImageFile.ImageFile]:
    for offset, signatures, decoder in _FORMATS:
        if data.startswith(signatures, offset):
            return decoder
    raise NotAnImage(f"{name}: not a JPEG, PNG, WebP, AVIF, GIF or TIFF picture", name)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    tile = (0, 0)
    if isinstance(image, TiffImageFile):  # a tile is decoded whole, however small the picture is
        tags = image.tag_v2
        tile = (int(tags.get(_TIFF_TILE_WIDTH, 0)), int(tags.get(_TIFF_TILE_LENGTH, 0)))
    if max(width, height, *tile) > MAX_SIDE or max(width * height, tile[0] * tile[1]) > MAX_PIXELS:
        raise ImageTooLarge(
            f"{name}: {width} x {height} pixels; the most is {MAX_PIXELS}, and {MAX_SIDE} along"
            " one side. A smaller copy of the picture can be used instead.",
            name,
        )


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Whatever a decoder makes of damaged bytes becomes one of our errors, which names the file."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise ImageTooLarge(f"{name}: more than {MAX_PIXELS} pixels", name) from problem
    except MemoryError as problem:
        raise ImageTooLarge(f"{name}: not enough memory to decode it", name) from problem
    # Decoders raise many things, warnings turned into errors and plain bugs among them.
    except Exception as problem:
        raise TruncatedImage(f"{name}: the picture is cut short or damaged", name) from problem


def _upright(image: ImageFile.ImageFile, name: str) -> Image.Image:
    with _damage_named(name):
        image.load()
        _check_size(image, name)  # a GIF's first frame may be larger than its header says
        orientation = _orientation(image)
        flat = _on_white(image, name)
        return flat if orientation == AS_STORED else flat.transpose(_UPRIGHT[orientation])


def _orientation(image: ImageFile.ImageFile) -> int:
    if isinstance(image, TiffImageFile):
        found = image.tag_v2.get(_TIFF_ORIENTATION)
        return found if isinstance(found, int) and found in _UPRIGHT else AS_STORED
    exif = image.info.get("exif")
    return read_orientation(exif) if isinstance(exif, bytes) else AS_STORED


def _on_white(image: Image.Image, name: str) -> Image.Image:
    """RGB of any mode that Pillow decodes to, transparent parts white."""
    if image.mode in _SIXTEEN_BIT:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in _NO_AGREED_BRIGHTNESS:
        raise NotAnImage(f"{name}: its samples ({image.mode}) are no agreed colours", name)
    if not image.has_transparency_data:
        return image.convert("RGB")
    transparent = image.convert("RGBA")
    white = Image.new("RGB", transparent.size, _WHITE)
    white.paste(transparent, mask=transparent.getchannel("A"))
    return white
