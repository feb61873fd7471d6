"""A builder's session: candidates' fingerprints in, verdicts out, counts at the end.

The answer is one byte per image, never a score. A block is answered for one log size, whatever is
written meanwhile. What comes in is matched in memory and forgotten; kept are the verdicts, so that
a block sent again gets the same answer, and a keyed digest of it, so that a block sent again with
other content does not. The digest's key lives in the vault: nobody who steals the database can
test guesses about what was screened.
"""

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.errors import Malformed, ProtocolError
from consent_client.protocol.screening import Column, block_content
from consent_client.protocol.spaces import SPACES, Kind
from consent_client.protocol.statements import Stance, Use
from consent_client.protocol.verdicts import Verdict, combine_block
from registry.errors import Conflict, InvalidInput, ScreeningClosed, UnknownScreening
from registry.services.builders import Builder
from registry.services.following import State
from registry.services.names import plain
from registry.services.running import Registry
from registry.store import screenings

SCREENING_ID_BYTES = 16
MAX_DATASET_CHARACTERS = 200

# Above the largest list there is (LAION-5B has 5.85e9 rows) and well within a log index.
MAX_CANDIDATES = 10**11


@dataclass(frozen=True, slots=True)
class Block:
    """A block of candidates, columns of one length.

    Raises:
        Malformed: no column, two of one space, or a number below 0.
    """

    number: int
    columns: tuple[Column, ...]
    content: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.number < 0:
            message = "blocks are numbered from 0"
            raise Malformed(message)
        object.__setattr__(self, "content", block_content(self.columns))

    @property
    def count(self) -> int:
        """Images in it."""
        return self.columns[0].count


@dataclass(frozen=True, slots=True)
class Answer:
    """Verdicts for a block.

    Attributes:
        verdicts: one byte per image, FORMATS §6.
        log_size: the log size they hold for.
    """

    number: int
    verdicts: bytes
    log_size: int


@dataclass(frozen=True, slots=True)
class Closing:
    """The counts of a closed screening.

    Attributes:
        verdicts: images per verdict.
        present: for each space, images that carried a fingerprint in it.
        answered: images answered.
        complete: whether that is all that were announced.
    """

    candidate_count: int
    answered: int
    verdicts: dict[Verdict, int]
    present: dict[str, int]
    least_log_size: int
    greatest_log_size: int

    @property
    def complete(self) -> bool:
        """Whether every announced candidate was answered."""
        return self.answered == self.candidate_count


async def open_screening(
    registry: Registry,
    builder: Builder,
    dataset: str,
    use: Use,
    required_spaces: Sequence[str],
    candidate_count: int,
) -> tuple[screenings.ScreeningRow, int]:
    """Opens a session for one data set and one use.

    Returns:
        The session, and the log size now.

    Raises:
        InvalidInput: name, spaces or count out of range.
        NotReady: the indexes are still being built.
    """
    if not plain(dataset, MAX_DATASET_CHARACTERS):
        message = f"A data set's name has 1 to {MAX_DATASET_CHARACTERS} plain characters."
        raise InvalidInput(message)
    if not 0 < candidate_count <= MAX_CANDIDATES:
        message = f"A screening has 1 to {MAX_CANDIDATES} candidates."
        raise InvalidInput(message)
    if len(set(required_spaces)) != len(required_spaces):
        message = "A required space is named twice."
        raise InvalidInput(message)
    for name in required_spaces:
        if name not in SPACES:
            message = f"There is no fingerprint space {name[:32]!r} here."
            raise InvalidInput(message)
    state = await registry.follower.answerable()
    row = screenings.ScreeningRow(
        id=secrets.token_bytes(SCREENING_ID_BYTES),
        builder_id=builder.id,
        dataset=dataset,
        use=use,
        required_spaces=tuple(sorted(required_spaces)),
        candidate_count=candidate_count,
        opened_at=int(registry.clock.now()),
        closed_at=None,
    )
    async with registry.store.write() as connection:
        await screenings.insert(connection, row)
    return row, state.log_size


async def screen(registry: Registry, builder: Builder, screening_id: bytes, block: Block) -> Answer:
    """Answers a block; the same block again gets the same answer and costs nothing.

    Raises:
        UnknownScreening, ScreeningClosed: not a session of this builder, or over.
        InvalidInput: counts, lengths or fingerprints do not follow FORMATS.
        Conflict: this block number was answered for other content.
        QuotaExceeded: the builder's images for now are used up.
        NotReady, Busy: nothing was committed; send the same block again.
    """
    async with registry.store.read() as connection:
        row = await _own(connection, builder, screening_id)
        earlier = await screenings.block(connection, screening_id, block.number)
    digest = await asyncio.to_thread(_digest, registry.block_secret, screening_id, block)
    if earlier is not None:
        return _again(earlier, digest)
    if row.closed_at is not None:
        raise ScreeningClosed(_CLOSED)
    with registry.builder_quota.reserve(builder.id, builder.daily_items, block.count):
        answer, new = await _answer(registry, builder, row, block, digest)
        if new:
            registry.builder_quota.count(builder.id, builder.daily_items, block.count)
    return answer


async def _answer(
    registry: Registry,
    builder: Builder,
    row: screenings.ScreeningRow,
    block: Block,
    digest: bytes,
) -> tuple[Answer, bool]:
    """Matches a block and keeps the answer, unless the same block was quicker.

    Returns:
        The answer, and whether it is a new one.
    """
    state = await registry.follower.answerable()
    verdicts = await match_block(registry.matching_threads, state, row, block)
    answered = screenings.BlockRow(
        screening_id=row.id,
        number=block.number,
        digest=digest,
        count=block.count,
        present={column.space_id: int(column.present.sum()) for column in block.columns},
        log_size=state.log_size,
        verdicts=verdicts.tobytes(),
    )
    async with registry.store.write() as connection:
        row = await _own(connection, builder, row.id)
        earlier = await screenings.block(connection, row.id, block.number)
        if earlier is not None:
            return _again(earlier, digest), False
        if row.closed_at is not None:
            raise ScreeningClosed(_CLOSED)
        if await screenings.answered(connection, row.id) + block.count > row.candidate_count:
            message = "This block holds more images than the screening announced."
            raise InvalidInput(message)
        await screenings.insert_block(connection, answered)
    return Answer(block.number, answered.verdicts, answered.log_size), True


async def close_screening(registry: Registry, builder: Builder, screening_id: bytes) -> Closing:
    """Closes a session and counts it; closing again gives the same counts.

    Raises:
        UnknownScreening: not a session of this builder.
    """
    async with registry.store.write() as connection:
        row = await _own(connection, builder, screening_id)
        if row.closed_at is None:
            await screenings.close(connection, screening_id, int(registry.clock.now()))
    verdicts = np.zeros(len(Verdict), dtype=np.int64)
    present: dict[str, int] = {}
    log_sizes: list[int] = []
    async with registry.store.read() as connection:
        async for block in screenings.blocks(connection, screening_id):
            verdicts += np.bincount(
                np.frombuffer(block.verdicts, dtype=np.uint8), minlength=len(Verdict)
            )
            for name, count in block.present.items():
                present[name] = present.get(name, 0) + count
            log_sizes.append(block.log_size)
    return Closing(
        candidate_count=row.candidate_count,
        answered=int(verdicts.sum()),
        verdicts={verdict: int(verdicts[verdict]) for verdict in Verdict},
        present=dict(sorted(present.items())),
        least_log_size=min(log_sizes, default=0),
        greatest_log_size=max(log_sizes, default=0),
    )


async def match_block(
    threads: Executor, state: State, screening: screenings.ScreeningRow, block: Block
) -> npt.NDArray[np.uint8]:
    """Matches a block in the threads kept for it.

    Returns:
        uint8[count], a verdict per image.

    Raises:
        InvalidInput: a column does not follow FORMATS.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(threads, _match, state, screening, block)
    except ProtocolError as error:
        raise InvalidInput(str(error)) from None


def _match(state: State, screening: screenings.ScreeningRow, block: Block) -> npt.NDArray[np.uint8]:
    # What matched says, per image: many records may match one image, four stances are all there is.
    said = np.zeros((block.count, len(Stance)), dtype=np.bool_)
    unknown = np.zeros(block.count, dtype=np.bool_)
    present = {column.space_id: column.present for column in block.columns}
    for name in screening.required_spaces:
        unknown |= ~present[name] if name in present else True
    for column in block.columns:
        vectors = column.floats() if column.space.kind is Kind.FLOAT else column.codes()
        for hits, owners in state.index.portions(column.space_id, vectors):
            said[column.rows[hits], state.stances[owners, screening.use]] = True
    rows, stances = np.nonzero(said)
    return combine_block(block.count, rows, stances.astype(np.uint8), unknown)


_CLOSED = "This screening is closed; open a new one."


async def _own(
    connection: AsyncConnection, builder: Builder, screening_id: bytes
) -> screenings.ScreeningRow:
    row = await screenings.by_id(connection, screening_id)
    if row is None or row.builder_id != builder.id:
        message = "You have no such screening."
        raise UnknownScreening(message)
    return row


def _again(earlier: screenings.BlockRow, digest: bytes) -> Answer:
    if not hmac.compare_digest(earlier.digest, digest):
        message = "This block number was answered before, for other images."
        raise Conflict(message)
    return Answer(earlier.number, earlier.verdicts, earlier.log_size)


def _digest(secret: bytes, screening_id: bytes, block: Block) -> bytes:
    return hmac.digest(secret, screening_id + block.content, "sha256")
