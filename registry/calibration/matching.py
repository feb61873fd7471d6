"""What a portion of a sample matches, under every policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.fingerprints import decode_floats
from consent_client.protocol.spaces import Kind, space
from consent_client.protocol.statements import Stance
from registry.matching.policies import BEYOND, BY_SIZE, Policy
from registry.services.following import State

POLICIES: tuple[Policy, ...] = (*(policy for _, policy in BY_SIZE), BEYOND)
"""All of them, the one for the fewest records first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An image and a record that match.

    Attributes:
        row: the image's number in the sample's source.
        record: index of the record's REGISTER entry.
        spaces: name of a policy → spaces in which they match under it.
    """

    row: int
    record: int
    spaces: Mapping[str, tuple[str, ...]]


def hits_of(
    state: State,
    rows: Sequence[int],
    fingerprints: Sequence[Mapping[str, Sequence[bytes]]],
    policies: Sequence[Policy] = POLICIES,
) -> list[Hit]:
    """All hits of some images with records that refuse any use, by row and record.

    Args:
        state: what is registered.
        rows: the images' numbers.
        fingerprints: of each, space id → fingerprints.
        policies: under which.

    Raises:
        ProtocolError: a fingerprint that does not follow FORMATS.
    """
    found: dict[tuple[int, int], dict[str, list[str]]] = {}
    for name in sorted({name for each in fingerprints for name in each}):
        values = [
            (row, value)
            for row, each in zip(rows, fingerprints, strict=True)
            for value in each.get(name, ())
        ]
        of = np.array([row for row, _ in values], np.int64)
        vectors = _vectors(name, b"".join(value for _, value in values))
        for policy in policies:
            for query, owners in state.index.portions(name, vectors, policy):
                refusing = (state.stances[owners] == Stance.NOT_ALLOWED).any(axis=1)
                pairs = np.stack([of[query[refusing]], owners[refusing]], axis=1)
                for row, record in np.unique(pairs, axis=0).tolist():
                    spaces = found.setdefault((row, record), {}).setdefault(policy.name, [])
                    if name not in spaces:
                        spaces.append(name)
    return [
        Hit(row, record, {policy: tuple(spaces) for policy, spaces in by_policy.items()})
        for (row, record), by_policy in sorted(found.items())
    ]


def _vectors(name: str, data: bytes) -> NDArray[np.float32] | NDArray[np.uint8]:
    of = space(name)
    if of.kind is Kind.FLOAT:
        return decode_floats(data, of)
    return np.frombuffer(data, np.uint8).reshape(-1, of.size)
