"""Entries of the log, and bundles of them (FORMATS §5).

An entry is `"cr1" ‖ u8 type ‖ body`. Types this version does not know are refused: a follower that
skipped them would answer for a state it does not understand. A bundle is C2SP tlog-tiles': each
entry after its u16 length.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final

from consent_client.errors import BadSignature, Malformed
from consent_client.protocol.encoding import Reader, u8, u16, u32, u64
from consent_client.protocol.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, owner_tag, verify
from consent_client.protocol.records import withdraw_message

MAGIC: Final = b"cr1"

MAX_INDEX: Final = 2**53 - 1
"""Greatest log index: what a JSON number holds exactly."""

_HASH_BYTES = 32


class EntryType(IntEnum):
    """The types of FORMATS §5 that this version writes and reads."""

    REGISTER = 1
    WITHDRAW = 2
    ERASE = 3
    SESSION = 4
    CLOSE = 5
    CERTIFY = 6
    SNAPSHOT = 7
    DAY = 8
    DISPUTE = 9


class EraseReason(IntEnum):
    """Why the operator erased a record."""

    COURT_ORDER = 1
    UNLAWFUL_CONTENT = 2
    FALSE_STATEMENT = 3
    ABUSE = 4
    TECHNICAL = 5


class DisputeOutcome(IntEnum):
    """What the operator decided about an exclusion that a builder disputed."""

    STANDS = 1
    """It stands."""
    MISTAKEN = 2
    """The image is another than what was registered. The record goes on."""
    ERASED = 3
    """The record was not its owner's to state; an ERASE entry of the same batch ends it."""


class DisputeReason(IntEnum):
    """Why the operator decided so."""

    SAME_IMAGE = 1
    SAME_PERSON = 2
    UNDECIDED = 3
    """Nobody can tell; a refusal wins, since leaving an image out harms nobody."""
    ANOTHER_IMAGE = 4
    FALSE_STATEMENT = 5


REASONS_OF: Final[Mapping[DisputeOutcome, frozenset[DisputeReason]]] = {
    DisputeOutcome.STANDS: frozenset(
        {DisputeReason.SAME_IMAGE, DisputeReason.SAME_PERSON, DisputeReason.UNDECIDED}
    ),
    DisputeOutcome.MISTAKEN: frozenset({DisputeReason.ANOTHER_IMAGE}),
    DisputeOutcome.ERASED: frozenset({DisputeReason.FALSE_STATEMENT}),
}
"""Which reasons there are for each outcome."""


def _start(kind: EntryType) -> bytes:
    return MAGIC + u8(kind)


def _index(value: int) -> bytes:
    if not 0 <= value <= MAX_INDEX:
        raise Malformed("a log index out of range")
    return u64(value)


def _check_hashes(*values: bytes) -> None:
    if any(len(value) != _HASH_BYTES for value in values):
        raise Malformed("a hash has 32 bytes")


@dataclass(frozen=True, slots=True)
class Register:
    """A record came in: C ‖ W.

    Attributes:
        commitment: C, 32 bytes.
        owner_tag: W, 32 bytes.
    """

    type: ClassVar[EntryType] = EntryType.REGISTER

    commitment: bytes = field(repr=False)
    owner_tag: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.commitment) != _HASH_BYTES or len(self.owner_tag) != _HASH_BYTES:
            raise Malformed("C and W have 32 bytes")

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + self.commitment + self.owner_tag


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Its owner took a record back.

    Attributes:
        register_index: index of its REGISTER entry.
        owner_public_key: Ed25519, 32 bytes.
        signature: of `withdraw_message`, 64 bytes.
    """

    type: ClassVar[EntryType] = EntryType.WITHDRAW

    register_index: int
    owner_public_key: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _index(self.register_index)
        if len(self.owner_public_key) != PUBLIC_KEY_BYTES or len(self.signature) != SIGNATURE_BYTES:
            raise Malformed("an owner key has 32 bytes and a signature 64")

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + u64(self.register_index) + self.owner_public_key + self.signature


@dataclass(frozen=True, slots=True)
class Erase:
    """The operator took a record out.

    Attributes:
        register_index: index of its REGISTER entry.
        reason: why.
    """

    type: ClassVar[EntryType] = EntryType.ERASE

    register_index: int
    reason: EraseReason

    def __post_init__(self) -> None:
        _index(self.register_index)
        if not isinstance(self.reason, EraseReason):
            raise Malformed("an erasure has one of the stated reasons")

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + u64(self.register_index) + u8(self.reason)


@dataclass(frozen=True, slots=True)
class Session:
    """A committed screening was opened: what it will ask about is fixed, and by which terms.

    Attributes:
        builder: H(the builder's Ed25519 public key), 32 bytes.
        commitment: `manifests.commitment` of the rows, 32 bytes: blinded, it tells nobody which.
        count: rows in the manifest, n, at least 1.
        terms: H(the session's terms), 32 bytes.
    """

    type: ClassVar[EntryType] = EntryType.SESSION

    builder: bytes = field(repr=False)
    commitment: bytes = field(repr=False)
    count: int
    terms: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_hashes(self.builder, self.commitment, self.terms)
        if not 1 <= self.count <= MAX_INDEX:
            raise Malformed("a session has at least one row, and fewer than 2^53")

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + self.builder + self.commitment + u64(self.count) + self.terms


@dataclass(frozen=True, slots=True)
class Close:
    """A committed screening was answered in full; a session has at most one.

    Attributes:
        session_index: index of its SESSION entry.
        least_log_size: the least log size that a row was answered for.
        results_root: root over the result leaves of all rows, 32 bytes.
    """

    type: ClassVar[EntryType] = EntryType.CLOSE

    session_index: int
    least_log_size: int
    results_root: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _index(self.session_index)
        _index(self.least_log_size)
        _check_hashes(self.results_root)

    def encode(self) -> bytes:
        """The entry's bytes."""
        return (
            _start(self.type)
            + u64(self.session_index)
            + u64(self.least_log_size)
            + self.results_root
        )


@dataclass(frozen=True, slots=True)
class Certify:
    """A builder's certificate was logged.

    Attributes:
        session_index: index of the SESSION entry it is about.
        digest: H(DSSE pre-authentication encoding of the certificate), 32 bytes.
    """

    type: ClassVar[EntryType] = EntryType.CERTIFY

    session_index: int
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _index(self.session_index)
        _check_hashes(self.digest)

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + u64(self.session_index) + self.digest


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot was published.

    Attributes:
        serial: its number.
        log_size: the state of the log that it shows.
        manifest_digest: H(its manifest), 32 bytes.
    """

    type: ClassVar[EntryType] = EntryType.SNAPSHOT

    serial: int
    log_size: int
    manifest_digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _index(self.serial)
        _index(self.log_size)
        _check_hashes(self.manifest_digest)

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + u64(self.serial) + u64(self.log_size) + self.manifest_digest


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day began; what was valid until an earlier one expires.

    Attributes:
        day: UTC day number (days since 1970-01-01).
    """

    type: ClassVar[EntryType] = EntryType.DAY

    day: int

    def __post_init__(self) -> None:
        u32(self.day)

    def encode(self) -> bytes:
        """The entry's bytes."""
        return _start(self.type) + u32(self.day)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A builder disputed that a record excluded an image, and the operator decided.

    Attributes:
        register_index: index of the record's REGISTER entry.
        reference: of the image's place in its screening, 32 bytes, under a key of the registry: it
            tells nobody else which, and tells two disputes apart.
        outcome: what was decided.
        reason: why; one of `REASONS_OF` the outcome.
    """

    type: ClassVar[EntryType] = EntryType.DISPUTE

    register_index: int
    reference: bytes = field(repr=False)
    outcome: DisputeOutcome
    reason: DisputeReason

    def __post_init__(self) -> None:
        _index(self.register_index)
        _check_hashes(self.reference)
        if self.reason not in REASONS_OF.get(self.outcome, ()):
            raise Malformed("a dispute has one of the stated outcomes, for a reason that fits it")

    def encode(self) -> bytes:
        """The entry's bytes."""
        decided = u8(self.outcome) + u8(self.reason)
        return _start(self.type) + u64(self.register_index) + self.reference + decided


type Entry = Register | Withdraw | Erase | Session | Close | Certify | Snapshot | Day | Dispute


def decode_entry(data: bytes) -> Entry:
    """The entry behind its bytes; `Malformed` for anything `encode` would not have written."""
    reader = Reader(data)
    if reader.take(len(MAGIC)) != MAGIC:
        raise Malformed("not an entry of this log")
    entry = _body(reader.u8(), reader)
    reader.end()
    return entry


def _body(kind: int, reader: Reader) -> Entry:
    read = _BODIES.get(kind)
    if read is None:
        raise Malformed("an entry of a type this version does not know")
    return read(reader)


def _reason(code: int) -> EraseReason:
    try:
        return EraseReason(code)
    except ValueError:
        raise Malformed("an erasure has one of the stated reasons") from None


def _register(reader: Reader) -> Register:
    return Register(reader.take(_HASH_BYTES), reader.take(_HASH_BYTES))


def _withdraw(reader: Reader) -> Withdraw:
    return Withdraw(reader.u64(), reader.take(PUBLIC_KEY_BYTES), reader.take(SIGNATURE_BYTES))


def _erase(reader: Reader) -> Erase:
    return Erase(reader.u64(), _reason(reader.u8()))


def _session(reader: Reader) -> Session:
    builder, commitment = reader.take(_HASH_BYTES), reader.take(_HASH_BYTES)
    return Session(builder, commitment, reader.u64(), reader.take(_HASH_BYTES))


def _close(reader: Reader) -> Close:
    return Close(reader.u64(), reader.u64(), reader.take(_HASH_BYTES))


def _certify(reader: Reader) -> Certify:
    return Certify(reader.u64(), reader.take(_HASH_BYTES))


def _snapshot(reader: Reader) -> Snapshot:
    return Snapshot(reader.u64(), reader.u64(), reader.take(_HASH_BYTES))


def _day(reader: Reader) -> Day:
    return Day(reader.u32())


def _dispute(reader: Reader) -> Dispute:
    register_index, reference = reader.u64(), reader.take(_HASH_BYTES)
    try:
        outcome, reason = DisputeOutcome(reader.u8()), DisputeReason(reader.u8())
    except ValueError:
        raise Malformed("a dispute has one of the stated outcomes and reasons") from None
    return Dispute(register_index, reference, outcome, reason)


_BODIES: Final[Mapping[int, Callable[[Reader], Entry]]] = {
    EntryType.REGISTER: _register,
    EntryType.WITHDRAW: _withdraw,
    EntryType.ERASE: _erase,
    EntryType.SESSION: _session,
    EntryType.CLOSE: _close,
    EntryType.CERTIFY: _certify,
    EntryType.SNAPSHOT: _snapshot,
    EntryType.DAY: _day,
    EntryType.DISPUTE: _dispute,
}


def check_withdrawal(origin: str, withdraw: Withdraw, register: Register) -> None:
    """Whether a WITHDRAW entry is its REGISTER entry's owner's.

    Raises:
        WeakKey: a key that proves nothing.
        BadSignature: another key than the one registered, or not signed by it.
    """
    if owner_tag(withdraw.owner_public_key) != register.owner_tag:
        raise BadSignature("the withdrawal is by another key than the registration")
    message = withdraw_message(origin, register.commitment)
    verify(withdraw.owner_public_key, withdraw.signature, message)


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Encoded entries → bundle; `Malformed` for an entry longer than 2¹⁶-1 bytes."""
    return b"".join(u16(len(entry)) + entry for entry in entries)


def decode_bundle(data: bytes) -> tuple[bytes, ...]:
    """Bundle → encoded entries, which `decode_entry` reads; `Malformed` where it ends early."""
    reader = Reader(data)
    out = []
    while reader.left:
        out.append(reader.take(reader.u16()))
    return tuple(out)
