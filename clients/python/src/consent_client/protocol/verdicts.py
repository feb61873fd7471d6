"""How the stances of matching records combine into the answer a builder gets.

As IETF AIPREF combines preferences: a refusal wins, for leaving an image out harms nobody.
"""

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import Malformed
from consent_client.protocol.statements import Stance


class Verdict(IntEnum):
    """The answer for one candidate image and one use; its value is the byte on the wire."""

    CLEAR = 0
    """No active record that matches says anything about this use."""
    EXCLUDE = 1
    """A matching record says notAllowed."""
    PERMIT = 2
    """Someone states that this use is allowed. Not a licence: statements are unverified."""
    UNKNOWN = 3
    """A required space was missing: it could not be checked. Never the same as CLEAR."""


_STANCES = frozenset(Stance)


def combine(stances: Iterable[Stance], required_missing: bool) -> Verdict:
    """The verdict for one image.

    Args:
        stances: of every active matching record, for the use asked about.
        required_missing: whether the image lacks a fingerprint in a required space.

    Raises:
        Malformed: a stance that does not exist.
    """
    said = set(stances)
    if not said <= _STANCES:
        raise Malformed("a stance that does not exist")
    if Stance.NOT_ALLOWED in said:
        return Verdict.EXCLUDE
    if required_missing:
        return Verdict.UNKNOWN
    return Verdict.PERMIT if Stance.ALLOWED in said else Verdict.CLEAR


def combine_block(
    count: int,
    hit_rows: NDArray[np.int64],
    hit_stances: NDArray[np.uint8],
    unknown: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """`combine` for every row of a block at once.

    Args:
        count: rows in the block, n.
        hit_rows: int64[h], the row of each match, in any order, repeats allowed.
        hit_stances: uint8[h], the `Stance` of each match.
        unknown: bool[n], rows that lack a required space.

    Returns:
        uint8[n], a `Verdict` per row.

    Raises:
        Malformed: other types, lengths that do not agree, a row outside the block, or a stance that
            does not exist.
    """
    if unknown.dtype != np.bool_ or hit_rows.dtype.kind != "i" or hit_stances.dtype.kind != "u":
        raise Malformed("matches or rows of a block of another type")
    if hit_rows.shape != hit_stances.shape or hit_rows.ndim != 1 or unknown.shape != (count,):
        raise Malformed("matches and rows of a block do not agree in number")
    if hit_rows.size and not (hit_rows.min() >= 0 and hit_rows.max() < count):
        raise Malformed("a match outside the block")
    if hit_stances.size and hit_stances.max() > Stance.NOT_ALLOWED:
        raise Malformed("a stance that does not exist")
    verdicts = np.full(count, Verdict.CLEAR, np.uint8)
    verdicts[hit_rows[hit_stances == Stance.ALLOWED]] = Verdict.PERMIT
    verdicts[unknown] = Verdict.UNKNOWN
    verdicts[hit_rows[hit_stances == Stance.NOT_ALLOWED]] = Verdict.EXCLUDE
    return verdicts
