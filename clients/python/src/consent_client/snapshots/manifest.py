"""What a snapshot says of itself: canonical JSON, whose digest is logged (FORMATS §7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from consent_client.errors import Malformed
from consent_client.protocol.canonical_json import canonical, read_canonical

VERSION: Final = 1

MILLION: Final = 1_000_000
"""Shares are whole numbers of millionths: JSON's fractions have more than one text."""

_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """One space of a snapshot.

    Attributes:
        coding: version of what makes codes of fingerprints.
        bits: of a code: b of an exact space, k of another.
        radius: greatest distance in bits that makes a candidate.
        count: codes, dummies included.
        digest: of the set of codes (`code_sets.digest`), 32 bytes.
        recall_ppm: millionths of what the online stage matches, on the calibration pictures, that
            are candidates.
        false_ppm: millionths of unregistered pictures that are candidates all the same, f.
        leakage_ppm: the cosine between a fingerprint and what least squares makes of its code.
        expected_leakage_ppm: what theory lets expect of it.
    """

    coding: int
    bits: int
    radius: int
    count: int
    digest: bytes = field(repr=False)
    recall_ppm: int
    false_ppm: int
    leakage_ppm: int
    expected_leakage_ppm: int

    def __post_init__(self) -> None:
        numbers = (self.coding, self.bits, self.radius, self.count, *self._shares)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise Malformed("a snapshot's numbers are whole and not negative")
        if not self.bits or max(self._shares) > MILLION or len(self.digest) != _HASH_BYTES:
            raise Malformed("a snapshot's space without bits, or with a share above one")

    @property
    def _shares(self) -> tuple[int, ...]:
        return (self.recall_ppm, self.false_ppm, self.leakage_ppm, self.expected_leakage_ppm)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of codes that came, or went, with one publication.

    Attributes:
        serial: of the publication.
        space_id: of what.
        name: of the file among the targets.
        rows: how many codes are in it.
    """

    serial: int
    space_id: str
    name: str
    rows: int

    def __post_init__(self) -> None:
        for number in (self.serial, self.rows):
            if type(number) is not int or number < 0:
                raise Malformed("a part's numbers are whole and not negative")
        plain = self.name.replace("-", "").replace(".", "")
        if not (plain.isascii() and plain.isalnum()) or self.name.startswith("."):
            raise Malformed("a part's name has letters, digits, dashes and dots")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A publication.

    Attributes:
        origin: whose.
        serial: its number, from 1 on.
        base: serial of the publication at which its chain of parts begins.
        log_size: the state of the log that it shows.
        expires: Unix time after which nothing may be called CLEAR by it.
        spaces: by id.
        parts: all that has to be applied, in order: base first.
    """

    origin: str
    serial: int
    base: int
    log_size: int
    expires: int
    spaces: Mapping[str, SpaceFacts] = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)

    def __post_init__(self) -> None:
        numbers = (self.serial, self.base, self.log_size, self.expires)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise Malformed("a snapshot's numbers are whole and not negative")
        if not 1 <= self.base <= self.serial:
            raise Malformed("a snapshot's base is not after it")
        serials = [part.serial for part in self.parts]
        if serials != sorted(serials) or not all(self.base <= at <= self.serial for at in serials):
            raise Malformed("a snapshot's parts are in order, from its base on")
        if any(part.space_id not in self.spaces for part in self.parts):
            raise Malformed("a part of a space that the snapshot does not have")

    def encode(self) -> bytes:
        """Its canonical bytes."""
        return canonical(
            {
                "version": VERSION,
                "origin": self.origin,
                "serial": self.serial,
                "base": self.base,
                "logSize": self.log_size,
                "expires": self.expires,
                "spaces": {
                    name: {
                        "coding": of.coding,
                        "bits": of.bits,
                        "radius": of.radius,
                        "count": of.count,
                        "digest": of.digest.hex(),
                        "recallPpm": of.recall_ppm,
                        "falsePpm": of.false_ppm,
                        "leakagePpm": of.leakage_ppm,
                        "expectedLeakagePpm": of.expected_leakage_ppm,
                    }
                    for name, of in self.spaces.items()
                },
                "parts": [
                    {
                        "serial": part.serial,
                        "space": part.space_id,
                        "name": part.name,
                        "rows": part.rows,
                    }
                    for part in self.parts
                ],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The manifest behind its bytes.

        Raises:
            Malformed: anything that `encode` would not have written.
        """
        value = read_canonical(data)
        try:
            if value["version"] != VERSION:
                raise Malformed("a snapshot of a version that is not known here")
            found = cls(
                origin=value["origin"],
                serial=value["serial"],
                base=value["base"],
                log_size=value["logSize"],
                expires=value["expires"],
                spaces={name: _facts(about) for name, about in value["spaces"].items()},
                parts=tuple(
                    Part(each["serial"], each["space"], each["name"], each["rows"])
                    for each in value["parts"]
                ),
            )
        except (KeyError, TypeError, AttributeError):
            raise Malformed("not a snapshot's manifest") from None
        except ValueError as error:  # hexadecimal digits; Malformed is one too
            raise Malformed(str(error)) from None
        if found.encode() != data:
            raise Malformed("not a snapshot's manifest")
        return found


def _facts(about: Mapping[str, Any]) -> SpaceFacts:
    return SpaceFacts(
        coding=about["coding"],
        bits=about["bits"],
        radius=about["radius"],
        count=about["count"],
        digest=bytes.fromhex(about["digest"]),
        recall_ppm=about["recallPpm"],
        false_ppm=about["falsePpm"],
        leakage_ppm=about["leakagePpm"],
        expected_leakage_ppm=about["expectedLeakagePpm"],
    )
