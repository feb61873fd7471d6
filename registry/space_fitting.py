"""The coding of an operator's own space, fitted on a public sample of its vectors (FORMATS §7).

As the codings of this package were fitted (`benchmarks/snapshots.py`): signs of a fixed random
projection of what is left after mean and covariance are taken away, in whole numbers. The operator
does it once; a coding that was published is kept.
"""

import hashlib
import io
import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.own_spaces import BILLION, MILLION, SpaceFile
from consent_client.snapshots.codings import MOST_TOP_SHARE, FloatCoding, correlations_share
from registry.errors import ConfigurationError

RECALL: Final = 0.99
BITS: Final = 256
SEED: Final = 1
"""Of the projection: nobody chose it."""

LEAST_SAMPLE: Final = 2_000
LEAST_PER_DIMENSION: Final = 4
"""Vectors for each dimension, at the least: a covariance of fewer is mostly chance."""

LEAST_PAIRS: Final = 200
"""Pairs that match, of which a share of 1 % can still be told."""

MOST_FALSE_PAIR: Final = 1e-3
"""At more, a first stage of 1,000 records would pass over half of everything on."""

LEAST_VARIANCE: Final = 1e-4
"""Of the greatest: directions with less are left out. They are noise, and would be made as loud as
all others."""

_GREATEST: Final = 2**15 - 1
_UNIT: Final = 2.0**24
_COMPARED: Final = 4_000
_FEWEST_SEEN: Final = 3
"""Where none was seen among n, what three in n would be: at most that, 19 times in 20."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was fitted and measured.

    Attributes:
        coding: rows and offsets.
        mean, covariance: of the sample, float64[d] and float32[d, d].
        radius: least that finds `RECALL` of what matches.
        recall: what it finds, of `matching` pairs.
        matching: how many there were.
        edits: whether these were pairs that the operator gave; False: made of the sample, each at
            the very threshold.
        false_pair: share of pairs that do not match and are within the radius.
        false_share: share of the sample that is within the radius of one of `compared` others.
        compared: see there.
        leakage: cosine that least squares reaches from code to vector.
        expected_leakage: what the numbers of bits and directions let expect.
        top_share: greatest eigenvalue of the correlations of the outputs.
    """

    coding: FloatCoding
    mean: NDArray[np.float64] = field(repr=False)
    covariance: NDArray[np.float32] = field(repr=False)
    radius: int
    recall: float
    matching: int
    edits: bool
    false_pair: float
    false_share: float
    compared: int
    leakage: float
    expected_leakage: float
    top_share: float

    def files(self) -> tuple[bytes, bytes]:
        """What `<id>.npz` and `<id>.public.npz` hold."""
        coding, public = io.BytesIO(), io.BytesIO()
        np.savez(coding, allow_pickle=False, rows=self.coding.rows, offsets=self.coding.offsets)
        np.savez(public, allow_pickle=False, mean=self.mean, covariance=self.covariance)
        return coding.getvalue(), public.getvalue()

    def described(self) -> dict[str, Any]:
        """`coding` of the space file."""
        coding, public = self.files()  # the same bytes each time: zip without times
        return {
            "sha256": hashlib.sha256(coding).hexdigest(),
            "publicSha256": hashlib.sha256(public).hexdigest(),
            "radius": self.radius,
            "recallPpm": round(self.recall * MILLION),
            "falsePairPpb": math.ceil(self.false_pair * BILLION),
            "leakagePpm": round(self.leakage * MILLION),
            "expectedLeakagePpm": min(MILLION, round(self.expected_leakage * MILLION)),
        }


def fit(
    space: SpaceFile,
    sample: NDArray[Any],
    pairs: NDArray[Any] | None = None,
    bits: int = BITS,
) -> Fitted:
    """Fits a coding.

    Args:
        space: whose.
        sample: float[n, dimension] of public pictures, none of which is registered.
        pairs: float[m, 2, dimension] of pictures and their edited copies; None: pairs are made of
            the sample, at the threshold.
        bits: of a code.

    Raises:
        ConfigurationError: too few vectors or pairs, or not of this space; or what comes out is not
            white, or tells too little.
    """
    vectors = _unit(sample, space.dimension)
    least = max(LEAST_SAMPLE, LEAST_PER_DIMENSION * space.dimension)
    if len(vectors) < least:
        message = f"A sample has at least {least:,} vectors for {space.dimension} dimensions."
        raise ConfigurationError(message)
    # What a fingerprint holds is what is fitted on: float16.
    vectors = vectors.astype("<f2").astype(np.float64)
    mean = vectors.mean(axis=0)
    covariance = np.cov((vectors - mean).T).reshape(space.dimension, -1).astype(np.float32)
    coding, kept = _coding(mean, covariance.astype(np.float64), bits)
    top_share = correlations_share(coding, covariance.astype(np.float64))
    if not top_share <= MOST_TOP_SHARE:
        message = f"The coding is not white: {top_share:.2f}, and {MOST_TOP_SHARE} may be."
        raise ConfigurationError(message)
    given = _at_threshold(vectors, space.threshold) if pairs is None else _pairs(pairs, space)
    one, other = given
    apart = _distances_of(coding, one, other)
    radius = int(np.quantile(apart, RECALL, method="higher"))
    false_pair, false_share, compared = _falsely(coding, vectors, space.threshold, radius)
    if false_pair > MOST_FALSE_PAIR:
        message = (
            f"Codes of this space tell too little: of pairs that do not match, {false_pair:.1e} "
            f"are within {radius} of {bits} bits. A higher threshold or measured pairs may help."
        )
        raise ConfigurationError(message)
    return Fitted(
        coding=coding,
        mean=mean,
        covariance=covariance,
        radius=radius,
        recall=float((apart <= radius).mean()),
        matching=len(apart),
        edits=pairs is not None,
        false_pair=false_pair,
        false_share=false_share,
        compared=compared,
        leakage=_leakage(coding, vectors, mean),
        expected_leakage=math.sqrt(2 * bits / (math.pi * kept)),
        top_share=top_share,
    )


def _coding(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], bits: int
) -> tuple[FloatCoding, int]:
    """The coding, and how many directions it looks at."""
    values, vectors = np.linalg.eigh(covariance)
    loud = values >= LEAST_VARIANCE * values[-1]
    kept = int(loud.sum())
    if kept < bits or values[-1] <= 0:
        message = f"The sample varies in {kept} directions only, too few for {bits} bits."
        raise ConfigurationError(message)
    whitening = (vectors[:, loud] / np.sqrt(values[loud])).T
    drawn = np.random.default_rng(SEED).standard_normal((kept, kept))
    rows = np.linalg.qr(drawn)[0][:bits] @ whitening
    whole = np.round(rows / np.abs(rows).max() * _GREATEST).astype(np.int16)
    offsets = np.round(whole.astype(np.float64) @ mean * _UNIT).astype(np.int64)
    return FloatCoding(whole, offsets), kept


def _unit(vectors: NDArray[Any], dimension: int) -> NDArray[np.float64]:
    if vectors.dtype.kind != "f" or vectors.ndim < 1 or vectors.shape[-1] != dimension:
        message = f"These are no vectors of {dimension} floats."
        raise ConfigurationError(message)
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not (np.isfinite(norms) & (norms > 0)).all():
        message = "A vector is zero or not finite."
        raise ConfigurationError(message)
    unit: NDArray[np.float64] = wide / norms
    return unit


def _pairs(
    pairs: NDArray[Any], space: SpaceFile
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if pairs.ndim != 3 or pairs.shape[1] != 2:  # noqa: PLR2004
        message = "Pairs are float[m, 2, dimension]."
        raise ConfigurationError(message)
    unit = _unit(pairs, space.dimension)
    matching = unit[np.einsum("id,id->i", unit[:, 0], unit[:, 1]) >= space.threshold]
    if len(matching) < LEAST_PAIRS:
        message = f"{len(matching)} of these pairs match; at least {LEAST_PAIRS} are needed."
        raise ConfigurationError(message)
    return matching[:, 0], matching[:, 1]


def _at_threshold(
    vectors: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each vector, and one between it and another, just so near that it matches."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    others = np.roll(unit[np.random.default_rng(SEED).permutation(len(unit))], 1, axis=0)
    cosines = np.einsum("id,id->i", unit, others)
    apart = cosines < threshold
    one, away = unit[apart], (others - cosines[:, None] * unit)[apart]
    if len(one) < LEAST_PAIRS:
        message = "Nearly all vectors of the sample match each other at this threshold."
        raise ConfigurationError(message)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return one, threshold * one + math.sqrt(1 - threshold**2) * away


def _signs(coding: FloatCoding, vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32[n, bits] of 1 and -1."""
    halves = np.ascontiguousarray(vectors.astype("<f2")).view(np.uint8)
    bits = np.unpackbits(coding.codes(halves), axis=1, count=coding.bits)
    return bits.astype(np.float32) * 2 - 1


def _distances_of(
    coding: FloatCoding, one: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.int64]:
    apart: NDArray[np.int64] = (_signs(coding, one) != _signs(coding, other)).sum(axis=1)
    return apart


def _falsely(
    coding: FloatCoding, vectors: NDArray[np.float64], threshold: float, radius: int
) -> tuple[float, float, int]:
    """Share of false pairs, share of vectors with any, and with how many each was compared."""
    chosen = vectors[np.random.default_rng(SEED).permutation(len(vectors))[:_COMPARED]]
    unit = (chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).astype(np.float32)
    signs = _signs(coding, chosen)
    near = (coding.bits - signs @ signs.T) / 2 <= radius
    false = near & (unit @ unit.T < threshold)
    np.fill_diagonal(false, val=False)
    pairs = len(chosen) * (len(chosen) - 1)
    seen = max(int(false.sum()), _FEWEST_SEEN)
    return seen / pairs, float(false.any(axis=1).mean()), len(chosen) - 1


def _leakage(coding: FloatCoding, vectors: NDArray[np.float64], mean: NDArray[np.float64]) -> float:
    """What regression on half of the sample reaches on the other half."""
    order = np.random.default_rng(SEED).permutation(len(vectors))
    known, sought = vectors[order[::2]], vectors[order[1::2]]
    codes, seen = (_signs(coding, of).astype(np.float64) for of in (known, sought))
    ridge = len(codes) * np.eye(coding.bits)
    rebuilt = seen @ np.linalg.solve(codes.T @ codes + ridge, codes.T @ (known - mean))
    true = sought - mean
    scale = np.linalg.norm(rebuilt, axis=1) * np.linalg.norm(true, axis=1)
    cosines = np.einsum("id,id->i", rebuilt, true) / np.where(scale > 0, scale, 1)
    return float(np.clip(cosines.mean(), 0, 1))
