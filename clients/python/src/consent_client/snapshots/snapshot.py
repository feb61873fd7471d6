"""A snapshot in memory: which rows of a block are candidates."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import (
    Malformed,
    SnapshotDamaged,
    SnapshotError,
    SnapshotExpired,
    UnknownSpace,
)
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import SPACES, Kind
from consent_client.protocol.verdicts import Verdict
from consent_client.search.binary import BinaryIndex
from consent_client.search.words import WORD_BYTES
from consent_client.snapshots import code_sets
from consent_client.snapshots.codings import Codes, Coding, coding_of, measured_of
from consent_client.snapshots.manifest import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """The codes of one space, ready to be searched."""

    coding: Coding
    codes: Codes = field(repr=False)
    index: BinaryIndex | None = field(repr=False)  # None: only equal codes make a candidate

    def hits(self, fingerprints: NDArray[np.uint8]) -> NDArray[np.bool_]:
        sought = self.coding.codes(fingerprints)
        if self.index is None:
            return code_sets.contains(self.codes, sought)
        found = np.zeros(len(sought), np.bool_)
        for numbers, _ in self.index.portions(_padded(sought)):
            found[numbers] = True
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A verified snapshot, for any number of threads.

    Attributes:
        manifest: what it says of itself.
        manifest_digest: what the registry's log says of it, 32 bytes.
    """

    manifest: Manifest
    manifest_digest: bytes
    _spaces: Mapping[str, _Searched] = field(repr=False)
    _now: Callable[[], float] = field(repr=False)

    @classmethod
    def build(
        cls,
        manifest: Manifest,
        manifest_digest: bytes,
        codes: Mapping[str, Codes],
        now: Callable[[], float] = time.time,
    ) -> Self:
        """Makes what is searched.

        Args:
            manifest: what was signed.
            manifest_digest: SHA-256 of its bytes.
            codes: of each of its spaces, sorted.
            now: Unix time.

        Raises:
            SnapshotDamaged: codes that are not those of the manifest, or of a coding that this
                version does not have. Codes of spaces that are not known here are passed over.
        """
        spaces = {}
        for name, facts in manifest.spaces.items():
            if name not in SPACES:  # the operator's own, and not defined here: not computed either
                continue
            coding = _coding(name, facts.bits)
            if facts.coding != measured_of(name).version or coding.bits != facts.bits:
                raise SnapshotDamaged(f"codes of {name} of a version that is not known here")
            found = codes[name]
            if code_sets.digest(name, facts.bits, found) != facts.digest:
                raise SnapshotDamaged(f"the codes of {name} are not those that were signed")
            exact = SPACES[name].kind is Kind.EXACT
            index = None if exact else BinaryIndex.build(_padded(found), facts.radius)
            spaces[name] = _Searched(coding, found, index)
        return cls(manifest, manifest_digest, spaces, now)

    @property
    def log_size(self) -> int:
        """The state of the registry's log that it shows."""
        return self.manifest.log_size

    def candidates(self, columns: Sequence[Column]) -> NDArray[np.bool_]:
        """Which rows may be registered: a hit is only a candidate, which the registry confirms.

        Args:
            columns: of one block; those of spaces that are in no snapshot are passed over.

        Returns:
            bool[n].

        Raises:
            SnapshotExpired: it may not be relied on any more.
            Malformed: columns of different length, or none.
            BadFingerprint: a vector that is none.
        """
        self.check_fresh()
        count = _rows(columns)
        found = np.zeros(count, np.bool_)
        for column in columns:
            searched = self._spaces.get(column.space_id)
            if searched is not None and len(column.rows):
                found[column.rows[searched.hits(column.codes())]] = True
        return found

    def check_fresh(self) -> None:
        """Raises `SnapshotExpired` once it may not be relied on any more."""
        if self._now() >= self.manifest.expires:
            raise SnapshotExpired("the snapshot has expired; run consent snapshot pull")


def first_stage(
    snapshot: Snapshot | SnapshotError, columns: Sequence[Column], required: Sequence[str]
) -> NDArray[np.uint8]:
    """What the first stage says of a block: CLEAR, or UNKNOWN until the registry has answered.

    Args:
        snapshot: or why there is none to be used: then everything is UNKNOWN.
        columns: of one block.
        required: ids of spaces without which a row was not checked.

    Returns:
        uint8[n], each `Verdict.CLEAR` or `Verdict.UNKNOWN`.

    Raises:
        Malformed: columns of different length, or none.
        BadFingerprint: a vector that is none.
    """
    unknown = np.full(_rows(columns), Verdict.UNKNOWN, np.uint8)
    if isinstance(snapshot, SnapshotError):
        return unknown
    try:
        candidates = snapshot.candidates(columns)
    except SnapshotError:
        return unknown
    present = {column.space_id: column.present for column in columns}
    checked = ~candidates
    for name in required:
        in_snapshot = name in snapshot.manifest.spaces and name in present
        checked &= present[name] if in_snapshot else False
    if not required:  # what has no fingerprint at all was not checked either
        seen = [present[name] for name in present if name in snapshot.manifest.spaces]
        checked &= np.any(seen, axis=0) if seen else False
    unknown[checked] = Verdict.CLEAR
    return unknown


def _coding(space_id: str, bits: int) -> Coding:
    try:
        return coding_of(space_id, bits)
    except (UnknownSpace, ValueError):
        raise SnapshotDamaged(f"a space that this version has no codes of: {space_id}") from None


def _rows(columns: Sequence[Column]) -> int:
    counts = {column.count for column in columns}
    if len(counts) != 1:
        raise Malformed("the columns of a block are of one length")
    return counts.pop()


def _padded(codes: Codes) -> Codes:
    """Codes of whole words, which are compared faster; zeros add nothing to a distance."""
    missing = -codes.shape[1] % WORD_BYTES
    return np.pad(codes, ((0, 0), (0, missing))) if missing else codes
