"""What a person states about an image: 10 bytes (FORMATS §3).

`u8 version 1 ‖ u8 vocabulary ‖ u8 uses ‖ u8 basis ‖ u16 given_for ‖ u32 valid_until`, where use i
takes bits 2i and 2i + 1 of the uses byte, counted from the least significant.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from consent_client.errors import BadStatement
from consent_client.protocol.purposes import VOCABULARY, Purpose

__all__ = ["STATEMENT_BYTES", "VOCABULARY", "Basis", "Purpose", "Stance", "Statement", "Use"]

STATEMENT_BYTES: Final = 10

_VERSION = 1
_LAYOUT = struct.Struct(">BBBBHI")
_STANCE_BITS = 2
_STANCE_MASK = 3
_SECONDS_PER_DAY = 86_400
_DAY_MAX = 2**32 - 1


class Use(IntEnum):
    """The four uses of the CAWG training and data mining assertion."""

    DATA_MINING = 0
    AI_INFERENCE = 1
    AI_TRAINING = 2
    AI_GENERATIVE_TRAINING = 3

    @property
    def cawg(self) -> str:
        """Its name there: `ai_training`."""
        return self.name.lower()

    @classmethod
    def from_cawg(cls, name: str) -> Self:
        """The use with this CAWG name; `BadStatement` where there is none."""
        for use in cls:
            if use.cawg == name:
                return use
        raise BadStatement("no use has this name")


class Stance(IntEnum):
    """What is stated about one use."""

    UNSAID = 0
    ALLOWED = 1
    NOT_ALLOWED = 2

    @property
    def text(self) -> str:
        """`unsaid`, or as CAWG writes it: `allowed`, `notAllowed`."""
        return _STANCE_TEXT[self]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The stance written like this; `BadStatement` where there is none."""
        for stance in cls:
            if stance.text == text:
                return stance
        raise BadStatement("no stance is written like this")


_STANCE_TEXT = {
    Stance.UNSAID: "unsaid",
    Stance.ALLOWED: "allowed",
    Stance.NOT_ALLOWED: "notAllowed",
}


class Basis(IntEnum):
    """As what a person speaks. It is a claim: nobody checks it."""

    DATA_SUBJECT = 1
    RIGHTSHOLDER = 2
    GUARDIAN = 3
    AGENT = 4


type Stances = tuple[Stance, Stance, Stance, Stance]
"""One stance per use, in the order of `Use`."""


def _stances_of(byte: int) -> Stances | None:
    codes = [byte >> _STANCE_BITS * use & _STANCE_MASK for use in Use]
    if _STANCE_MASK in codes:
        return None
    a, b, c, d = (Stance(code) for code in codes)
    return a, b, c, d


_FOUR_STANCES = (Stance,) * len(Use)
_STANCES_BY_BYTE = tuple(_stances_of(byte) for byte in range(256))
_BASES = {int(basis): basis for basis in Basis}
_PURPOSES = {int(purpose): purpose for purpose in Purpose}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person states about one image.

    Attributes:
        stances: one per use, in the order of `Use`; at least one is said.
        basis: as what the person speaks.
        given_for: the only purpose the image was given for, `Purpose.UNSAID` for none.
        valid_until: the last UTC day (days since 1970-01-01) it holds; 0: no end.

    Raises:
        BadStatement: everything unsaid, or a value out of range.
    """

    stances: Stances
    basis: Basis = Basis.DATA_SUBJECT
    given_for: Purpose = Purpose.UNSAID
    valid_until: int = 0

    def __post_init__(self) -> None:
        if tuple(map(type, self.stances)) != _FOUR_STANCES:
            raise BadStatement("a statement has one stance for each of the four uses")
        if not any(self.stances):
            raise BadStatement("a statement says something about at least one use")
        if not isinstance(self.basis, Basis) or not isinstance(self.given_for, Purpose):
            raise BadStatement("unknown basis or purpose")
        if not 0 <= self.valid_until <= _DAY_MAX:
            raise BadStatement("the last day is out of range")

    @classmethod
    def of(
        cls,
        stances: Mapping[Use, Stance],
        basis: Basis = Basis.DATA_SUBJECT,
        given_for: Purpose = Purpose.UNSAID,
        valid_until: int = 0,
    ) -> Self:
        """A statement from the uses that are said; the others are unsaid."""
        a, b, c, d = (stances.get(use, Stance.UNSAID) for use in Use)
        return cls((a, b, c, d), basis, given_for, valid_until)

    def stance(self, use: Use) -> Stance:
        """What is stated about one use."""
        return self.stances[use]

    def expired(self, day: int) -> bool:
        """Whether it no longer holds on this UTC day: its last day is behind."""
        return 0 < self.valid_until < day

    def encode(self) -> bytes:
        """Its 10 bytes."""
        uses = sum(stance << _STANCE_BITS * use for use, stance in enumerate(self.stances))
        return _LAYOUT.pack(
            _VERSION, VOCABULARY, uses, self.basis, self.given_for, self.valid_until
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The statement behind 10 bytes.

        Raises:
            BadStatement: another length or version, an unknown vocabulary, basis or purpose, a
                stance of 3, or everything unsaid.
        """
        if len(data) != STATEMENT_BYTES:
            raise BadStatement(f"a statement has {STATEMENT_BYTES} bytes")
        version, vocabulary, uses, basis, given_for, valid_until = _LAYOUT.unpack(data)
        if version != _VERSION or vocabulary != VOCABULARY:
            raise BadStatement("a statement of another version or vocabulary")
        stances = _STANCES_BY_BYTE[uses]
        if stances is None:
            raise BadStatement("a stance that does not exist")
        known_basis = _BASES.get(basis)
        known_purpose = _PURPOSES.get(given_for)
        if known_basis is None or known_purpose is None:
            raise BadStatement("unknown basis or purpose")
        return cls(stances, known_basis, known_purpose, valid_until)


def today(seconds: float) -> int:
    """UTC day number (days since 1970-01-01) of a Unix time in seconds."""
    return int(seconds // _SECONDS_PER_DAY)
