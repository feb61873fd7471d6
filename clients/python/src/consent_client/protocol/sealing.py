"""Sealing a record's content to the registry, and the note that publishes the sealing keys.

HPKE (RFC 9180), base mode, single shot, `enc ‖ ciphertext`. Suite 1 is X-Wing (ML-KEM-768 with
X25519, draft-connolly-cfrg-xwing-kem), suite 2 X25519; both with HKDF-SHA256 and AES-256-GCM.

Public keys: suite 1, ML-KEM encapsulation key 1184 ‖ X25519 32; suite 2, X25519 32.
Private keys: suite 1, ML-KEM seed (d ‖ z) 64 ‖ X25519 32, which is what X-Wing's own 32-byte seed
expands to; suite 2, X25519 32.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from consent_client.errors import BadNote, Malformed, NoUsableKey, SealError
from consent_client.protocol.encoding import decode_base64, encode_base64, lp, u8
from consent_client.protocol.notes import NoteSigner, NoteVerifier, sign_note, verify_note
from consent_client.protocol.origins import check_origin, origin_bytes

PLAINTEXT_BYTES: Final = 8_192
"""Every sealed plaintext has this size, so that a blob's length says nothing of its content."""

KEY_ID_BYTES: Final = 8

MAX_SEALING_KEYS: Final = 16
"""Most keys in one note: two suites, a few overlapping rotations, and room."""

NOTE_TITLE: Final = "consent-registry/v1/sealing-keys"

_TAG_BYTES = 16
_X25519_BYTES = 32
_MLKEM_PUBLIC_BYTES = 1_184
_MLKEM_SEED_BYTES = 64
_X25519_FIELD = 2**255 - 19
_DAY_MAX = 2**32 - 1


class Suite(IntEnum):
    """Which HPKE suite a sealing key is for."""

    X_WING = 1
    """Post-quantum and classical together; the default."""
    X25519 = 2
    """For clients without ML-KEM."""


_SUITES = {
    Suite.X_WING: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    Suite.X25519: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
}

ENC_BYTES: Final = MappingProxyType({Suite.X_WING: 1_120, Suite.X25519: 32})
"""Bytes of the encapsulated key that a blob starts with."""

SEALED_BYTES: Final = MappingProxyType(
    {suite: size + PLAINTEXT_BYTES + _TAG_BYTES for suite, size in ENC_BYTES.items()}
)
"""Bytes of a whole sealed blob."""

PUBLIC_BYTES: Final = MappingProxyType(
    {Suite.X_WING: _MLKEM_PUBLIC_BYTES + _X25519_BYTES, Suite.X25519: _X25519_BYTES}
)

PRIVATE_BYTES: Final = MappingProxyType(
    {Suite.X_WING: _MLKEM_SEED_BYTES + _X25519_BYTES, Suite.X25519: _X25519_BYTES}
)

type _Public = hpke.MLKEM768X25519PublicKey | X25519PublicKey
type _Private = hpke.MLKEM768X25519PrivateKey | X25519PrivateKey

# Any private key shows whether a public one is of small order: the shared secret would be zero,
# and the library refuses to give it.
_PROBE = X25519PrivateKey.from_private_bytes(b"\x01" * _X25519_BYTES)


def _x25519_public(data: bytes) -> X25519PublicKey:
    if int.from_bytes(data, "little") >= _X25519_FIELD:
        raise Malformed("an X25519 public key that is not canonical")
    try:
        key = X25519PublicKey.from_public_bytes(data)
        _PROBE.exchange(key)
    except ValueError as error:
        raise Malformed("an X25519 public key of small order") from error
    return key


def _public_key(suite: Suite, data: bytes) -> _Public:
    """The library's public key; `Malformed` for what is not one, or is one that hides nothing."""
    if len(data) != PUBLIC_BYTES[suite]:
        raise Malformed("a sealing key of the wrong length")
    if suite is Suite.X25519:
        return _x25519_public(data)
    classical = _x25519_public(data[_MLKEM_PUBLIC_BYTES:])
    try:
        lattice = MLKEM768PublicKey.from_public_bytes(data[:_MLKEM_PUBLIC_BYTES])
    except ValueError as error:
        raise Malformed("not an ML-KEM-768 public key") from error
    return hpke.MLKEM768X25519PublicKey(lattice, classical)


def _key_id(suite: Suite, public: bytes) -> bytes:
    digest = sha256(b"consent-registry/sealing-key/v1\0" + u8(suite) + public).digest()
    return digest[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A published sealing key.

    Attributes:
        suite: which HPKE suite it is for.
        public: the public key's bytes.
        issue_day: the first UTC day (days since 1970-01-01) it may be used.
        expiry_day: the first UTC day it is refused.

    Raises:
        Malformed: a key the suite refuses, or days that are not in order.
    """

    suite: Suite
    public: bytes
    issue_day: int
    expiry_day: int

    def __post_init__(self) -> None:
        if not 0 <= self.issue_day < self.expiry_day <= _DAY_MAX:
            raise Malformed("a sealing key is issued before it expires")
        _public_key(self.suite, self.public)

    @property
    def key_id(self) -> bytes:
        """What names it in a request and binds it into a seal, 8 bytes."""
        return _key_id(self.suite, self.public)

    def usable(self, day: int) -> bool:
        """Whether it may be sealed to on this UTC day."""
        return self.issue_day <= day < self.expiry_day


@dataclass(frozen=True, slots=True)
class SealingSecret:
    """The registry's half of a sealing key.

    Attributes:
        suite: which HPKE suite it is for.
        private_bytes: the private key, as the module's docstring lays it out.
        public_bytes: the public key that belongs to it.
    """

    suite: Suite
    private_bytes: bytes = field(repr=False)
    public_bytes: bytes
    _key: _Private = field(repr=False, compare=False)

    @classmethod
    def generate(cls, suite: Suite) -> Self:
        """A fresh key."""
        classical = X25519PrivateKey.generate().private_bytes_raw()
        if suite is Suite.X25519:
            return cls.from_private_bytes(suite, classical)
        return cls.from_private_bytes(
            suite, MLKEM768PrivateKey.generate().private_bytes_raw() + classical
        )

    @classmethod
    def from_private_bytes(cls, suite: Suite, data: bytes) -> Self:
        """The key behind its private bytes; `Malformed` for another length."""
        if len(data) != PRIVATE_BYTES[suite]:
            raise Malformed("a private sealing key of the wrong length")
        classical = X25519PrivateKey.from_private_bytes(data[-_X25519_BYTES:])
        public = classical.public_key().public_bytes_raw()
        if suite is Suite.X25519:
            return cls(suite, data, public, classical)
        lattice = MLKEM768PrivateKey.from_seed_bytes(data[:_MLKEM_SEED_BYTES])
        return cls(
            suite,
            data,
            lattice.public_key().public_bytes_raw() + public,
            hpke.MLKEM768X25519PrivateKey(lattice, classical),
        )

    @property
    def key_id(self) -> bytes:
        """What names the key, 8 bytes."""
        return _key_id(self.suite, self.public_bytes)


def _info(origin: str, key_id: bytes, record_id: bytes, owner_public_key: bytes) -> bytes:
    return lp("consent-registry/v1/seal", origin_bytes(origin), key_id, record_id, owner_public_key)


def seal(
    plaintext: bytes, key: SealingKey, origin: str, record_id: bytes, owner_public_key: bytes
) -> bytes:
    """The sealed blob, `SEALED_BYTES[key.suite]` long, bound to registry, key, record and owner.

    Raises:
        Malformed: a plaintext that is not `PLAINTEXT_BYTES` long, or a bad origin.
        SealError: the library could not seal.
    """
    if len(plaintext) != PLAINTEXT_BYTES:
        raise Malformed(f"a sealed plaintext has {PLAINTEXT_BYTES} bytes")
    info = _info(origin, key.key_id, record_id, owner_public_key)
    public = _public_key(key.suite, key.public)
    try:
        return _SUITES[key.suite].encrypt(plaintext, public, info)
    except ValueError as error:
        raise SealError("the content could not be sealed") from error


def open_sealed(
    sealed: bytes,
    secret: SealingSecret,
    key_id: bytes,
    origin: str,
    record_id: bytes,
    owner_public_key: bytes,
) -> bytes:
    """The plaintext of a blob, `PLAINTEXT_BYTES` long.

    Raises:
        SealError: another length, or not sealed to this key for this registry, record and owner.
    """
    if len(sealed) != SEALED_BYTES[secret.suite]:
        raise SealError("a sealed blob of the wrong length")
    try:
        info = _info(origin, key_id, record_id, owner_public_key)
        return _SUITES[secret.suite].decrypt(sealed, secret._key, info)  # noqa: SLF001 - its own module
    except (InvalidTag, ValueError):
        raise SealError("the sealed blob does not open") from None


_KEY_LINE = re.compile(
    r"([12]) (0|[1-9][0-9]{0,9}) (0|[1-9][0-9]{0,9}) ([A-Za-z0-9+/]+={0,2})", re.ASCII
)


def encode_sealing_keys(origin: str, keys: Iterable[SealingKey], signer: NoteSigner) -> str:
    """The signed note that publishes the sealing keys.

    Its text: the title, the origin, and for each key, ascending by key id, a line
    `<suite> <issue day> <expiry day> <base64 public key>`.

    Raises:
        BadNote: no key, too many, or one twice.
        Malformed: a bad origin.
    """
    ordered = sorted(keys, key=lambda key: key.key_id)
    _check_count(ordered)
    lines = [NOTE_TITLE, check_origin(origin)]
    lines += [
        f"{key.suite:d} {key.issue_day} {key.expiry_day} {encode_base64(key.public)}"
        for key in ordered
    ]
    return sign_note("".join(f"{line}\n" for line in lines), signer)


def decode_sealing_keys(note: str, origin: str, verifier: NoteVerifier) -> tuple[SealingKey, ...]:
    """The keys in a note signed by this key for this registry, ascending by key id.

    Raises:
        BadNote: not signed by the key, for another registry, or not exactly what
            `encode_sealing_keys` writes.
    """
    title, *rest = verify_note(note, verifier).removesuffix("\n").split("\n")
    if title != NOTE_TITLE or rest[:1] != [origin]:
        raise BadNote("not the sealing keys of this registry")
    keys = [_key_of_line(line) for line in rest[1:]]
    _check_count(keys)
    return tuple(keys)


def _check_count(keys: Sequence[SealingKey]) -> None:
    if not 1 <= len(keys) <= MAX_SEALING_KEYS:
        raise BadNote(f"a note publishes 1 to {MAX_SEALING_KEYS} sealing keys")
    ids = [key.key_id for key in keys]
    if any(first >= second for first, second in pairwise(ids)):
        raise BadNote("sealing keys are listed once each, ascending by key id")


def _key_of_line(line: str) -> SealingKey:
    match = _KEY_LINE.fullmatch(line)
    if match is None:
        raise BadNote("a line that is no sealing key")
    suite, issue_day, expiry_day, public = match.groups()
    try:
        return SealingKey(Suite(int(suite)), decode_base64(public), int(issue_day), int(expiry_day))
    except Malformed as error:
        raise BadNote("a line that is no sealing key") from error


def usable_key(
    keys: Iterable[SealingKey],
    day: int,
    preference: Sequence[Suite] = (Suite.X_WING, Suite.X25519),
) -> SealingKey:
    """The newest key of the first preferred suite that can be used on this UTC day.

    Raises:
        NoUsableKey: there is none.
    """
    usable = [key for key in keys if key.usable(day)]
    for suite in preference:
        of_suite = [key for key in usable if key.suite is suite]
        if of_suite:
            return max(of_suite, key=lambda key: (key.issue_day, key.expiry_day, key.key_id))
    raise NoUsableKey("the registry publishes no sealing key that can be used today")
