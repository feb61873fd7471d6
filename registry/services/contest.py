"""Contests: a second look at excluded rows, with five crops of each image.

An exclusion that rests on resemblance alone (a float space of works) falls where no view of the
image, neither the whole nor a crop, comes near enough to the record that matched. What equality, a
near-equal hash or a face excludes stands. The verdict is computed again for the log size of now:
never an older one, so that a record withdrawn meanwhile is gone.

Crops are matched in memory and forgotten, like everything that builders send. That the rows are
those that were screened is proved by keyed digests, kept of the rows that a block excluded.
"""

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.errors import ProtocolError
from consent_client.protocol.contests import CROPS, Contest, row_contents
from consent_client.protocol.encoding import u64, unpack_bitmap
from consent_client.protocol.verdicts import Verdict
from registry.errors import Conflict, InvalidInput, ScreeningClosed
from registry.services import answers
from registry.services.became import changed_by_contest
from registry.services.blocks import ROW_DIGEST_BYTES, row_digest
from registry.services.budget import (
    Exceeded,
    Spending,
    check_not_held,
    hold_builder,
    spend,
    spending,
)
from registry.services.builders import Builder
from registry.services.clock import day_of
from registry.services.commitments import block_results, check_rows, results_secret
from registry.services.contested import Judged, judge, views_of
from registry.services.following import State
from registry.services.people import check_columns
from registry.services.running import Registry
from registry.services.sessions import own_screening
from registry.services.terms import told_after
from registry.store import contests, exclusions, screenings
from registry.store.committed import put_results

_CONTEST_DOMAIN = b"consent-registry/v1/contest\0"

_CLOSED = "This screening is closed; what it answered stays."
_CONTESTED = "A row of this contest was contested before, with other crops or other rows."


@dataclass(frozen=True, slots=True)
class ContestAnswer:
    """Final verdicts of contested rows.

    Attributes:
        block: the block's number.
        rows: bitmap over the block, as it was sent.
        verdicts: one byte per contested row, in order.
        log_size: the log size they hold for.
    """

    block: int
    rows: bytes = field(repr=False)
    verdicts: bytes = field(repr=False)
    log_size: int


async def contest(
    registry: Registry,
    builder: Builder,
    screening_id: bytes,
    contested: Contest,
    manifest: bytes = b"",
    audit_path: Sequence[bytes] = (),
) -> ContestAnswer:
    """Looks again at excluded rows; the same contest again gets the same answer and costs nothing.

    Args:
        registry: this one.
        builder: who contests.
        screening_id: its session.
        contested: rows and crops.
        manifest: in a committed session, all rows of the block's manifest, joined: its results are
            made anew, and no row is kept here.
        audit_path: of the block.

    Raises:
        UnknownScreening, ScreeningClosed: not a session of this builder, or over.
        InvalidInput: no such block, rows that it did not exclude, or fingerprints or crops that do
            not follow FORMATS.
        Conflict: other fingerprints than were screened, or a row that was contested before.
        Held: the builder's images for now are used up (each crop counts as one), or a record's
            budget would be exceeded (a contested row counts as one more candidate).
        NotReady, Busy: nothing was committed; send the same contest again.
    """
    async with registry.store.read() as connection:
        screening = await own_screening(connection, builder, screening_id)
        block = await answers.block(
            connection, registry.block_secret, screening_id, contested.block
        )
        known = await contests.excluded(connection, screening_id, contested.block)
    check_columns(contested.columns, screening.opt_in_spaces)
    if screening.root is not None:
        await asyncio.to_thread(check_rows, screening, contested.block, manifest, audit_path)
    if block is None:
        message = "Contested are rows of a block that was answered, and this one was not."
        raise InvalidInput(message)
    rows = _rows(contested, block)
    digest = await asyncio.to_thread(
        _check_digests, registry.block_secret, block, contested, rows, known
    )
    async with registry.store.read() as connection:
        earlier = await _earlier(connection, registry.block_secret, block, digest, rows)
    if earlier is not None:
        return earlier
    if screening.closed_at is not None:
        raise ScreeningClosed(_CLOSED)
    async with registry.store.read() as connection:
        await check_not_held(connection, builder)
    images = contested.count * CROPS
    with registry.builder_quota.reserve(builder.id, builder.daily_items, images):
        try:
            answer, new = await _kept(
                registry, builder, screening, block, contested, digest, manifest
            )
        except Exceeded as exceeded:
            raise await hold_builder(registry.store, registry.clock, builder, exceeded) from None
        if new:
            registry.builder_quota.count(builder.id, builder.daily_items, images)
    return answer


async def _kept(
    registry: Registry,
    builder: Builder,
    screening: screenings.ScreeningRow,
    block: screenings.BlockRow,
    contested: Contest,
    digest: bytes,
    manifest: bytes,
) -> tuple[ContestAnswer, bool]:
    """Judges a contest and keeps the answer, unless the same contest was quicker.

    Returns:
        The answer, and whether it is a new one.

    Raises:
        Exceeded: a budget; nothing was committed.
    """
    state = await registry.follower.answerable()
    judged = await _judged(registry, state, screening, contested)
    committed = screening.root is not None
    found = await asyncio.to_thread(_shown, registry.block_secret, contested, judged, committed)
    more, fewer = changed_by_contest(judged.refused, judged.stands, block.log_size)
    if told_after(screening.terms) is None:
        more, fewer = {}, {}
    row = contests.ContestRow(
        screening_id=screening.id,
        block_number=block.number,
        digest=digest,
        rows=contested.rows,
        verdicts=judged.verdicts.tobytes(),
        log_size=state.log_size,
    )
    rows = np.flatnonzero(unpack_bitmap(contested.rows, block.count)).astype(np.int64)
    async with registry.store.write() as connection:
        earlier = await _earlier(connection, registry.block_secret, block, digest, rows)
        if earlier is not None:
            return earlier, False
        if (await own_screening(connection, builder, screening.id)).closed_at is not None:
            raise ScreeningClosed(_CLOSED)
        await spend(connection, registry.settings, builder, found)
        await answers.insert_contest(connection, registry.block_secret, row)
        await exclusions.take_back(connection, screening.id, fewer)
        await exclusions.add(connection, screening.id, more, day_of(registry.clock))
        if committed:
            await _change_results(connection, registry.block_secret, block, manifest)
    return _answer(row), True


async def _change_results(
    connection: AsyncConnection, block_secret: bytes, block: screenings.BlockRow, manifest: bytes
) -> None:
    """Makes the root over a block's results anew, with all of its contests."""
    verdicts = np.frombuffer(block.verdicts, dtype=np.uint8).copy()
    for each in await answers.contests_of_block(
        connection, block_secret, block.screening_id, block.number
    ):
        contested = unpack_bitmap(each.rows, block.count)
        verdicts[contested] = np.frombuffer(each.verdicts, dtype=np.uint8)
    secret = results_secret(block_secret, block.screening_id)
    results = await asyncio.to_thread(
        block_results, secret, block.number, manifest, block.log_size, verdicts
    )
    await put_results(connection, block.screening_id, block.number, results)


def _shown(secret: bytes, contested: Contest, judged: Judged, committed: bool) -> Spending:
    """What the rows showed with their crops: candidates apart from the images as screened."""
    views: dict[int, bytes] = {}
    for space_id in judged.pairs:
        for row, view in enumerate(views_of(contested, space_id)):
            views[row] = views.get(row, b"") + view
    return spending(secret, contested.columns, judged.pairs, {}, views, committed=committed)


def _rows(contested: Contest, block: screenings.BlockRow) -> npt.NDArray[np.int64]:
    """int64[k]: positions in the block of the rows contested.

    Raises:
        InvalidInput: another number of rows than there are fingerprints of, or not all excluded.
    """
    try:
        wanted = unpack_bitmap(contested.rows, block.count)
    except ProtocolError as error:
        raise InvalidInput(str(error)) from None
    rows = np.flatnonzero(wanted).astype(np.int64)
    if len(rows) != contested.count:
        message = "A contest has fingerprints of each row it names, and of no other."
        raise InvalidInput(message)
    verdicts = np.frombuffer(block.verdicts, dtype=np.uint8)
    if (verdicts[rows] != Verdict.EXCLUDE).any():
        message = "Only rows that were answered EXCLUDE can be contested."
        raise InvalidInput(message)
    return rows


def _check_digests(
    secret: bytes,
    block: screenings.BlockRow,
    contested: Contest,
    rows: npt.NDArray[np.int64],
    known: bytes,
) -> bytes:
    """The contest's own keyed digest, once every row is the one that was screened.

    Raises:
        Conflict: a row that is not.
    """
    verdicts = np.frombuffer(block.verdicts, dtype=np.uint8)
    place = np.cumsum(verdicts == Verdict.EXCLUDE)[rows] - 1
    contents = row_contents(contested.columns, range(contested.count))
    same = True
    for row, at, content in zip(rows.tolist(), place.tolist(), contents, strict=True):
        stored = known[at * ROW_DIGEST_BYTES : (at + 1) * ROW_DIGEST_BYTES]
        made = row_digest(secret, block.screening_id, block.number, row, content)
        same &= hmac.compare_digest(stored, made)
    if not same:
        message = "These are not the fingerprints that this block was answered for."
        raise Conflict(message)
    content = block.screening_id + u64(block.number) + contested.content
    return hmac.digest(secret, _CONTEST_DOMAIN + content, "sha256")


async def _earlier(
    connection: AsyncConnection,
    block_secret: bytes,
    block: screenings.BlockRow,
    digest: bytes,
    rows: npt.NDArray[np.int64],
) -> ContestAnswer | None:
    """The answer to the same contest, if it was given.

    Raises:
        Conflict: a row was contested in another one.
    """
    for row in await answers.contests_of_block(
        connection, block_secret, block.screening_id, block.number
    ):
        if hmac.compare_digest(row.digest, digest):
            return _answer(row)
        if unpack_bitmap(row.rows, block.count)[rows].any():
            raise Conflict(_CONTESTED)
    return None


async def _judged(
    registry: Registry, state: State, screening: screenings.ScreeningRow, contested: Contest
) -> Judged:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(
            registry.matching_threads, judge, state, screening, contested
        )
    except ProtocolError as error:
        raise InvalidInput(str(error)) from None


def _answer(row: contests.ContestRow) -> ContestAnswer:
    return ContestAnswer(row.block_number, row.rows, row.verdicts, row.log_size)
