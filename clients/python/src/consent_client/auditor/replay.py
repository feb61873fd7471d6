"""The state of a log, replayed from its entries alone (FORMATS §5).

What a log says is checked by the rules that its own registry has to keep: whoever breaks one is
told with the entry. A byte is kept in memory for each entry, and what a withdrawal is checked
against, 64 bytes for each, in a temporary file.
"""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO, Final, cast

from consent_client.auditor.reports import Fault, Report
from consent_client.errors import BadSignature, Malformed, WeakKey
from consent_client.protocol.keys import PUBLIC_KEY_BYTES
from consent_client.protocol.log import (
    Certify,
    Close,
    Day,
    Dispute,
    Entry,
    Erase,
    EraseReason,
    Register,
    Session,
    Snapshot,
    Withdraw,
    check_withdrawal,
    decode_entry,
)

_REGISTER_BYTES: Final = 64
_IN_MEMORY: Final = 2**24


class Place(IntEnum):
    """What stands at an index, as far as later entries may refer to it."""

    OTHER = 0
    ACTIVE = 1
    WITHDRAWN = 2
    ERASED = 3
    SESSION = 4
    CLOSED = 5


ENDED: Final = frozenset({Place.WITHDRAWN, Place.ERASED})


@dataclass(slots=True)
class Replay:
    """A log's state after the entries so far.

    Attributes:
        origin: the log's, which withdrawals are signed for.
        report: what is wrong is said there.
        latest_day: the latest UTC day that can have begun.
        places: a `Place` for each entry.
        kinds: how many entries there are of each type.
        reasons: how many records were erased for which reason.
        day: of the newest DAY entry; -1 before the first.
        signatures: withdrawals whose signatures hold.
        sound: whether every entry so far could be read; state after one that could not is unknown.
    """

    origin: str
    report: Report
    latest_day: int
    places: bytearray = field(default_factory=bytearray)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[EraseReason] = field(default_factory=Counter)
    day: int = -1
    signatures: int = 0
    sound: bool = True
    _serial: int = -1
    _registers: BinaryIO = field(
        default_factory=lambda: cast(
            "BinaryIO",
            tempfile.SpooledTemporaryFile(_IN_MEMORY),  # noqa: SIM115 - `close` lets it go
        )
    )

    def close(self) -> None:
        """Lets go of the temporary file."""
        self._registers.close()

    def add(self, data: bytes) -> None:
        """Takes in the next entry."""
        index = len(self.places)
        try:
            entry = decode_entry(data)
        except Malformed as error:
            self.sound = False
            self._fail(Fault.BAD_ENTRY, index, f"it can not be read: {error}")
            self._push(Place.OTHER)
            return
        self.kinds[entry.type.name] += 1
        self._push(*self._taken(index, entry))

    def count(self, place: Place) -> int:
        """How many entries are in this place."""
        return self.places.count(place)

    def _push(self, place: Place, register: bytes = bytes(_REGISTER_BYTES)) -> None:
        self.places.append(place)
        self._registers.write(register)

    def _taken(  # noqa: C901 (a case for each type)
        self, index: int, entry: Entry
    ) -> tuple[Place, bytes] | tuple[Place]:
        match entry:
            case Register():
                return Place.ACTIVE, entry.commitment + entry.owner_tag
            case Session():
                return (Place.SESSION,)
            case Withdraw():
                self._withdraw(index, entry)
            case Erase():
                if self._end(index, entry.register_index, Place.ERASED):
                    self.reasons[entry.reason] += 1
            case Day():
                self._day(index, entry)
            case Close():
                self._close(index, entry)
            case Certify():
                self._certify(index, entry)
            case Snapshot():
                self._snapshot(index, entry)
            case Dispute():
                self._dispute(index, entry)
        return (Place.OTHER,)

    def _place(self, at: int) -> Place | None:
        """What stands before the present entry; None for what comes later."""
        return Place(self.places[at]) if at < len(self.places) else None

    def _register(self, at: int) -> Register:
        self._registers.seek(at * _REGISTER_BYTES)
        data = self._registers.read(_REGISTER_BYTES)
        self._registers.seek(0, 2)
        return Register(data[:PUBLIC_KEY_BYTES], data[PUBLIC_KEY_BYTES:])

    def _withdraw(self, index: int, entry: Withdraw) -> None:
        at = entry.register_index
        if self._place(at) not in {Place.ACTIVE, *ENDED}:
            self._no_register(index, at)
            return
        try:
            check_withdrawal(self.origin, entry, self._register(at))
        except (BadSignature, WeakKey) as error:
            self._fail(Fault.FORGED_WITHDRAWAL, index, f"it withdraws entry {at}, but {error}")
            return
        self.signatures += 1
        self._end(index, at, Place.WITHDRAWN)

    def _end(self, index: int, at: int, ending: Place) -> bool:
        """Ends a record; the first ending stands."""
        place = self._place(at)
        if place in ENDED:
            self.report.note(
                Fault.ENDED_TWICE,
                f"entry {index}",
                f"entry {at} was {place.name.lower()} before: the first ending stands",
            )
            return False
        if place is not Place.ACTIVE:
            self._no_register(index, at)
            return False
        self.places[at] = ending
        return True

    def _no_register(self, index: int, at: int) -> None:
        self._fail(
            Fault.BAD_REFERENCE, index, f"it ends entry {at}, which is no REGISTER before it"
        )

    def _day(self, index: int, entry: Day) -> None:
        if entry.day <= self.day:
            self._fail(Fault.BAD_DAY, index, f"day {entry.day} comes after day {self.day}")
        elif entry.day > self.latest_day:
            self._fail(Fault.BAD_DAY, index, f"day {entry.day} has not begun anywhere")
        self.day = max(self.day, entry.day)

    def _close(self, index: int, entry: Close) -> None:
        place = self._place(entry.session_index)
        if place is Place.CLOSED:
            message = f"the session of entry {entry.session_index} was closed before"
        elif place is not Place.SESSION:
            message = f"it closes entry {entry.session_index}, which is no SESSION before it"
        elif entry.least_log_size > index:
            message = "it was answered for a log that was not there yet"
        else:
            self.places[entry.session_index] = Place.CLOSED
            return
        self._fail(Fault.BAD_SESSION, index, message)

    def _certify(self, index: int, entry: Certify) -> None:
        if self._place(entry.session_index) is not Place.CLOSED:
            message = f"it certifies entry {entry.session_index}, which is no closed SESSION"
            self._fail(Fault.BAD_SESSION, index, message)

    def _snapshot(self, index: int, entry: Snapshot) -> None:
        if entry.log_size > index:
            self._fail(Fault.BAD_SNAPSHOT, index, "it shows a log that was not there yet")
        if entry.serial <= self._serial:
            message = f"serial {entry.serial} comes after {self._serial}"
            self._fail(Fault.BAD_SNAPSHOT, index, message)
        self._serial = max(self._serial, entry.serial)

    def _dispute(self, index: int, entry: Dispute) -> None:
        at = entry.register_index
        if self._place(at) not in {Place.ACTIVE, *ENDED}:
            message = f"it is about entry {at}, which is no REGISTER before it"
            self._fail(Fault.BAD_REFERENCE, index, message)

    def _fail(self, fault: Fault, index: int, message: str) -> None:
        self.report.fail(fault, f"entry {index}", message)
