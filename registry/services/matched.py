"""What a block of candidates matches, and what the records that matched say of it together."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Matched:
    """What a block matched.

    Attributes:
        verdicts: uint8[count], one per image.
        pairs: space id → int64[p, 2], the distinct pairs of an image's row and a register index
            that matched in that space; exact spaces are left out, as equality gives nothing away.
    """

    verdicts: npt.NDArray[np.uint8] = field(repr=False)
    pairs: dict[str, npt.NDArray[np.int64]] = field(repr=False)


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
    pairs = {}
    for column in block.columns:
        vectors = column.floats() if column.space.kind is Kind.FLOAT else column.codes()
        found = []
        for hits, owners in state.index.portions(column.space_id, vectors, policy):
            rows = column.rows[hits]
            said[rows, state.stances[owners, Use(screening.use)]] = True
            if column.space.kind is not Kind.EXACT:
                found.append(np.unique(np.stack([rows, owners], axis=1), axis=0))
        if found:
            pairs[column.space_id] = np.unique(np.concatenate(found), axis=0)
    rows, stances = np.nonzero(said)
    unknown = unknown_rows(block.columns, screening.required_spaces)
    verdicts = combine_block(block.count, rows, stances.astype(np.uint8), unknown)
    return Matched(verdicts, pairs)


def unknown_rows(columns: Sequence[Column], required: Sequence[str]) -> npt.NDArray[np.bool_]:
    """bool[count]: images that lack a required space."""
    unknown = np.zeros(columns[0].count, dtype=np.bool_)
    present = {column.space_id: column.present for column in columns}
    for name in required:
        unknown |= ~present[name] if name in present else True
    return unknown
