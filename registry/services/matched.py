"""What a block of candidates matches, and what the records that matched say of it together."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from consent_client.errors import ProtocolError
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import Kind
from consent_client.protocol.statements import Stance, Use
from consent_client.protocol.verdicts import combine_block
from registry.errors import InvalidInput
from registry.services.blocks import Block
from registry.services.following import State
from registry.services.terms import policy_in
from registry.store import screenings

MAX_PAIRS: Final = 100_000
"""Pairs of a candidate and a record that one block may match; writing them takes about a second.
More means that thousands of candidates match hundreds of records of one picture."""

_ROW_BITS: Final = 14
"""A block has at most 10,000 rows; 49 bits are left for the register index."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What a block matched.

    Attributes:
        verdicts: uint8[count], one per image.
        pairs: space id → int64[p, 2], the distinct pairs of an image's row and a register index
            that matched in that space; exact spaces are left out, as equality gives nothing away.
        borders: likewise, those that lie near the border of a match, on either side.
        refused: int64[p, 2], the distinct pairs of a row and the register index of a record that
            matched it and refuses this use, over all spaces; `MAX_PAIRS` and some at most.
    """

    verdicts: npt.NDArray[np.uint8] = field(repr=False)
    pairs: dict[str, npt.NDArray[np.int64]] = field(repr=False)
    borders: dict[str, npt.NDArray[np.int64]] = field(repr=False)
    refused: npt.NDArray[np.int64] = field(repr=False)


async def match_block(
    threads: Executor, state: State, screening: screenings.ScreeningRow, block: Block
) -> Matched:
    """Matches a block in the threads kept for it.

    Raises:
        InvalidInput: a column does not follow FORMATS.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(threads, match, state, screening, block)
    except ProtocolError as error:
        raise InvalidInput(str(error)) from None


def match(state: State, screening: screenings.ScreeningRow, block: Block) -> Matched:
    """Matches a block here and now.

    Raises:
        ProtocolError: a column does not follow FORMATS.
        ScreeningClosed: records are measured otherwise now than the session's terms say.
    """
    # What matched says, per image: many records may match one image, four stances are all there is.
    policy = policy_in(screening.terms, state.index.bank)
    said = np.zeros((block.count, len(Stance)), dtype=np.bool_)
    pairs, borders = {}, {}
    refused = Pairs()
    for column in block.columns:
        vectors = column.floats() if column.space.kind is Kind.FLOAT else column.codes()
        matching, bordering = Pairs(), Pairs()
        for hits, owners, matches, near in state.index.graded(column.space_id, vectors, policy):
            rows = column.rows[hits]
            stances = state.stances[owners[matches], Use(screening.use)]
            said[rows[matches], stances] = True
            refuses = stances == Stance.NOT_ALLOWED
            refused.add(rows[matches][refuses], owners[matches][refuses])
            if column.space.kind is not Kind.EXACT:
                matching.add(rows[matches], owners[matches])
                bordering.add(rows[near], owners[near])
        pairs[column.space_id] = matching.found
        borders[column.space_id] = bordering.found
    rows, stances = np.nonzero(said)
    unknown = unknown_rows(block.columns, screening.required_spaces)
    verdicts = combine_block(block.count, rows, stances.astype(np.uint8), unknown)
    return Matched(verdicts, pairs, borders, refused.found)


class Pairs:
    """Distinct pairs of a row and a register index; stops where there are too many to count."""

    def __init__(self) -> None:
        self._keys = np.empty(0, np.int64)

    def add(self, rows: npt.NDArray[np.int64], owners: npt.NDArray[np.int64]) -> None:
        """Adds int64[h] and int64[h]."""
        if len(self._keys) <= MAX_PAIRS and len(rows):
            keys = np.unique(owners << _ROW_BITS | rows)
            self._keys = np.unique(np.concatenate([self._keys, keys]))

    @property
    def found(self) -> npt.NDArray[np.int64]:
        """int64[p, 2], by register index."""
        return np.stack([self._keys & (2**_ROW_BITS - 1), self._keys >> _ROW_BITS], axis=1)


def unknown_rows(columns: Sequence[Column], required: Sequence[str]) -> npt.NDArray[np.bool_]:
    """bool[count]: images that lack a required space."""
    unknown = np.zeros(columns[0].count, dtype=np.bool_)
    present = {column.space_id: column.present for column in columns}
    for name in required:
        unknown |= ~present[name] if name in present else True
    return unknown
