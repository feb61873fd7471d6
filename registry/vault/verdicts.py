"""Verdicts as they are stored: under a key of the vault.

A data set's order is often known to everybody, and then a list of verdicts says which of its images
somebody opted out. So the bytes are enciphered: AES-256-CTR, a row's keystream following from the
row's own identity, and each row is written once. The length stays, and nothing authenticates the
row: who can write to the database can do worse.

Bytes of earlier versions are plain; they have no high bit, and these have.
"""

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from consent_client.protocol.encoding import lp, u64

_KEY_DOMAIN: Final = b"consent-registry/v1/verdicts\0"
_NONCE_DOMAIN: Final = b"consent-registry/v1/verdicts-nonce\0"
_NONCE_BYTES: Final = 16
_HIDDEN: Final = 0x80


def keystream(
    secret: bytes,
    kind: str,
    screening_id: bytes,
    number: int,
    digest: bytes,
    log_size: int,
    length: int,
) -> bytes:
    """What a row is enciphered with.

    Args:
        secret: the registry's own, from its vault.
        kind: what of which table.
        screening_id: of the row.
        number: of the block.
        digest: the row's keyed digest, 32 bytes: no two rows have the same.
        log_size: that the answer holds for. Where a restored database answers the same block anew,
            or a transaction is repeated, other verdicts need a longer log: none share a keystream.
        length: bytes wanted.
    """
    key = hmac.digest(secret, _KEY_DOMAIN, "sha256")
    row = lp(kind, screening_id, u64(number), digest, u64(log_size))
    nonce = hmac.digest(secret, _NONCE_DOMAIN + row, "sha256")[:_NONCE_BYTES]
    return Cipher(AES256(key), CTR(nonce)).encryptor().update(bytes(length))


def hide_verdicts(verdicts: bytes, stream: bytes) -> bytes:
    """Verdict bytes (below 128) as they are stored."""
    return bytes(
        _HIDDEN | (verdict ^ key) & ~_HIDDEN for verdict, key in zip(verdicts, stream, strict=True)
    )


def show_verdicts(stored: bytes, stream: bytes) -> bytes:
    """The verdict bytes behind what is stored."""
    if not are_hidden(stored):
        return stored
    return bytes((byte ^ key) & ~_HIDDEN for byte, key in zip(stored, stream, strict=True))


def are_hidden(stored: bytes) -> bool:
    """Whether stored verdicts are enciphered; those of earlier versions are not."""
    return bool(stored) and bool(stored[0] & _HIDDEN)


def xor(data: bytes, stream: bytes) -> bytes:
    """Enciphers and deciphers bytes of which all bits are used."""
    return bytes(byte ^ key for byte, key in zip(data, stream, strict=True))
