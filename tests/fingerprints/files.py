"""Picture files, good and bad, made on the spot."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF")
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
}


def scene(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """Red grows downwards, green to the right; one white corner says which way is up."""
    down, across = np.mgrid[0:height, 0:width]
    rgb = np.stack([down * 255 // height, across * 255 // width, np.full_like(down, 60)], axis=-1)
    rgb[: height // 4, : width // 4] = 255
    return rgb.astype(np.uint8)


def encoded(picture: Image.Image | NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = io.BytesIO()
    image.save(out, kind, **(LOSSLESS.get(kind, {}) | options))
    return out.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    """A whole EXIF block that says nothing but the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return b"Exif\0\0" + mark + struct.pack(f"{order}I", 8) + directory


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, body: bytes, *chunks: bytes) -> bytes:
    """A PNG that says it is so large, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *chunks,
            png_chunk(b"IDAT", zlib.compress(body)),
            png_chunk(b"IEND", b""),
        )
    )


def jpeg_resized(data: bytes, width: int, height: int) -> bytes:
    """The JPEG with other dimensions in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def gif_resized(data: bytes, width: int, height: int) -> bytes:
    """The GIF with other dimensions of screen and first frame."""
    out = bytearray(data)
    out[6:10] = struct.pack("<HH", width, height)
    at = data.index(b"\x2c\0\0\0\0") + 5
    out[at : at + 4] = struct.pack("<HH", width, height)
    return bytes(out)


def tiff(width: int, height: int, *tags: tuple[int, int, int]) -> bytes:
    """A TIFF of one directory and no pixels; tags are (number, type, value)."""
    entries = sorted([(256, 4, width), (257, 4, height), *tags])
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0)


def webp_resized(data: bytes, width: int, height: int) -> bytes:
    """The extended WebP with another canvas."""
    at = data.index(b"VP8X") + 12
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return data[:at] + sizes + data[at + 6 :]


def avif_resized(data: bytes, width: int, height: int) -> bytes:
    """The AVIF with other dimensions in its image spatial extents."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]
