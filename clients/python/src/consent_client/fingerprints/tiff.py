"""The first directory of a TIFF file, checked before the file is decoded.

Pillow warns about some damage and goes on. Whether a warning is an error depends on the program
around, and whether a picture can be read must not: what it would warn about is damage here.
"""

import struct
from typing import Final

from consent_client.fingerprints.pillow import TiffTags

_ENTRY_BYTES: Final = 12
_INLINE_BYTES: Final = 4  # values that fit stand in the entry itself
_BYTES_OF_TYPE: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of one value of each field type (TIFF 6.0, §2)."""

_ONE_VALUE_OF_MANY: Final = (1, 2, 7)
"""Bytes, text and opaque data: however many there are, they are one value."""


def check_first_directory(data: bytes) -> None:
    """Check that the directory and all it points to lie within the file.

    Args:
        data: the whole file, which begins with `II*` or `MM`.

    Raises:
        ValueError: an entry points outside the file, all together they point to more bytes than the
            file has, or one has several values where the standard has one.
        struct.error: the file ends within the directory.
    """
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    outside = 0
    for entry in range(count):
        tag, kind, values, offset = struct.unpack_from(
            f"{order}HHII", data, start + 2 + entry * _ENTRY_BYTES
        )
        size = _BYTES_OF_TYPE.get(kind, 0) * values
        if size > _INLINE_BYTES:
            outside += size
            if offset + size > len(data) or outside > len(data):
                raise ValueError("an entry of the directory points outside the file")
        one = TiffTags.lookup(tag).length == 1 and kind not in _ONE_VALUE_OF_MANY
        if one and values != 1:
            raise ValueError("an entry of the directory has several values instead of one")
    struct.unpack_from(f"{order}I", data, start + 2 + count * _ENTRY_BYTES)
