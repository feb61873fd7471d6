"""A search of everything the registry wrote to disk for fingerprints that must not be there."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Enough of a fingerprint that it is never found by chance, little enough to be found in pieces.
PIECE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Scan:
    """What a search went through, and how many fingerprints it found."""

    files: int
    bytes_read: int
    fingerprints: int
    found: int


def encodings(piece: bytes) -> Iterator[bytes]:
    """A piece of a fingerprint as it might stand in a file.

    Base64 depends on what comes before, so it is made for all three offsets, without the
    characters at both ends that neighbours share in.
    """
    yield piece
    yield piece.hex().encode()
    yield piece.hex().upper().encode()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + piece)
        inner = encoded[-(-offset * 8 // 6) :].rstrip(b"=")[:-1]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def scan(folder: Path, fingerprints: Iterable[bytes]) -> Scan:
    """Searches all files below a folder for the first piece of each fingerprint."""
    contents = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    distinct = set(fingerprints)
    found = sum(
        any(
            needle in content
            for needle in encodings(fingerprint[:PIECE_BYTES])
            for content in contents
        )
        for fingerprint in distinct
    )
    return Scan(len(contents), sum(map(len, contents)), len(distinct), found)
