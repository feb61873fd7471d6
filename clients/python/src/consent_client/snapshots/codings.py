"""What turns a fingerprint into a snapshot's code (FORMATS §7).

All of it is fixed per version of a space and comes with this package. Codes drawn anew for each
publication would let whoever keeps several of them tell what is registered from what hits by
chance.

Every step is exact: integers, or floats that hold integers below 2⁵³. The same fingerprint has the
same code on every machine.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import (
    BadFingerprint,
    BadSpaceFile,
    Malformed,
    SnapshotDamaged,
    UnknownSpace,
)
from consent_client.protocol.own_spaces import BILLION, MILLION
from consent_client.protocol.spaces import OWN_SPACES, SPACES, Kind, Space

type Codes = NDArray[np.uint8]
"""uint8[n, bytes]: most significant bit first, the bits after the last one zero."""

EXACT_DOMAIN: Final = b"consent-registry/snapshot-exact/v1\0"

MOST_EXACT_BITS: Final = 64
"""More than 2⁵⁷ records at a false share of 1 %."""

MOST_TOP_SHARE: Final = 1.5
"""Greatest eigenvalue of the correlations of a whitened projection's outputs on public pictures;
1 is perfect, `sscd-1` without whitening has 6."""

_HALF_UNIT: Final = 2.0**24
"""A float16 is a whole number of 2⁻²⁴."""


class Coding(Protocol):
    """Codes of one space."""

    @property
    def bits(self) -> int:
        """How many bits a code has."""

    def codes(self, fingerprints: NDArray[np.uint8]) -> Codes:
        """uint8[n, size of a fingerprint] → their codes, uint8[n, ⌈bits / 8⌉]."""


@dataclass(frozen=True, slots=True)
class ExactCoding:
    """The first bits of H(domain ‖ digest).

    Attributes:
        bits: 1 to `MOST_EXACT_BITS`, fixed per base.
    """

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_EXACT_BITS:
            raise Malformed(f"an exact code has 1 to {MOST_EXACT_BITS} bits")

    def codes(self, fingerprints: NDArray[np.uint8]) -> Codes:
        """See `Coding.codes`."""
        width = -(-self.bits // 8)
        rows = [
            hashlib.sha256(EXACT_DOMAIN + row.tobytes()).digest()[:width] for row in fingerprints
        ]
        codes = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, width).copy()
        codes[:, -1] &= 0xFF << (8 * width - self.bits) & 0xFF
        return codes


@dataclass(frozen=True, slots=True, eq=False)
class BinaryCoding:
    """Some of the bits.

    Attributes:
        positions: int64[bits], which ones, each once.
    """

    positions: NDArray[np.int64] = field(repr=False)

    @property
    def bits(self) -> int:
        """See `Coding.bits`."""
        return len(self.positions)

    def codes(self, fingerprints: NDArray[np.uint8]) -> Codes:
        """See `Coding.codes`."""
        return np.packbits(np.unpackbits(fingerprints, axis=1)[:, self.positions], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class FloatCoding:
    """Signs of a whitened, fixed random projection: bit i is whether row i · x > offset i.

    Attributes:
        rows: int16[bits, dimension], the projection with the whitening in it.
        offsets: int64[bits], the projected mean, in units of 2⁻²⁴.
    """

    rows: NDArray[np.int16] = field(repr=False)
    offsets: NDArray[np.int64] = field(repr=False)

    @property
    def bits(self) -> int:
        """See `Coding.bits`."""
        return len(self.rows)

    def codes(self, fingerprints: NDArray[np.uint8]) -> Codes:
        """See `Coding.codes`.

        Raises:
            BadFingerprint: a number that is not finite.
        """
        return np.packbits(self.outputs(fingerprints) > 0, axis=1)

    def outputs(self, fingerprints: NDArray[np.uint8]) -> NDArray[np.float64]:
        """float64[n, bits]: what the codes are the signs of, whole numbers.

        Raises:
            BadFingerprint: a number that is not finite.
        """
        halves = np.ascontiguousarray(fingerprints).view(np.dtype("<f2")).astype(np.float64)
        if not (np.abs(halves) <= 2).all():  # noqa: PLR2004 (norm 1; not-a-number is refused too)
            raise BadFingerprint("a fingerprint vector is not a finite unit vector")
        # 2²⁵ · 2¹⁵ · 2⁹ numbers stay below 2⁵³: exact, in whatever order they are added.
        outputs: NDArray[np.float64] = (halves * _HALF_UNIT) @ self.rows.T.astype(np.float64)
        outputs -= self.offsets
        return outputs


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a coding, and is written into manifests (benchmarks/snapshots.py).

    Attributes:
        version: of the coding; codes of two versions never meet.
        radius: greatest Hamming distance between codes that makes a candidate; 0 in exact spaces.
        recall: share of what the online stage matches, on edits of the calibration pictures, that
            is a candidate.
        false_pair: share of pairs of different pictures, not matched online, that are candidates.
        leakage: cosine that least squares reaches from code to fingerprint.
        expected_leakage: what the numbers of bits let expect.
    """

    version: int
    radius: int
    recall: float
    false_pair: float
    leakage: float
    expected_leakage: float


EXACT: Final = Measured(1, 0, 1.0, 0.0, 0.0, 0.0)
"""Nothing to measure: equal fingerprints have equal codes, and a hash tells nothing of others."""


@dataclass(frozen=True, slots=True, eq=False)
class Packaged:
    """The codings that come with this package, and those of the spaces of one's own.

    Attributes:
        codings: of each binary and float space of works.
        measured: of each of these.
        digests: SHA-256 of each coding's file.
    """

    codings: Mapping[str, BinaryCoding | FloatCoding]
    measured: Mapping[str, Measured]
    digests: Mapping[str, bytes]


def in_snapshots() -> tuple[Space, ...]:
    """The spaces that snapshots have, ascending by id: works only, never people."""
    return tuple(space for space in SPACES.values() if space.in_snapshots)


@cache
def packaged() -> Packaged:
    """Reads them, once.

    Raises:
        SnapshotDamaged: the package is.
        BadSpaceFile: what lies beside a space file is not what it names.
    """
    folder = files("consent_client.snapshots") / "data"
    codings: dict[str, BinaryCoding | FloatCoding] = {}
    measured: dict[str, Measured] = {}
    digests: dict[str, bytes] = {}
    try:
        described = json.loads((folder / "codings.json").read_text(encoding="utf-8"))
        for name, about in described.items():
            data = (folder / f"{name}.npz").read_bytes()
            digests[name] = hashlib.sha256(data).digest()
            codings[name] = read_coding(name, data)
            measured[name] = Measured(
                version=about["version"],
                radius=about["radius"],
                recall=about["recall"],
                false_pair=about["falsePair"],
                leakage=about["leakage"],
                expected_leakage=about["expectedLeakage"],
            )
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        raise SnapshotDamaged("the codings that come with this package are damaged") from None
    for name in OWN_SPACES:
        _add_own(SPACES[name], codings, measured, digests)
    return Packaged(
        MappingProxyType(codings), MappingProxyType(measured), MappingProxyType(digests)
    )


def _add_own(
    space: Space,
    codings: dict[str, BinaryCoding | FloatCoding],
    measured: dict[str, Measured],
    digests: dict[str, bytes],
) -> None:
    own = space.own
    data = None if own is None else own.coding_bytes()
    if own is None or own.file.coding is None or data is None:
        return
    about = own.file.coding
    try:
        codings[space.id] = read_coding(space.id, data)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        raise BadSpaceFile(f"the coding of {space.id} is damaged") from None
    digests[space.id] = hashlib.sha256(data).digest()
    measured[space.id] = Measured(
        version=version_of(own.file.definition),
        radius=about.radius,
        recall=about.recall_ppm / MILLION,
        false_pair=about.false_pair_ppb / BILLION,
        leakage=about.leakage_ppm / MILLION,
        expected_leakage=about.expected_leakage_ppm / MILLION,
    )


def version_of(definition: str) -> int:
    """The version of the coding of a space of one's own.

    It is of the whole definition: a snapshot made by another model, threshold or coding is not read
    as if it were by this one.
    """
    return int(definition[:8], 16)


def read_coding(space_id: str, data: bytes) -> BinaryCoding | FloatCoding:
    """The coding behind a file.

    Raises:
        ValueError, KeyError, OSError, EOFError, BadZipFile: it is not one of this space.
    """
    space = SPACES[space_id]
    if space.kind is not Kind.BINARY:
        return read_float_coding(space.dimension, data)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        positions = arrays["positions"]
    _check(positions, np.int64, (len(positions),))
    if len(np.unique(positions)) != len(positions) or not len(positions):
        raise ValueError("bits are sampled once each")
    if positions.min() < 0 or positions.max() >= space.dimension:
        raise ValueError("a bit that there is not")
    return BinaryCoding(positions)


def read_float_coding(dimension: int, data: bytes) -> FloatCoding:
    """The coding behind a file of a float space.

    Raises:
        ValueError, KeyError, OSError, EOFError, BadZipFile: it is none of this dimension.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        rows, offsets = arrays["rows"], arrays["offsets"]
    _check(rows, np.int16, (len(offsets), dimension))
    _check(offsets, np.int64, (len(rows),))
    return FloatCoding(rows, offsets)


def coding_of(space_id: str, exact_bits: int) -> Coding:
    """The coding of a space.

    Args:
        space_id: which.
        exact_bits: of an exact space, as its base says.

    Raises:
        UnknownSpace: no such space, or one that is in no snapshot.
    """
    space = SPACES.get(space_id)
    if space is None or not space.in_snapshots:
        raise UnknownSpace("no fingerprint space with this id is in snapshots")
    if space.kind is Kind.EXACT:
        return ExactCoding(exact_bits)
    found = packaged().codings.get(space_id)
    if found is None:
        raise UnknownSpace("no coding of this space comes with this version")
    return found


def measured_of(space_id: str) -> Measured:
    """What was measured of a space's coding."""
    return packaged().measured.get(space_id, EXACT)


def top_share(coding: FloatCoding, public: NDArray[np.uint8]) -> float:
    """How far from white a coding's outputs are on public pictures.

    Args:
        coding: which.
        public: uint8[n, size] fingerprints, several times as many as bits.

    Returns:
        The greatest eigenvalue of the outputs' correlations: 1 where none tells of another.
    """
    correlations = np.corrcoef(coding.outputs(public), rowvar=False)
    return float(np.linalg.eigvalsh(correlations)[-1])


def correlations_share(coding: FloatCoding, covariance: NDArray[np.float64]) -> float:
    """As `top_share`, of pictures of which only the covariance is known.

    Args:
        coding: which.
        covariance: float64[dimension, dimension] of public fingerprints.
    """
    rows = coding.rows.astype(np.float64)
    between = rows @ covariance @ rows.T
    scale = np.sqrt(np.diag(between))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = between / np.outer(scale, scale)
    if not np.isfinite(correlations).all():  # an output that never changes tells nothing
        return float(coding.bits)
    return float(np.linalg.eigvalsh(correlations)[-1])


def _check(array: NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError("not the arrays of a coding")
