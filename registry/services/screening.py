"""Blocks of candidates in, verdicts out.

The answer is one byte per image, never a score. A block is answered for one log size, whatever is
written meanwhile. What comes in is matched in memory and forgotten; kept are the
verdicts, so that a block sent again gets the same answer, and keyed digests: one of the block, so
that a block sent again with other content does not, and one of each excluded row, which a contest
has to fit. The digests' key lives in the vault: nobody who steals the database can test guesses
about what was screened.
"""

import asyncio
import hmac
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from registry.errors import Conflict, InvalidInput, NotReady, ScreeningClosed
from registry.services import answers
from registry.services.became import images_of
from registry.services.blocks import Block, block_digest, row_digests
from registry.services.budget import Exceeded, check_not_held, hold_builder, spend, spending
from registry.services.builders import Builder
from registry.services.clock import day_of
from registry.services.commitments import block_results, manifest_block, results_secret
from registry.services.matched import match_block
from registry.services.people import check_columns
from registry.services.running import Registry
from registry.services.sessions import own_screening
from registry.services.terms import told_after
from registry.store import committed, contests, exclusions, screenings


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


async def screen(registry: Registry, builder: Builder, screening_id: bytes, block: Block) -> Answer:
    """Answers a block; the same block again gets the same answer and costs nothing.

    Raises:
        UnknownScreening, ScreeningClosed: not a session of this builder, or over.
        InvalidInput: counts, lengths or fingerprints do not follow FORMATS.
        Conflict: this block number was answered for other content.
        Held: the builder's images for now are used up, or a record's budget would be exceeded.
        NotReady, Busy: nothing was committed; send the same block again.
    """
    async with registry.store.read() as connection:
        row = await own_screening(connection, builder, screening_id)
        earlier = await answers.block(connection, registry.block_secret, screening_id, block.number)
    check_columns(block.columns, row.opt_in_spaces)
    manifest = None
    if row.root is not None:
        manifest = await asyncio.to_thread(manifest_block, row, block)
    digest = await asyncio.to_thread(block_digest, registry.block_secret, screening_id, block)
    if earlier is not None:
        return _again(earlier, digest)
    if row.closed_at is not None:
        raise ScreeningClosed(_CLOSED)
    async with registry.store.read() as connection:
        await check_not_held(connection, builder)
    with registry.builder_quota.reserve(builder.id, builder.daily_items, block.count):
        try:
            answer, new = await _answer(registry, builder, row, block, digest, manifest)
        except Exceeded as exceeded:
            raise await hold_builder(registry.store, registry.clock, builder, exceeded) from None
        if new:
            registry.builder_quota.count(builder.id, builder.daily_items, block.count)
    return answer


async def _answer(
    registry: Registry,
    builder: Builder,
    row: screenings.ScreeningRow,
    block: Block,
    digest: bytes,
    manifest: bytes | None,
) -> tuple[Answer, bool]:
    """Matches a block and keeps the answer, unless the same block was quicker.

    Args:
        registry: this one.
        builder: who asks.
        row: its session.
        block: what is asked.
        digest: keyed, of it.
        manifest: its rows, in a committed session.

    Returns:
        The answer, and whether it is a new one.

    Raises:
        Exceeded: a budget; nothing was committed.
    """
    state = await registry.follower.answerable()
    matched = await match_block(registry.matching_threads, state, row, block)
    answered = screenings.BlockRow(
        screening_id=row.id,
        number=block.number,
        digest=digest,
        count=block.count,
        present={column.space_id: int(column.present.sum()) for column in block.columns},
        log_size=state.log_size,
        verdicts=matched.verdicts.tobytes(),
    )
    excluded = await asyncio.to_thread(
        row_digests, registry.block_secret, row.id, block, matched.verdicts
    )
    found = await asyncio.to_thread(
        spending,
        registry.block_secret,
        block.columns,
        matched.pairs,
        matched.borders,
        {},
        committed=row.root is not None,
    )
    images = images_of(matched.refused) if told_after(row.terms) is not None else {}
    results = None
    if manifest is not None:
        secret = results_secret(registry.block_secret, row.id)
        results = await asyncio.to_thread(
            block_results, secret, block.number, manifest, state.log_size, matched.verdicts
        )
    async with registry.store.write() as connection:
        row = await own_screening(connection, builder, row.id)
        earlier = await answers.block(connection, registry.block_secret, row.id, block.number)
        if earlier is not None:
            return _again(earlier, digest), False
        if row.closed_at is not None:
            raise ScreeningClosed(_CLOSED)
        if await screenings.answered(connection, row.id) + block.count > row.candidate_count:
            message = "This block holds more images than the screening announced."
            raise InvalidInput(message)
        await spend(connection, registry.settings, builder, found)
        await answers.insert_block(connection, registry.block_secret, answered)
        await contests.insert_excluded(connection, row.id, block.number, excluded)
        await exclusions.add(connection, row.id, images, day_of(registry.clock))
        if results is not None:
            await _follows(connection, answered)
            await committed.put_results(connection, row.id, block.number, results)
    return Answer(block.number, answered.verdicts, answered.log_size), True


async def _follows(connection: AsyncConnection, answered: screenings.BlockRow) -> None:
    """Blocks of a committed session are answered in order, and for logs that do not shrink.

    Raises:
        InvalidInput: an earlier block is missing.
        NotReady: another process answered the block before for a longer log than this one has read.
    """
    if await committed.blocks_answered(connection, answered.screening_id) != answered.number:
        message = "The blocks of a committed screening are sent in order."
        raise InvalidInput(message)
    before = await screenings.block(connection, answered.screening_id, answered.number - 1)
    if before is not None and before.log_size > answered.log_size:
        message = "This process has not read the log so far yet; please send the same again."
        raise NotReady(message)


_CLOSED = "This screening is closed; open a new one."


def _again(earlier: screenings.BlockRow, digest: bytes) -> Answer:
    if not hmac.compare_digest(earlier.digest, digest):
        message = "This block number was answered before, for other images."
        raise Conflict(message)
    return Answer(earlier.number, earlier.verdicts, earlier.log_size)
