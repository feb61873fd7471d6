"""The one number of EXIF that matters here: how the camera was held.

EXIF (CIPA DC-008) is a TIFF file inside a picture, often damaged by editors. Only the orientation
tag of its first directory is read, from a bounded number of bytes, and anything odd means
"as stored", which is what web browsers do. Two programs must read the same picture the same way,
so this does not depend on what an image library makes of the rest.
"""

import struct
from typing import Final

AS_STORED: Final = 1

_PREFIX: Final = b"Exif\0\0"  # in JPEG always, in PNG, WebP and AVIF sometimes
_TAG: Final = 0x0112
_SHORT: Final = 3  # the field type of the orientation: one unsigned 16-bit number
_LARGEST: Final = 8
_ENTRY_BYTES: Final = 12
_HEADER_BYTES: Final = 8
_MAX_ENTRIES: Final = 256
"""Entries looked at; cameras write about 12 in the first directory."""


def read_orientation(exif: bytes) -> int:
    r"""The EXIF orientation, 1 to 8.

    Args:
        exif: the EXIF block, with or without `Exif\0\0` before it.

    Returns:
        1 as stored, 2 mirrored, 3 upside down, 4 mirrored upside down, 5 transposed, 6 to be turned
        a quarter clockwise, 7 transposed the other way, 8 to be turned a quarter counter-clockwise.
        1 for everything that is not a well-formed orientation.
    """
    tiff = exif.removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < _HEADER_BYTES:
        return AS_STORED
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return AS_STORED
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for entry in range(min(count, _MAX_ENTRIES)):
        at = start + 2 + entry * _ENTRY_BYTES
        if at + _ENTRY_BYTES > len(tiff):
            return AS_STORED
        tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, at)
        if tag == _TAG:
            known = kind == _SHORT and values == 1 and AS_STORED <= value <= _LARGEST
            return int(value) if known else AS_STORED
    return AS_STORED
