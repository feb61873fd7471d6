"""What every format is made of: integers, length-prefixed strings, bitmaps and base64.

Integers are big-endian. Everything here raises `Malformed` and nothing else on bad input.
"""

import base64
import binascii
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import Malformed

MAX_LP: Final = 2**20
"""Longest length-prefixed string, bytes (FORMATS, first paragraph)."""

_U8_MAX = 2**8 - 1
_U16_MAX = 2**16 - 1
_U32_MAX = 2**32 - 1
_U64_MAX = 2**64 - 1


def _unsigned(value: int, size: int, greatest: int) -> bytes:
    if not 0 <= value <= greatest:
        raise Malformed(f"an integer does not fit into {size} unsigned bytes")
    return value.to_bytes(size)


def u8(value: int) -> bytes:
    """One byte; `Malformed` outside 0..2⁸-1."""
    return _unsigned(value, 1, _U8_MAX)


def u16(value: int) -> bytes:
    """Two bytes, big-endian; `Malformed` outside 0..2¹⁶-1."""
    return _unsigned(value, 2, _U16_MAX)


def u32(value: int) -> bytes:
    """Four bytes, big-endian; `Malformed` outside 0..2³²-1."""
    return _unsigned(value, 4, _U32_MAX)


def u64(value: int) -> bytes:
    """Eight bytes, big-endian; `Malformed` outside 0..2⁶⁴-1."""
    return _unsigned(value, 8, _U64_MAX)


def lp(*parts: bytes | str) -> bytes:
    """Each part after its u32 length, one after the other; text as UTF-8.

    Raises:
        Malformed: a part is longer than `MAX_LP`, or is text that UTF-8 can not hold.
    """
    out = bytearray()
    for part in parts:
        data = utf8(part) if isinstance(part, str) else part
        if len(data) > MAX_LP:
            raise Malformed("a length-prefixed string is too long")
        out += len(data).to_bytes(4)
        out += data
    return bytes(out)


def utf8(text: str) -> bytes:
    """UTF-8 of `text`; `Malformed` for lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        data = None
    if data is None:  # outside the handler, so that the error carries no copy of the text
        raise Malformed("text that UTF-8 can not hold")
    return data


class Reader:
    """Reads a byte string from front to back, strictly.

    Args:
        data: the whole message; `end()` says that nothing may be left.
    """

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """The next `count` bytes; `Malformed` where fewer are left."""
        start = self._position
        stop = start + count
        if count < 0 or stop > len(self._data):
            raise Malformed("the message ends early")
        self._position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        """The next byte."""
        return int.from_bytes(self.take(1))

    def u16(self) -> int:
        """The next two bytes, big-endian."""
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        """The next four bytes, big-endian."""
        return int.from_bytes(self.take(4))

    def u64(self) -> int:
        """The next eight bytes, big-endian."""
        return int.from_bytes(self.take(8))

    def lp(self, longest: int = MAX_LP) -> bytes:
        """The next length-prefixed string, of at most `longest` bytes."""
        length = self.u32()
        if length > longest:
            raise Malformed("a length-prefixed string is too long")
        return self.take(length)

    def end(self) -> None:
        """Nothing may be left; `Malformed` otherwise."""
        if self.left:
            raise Malformed("the message goes on after its end")


def pack_bitmap(bits: NDArray[np.bool_]) -> bytes:
    """Bitmap of bool[n]: bit i is bit (i mod 8), least significant first, of byte i div 8."""
    return np.packbits(bits, bitorder="little").tobytes()


def unpack_bitmap(data: bytes, count: int) -> NDArray[np.bool_]:
    """The first `count` bits of a bitmap as bool[count].

    Raises:
        Malformed: the length is not ⌈count / 8⌉, or a reserved bit after the last is set.
    """
    if count < 0 or len(data) != (count + 7) // 8:
        raise Malformed("a bitmap of the wrong length")
    if count % 8 and data[-1] >> (count % 8):
        raise Malformed("a reserved bit of a bitmap is set")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little")
    return bits.view(np.bool_)


def encode_base64(data: bytes) -> str:
    """RFC 4648 §4, padded."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """The bytes behind canonical RFC 4648 §4 base64.

    Raises:
        Malformed: another alphabet, whitespace, missing or extra padding, or unused bits that are
            not zero: whatever `encode_base64` would not have written.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        data = None
    # Strict mode leaves two things to look at: padding after a whole group, which makes the text
    # longer, and unused bits, which only the last group can have.
    if (
        data is None
        or len(text) != (len(data) + 2) // 3 * 4
        or not text.endswith(encode_base64(data[len(data) // 3 * 3 :]))
    ):
        raise Malformed("not canonical base64")
    return data
