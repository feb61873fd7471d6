"""Records at rest: a data key each, wrapped under the key of an epoch (FORMATS §4).

Content: `u8 1 ‖ nonce12 ‖ AES-256-GCM(data key, plaintext, aad = lp(domain, record_id))`.
Data key: `u8 1 ‖ u32 epoch ‖ nonce12 ‖ AES-256-GCM-SIV(KEK, data key, aad = lp(domain, record_id,
epoch))`. What is moved to another record, or relabelled with another epoch, does not open.

A data key encrypts once, so AES-GCM's random nonce is safe there. A KEK wraps every live key of its
epoch: AES-GCM-SIV stays safe even where a random nonce comes twice (RFC 8452 §9).
"""

import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from consent_client.protocol.encoding import lp, u32
from consent_client.protocol.keys import RECORD_ID_BYTES
from consent_client.protocol.sealing import PLAINTEXT_BYTES
from registry.errors import EnvelopeError

KEY_BYTES: Final = 32

_NONCE_BYTES = 12
_TAG_BYTES = 16
_VERSION = b"\x01"

CONTENT_BYTES: Final = 1 + _NONCE_BYTES + PLAINTEXT_BYTES + _TAG_BYTES
"""Length of a record's content as stored: one for all, so that it tells nothing."""

_CONTENT_NONCE = slice(1, 13)
_CONTENT_AT = 13

WRAPPED_BYTES: Final = 1 + 4 + _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
"""Length of a wrapped data key."""

_WRAP_HEAD = 5
_WRAP_NONCE = slice(5, 17)
_WRAPPED_AT = 17

_GREATEST_EPOCH: Final = 2**32 - 1

# Associated data up to the record id, made once: these functions run a million times in a replay.
_RECORD_AAD = lp(b"consent-registry/v1/record") + u32(RECORD_ID_BYTES)
_DATA_KEY_AAD = lp(b"consent-registry/v1/data-key") + u32(RECORD_ID_BYTES)
_EPOCH_LENGTH = u32(4)


class Kek:
    """The key of an epoch, ready for use; shown nowhere, though its memory can not be wiped.

    Args:
        key: 32 bytes.

    Raises:
        EnvelopeError: not 32 bytes.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise EnvelopeError(f"an epoch's key has {KEY_BYTES} bytes")
        self._cipher = AESGCMSIV(key)

    def __repr__(self) -> str:
        return "Kek()"

    def encrypt(self, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """AES-256-GCM-SIV (RFC 8452)."""
        return self._cipher.encrypt(nonce, plaintext, aad)

    def decrypt(self, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """AES-256-GCM-SIV (RFC 8452).

        Raises:
            InvalidTag, ValueError: it does not open.
        """
        return self._cipher.decrypt(nonce, sealed, aad)


def new_data_key() -> bytes:
    """A fresh key of 32 bytes, to encrypt one record once."""
    return secrets.token_bytes(KEY_BYTES)


def encrypt_record(data_key: bytes, record_id: bytes, plaintext: bytes) -> bytes:
    """The record's content as it is stored, `CONTENT_BYTES` long.

    Raises:
        EnvelopeError: key, id or plaintext of another size than the format's.
    """
    _check_sizes(data_key, record_id)
    if len(plaintext) != PLAINTEXT_BYTES:
        raise EnvelopeError(f"a record's content is padded to {PLAINTEXT_BYTES} bytes")
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(data_key).encrypt(nonce, plaintext, _RECORD_AAD + record_id)
    return b"".join((_VERSION, nonce, sealed))


def decrypt_record(data_key: bytes, record_id: bytes, ciphertext: bytes) -> bytes:
    """The plaintext behind `encrypt_record`, 8,192 bytes.

    Raises:
        EnvelopeError: another length, version, key or record, or altered bytes.
    """
    _check_sizes(data_key, record_id)
    if len(ciphertext) != CONTENT_BYTES or ciphertext[:1] != _VERSION:
        raise EnvelopeError("a record's content of an unknown length or version")
    try:
        return AESGCM(data_key).decrypt(
            ciphertext[_CONTENT_NONCE], ciphertext[_CONTENT_AT:], _RECORD_AAD + record_id
        )
    except InvalidTag:
        raise EnvelopeError("a record's content does not open") from None


def wrap_data_key(kek: Kek, epoch: int, record_id: bytes, data_key: bytes) -> bytes:
    """A data key wrapped under an epoch's key, `WRAPPED_BYTES` long.

    Raises:
        EnvelopeError: key or id of another size, or an epoch outside u32.
    """
    _check_sizes(data_key, record_id)
    if not 0 <= epoch <= _GREATEST_EPOCH:
        raise EnvelopeError("an epoch's number has four bytes")
    nonce, number = secrets.token_bytes(_NONCE_BYTES), epoch.to_bytes(4)
    aad = b"".join((_DATA_KEY_AAD, record_id, _EPOCH_LENGTH, number))
    return b"".join((_VERSION, number, nonce, kek.encrypt(nonce, data_key, aad)))


def unwrap_data_key(keks: Mapping[int, Kek], record_id: bytes, wrapped: bytes) -> bytes:
    """The data key behind `wrap_data_key`.

    Args:
        keks: epoch → key, of the epochs that are not destroyed.
        record_id: the record it belongs to, 16 bytes.
        wrapped: as stored.

    Raises:
        EnvelopeError: another length, version or record, altered bytes, or an epoch whose key is
            not among these.
    """
    kek = keks.get(wrapped_epoch(wrapped))
    if kek is None:
        raise EnvelopeError("the key of a data key's epoch is not here; it may have been destroyed")
    aad = b"".join((_DATA_KEY_AAD, record_id, _EPOCH_LENGTH, wrapped[1:_WRAP_HEAD]))
    try:
        return kek.decrypt(wrapped[_WRAP_NONCE], wrapped[_WRAPPED_AT:], aad)
    except InvalidTag:
        raise EnvelopeError("a data key does not open") from None


def wrapped_epoch(wrapped: bytes) -> int:
    """The epoch a data key says it is wrapped under.

    Raises:
        EnvelopeError: another length or version.
    """
    if len(wrapped) != WRAPPED_BYTES or wrapped[:1] != _VERSION:
        raise EnvelopeError("a wrapped data key of an unknown length or version")
    return int.from_bytes(wrapped[1:_WRAP_HEAD])


def _check_sizes(data_key: bytes, record_id: bytes) -> None:
    if len(data_key) != KEY_BYTES or len(record_id) != RECORD_ID_BYTES:
        raise EnvelopeError("a data key or a record id of another size")
