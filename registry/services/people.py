"""Spaces of people: matched only in sessions that asked for them and say that they lawfully may.

Faces are biometric data. What a registrant sealed is matched here and nowhere else, what a builder
sends is matched in memory and forgotten, and neither is ever part of a snapshot.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import PERSON_SPACES, SPACES, Space
from registry.errors import InvalidInput

FACE_SPACE = "face-1"

_OF_PEOPLE = frozenset(PERSON_SPACES)


def check_opt_in(
    required: Collection[str], opted_in: Collection[str], *, lawful_basis_stated: bool
) -> None:
    """Refuses a session that looks for people without saying so.

    Args:
        required: spaces without which an image is UNKNOWN; all known.
        opted_in: spaces of people to look in; all known.
        lawful_basis_stated: whether the builder states that they may lawfully do so.

    Raises:
        InvalidInput: a space that is not of people is opted in to, one of people is required but
            not opted in to, or no lawful basis is stated.
    """
    if not _OF_PEOPLE.issuperset(opted_in):
        message = "Only spaces of people are opted in to; those of works need no opting in."
        raise InvalidInput(message)
    if not _OF_PEOPLE.intersection(required) <= set(opted_in):
        message = "A space of people is required that this session does not opt in to."
        raise InvalidInput(message)
    if opted_in and not lawful_basis_stated:
        message = (
            "Looking for people is biometric processing: state that you have a lawful basis for it "
            "(lawfulBasisStated), or leave the opt-in out."
        )
        raise InvalidInput(message)


def check_columns(columns: Collection[Column], opted_in: Collection[str]) -> None:
    """Refuses fingerprints of people in a session that did not opt in to their space.

    Raises:
        InvalidInput: such a column, even an empty one.
    """
    if not _OF_PEOPLE.intersection(column.space_id for column in columns) <= set(opted_in):
        message = "This session did not opt in to looking for people; send no such column."
        raise InvalidInput(message)


def spaces_in_force(face_threshold: float) -> Mapping[str, Space]:
    """The spaces as this registry matches them.

    Args:
        face_threshold: least cosine of faces that match; at least the space's own, see `Settings`.
    """
    faces = replace(SPACES[FACE_SPACE], threshold=face_threshold)
    return MappingProxyType({**SPACES, FACE_SPACE: faces})
