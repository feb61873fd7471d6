"""The fingerprint spaces.

A space id pins everything that changes a fingerprint: model, preprocessing, version. Fingerprints
of different spaces never meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from consent_client.errors import UnknownSpace

MAX_SPACES: Final = 8
"""Most spaces in one image's list (FORMATS §1)."""

MAX_FINGERPRINTS: Final = 8
"""Most fingerprints of one image in one space: 4 rotations, each also mirrored (FORMATS §1)."""

MAX_FACES: Final = 64
"""Most fingerprints of one candidate image in a space of people (FORMATS §6): a photograph of a
crowd has more faces, and then counts as not checked."""

MAX_LIST_BYTES: Final = 8_000
"""Longest encoded list: with its frame it fits a sealed plaintext of 8,192 bytes (FORMATS §1)."""


class Kind(StrEnum):
    """How fingerprints of a space are compared."""

    EXACT = "EXACT"
    """32 bytes, equal or not."""
    BINARY = "BINARY"
    """dimension / 8 bytes, most significant bit first; Hamming distance."""
    FLOAT = "FLOAT"
    """dimension float16 little-endian, a unit vector; inner product."""


class Subject(StrEnum):
    """What fingerprints of a space are of."""

    WORK = "WORK"
    """An image: they find copies of it."""
    PERSON = "PERSON"
    """A person: they find other photographs. Biometric data: nobody computes or matches them who
    did not ask to; they are matched online only, and never leave the registry in a snapshot."""


_BYTES_PER_FLOAT = 2
_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Space:
    """One fingerprint space.

    Attributes:
        id: its name in lists, columns and indexes.
        kind: how its fingerprints are compared.
        dimension: bits (exact, binary) or vector components (float).
        radius: binary: a match at this Hamming distance or less; None otherwise.
        threshold: float: a match at this cosine or more, at the least; None otherwise.
        finds: in plain words, what it finds.
        subject: what its fingerprints are of. A candidate image has one fingerprint in a space of
            works, and one for each person seen in it in a space of people.
        size: bytes of one fingerprint.
    """

    id: str
    kind: Kind
    dimension: int
    radius: int | None
    threshold: float | None
    finds: str
    subject: Subject = Subject.WORK
    size: int = field(init=False)  # a field, not a property: it is read for every fingerprint

    def __post_init__(self) -> None:
        floats = self.kind is Kind.FLOAT
        size = self.dimension * _BYTES_PER_FLOAT if floats else self.dimension // _BITS_PER_BYTE
        object.__setattr__(self, "size", size)

    @property
    def most_per_candidate(self) -> int:
        """Most fingerprints that an image has in a screening."""
        return 1 if self.subject is Subject.WORK else MAX_FACES

    @property
    def in_snapshots(self) -> bool:
        """Whether builders may download what stands for its fingerprints: never for people."""
        return self.subject is Subject.WORK


_ALL = (
    Space(
        "face-1",
        Kind.FLOAT,
        128,
        None,
        0.50,
        "other photographs of the person",
        subject=Subject.PERSON,
    ),
    Space("pdq-1", Kind.BINARY, 256, 31, None, "light edits of the image"),
    Space("sha256", Kind.EXACT, 256, None, None, "the same file, byte for byte"),
    Space(
        "sscd-1", Kind.FLOAT, 512, None, 0.50, "edited copies: crops, bars, captions, screenshots"
    ),
    Space("url-1", Kind.EXACT, 256, None, None, "the same web address"),
)
# face: measured, with what is known of the errors, in docs/faces.md. pdq: 31 of 256 is the distance
# its authors recommend. sscd: finds 88 % of edits (design, table of spaces); per-record thresholds
# lie above it.

SPACES: Final[Mapping[str, Space]] = MappingProxyType({space.id: space for space in _ALL})
"""Every space this version knows, by id, in ascending order of id."""


WORK_SPACES: Final = tuple(each.id for each in _ALL if each.subject is Subject.WORK)
"""Ids of the spaces that find copies of an image, ascending: those used where nothing is said."""

PERSON_SPACES: Final = tuple(each.id for each in _ALL if each.subject is Subject.PERSON)
"""Ids of the spaces that find people, ascending: those used only by who asks for them."""


def space(space_id: str) -> Space:
    """The space with this id; `UnknownSpace` where there is none."""
    found = SPACES.get(space_id)
    if found is None:
        raise UnknownSpace("no fingerprint space has this id")
    return found
