"""A record: its commitment, what its owner signs, its content, and the request that registers it.

FORMATS §3. Content, before sealing and before encryption at rest:
`u8 1 ‖ r 32 ‖ u32 length ‖ statement 10 ‖ list as in F ‖ zeros` to 8,192 bytes, where `length`
counts statement and list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from consent_client.errors import Malformed
from consent_client.protocol.encoding import decode_base64, encode_base64, lp, u32
from consent_client.protocol.fingerprints import (
    Fingerprints,
    check_fingerprints,
    decode_list,
    encode_list,
    list_digest,
)
from consent_client.protocol.keys import (
    OPENING_BYTES,
    PUBLIC_KEY_BYTES,
    RECORD_ID_BYTES,
    SIGNATURE_BYTES,
    OwnerKey,
    check_public_key,
    record_id,
)
from consent_client.protocol.origins import origin_bytes
from consent_client.protocol.sealing import (
    KEY_ID_BYTES,
    PLAINTEXT_BYTES,
    SEALED_BYTES,
    SealingKey,
    seal,
)
from consent_client.protocol.statements import STATEMENT_BYTES, Statement

COMMITMENT_BYTES: Final = 32

MAX_NONCE_BYTES: Final = 64
"""Longest nonce a registry may ask a reader to sign."""

_CONTENT_VERSION = b"\x01"
_LENGTH_AT = 1 + OPENING_BYTES
_BODY_AT = _LENGTH_AT + 4
_LIST_AT = _BODY_AT + STATEMENT_BYTES
_PADDING = bytes(PLAINTEXT_BYTES)
_COMMITMENT_DOMAIN = b"consent-registry/record/v1\0"


def commitment(opening: bytes, statement: bytes, image_digest: bytes) -> bytes:
    """C, 32 bytes: binds statement and F, and hides them behind r.

    Args:
        opening: r, 32 bytes.
        statement: the encoded statement.
        image_digest: F, 32 bytes.
    """
    return sha256(_COMMITMENT_DOMAIN + opening + lp(statement, image_digest)).digest()


def register_message(origin: str, record_id: bytes, commitment: bytes) -> bytes:
    """What an owner signs to register."""
    return lp("consent-registry/v1/register", origin_bytes(origin), record_id, commitment)


def withdraw_message(origin: str, commitment: bytes) -> bytes:
    """What an owner signs to withdraw: good for the API and the log, now or later."""
    return lp("consent-registry/v1/withdraw", origin_bytes(origin), commitment)


def read_message(origin: str, record_id: bytes, nonce: bytes) -> bytes:
    """What an owner signs to read the own record; the nonce is the registry's.

    Raises:
        Malformed: a nonce that is empty or longer than `MAX_NONCE_BYTES`.
    """
    if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
        raise Malformed("a nonce that is empty or too long")
    return lp("consent-registry/v1/read", origin_bytes(origin), record_id, nonce)


@dataclass(frozen=True, slots=True)
class RecordContent:
    """What a record holds: sealed on its way, encrypted at rest, plain only in memory.

    Attributes:
        opening: r, 32 bytes.
        statement: what the person states.
        fingerprints: of the image, by space.
    """

    opening: bytes = field(repr=False)
    statement: Statement
    fingerprints: Fingerprints = field(repr=False)

    @property
    def image_digest(self) -> bytes:
        """F, 32 bytes."""
        return list_digest(encode_list(self.fingerprints))

    @property
    def commitment(self) -> bytes:
        """C, 32 bytes."""
        return commitment(self.opening, self.statement.encode(), self.image_digest)

    def encode(self) -> bytes:
        """Its `PLAINTEXT_BYTES` bytes, padded.

        Raises:
            ProtocolError: an opening of another length, or as `encode_list` and
                `check_fingerprints`.
        """
        if len(self.opening) != OPENING_BYTES:
            raise Malformed(f"an opening has {OPENING_BYTES} bytes")
        check_fingerprints(self.fingerprints)
        body = self.statement.encode() + encode_list(self.fingerprints)
        data = _CONTENT_VERSION + self.opening + u32(len(body)) + body
        return data.ljust(PLAINTEXT_BYTES, b"\0")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The content behind its bytes, everything checked, vectors' norms too.

        Raises:
            ProtocolError: `Malformed`, `UnknownSpace`, `BadFingerprint` or `BadStatement` for
                anything `encode` would not have written.
        """
        content = cls.decode_stored(data)
        check_fingerprints(content.fingerprints)
        return content

    @classmethod
    def decode_stored(cls, data: bytes) -> Self:
        """As `decode`, for content that was checked before it was stored: norms are not looked at.

        Shape, sizes, order and padding still are. It is what a replay of a million records uses,
        which sends the vectors through `decode_floats` in any case.

        Raises:
            ProtocolError: as `decode`, but for norms.
        """
        if data[:1] != _CONTENT_VERSION:
            raise Malformed("a record's content of another version")
        content, end = cls.decode_front(data)
        check_padding(data, end)
        return content

    @classmethod
    def decode_front(cls, data: bytes) -> tuple[Self, int]:
        """The content that padded bytes begin with, after a version byte of any value.

        Returns:
            The content, as `decode_stored` checks it, and where it ends; what follows is the
            caller's to check.

        Raises:
            ProtocolError: as `decode_stored`.
        """
        if len(data) != PLAINTEXT_BYTES:
            raise Malformed("a record's content of another length")
        end = _BODY_AT + int.from_bytes(data[_LENGTH_AT:_BODY_AT])
        if not _LIST_AT <= end <= PLAINTEXT_BYTES:
            raise Malformed("a record's content whose length is wrong")
        statement = Statement.decode(data[_BODY_AT:_LIST_AT])
        return cls(data[1:_LENGTH_AT], statement, decode_list(data[_LIST_AT:end])), end


def check_padding(data: bytes, start: int) -> None:
    """Refuse a record's content that is not zeros from here to its end.

    Raises:
        Malformed: it is not.
    """
    if not data.endswith(_PADDING[start:]):
        raise Malformed("a record's content is padded with zeros")


_JSON_SIZES: Final[Mapping[str, tuple[int, ...]]] = {
    "recordId": (RECORD_ID_BYTES,),
    "ownerPublicKey": (PUBLIC_KEY_BYTES,),
    "commitment": (COMMITMENT_BYTES,),
    "signature": (SIGNATURE_BYTES,),
    "sealingKeyId": (KEY_ID_BYTES,),
    "sealed": tuple(SEALED_BYTES.values()),
}


@dataclass(frozen=True, slots=True)
class RegistrationRequest:
    """All that registers a record but the proof of work; kept, and sent again byte for byte.

    Attributes:
        record_id: 16 bytes.
        owner_public_key: Ed25519, 32 bytes.
        commitment: C, 32 bytes.
        signature: of `register_message`, 64 bytes.
        sealing_key_id: which sealing key, 8 bytes.
        sealed: the blob, one of `SEALED_BYTES` long.

    Raises:
        Malformed: a length that is wrong, or a record id that is not this owner's.
        WeakKey: an owner key that proves nothing.
    """

    record_id: bytes
    owner_public_key: bytes = field(repr=False)
    commitment: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    sealing_key_id: bytes
    sealed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for (name, sizes), value in zip(_JSON_SIZES.items(), self._values(), strict=True):
            if len(value) not in sizes:
                raise Malformed(f"{name} has the wrong length")
        check_public_key(self.owner_public_key)
        if self.record_id != record_id(self.owner_public_key):
            raise Malformed("recordId does not belong to ownerPublicKey")

    def _values(self) -> tuple[bytes, ...]:
        return (
            self.record_id,
            self.owner_public_key,
            self.commitment,
            self.signature,
            self.sealing_key_id,
            self.sealed,
        )

    def to_json(self) -> dict[str, str]:
        """Its fields in base64, under the names that the API's input has."""
        return {
            name: encode_base64(value)
            for name, value in zip(_JSON_SIZES, self._values(), strict=True)
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The request behind `to_json`; further, missing or other fields are refused.

        Raises:
            Malformed: not such an object, base64 that is not canonical, or a wrong length.
            WeakKey: an owner key that proves nothing.
        """
        if not isinstance(value, Mapping) or value.keys() != _JSON_SIZES.keys():
            raise Malformed("not a registration request")
        texts = [value[name] for name in _JSON_SIZES]
        if not all(isinstance(text, str) for text in texts):
            raise Malformed("not a registration request")
        return cls(*(decode_base64(text) for text in texts))


def build_registration(
    owner: OwnerKey,
    origin: str,
    statement: Statement,
    fingerprints: Fingerprints,
    sealing_key: SealingKey,
) -> RegistrationRequest:
    """Seal and sign one record.

    Raises:
        ProtocolError: fingerprints, origin or sealing key that do not follow FORMATS.
    """
    content = RecordContent(owner.opening, statement, fingerprints)
    sealed = seal(content.encode(), sealing_key, origin, owner.record_id, owner.public)
    committed = content.commitment
    return RegistrationRequest(
        record_id=owner.record_id,
        owner_public_key=owner.public,
        commitment=committed,
        signature=owner.sign(register_message(origin, owner.record_id, committed)),
        sealing_key_id=sealing_key.key_id,
        sealed=sealed,
    )
