"""What contested rows match when five crops of each are looked at as well."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from consent_client.protocol.contests import CROPS, Contest, CropColumn
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import Kind
from consent_client.protocol.statements import Stance, Use
from consent_client.protocol.verdicts import combine_block
from registry.matching.policies import Policy
from registry.services.following import State
from registry.services.matched import Pairs, unknown_rows
from registry.services.terms import policy_in
from registry.store import screenings


@dataclass(frozen=True, slots=True)
class Judged:
    """What a contest came to.

    Attributes:
        verdicts: uint8[count], one per contested row.
        pairs: space id → int64[p, 2], the distinct pairs of a contested row and a register index
            that matched in a space with crops, whether the match stood or fell.
        refused: int64[p, 2], the distinct pairs of a contested row and a record that matched it as
            it was screened, and refuses this use.
        stands: int64[p, 2], those of them that crops left standing.
    """

    verdicts: npt.NDArray[np.uint8] = field(repr=False)
    pairs: dict[str, npt.NDArray[np.int64]] = field(repr=False)
    refused: npt.NDArray[np.int64] = field(repr=False)
    stands: npt.NDArray[np.int64] = field(repr=False)


def judge(state: State, screening: screenings.ScreeningRow, contested: Contest) -> Judged:
    """Matches contested rows and their crops here and now.

    Raises:
        ProtocolError: a column or crops do not follow FORMATS.
    """
    policy = policy_in(screening.terms, state.index.bank)
    crops = {each.space_id: each for each in contested.crops}
    said = np.zeros((contested.count, len(Stance)), dtype=np.bool_)
    pairs = {}
    refused, stands = Pairs(), Pairs()
    for column in contested.columns:
        vectors = column.floats() if column.space.kind is Kind.FLOAT else column.codes()
        matched = _pairs(state, policy, column.space_id, vectors, column.rows)
        refused.add(*_refusing(state, screening, matched))
        if column.space_id in crops:
            pairs[column.space_id] = matched
            near = _near(state, policy, column, crops[column.space_id])
            matched = matched[_within(matched, near)]
        said[matched[:, 0], state.stances[matched[:, 1], Use(screening.use)]] = True
        stands.add(*_refusing(state, screening, matched))
    rows, stances = np.nonzero(said)
    unknown = unknown_rows(contested.columns, screening.required_spaces)
    verdicts = combine_block(contested.count, rows, stances.astype(np.uint8), unknown)
    return Judged(verdicts, pairs, refused.found, stands.found)


def _refusing(
    state: State, screening: screenings.ScreeningRow, matched: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    refuses = state.stances[matched[:, 1], Use(screening.use)] == Stance.NOT_ALLOWED
    return matched[refuses, 0], matched[refuses, 1]


def views_of(contested: Contest, space_id: str) -> list[bytes]:
    """What each contested row showed in a space with crops: its fingerprint and those of its crops.

    A budget counts it as one candidate, apart from the image that was screened.

    Returns:
        One for each contested row, in order; empty where the row has nothing in this space.
    """
    column = next(each for each in contested.columns if each.space_id == space_id)
    crops = next(each for each in contested.crops if each.space_id == space_id)
    size = column.space.size
    views = [b""] * contested.count
    for place, row in enumerate(column.rows.tolist()):
        own = column.data[place * size : (place + 1) * size]
        views[row] = own + crops.data[place * CROPS * size : (place + 1) * CROPS * size]
    return views


def _near(state: State, policy: Policy, column: Column, crops: CropColumn) -> npt.NDArray[np.int64]:
    """int64[p, 2]: pairs of a row and a record that some view of it comes near enough to."""
    views = np.concatenate([column.floats(), crops.floats()])
    rows = np.concatenate([column.rows, np.repeat(column.rows, CROPS)])
    nearer = policy.stricter(column.space_id, policy.stands_from)
    return _pairs(state, nearer, column.space_id, views, rows)


def _pairs(
    state: State,
    policy: Policy,
    space_id: str,
    vectors: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """int64[p, 2]: the distinct pairs of a row and the register index of a record it matches."""
    found = [np.empty((0, 2), np.int64)]
    for hits, owners in state.index.portions(space_id, vectors, policy):
        found.append(np.unique(np.stack([rows[hits], owners], axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _within(pairs: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """bool[p]: which of the pairs are among the others."""
    known = set(map(tuple, others.tolist()))
    return np.array([tuple(pair) in known for pair in pairs.tolist()], dtype=np.bool_)
