"""Records at rest: a data key each, wrapped under the key of an epoch (FORMATS §4).

Content: `u8 1 ‖ nonce12 ‖ AES-256-GCM(data key, plaintext, aad = lp(domain, record_id))`.
Data key: `u8 1 ‖ u32 epoch ‖ nonce12 ‖ AES-256-GCM-SIV(KEK, data key, aad = lp(domain, record_id,
epoch))`. What is moved to another record, or relabelled with another epoch, does not open.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from consent_client.protocol.encoding import lp, u32
from registry.errors import EnvelopeError

KEY_BYTES: Final = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_VERSION = b"\x01"
_CONTENT_AT = 1 + _NONCE_BYTES
_EPOCH = slice(1, 5)
_WRAP_NONCE = slice(5, 17)
_WRAPPED_AT = 17

WRAPPED_BYTES: Final = _WRAPPED_AT + KEY_BYTES + _TAG_BYTES
"""Length of a wrapped data key."""

_RECORD_DOMAIN = b"consent-registry/v1/record"
_DATA_KEY_DOMAIN = b"consent-registry/v1/data-key"


def new_data_key() -> bytes:
    """A fresh key of 32 bytes, for one record alone."""
    return secrets.token_bytes(KEY_BYTES)


def encrypt_record(data_key: bytes, record_id: bytes, plaintext: bytes) -> bytes:
    """The record's content as it is stored, 29 bytes longer than the plaintext."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    aad = lp(_RECORD_DOMAIN, record_id)
    return _VERSION + nonce + AESGCM(data_key).encrypt(nonce, plaintext, aad)


def decrypt_record(data_key: bytes, record_id: bytes, ciphertext: bytes) -> bytes:
    """The plaintext behind `encrypt_record`.

    Raises:
        EnvelopeError: another version, key or record, or altered bytes.
    """
    if ciphertext[:1] != _VERSION:
        raise EnvelopeError("a record's content of an unknown version")
    nonce, sealed = ciphertext[1:_CONTENT_AT], ciphertext[_CONTENT_AT:]
    try:
        return AESGCM(data_key).decrypt(nonce, sealed, lp(_RECORD_DOMAIN, record_id))
    except (InvalidTag, ValueError):
        raise EnvelopeError("a record's content does not open") from None


def wrap_data_key(kek: bytes, epoch: int, record_id: bytes, data_key: bytes) -> bytes:
    """A data key wrapped under an epoch's key, `WRAPPED_BYTES` long."""
    nonce, number = secrets.token_bytes(_NONCE_BYTES), u32(epoch)
    aad = lp(_DATA_KEY_DOMAIN, record_id, number)
    return _VERSION + number + nonce + AESGCMSIV(kek).encrypt(nonce, data_key, aad)


def unwrap_data_key(keks: Mapping[int, bytes], record_id: bytes, wrapped: bytes) -> bytes:
    """The data key behind `wrap_data_key`.

    Args:
        keks: epoch → key, of the epochs that are not destroyed.
        record_id: the record it belongs to.
        wrapped: as stored.

    Raises:
        EnvelopeError: another version or record, altered bytes, or an epoch whose key is not here.
    """
    epoch = wrapped_epoch(wrapped)
    kek = keks.get(epoch)
    if kek is None:
        raise EnvelopeError(f"the key of epoch {epoch} is not here; it may have been destroyed")
    aad = lp(_DATA_KEY_DOMAIN, record_id, wrapped[_EPOCH])
    try:
        return AESGCMSIV(kek).decrypt(wrapped[_WRAP_NONCE], wrapped[_WRAPPED_AT:], aad)
    except (InvalidTag, ValueError):
        raise EnvelopeError("a data key does not open") from None


def wrapped_epoch(wrapped: bytes) -> int:
    """The epoch a data key says it is wrapped under.

    Raises:
        EnvelopeError: another length or version.
    """
    if len(wrapped) != WRAPPED_BYTES or wrapped[:1] != _VERSION:
        raise EnvelopeError("a wrapped data key of an unknown length or version")
    return int.from_bytes(wrapped[_EPOCH])
