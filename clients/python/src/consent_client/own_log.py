"""What the public log says about one's own records.

Read from the log, and not asked for record by record, so that the registry does not learn which
records belong together. Pages start at multiples of their size for the same reason: where a reader
stopped last time would recognise it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, cast

from consent_client.errors import (
    BadSignature,
    LogShortened,
    ProtocolError,
    WeakKey,
    WrongAnswer,
)
from consent_client.operations import RecordStatus, RegistryInfo, entries
from consent_client.protocol.keys import derive_owner, owner_tag
from consent_client.protocol.log import (
    Day,
    Entry,
    Erase,
    Register,
    Withdraw,
    check_withdrawal,
    decode_bundle,
    decode_entry,
)
from consent_client.saved_records import SavedRecord
from consent_client.transport import Connection

GAP: Final = 20
"""Recovery stops where so many numbers in a row are missing from the log (FORMATS §2)."""

FIRST_WINDOW: Final = 1_024
"""Numbers looked for in the first pass, 0.1 s of derivation; another pass doubles them."""

PAGE: Final = 4_096
"""Entries asked for at once, where the registry's limit allows."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a record ended."""

    status: RecordStatus
    index: int


@dataclass(frozen=True, slots=True)
class Owned:
    """A record of ours in the log.

    Attributes:
        index: i, its number in the derivation.
        register: its REGISTER entry.
        register_index: where that stands.
    """

    index: int
    register: Register = field(repr=False)
    register_index: int


def log_entries(
    connection: Connection, info: RegistryInfo, start: int = 0
) -> Iterator[tuple[int, Entry]]:
    """The log from (about) `start` to its present end: index and entry.

    Raises:
        LogShortened: the log ends before `start`.
        WrongAnswer: a page was not asked for, ends early, or holds what is no entry.
        RegistryProblem, TransportError: as any request.
    """
    page = max(1, min(PAGE, info.limits.entries_page))
    before = max(0, start - 1)  # at least one entry is read, which shows that the log goes so far
    position = before - before % page
    size = None
    while size is None or position < size:
        bundle = connection.run(entries(position, page))
        size = bundle.log_size if size is None else size
        if size < start:
            raise LogShortened("the registry's log is shorter than it was: entries are gone")
        decoded = _decode(bundle.data)
        wanted = min(page, size - position)
        if bundle.start != position or len(decoded) < wanted or bundle.log_size < size:
            raise WrongAnswer("the registry's log has gaps, or has become shorter")
        yield from zip(count(position), decoded[:wanted], strict=False)
        position += wanted


def _decode(data: bytes) -> list[Entry]:
    try:
        return [decode_entry(entry) for entry in decode_bundle(data)]
    except ProtocolError as error:
        raise WrongAnswer(f"the registry's log can not be read: {error}") from None


def find_owned(
    seed: bytes, origin: str, log: Iterable[tuple[int, Entry]], window: int
) -> list[Owned]:
    """Our records among the log's entries, numbers 0 to `window` - 1, by number."""
    tags = {derive_owner(seed, origin, i).owner_tag: i for i in range(window)}
    found: dict[int, Owned] = {}
    for index, entry in log:
        if isinstance(entry, Register) and (i := tags.get(entry.owner_tag)) is not None:
            found.setdefault(i, Owned(i, entry, index))
    return [found[i] for i in sorted(found)]


def window_suffices(owned: list[Owned], window: int) -> bool:
    """Whether at least `GAP` numbers after the last one found were looked for too."""
    return not owned or owned[-1].index + GAP < window


@dataclass(frozen=True, slots=True)
class Followed:
    """What a stretch of the log says of our records.

    Attributes:
        ended: REGISTER index → its ending, the first one, for those that have ended.
        lost: REGISTER indexes at which the log does not hold our record, or not any more.
        size: of the log up to which that is known.
    """

    ended: Mapping[int, Ending]
    lost: frozenset[int]
    size: int


def follow(
    origin: str, log: Iterable[tuple[int, Entry]], records: Mapping[int, SavedRecord]
) -> Followed:
    """What became of our records.

    Args:
        origin: the registry's name.
        log: index and entry, ascending.
        records: our registered records by the index of their REGISTER entry.
    """
    ended: dict[int, Ending] = {}
    lost: set[int] = set()
    size = 0
    for index, entry in log:
        size = index + 1
        if index in records and entry != _register_entry(records[index]):
            lost.add(index)
        for at, status in _ended_by(index, entry, records):
            if status is RecordStatus.WITHDRAWN and not _signed_by_us(origin, records[at], entry):
                lost.add(at)  # whatever is withdrawn there is not ours
            elif at not in lost:
                ended.setdefault(at, Ending(status, index))
    lost.update(at for at in records if at >= size)
    return Followed({at: end for at, end in ended.items() if at not in lost}, frozenset(lost), size)


def _ended_by(
    index: int, entry: Entry, records: Mapping[int, SavedRecord]
) -> Iterator[tuple[int, RecordStatus]]:
    """REGISTER indexes of our records that one entry ends, and how."""
    match entry:
        case Withdraw(register_index=at) if at in records:
            yield at, RecordStatus.WITHDRAWN
        case Erase(register_index=at) if at in records:
            yield at, RecordStatus.ERASED
        case Day(day=day):
            for at, record in records.items():
                if at < index and record.statement and record.statement.expired(day):
                    yield at, RecordStatus.EXPIRED
        case _:
            pass


def _register_entry(record: SavedRecord) -> Register:
    return Register(record.commitment, owner_tag(record.owner_public_key))


def _signed_by_us(origin: str, record: SavedRecord, entry: Entry) -> bool:
    try:
        check_withdrawal(origin, cast("Withdraw", entry), _register_entry(record))
    except (BadSignature, WeakKey):
        return False
    return True
