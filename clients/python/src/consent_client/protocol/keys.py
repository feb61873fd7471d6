"""The registrant's keys: a recovery phrase, and for each record unrelated keys derived from it.

FORMATS §2. Ed25519 is RFC 8032, with two rules on top: public keys that are non-canonical or of
small order are refused, for a signature by them proves nothing.
"""

import secrets
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from consent_client.errors import BadPhrase, BadSignature, Malformed, WeakKey
from consent_client.protocol.encoding import lp, u32
from consent_client.protocol.origins import origin_bytes

SEED_BYTES: Final = 16
"""Entropy behind a phrase: 128 bit, 12 words (BIP-39)."""
PHRASE_WORDS: Final = 12
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
RECORD_ID_BYTES: Final = 16
OPENING_BYTES: Final = 32

_MAX_PHRASE_CHARACTERS = 1_000
"""12 words of at most 8 letters, and generous room for spaces."""

_FIELD = 2**255 - 19
_SIGN_BIT = 1 << 255
# y of the eight points whose order divides 8 (RFC 8032 §5.1; the sign of x is masked off): order 4
# at 0, order 1 at 1, order 2 at p-1, and the two y of the four points of order 8.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


def new_phrase() -> str:
    """A fresh recovery phrase: 12 English words, 128 bits from the system's random source."""
    return str(_words().to_mnemonic(secrets.token_bytes(SEED_BYTES)))


def seed_of(phrase: str) -> bytes:
    """The 16 bytes of entropy behind a phrase; case, spacing and full-width letters do not matter.

    Raises:
        BadPhrase: not 12 words, a word that is not in the English BIP-39 list (its position is
            said, the word is not), or a wrong checksum.
    """
    if len(phrase) > _MAX_PHRASE_CHARACTERS:
        raise BadPhrase("too long for a recovery phrase")
    words = unicodedata.normalize("NFKD", phrase).lower().split()
    if len(words) != PHRASE_WORDS:
        raise BadPhrase(f"a recovery phrase has {PHRASE_WORDS} words, this has {len(words)}")
    known = _word_set()
    for position, word in enumerate(words, 1):
        if word not in known:
            raise BadPhrase(f"word {position} of the recovery phrase is not in the word list")
    if not _words().check(" ".join(words)):
        raise BadPhrase("the words do not belong together: one is wrong, or the order is")
    return bytes(_words().to_entropy(words))


@cache
def _words() -> Mnemonic:
    return Mnemonic("english")


@cache
def _word_set() -> frozenset[str]:
    return frozenset(_words().wordlist)


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """What controls one record at one registry.

    Attributes:
        private: Ed25519 private key, 32 bytes (RFC 8032 seed).
        public: Ed25519 public key, 32 bytes.
        opening: r, 32 bytes: hides the statement and F inside the commitment.
    """

    private: bytes = field(repr=False)
    public: bytes = field(repr=False)
    opening: bytes = field(repr=False)

    @property
    def record_id(self) -> bytes:
        """The record's id, 16 bytes."""
        return record_id(self.public)

    @property
    def owner_tag(self) -> bytes:
        """W, 32 bytes: what stands for the owner in the log."""
        return owner_tag(self.public)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.private).sign(message)


def derive_owner(seed: bytes, origin: str, i: int) -> OwnerKey:
    """The keys of the i-th record of this seed at this registry.

    Args:
        seed: 16 bytes, from `seed_of`.
        origin: the registry's name.
        i: 0 ≤ i < 2³².

    Raises:
        Malformed: a seed of another length, a bad origin, or i out of range.
    """
    if len(seed) != SEED_BYTES:
        raise Malformed(f"a seed has {SEED_BYTES} bytes")
    private = _derive(seed, "consent-registry/v1/owner", origin, i)
    opening = _derive(seed, "consent-registry/v1/opening", origin, i)
    public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return OwnerKey(private, public, opening)


def _derive(seed: bytes, domain: str, origin: str, i: int) -> bytes:
    info = lp(domain, origin_bytes(origin), u32(i))
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(seed)


def record_id(public: bytes) -> bytes:
    """The id of the record that this public key controls, 16 bytes."""
    return sha256(b"consent-registry/id/v1\0" + public).digest()[:RECORD_ID_BYTES]


def owner_tag(public: bytes) -> bytes:
    """W, 32 bytes: what stands for this public key in the log."""
    return sha256(b"consent-registry/owner/v1\0" + public).digest()


def check_public_key(public: bytes) -> None:
    """Refuse Ed25519 public keys that OpenSSL accepts though they prove nothing.

    Raises:
        WeakKey: not 32 bytes, y ≥ 2²⁵⁵-19, or one of the points whose order divides 8.
    """
    if len(public) != PUBLIC_KEY_BYTES:
        raise WeakKey(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes")
    y = int.from_bytes(public, "little") & (_SIGN_BIT - 1)
    if y >= _FIELD:
        raise WeakKey("an Ed25519 public key that is not canonical")
    if y in _SMALL_ORDER_Y:
        raise WeakKey("an Ed25519 public key of small order")


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Check an Ed25519 signature.

    Raises:
        WeakKey: as `check_public_key`.
        BadSignature: the signature is not by this key over this message, or has S ≥ L.
    """
    check_public_key(public)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not verify") from None
