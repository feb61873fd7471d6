"""The fingerprint spaces.

A space id pins everything that changes a fingerprint: model, preprocessing, version. Fingerprints
of different spaces never meet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from consent_client.errors import BadSpaceFile, UnknownSpace
from consent_client.space_files import OwnSpace, named_spaces

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
        own: of a space of an operator's own, its space file; None for those of this package.
        size: bytes of one fingerprint.
    """

    id: str
    kind: Kind
    dimension: int
    radius: int | None
    threshold: float | None
    finds: str
    subject: Subject = Subject.WORK
    own: OwnSpace | None = None
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
        """Whether builders may download what stands for its fingerprints.

        Never for people, nor in a space of somebody's own that has no coding.
        """
        coded = self.own is None or self.own.file.coding is not None
        return self.subject is Subject.WORK and coded

    @property
    def definition(self) -> str | None:
        """Digest of all that fixes a space of one's own, hexadecimal; None where the id says it."""
        return None if self.own is None else self.own.file.definition


_BUILT_IN = (
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

_MOST_REGISTERED: Final = {"face-1": 1, "pdq-1": 8, "sha256": 1, "sscd-1": 2, "url-1": 8}
"""Fingerprints of one picture that a client registers."""


def with_own(built_in: Sequence[Space], own: Sequence[OwnSpace]) -> tuple[Space, ...]:
    """All spaces, ascending by id.

    Raises:
        BadSpaceFile: an id twice or that is built in, more spaces than an image may have, or a
            registered picture's list would be longer than it may be.
    """
    spaces = list(built_in)
    registered = dict(_MOST_REGISTERED)
    for each in own:
        of = each.file
        if of.id in registered:
            raise BadSpaceFile(f"{each.path}: there is a space {of.id} already")
        registered[of.id] = of.registered
        spaces.append(
            Space(of.id, Kind.FLOAT, of.dimension, None, of.threshold, of.finds, own=each)
        )
    if len(spaces) > MAX_SPACES:
        raise BadSpaceFile(f"at most {MAX_SPACES - len(built_in)} spaces of one's own")
    # FORMATS §1: a byte, and of each space its id, a byte, and each fingerprint after its length.
    size = 1 + sum(5 + len(each.id) + registered[each.id] * (4 + each.size) for each in spaces)
    if size > MAX_LIST_BYTES:
        raise BadSpaceFile(
            f"a picture's list would take {size} bytes in all spaces, of at most {MAX_LIST_BYTES}: "
            "fewer spaces, fewer dimensions, or mirror false"
        )
    return tuple(sorted(spaces, key=lambda each: each.id))


_ALL: Final = with_own(_BUILT_IN, named_spaces())

SPACES: Final[Mapping[str, Space]] = MappingProxyType({space.id: space for space in _ALL})
"""Every space there is here, by id, in ascending order of id: those of this package, and those that
`CONSENT_SPACES` named when this module was loaded."""


WORK_SPACES: Final = tuple(each.id for each in _ALL if each.subject is Subject.WORK)
"""Ids of the spaces that find copies of an image, ascending: those used where nothing is said."""

PERSON_SPACES: Final = tuple(each.id for each in _ALL if each.subject is Subject.PERSON)
"""Ids of the spaces that find people, ascending: those used only by who asks for them."""


OWN_SPACES: Final = tuple(each.id for each in _ALL if each.own is not None)
"""Ids of the spaces of somebody's own, ascending: what is known of them, their space file says."""


def space(space_id: str) -> Space:
    """The space with this id; `UnknownSpace` where there is none."""
    found = SPACES.get(space_id)
    if found is None:
        raise UnknownSpace("no fingerprint space has this id")
    return found
