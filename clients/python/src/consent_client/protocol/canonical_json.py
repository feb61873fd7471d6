"""Canonical JSON: the part of RFC 8785 that the formats need.

One value has one text, so that its digest says everything. Numbers are integers up to 2^53 - 1 and
such fractions as both Python and ECMAScript write without an exponent; the rest is refused.
"""

import json
from typing import Any, Final

from consent_client.errors import Malformed

MAX_INTEGER: Final = 2**53 - 1

_NO_EXPONENT: Final = (1e-4, 1e15)
"""Between these, Python's shortest text of a fraction is that of ECMAScript."""

_REFUSED: Final = object()


def canonical(value: object) -> bytes:
    """The canonical text of None, booleans, numbers, strings, and lists and dicts of such.

    Raises:
        Malformed: something else is in it, a number out of range, or text that UTF-8 can not hold.
    """
    try:
        return json.dumps(
            _checked(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
    except (UnicodeEncodeError, RecursionError):
        pass
    raise Malformed("a value that has no canonical JSON")


def read_canonical(data: bytes) -> Any:
    """The value behind its canonical text.

    Raises:
        Malformed: anything that `canonical` would not have written: other spacing, order or
            escapes, a name twice, numbers out of range.
    """
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        value = _REFUSED
    # The parser takes much more than the one text: names twice, NaN, exponents, escapes. Writing
    # the value again tells.
    if value is _REFUSED or canonical(value) != data:
        raise Malformed("not canonical JSON")
    return value


def _checked(value: object) -> object:
    """The value with its names in the order of RFC 8785 section 3.2.3, and numbers as there."""
    match value:
        case None | bool() | str():
            return value
        case int() if abs(value) <= MAX_INTEGER:
            return value
        case float():
            return _number(value)
        case list() | tuple():
            return [_checked(item) for item in value]
        case dict() if all(isinstance(name, str) for name in value):
            names = sorted(value, key=_utf16)
            return {name: _checked(value[name]) for name in names}
        case _:
            raise Malformed("a value that has no canonical JSON")


def _number(value: float) -> float:
    if value.is_integer() and abs(value) <= MAX_INTEGER:
        return int(value)
    least, greatest = _NO_EXPONENT
    if not least <= abs(value) <= greatest:
        raise Malformed("a number that has no canonical JSON here")
    return value


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")
