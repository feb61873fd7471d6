"""Which codes a publication has: those of the active records, and dummies; pure.

Dummies hide how many records there are, and which of a delta's codes are real. They are a function
of a secret and are taken in order, so that a publication differs from the one before only by what
was registered, what ended, and further dummies: who intersects publications learns nothing of
which are which. They never leave while their version of a space is used. How many are in use is
nowhere written: they are the longest beginning of their row that lies in what was published.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.encoding import lp, u32
from consent_client.protocol.spaces import SPACES, Kind
from consent_client.snapshots import code_sets
from consent_client.snapshots.codings import Codes, coding_of, in_snapshots, measured_of
from consent_client.snapshots.manifest import MILLION, SpaceFacts
from consent_client.snapshots.parts import Change, change

FALSE_SHARE: Final = 0.01
"""f: of what is not registered, so many are candidates in an exact space at the most."""

LEAST_CHANGES: Final = 256
"""Codes that come or go in each space with a delta, dummies included."""

LEAST_EXACT: Final = 65_536
"""Codes in an exact space of the first base. A bit more in a later base makes those stand out who
were there before; with so many dummies none is needed below 80,000 codes. They take 200 KB."""

LEAST_OTHERS: Final = 256
"""The same elsewhere: with a radius, each dummy makes candidates of its own."""

MOST_DELTAS: Final = 64
"""After so many a new base is made: a client that comes anew fetches them all."""

_DOMAIN: Final = b"consent-registry/snapshot-dummies/v1\0"
_DRAWN_BYTES: Final = 32

type Registered = Mapping[str, NDArray[np.uint8]]
"""Space id → uint8[n, size]: the fingerprints of all active records, in any order."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The codes of a publication.

    Attributes:
        bits: space id → bits of its codes.
        codes: space id → the set.
    """

    bits: Mapping[str, int]
    codes: Mapping[str, Codes] = field(repr=False)

    def facts(self) -> dict[str, SpaceFacts]:
        """What its manifest says of each space."""
        return {name: _facts(name, self.bits[name], self.codes[name]) for name in self.codes}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be published.

    Attributes:
        is_base: whether a new chain begins.
        contents: all codes after it.
        changes: what is to be downloaded; of a base everything. Empty: nothing changed.
    """

    is_base: bool
    contents: Contents
    changes: Mapping[str, Change] = field(repr=False)


def plan(registered: Registered, secret: bytes, before: Contents | None, deltas: int) -> Plan:
    """What to publish next.

    Args:
        registered: fingerprints of the active records.
        secret: 32 bytes, of which dummies are drawn.
        before: what is published now, with codings of this version; None: nothing.
        deltas: how many there are in its chain.
    """
    if before is None:
        return base(registered, secret, None)
    after = {
        name: _with_dummies(codes, _drawn(secret, name, before.bits[name]), kept)
        for name, codes, kept in _real(registered, secret, before)
    }
    changed = any(change(before.codes[name], codes).rows for name, codes in after.items())
    if not changed:
        return Plan(False, before, {})
    padded = {
        name: _changed_enough(before.codes[name], codes, _drawn(secret, name, before.bits[name]))
        for name, codes in after.items()
    }
    contents = Contents(before.bits, padded)
    if deltas >= MOST_DELTAS or not _within_share(contents):
        return base(registered, secret, before)
    changes = {name: change(before.codes[name], codes) for name, codes in padded.items()}
    return Plan(False, contents, changes)


def base(registered: Registered, secret: bytes, before: Contents | None) -> Plan:
    """A publication that needs no other."""
    bits, codes = {}, {}
    for space in in_snapshots():
        fingerprints = registered.get(space.id, np.empty((0, space.size), np.uint8))
        kept = 0 if before is None else dummies_in(before, secret, space.id)
        size = padded_size(space.id, len(code_sets.code_set(fingerprints)) + kept)
        known = 0 if before is None else before.bits[space.id]
        bits[space.id] = max(known, bits_of(space.id, size))  # fewer would lose what is kept
        drawn = _drawn(secret, space.id, bits[space.id])
        real = code_sets.code_set(coding_of(space.id, bits[space.id]).codes(fingerprints))
        codes[space.id] = _filled(_with_dummies(real, drawn, kept), drawn, kept, size)
    changes = {
        name: Change(found, code_sets.empty(found.shape[1])) for name, found in codes.items()
    }
    return Plan(True, Contents(bits, codes), changes)


def rebuilt(
    registered: Registered, secret: bytes, bits: Mapping[str, int], dummies: Mapping[str, int]
) -> dict[str, Codes]:
    """The sets made from nothing, which every chain of deltas has to lead to."""
    found = {}
    for space in in_snapshots():
        fingerprints = registered.get(space.id, np.empty((0, space.size), np.uint8))
        real = code_sets.code_set(coding_of(space.id, bits[space.id]).codes(fingerprints))
        drawn = _drawn(secret, space.id, bits[space.id])
        found[space.id] = _with_dummies(real, drawn, dummies[space.id])
    return found


def padded_size(space_id: str, count: int) -> int:
    """N_padded: how many codes a base has where there are so many to be shown."""
    least = LEAST_EXACT if SPACES[space_id].kind is Kind.EXACT else LEAST_OTHERS
    return max(least, -(-count // LEAST_CHANGES) * LEAST_CHANGES)


def bits_of(space_id: str, size: int) -> int:
    """Bits of a code: b = ⌈log₂(N_padded / f)⌉ in an exact space, fixed by the coding elsewhere."""
    if SPACES[space_id].kind is Kind.EXACT:
        return int(np.ceil(np.log2(size / FALSE_SHARE)))
    return coding_of(space_id, 0).bits


def dummies_in(contents: Contents, secret: bytes, space_id: str) -> int:
    """How many dummies a published set has."""
    codes, drawn = contents.codes[space_id], _drawn(secret, space_id, contents.bits[space_id])
    count = len(codes) + 1
    while not (missing := np.flatnonzero(~code_sets.contains(codes, drawn(count)))).size:
        count *= 2  # some were drawn twice
    return int(missing[0])


def _real(registered: Registered, secret: bytes, before: Contents) -> list[tuple[str, Codes, int]]:
    """Of each space: the codes of active records, and how many dummies are to be kept."""
    found = []
    for space in in_snapshots():
        fingerprints = registered.get(space.id, np.empty((0, space.size), np.uint8))
        codes = coding_of(space.id, before.bits[space.id]).codes(fingerprints)
        kept = dummies_in(before, secret, space.id)
        found.append((space.id, code_sets.code_set(codes), kept))
    return found


class _drawn:  # noqa: N801 (called as a function)
    """The row of dummies of a space: `drawn(n)` are the first n, uint8[n, bytes].

    A longer row begins with the shorter one, and codes of fewer bits are beginnings of those with
    more: SHAKE256 of the secret, 32 bytes for each.
    """

    def __init__(self, secret: bytes, space_id: str, bits: int) -> None:
        self._seed = _DOMAIN + lp(secret, space_id) + u32(measured_of(space_id).version)
        self._bits = bits

    def __call__(self, count: int) -> Codes:
        stream = hashlib.shake_256(self._seed).digest(_DRAWN_BYTES * count)
        width = -(-self._bits // 8)
        codes = np.frombuffer(stream, np.uint8).reshape(-1, _DRAWN_BYTES)[:, :width].copy()
        codes[:, -1] &= 0xFF << (8 * width - self._bits) & 0xFF
        return codes


def _with_dummies(real: Codes, drawn: _drawn, count: int) -> Codes:
    return code_sets.union(real, code_sets.code_set(drawn(count)))


def _filled(codes: Codes, drawn: _drawn, kept: int, size: int) -> Codes:
    """With dummies behind those that are kept, until there are `size` codes."""
    while len(codes) < size:
        more = kept + size - len(codes)
        codes = code_sets.union(codes, code_sets.code_set(drawn(more)))
        kept = more
    return codes


def _changed_enough(before: Codes, after: Codes, drawn: _drawn) -> Codes:
    """With so many further dummies that `LEAST_CHANGES` codes come or go."""
    known = 0
    while (missing := LEAST_CHANGES - change(before, after).rows) > 0:
        row = drawn(known + len(after) + missing + 1)
        new = row[~code_sets.contains(after, row)]
        after = code_sets.union(after, code_sets.code_set(new[:missing]))
        known = len(row)
    return after


def _within_share(contents: Contents) -> bool:
    """Whether exact codes still are so many that f is kept."""
    return all(
        len(codes) / 2 ** contents.bits[name] <= FALSE_SHARE
        for name, codes in contents.codes.items()
        if SPACES[name].kind is Kind.EXACT
    )


def _facts(space_id: str, bits: int, codes: Codes) -> SpaceFacts:
    measured = measured_of(space_id)
    exact = SPACES[space_id].kind is Kind.EXACT
    false = len(codes) / 2**bits if exact else min(1.0, len(codes) * measured.false_pair)
    return SpaceFacts(
        coding=measured.version,
        bits=bits,
        radius=measured.radius,
        count=len(codes),
        digest=code_sets.digest(space_id, bits, codes),
        recall_ppm=round(measured.recall * MILLION),
        false_ppm=round(false * MILLION),
        leakage_ppm=round(measured.leakage * MILLION),
        expected_leakage_ppm=round(measured.expected_leakage * MILLION),
    )
