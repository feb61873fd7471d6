"""Disputed exclusions: what the picture in question matches, and the operator's public decision.

A builder names a session and shows a picture that it was answered EXCLUDE for. That it is the one
is proved by the keyed digests that are kept of excluded rows. What was decided goes into the log,
with a reason: an operator can not decide in secret. Which image it was about, nobody reads there.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.contests import row_contents
from consent_client.protocol.encoding import u32, u64
from consent_client.protocol.log import (
    REASONS_OF,
    Dispute,
    DisputeOutcome,
    DisputeReason,
    EntryType,
    Erase,
    EraseReason,
    decode_entry,
)
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import SPACES, Subject
from consent_client.protocol.statements import Stance, Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import Conflict, InvalidInput
from registry.services import answers
from registry.services.blocks import ROW_DIGEST_BYTES, Block, row_digest
from registry.services.following import State
from registry.services.matched import match
from registry.store import contests, entries, exclusions, records, screenings
from registry.store.engine import Store
from registry.store.tables import RecordStatus

_DOMAIN: Final = b"consent-registry/v1/dispute\0"

type Fingerprints = Mapping[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Disputed:
    """An excluded image in its place.

    Attributes:
        screening: its session.
        block, row: where it was.
        columns: its fingerprints, as they were screened.
    """

    screening: screenings.ScreeningRow
    block: int
    row: int
    columns: tuple[Column, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that refuses the session's use and matches a disputed image now.

    Attributes:
        register_index: of its REGISTER entry.
        spaces: in which it matches; exact ones leave no doubt.
    """

    register_index: int
    spaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnDispute:
    """A dispute as the record's owner is told of it.

    Attributes:
        index: of its DISPUTE entry.
    """

    index: int
    outcome: DisputeOutcome
    reason: DisputeReason


async def find(
    connection: AsyncConnection,
    block_secret: bytes,
    screening: screenings.ScreeningRow,
    fingerprints: Fingerprints,
) -> Disputed:
    """The excluded image of a session that has these fingerprints; the first, if there are some.

    Args:
        connection: to read with.
        block_secret: of the vault.
        screening: the session.
        fingerprints: of the picture, in all spaces that can have been sent.

    Raises:
        InvalidInput: the session excluded no such image.
    """
    async for block in answers.blocks(connection, block_secret, screening.id):
        columns = columns_of_one(fingerprints, sorted(block.present))
        (content,) = row_contents(columns, [0])
        known = await contests.excluded(connection, screening.id, block.number)
        excluded = np.frombuffer(block.verdicts, dtype=np.uint8) == Verdict.EXCLUDE
        for place, row in enumerate(np.flatnonzero(excluded).tolist()):
            stored = known[place * ROW_DIGEST_BYTES : (place + 1) * ROW_DIGEST_BYTES]
            made = row_digest(block_secret, screening.id, block.number, row, content)
            if hmac.compare_digest(stored, made):
                return Disputed(screening, block.number, row, columns)
    message = (
        "No image that this session excluded has the fingerprints of this picture. It has to be "
        "the very file that was screened, fingerprinted by the same version of the client; where "
        "addresses were screened too, its address is needed."
    )
    raise InvalidInput(message)


def columns_of_one(fingerprints: Fingerprints, spaces: Sequence[str]) -> tuple[Column, ...]:
    """The columns of a block of one image."""
    columns = []
    for name in spaces:
        own = fingerprints.get(name)
        counts = np.array([] if own is None else [len(own)], np.uint8)
        people = SPACES[name].subject is Subject.PERSON
        columns.append(
            Column(
                name, np.array([own is not None]), b"".join(own or ()), counts if people else None
            )
        )
    return tuple(columns)


def refusals(state: State, disputed: Disputed) -> tuple[Refusal, ...]:
    """The records that exclude the image now, by index; none if whatever did has ended.

    Raises:
        ScreeningClosed: records are measured otherwise now than the session's terms say.
    """
    found: dict[int, list[str]] = {}
    for column in disputed.columns:
        if not column.present.any():
            continue
        matched = match(state, disputed.screening, Block(0, (column,)))
        for register_index in matched.refused[:, 1].tolist():
            found.setdefault(register_index, []).append(column.space_id)
    use = Use(disputed.screening.use)
    assert all(state.stances[index, use] == Stance.NOT_ALLOWED for index in found)  # noqa: S101 (what `match` says)
    return tuple(Refusal(index, tuple(spaces)) for index, spaces in sorted(found.items()))


def reference(block_secret: bytes, disputed: Disputed, register_index: int) -> bytes:
    """What a DISPUTE entry says of the image: 32 bytes that nobody else can make or test."""
    place = disputed.screening.id + u64(disputed.block) + u32(disputed.row) + u64(register_index)
    return hmac.digest(block_secret, _DOMAIN + place, "sha256")


async def decide(
    store: Store,
    block_secret: bytes,
    disputed: Disputed,
    register_index: int,
    outcome: DisputeOutcome,
    reason: DisputeReason,
) -> int:
    """Logs what the operator decided; the same again changes nothing.

    Args:
        store: of the registry.
        block_secret: of the vault.
        disputed: the image.
        register_index: of a record that excludes it: one of `refusals`.
        outcome: STANDS changes nothing; MISTAKEN no longer counts the image as excluded by the
            record; ERASED ends the record, for a false statement.
        reason: one that fits.

    Returns:
        The index of the DISPUTE entry.

    Raises:
        InvalidInput: no such record, or a reason that does not fit.
        Conflict: it was decided otherwise before, or the record has ended.
    """
    if reason not in REASONS_OF[outcome]:
        known = ", ".join(each.name for each in sorted(REASONS_OF[outcome]))
        message = f"The reasons for {outcome.name} are {known}."
        raise InvalidInput(message)
    entry = Dispute(
        register_index, reference(block_secret, disputed, register_index), outcome, reason
    )
    async with store.write() as connection:
        for index, before in await _all(connection):
            if before == entry:
                return index
            if before.reference == entry.reference:
                message = f"This was decided before: {before.outcome.name}, entry {index}."
                raise Conflict(message)
        record = await records.by_register_index(connection, register_index)
        if record is None:
            message = f"Entry {register_index} does not register a record."
            raise InvalidInput(message)
        if record.terminal_index is not None:
            message = f"The record of entry {register_index} has ended: it excludes nothing more."
            raise Conflict(message)
        index = await entries.append(connection, [entry.encode()])
        if outcome is DisputeOutcome.ERASED:
            erased = Erase(register_index, EraseReason.FALSE_STATEMENT).encode()
            at = await entries.append(connection, [erased])
            terminal = records.Terminal(register_index, at, RecordStatus.ERASED)
            await records.insert_terminal(connection, terminal)
        if outcome is DisputeOutcome.MISTAKEN:
            await exclusions.take_back(connection, disputed.screening.id, {register_index: 1})
    return index


async def of_record(connection: AsyncConnection, register_index: int) -> tuple[OwnDispute, ...]:
    """What was disputed about a record, by index; the log has it for everybody."""
    return tuple(
        OwnDispute(index, each.outcome, each.reason)
        for index, each in await _all(connection)
        if each.register_index == register_index
    )


async def _all(connection: AsyncConnection) -> list[tuple[int, Dispute]]:
    found = []
    for row in await entries.of_type(connection, EntryType.DISPUTE):
        entry = decode_entry(row.data)
        assert isinstance(entry, Dispute)  # noqa: S101 (of this type)
        found.append((row.index, entry))
    return found
