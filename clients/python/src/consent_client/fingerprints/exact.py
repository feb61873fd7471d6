"""Exact fingerprints: SHA-256 of the file's bytes (spaces `sha256` and, of an address, `url-1`)."""

import hashlib
from typing import Final

SPACE: Final = "sha256"


def file_fingerprint(data: bytes) -> bytes:
    """The 32-byte fingerprint of a file, which only the very same bytes share."""
    return hashlib.sha256(data).digest()
