"""A record as it is kept on this device, and its JSON form.

Everything needed to send, prove and withdraw a record is written down before anything is sent:
after a kill the same bytes are sent again. Until the registry has answered, the fingerprints are
kept too, encrypted under a key derived from the recovery phrase, for the case that the registry's
sealing key expires in between and they have to be sealed anew.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent_client.errors import Malformed, ProtocolError, StateError
from consent_client.operations import RecordStatus
from consent_client.protocol.encoding import decode_base64, encode_base64, lp, u32
from consent_client.protocol.fingerprints import Fingerprints, decode_list, encode_list
from consent_client.protocol.keys import OPENING_BYTES, PUBLIC_KEY_BYTES
from consent_client.protocol.log import MAX_INDEX
from consent_client.protocol.origins import origin_bytes
from consent_client.protocol.protection import Reach, SpaceProtection
from consent_client.protocol.receipts import Receipt
from consent_client.protocol.records import COMMITMENT_BYTES, RegistrationRequest, commitment
from consent_client.protocol.spaces import space
from consent_client.protocol.statements import Statement

FILE_KIND: Final = "consent-client/record/v1"

MAX_LABEL_CHARACTERS: Final = 1_000

_NONCE_BYTES = 12
_MAX_RECORDS = 2**32

_FAR = 2.0**40
"""Seconds: no time that is meant lies beyond; `NaN` and infinities are no times either."""


class Stage(StrEnum):
    """How far a record has come, as this device knows."""

    WAITING = "waiting"
    """Saved, and never sent."""
    SENT = "sent"
    """Sent at least once; no answer was written down."""
    REGISTERED = "registered"
    """The registry answered."""
    WITHDRAWING = "withdrawing"
    """Sent, never answered, and taken back: it is never sent again but to be withdrawn."""
    LOST = "lost"
    """The registry answered, and its log no longer holds it: it protects nothing any more."""
    DROPPED = "dropped"
    """Given up before the registry had it, or its number was taken from another device."""


@dataclass(frozen=True, slots=True)
class SavedRecord:
    """One record of this device.

    Attributes:
        origin: the registry's name.
        index: i, its number in the derivation of keys.
        label: what the person calls it; never sent.
        opening: r, 32 bytes.
        image_digest: F, 32 bytes; None where only the ending of a recovered record is known.
        statement: None likewise.
        owner_public_key: what the record is controlled by, 32 bytes.
        commitment: C, 32 bytes.
        request: what is sent, byte for byte; None for a record recovered from the log.
        kept_list: the fingerprints, encrypted; None once the registry has answered.
        send_after: seconds since the epoch before which it is not sent; 0: at once.
        register_index: of its REGISTER entry.
        status: as the registry or the log said last.
        terminal_index: of the entry that ended it.
        asked_digest: F of the picture as it was made first, where some of its spaces had to be left
            out: so that the same picture is known again. None where none was.
        left_out: ids of those spaces.
        moved_to: the number under which it is registered instead, where its own was taken.
        protection: how far from the picture it is still found, as the registry said; None where it
            has not said.
        receipt: proof that it is in the log, verified; None where there is none yet.
    """

    origin: str
    index: int
    label: str
    opening: bytes = field(repr=False)
    image_digest: bytes | None = field(repr=False)
    statement: Statement | None
    owner_public_key: bytes = field(repr=False)
    commitment: bytes = field(repr=False)
    stage: Stage
    request: RegistrationRequest | None = field(default=None, repr=False)
    kept_list: bytes | None = field(default=None, repr=False)
    send_after: float = 0.0
    register_index: int | None = None
    status: RecordStatus | None = None
    terminal_index: int | None = None
    asked_digest: bytes | None = field(default=None, repr=False)
    left_out: tuple[str, ...] = ()
    moved_to: int | None = None
    protection: tuple[SpaceProtection, ...] | None = None
    receipt: str | None = field(default=None, repr=False)

    @property
    def unanswered(self) -> bool:
        """Whether it still has to be sent, or sent again."""
        return self.stage in {Stage.WAITING, Stage.SENT}

    @property
    def active(self) -> bool:
        """Whether it counts, or will once it is sent."""
        if self.stage is Stage.REGISTERED:
            return self.status in {None, RecordStatus.ACTIVE}
        return self.unanswered

    def to_json(self) -> bytes:
        """The file's bytes."""
        value = {
            "kind": FILE_KIND,
            "origin": self.origin,
            "index": self.index,
            "label": self.label,
            "opening": encode_base64(self.opening),
            "imageDigest": _optional_base64(self.image_digest),
            "statement": _optional_base64(self.statement.encode() if self.statement else None),
            "ownerPublicKey": encode_base64(self.owner_public_key),
            "commitment": encode_base64(self.commitment),
            "stage": self.stage.value,
            "request": self.request.to_json() if self.request else None,
            "keptList": _optional_base64(self.kept_list),
            "sendAfter": self.send_after,
            "registerIndex": self.register_index,
            "status": self.status.value if self.status else None,
            "terminalIndex": self.terminal_index,
            "askedDigest": _optional_base64(self.asked_digest),
            "leftOut": list(self.left_out),
            "movedTo": self.moved_to,
            "protection": protection_json(self.protection),
            "receipt": self.receipt,
        }
        return (json.dumps(value, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, path: str) -> Self:
        """The record in a file.

        Raises:
            StateError: the file is truncated, damaged, or of another kind; it names the file.
        """
        record: Self | None = None
        try:
            value = json.loads(data)
            if isinstance(value, dict) and value.get("kind") == FILE_KIND:
                record = cls._from_fields(value)
        except (ValueError, KeyError, TypeError, RecursionError):
            record = None
        if record is None:
            raise StateError(
                f"{path} is damaged, or is no record of this program; it is left as it is", path
            )
        return record

    @classmethod
    def _from_fields(cls, value: Mapping[str, Any]) -> Self:
        statement = _octets(value["statement"])
        request = value["request"]
        record = cls(
            origin=origin_bytes(_text(value["origin"])).decode(),
            index=_integer(value["index"], _MAX_RECORDS - 1),
            label=_text(value["label"]),
            opening=decode_base64(_text(value["opening"])),
            image_digest=_octets(value["imageDigest"]),
            statement=None if statement is None else Statement.decode(statement),
            owner_public_key=decode_base64(_text(value["ownerPublicKey"])),
            commitment=decode_base64(_text(value["commitment"])),
            stage=Stage(value["stage"]),
            request=None if request is None else RegistrationRequest.from_json(request),
            kept_list=_octets(value["keptList"]),
            send_after=_seconds(value["sendAfter"]),
            register_index=_optional_index(value["registerIndex"]),
            status=None if value["status"] is None else RecordStatus(value["status"]),
            terminal_index=_optional_index(value["terminalIndex"]),
            # Files of earlier versions do not have these.
            asked_digest=_octets(value.get("askedDigest")),
            left_out=tuple(space(_text(name)).id for name in value.get("leftOut", ())),
            moved_to=_optional_number(value.get("movedTo")),
            protection=_protection(value.get("protection")),
            receipt=_optional_text(value.get("receipt")),
        )
        record._check()
        return record

    def _check(self) -> None:
        """Contents that contradict each other; `Malformed`."""
        if self.statement is not None and self.image_digest is not None:
            made = commitment(self.opening, self.statement.encode(), self.image_digest)
            if made != self.commitment:
                raise Malformed("the commitment does not fit")
        sizes = (len(self.opening), len(self.owner_public_key), len(self.commitment))
        if sizes != (OPENING_BYTES, PUBLIC_KEY_BYTES, COMMITMENT_BYTES):
            raise Malformed("a wrong length")
        if self.request is not None and (
            self.request.commitment != self.commitment
            or self.request.owner_public_key != self.owner_public_key
        ):
            raise Malformed("the request does not fit")
        if self.receipt is not None:
            receipt = Receipt.parse(self.receipt)
            if receipt.register.commitment != self.commitment:
                raise Malformed("the receipt is another record's")
        if self.unanswered and (self.request is None or self.kept_list is None):
            raise Malformed("nothing to send")
        if self.stage is Stage.WITHDRAWING and self.request is None:
            raise Malformed("nothing to withdraw")
        if self.stage in {Stage.REGISTERED, Stage.LOST} and self.register_index is None:
            raise Malformed("no index")


def keep_list(seed: bytes, origin: str, index: int, fingerprints: Fingerprints) -> bytes:
    """Fingerprints, encrypted for this device: nonce12 ‖ AES-256-GCM of the list as in F."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    key = _local_key(seed, origin, index)
    return nonce + AESGCM(key).encrypt(nonce, encode_list(fingerprints), None)


def kept_fingerprints(seed: bytes, record: SavedRecord) -> dict[str, tuple[bytes, ...]]:
    """The fingerprints that `keep_list` kept.

    Raises:
        StateError: there are none, they are damaged, or belong to another phrase.
    """
    kept = record.kept_list or b""
    key = _local_key(seed, record.origin, record.index)
    try:
        return decode_list(AESGCM(key).decrypt(kept[:_NONCE_BYTES], kept[_NONCE_BYTES:], None))
    except (InvalidTag, ValueError, ProtocolError):
        pass
    raise StateError("the kept fingerprints of a record are damaged, or of another phrase")


def _local_key(seed: bytes, origin: str, index: int) -> bytes:
    info = lp("consent-registry/v1/kept-list", origin_bytes(origin), u32(index))
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(seed)


def protection_json(
    protection: tuple[SpaceProtection, ...] | None,
) -> dict[str, str] | None:
    """Space → reach; None where nothing is known."""
    return None if protection is None else {each.space: each.reach.value for each in protection}


def _protection(value: object) -> tuple[SpaceProtection, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Malformed("not a protection")
    return tuple(SpaceProtection(space(name).id, Reach(reach)) for name, reach in value.items())


def _optional_base64(data: bytes | None) -> str | None:
    return None if data is None else encode_base64(data)


def _octets(value: object) -> bytes | None:
    return None if value is None else decode_base64(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("not text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _integer(value: object, greatest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= greatest:
        raise Malformed("not a number in its range")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FAR:
        raise Malformed("not a time")
    return float(value)


def _optional_number(value: object) -> int | None:
    return None if value is None else _integer(value, _MAX_RECORDS - 1)


def _optional_index(value: object) -> int | None:
    return None if value is None else _integer(value, MAX_INDEX)
