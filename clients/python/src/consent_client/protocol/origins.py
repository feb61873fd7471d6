"""The name of a registry, bound into every key, seal and signature made for it.

It is also the name of the key that signs its notes, hence the rule of C2SP signed-note: not empty,
no Unicode space, no plus sign. A host name with a path fits: `registry.example/2026`.
"""

from functools import lru_cache
from typing import Final

from consent_client.errors import Malformed
from consent_client.protocol.encoding import utf8

MAX_ORIGIN_BYTES: Final = 255
"""Long enough for any host name (253) and short enough for a line of a note."""


@lru_cache(maxsize=64)
def origin_bytes(origin: str) -> bytes:
    """UTF-8 of a well-formed origin.

    Raises:
        Malformed: empty, longer than `MAX_ORIGIN_BYTES`, or with a space, a plus sign, a control
            character or anything else that does not print.
    """
    if not origin or "+" in origin or not origin.isprintable() or " " in origin:
        raise Malformed("an origin is not empty and has no space, plus sign or control character")
    data = utf8(origin)
    if len(data) > MAX_ORIGIN_BYTES:
        raise Malformed(f"an origin has at most {MAX_ORIGIN_BYTES} bytes")
    return data


def check_origin(origin: str) -> str:
    """`origin` itself where it is well-formed, else `Malformed`."""
    origin_bytes(origin)
    return origin
