"""The name of a registry, bound into every key, seal and signature made for it.

It is also the name of the key that signs its notes, hence C2SP signed-note's rule: not empty, no
space, no plus sign. Of what that leaves, only printable ASCII is taken, so that two names that look
alike are alike. A host name with a path fits: `registry.example/2026`.
"""

import re
from functools import lru_cache
from typing import Final

from consent_client.errors import Malformed

MAX_ORIGIN_BYTES: Final = 255
"""Long enough for any host name (253) and short enough for a line of a note."""

_ORIGIN = re.compile(r"[!-*,-~]+")


@lru_cache(maxsize=64)
def origin_bytes(origin: str) -> bytes:
    """The bytes of a well-formed origin.

    Raises:
        Malformed: empty, longer than `MAX_ORIGIN_BYTES`, or with a character that is not printable
            ASCII, a space or a plus sign.
    """
    if len(origin) > MAX_ORIGIN_BYTES or _ORIGIN.fullmatch(origin) is None:
        raise Malformed(
            f"an origin is 1 to {MAX_ORIGIN_BYTES} printable ASCII characters, no space, no plus"
        )
    return origin.encode()


def check_origin(origin: str) -> str:
    """`origin` itself where it is well-formed, else `Malformed`."""
    origin_bytes(origin)
    return origin
