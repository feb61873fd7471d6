"""C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note).

A note is UTF-8 text ending in a newline, an empty line, and signature lines
`— <key name> <base64(u32 key hash ‖ signature)>`. A verifier key is written
`<key name>+<hex key hash>+<base64(algorithm ‖ public key)>`; the algorithm is 0x01 here and 0x04
for the cosignatures of witnesses. A note may carry signatures of several keys, known or not.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.errors import BadNote, BadSignature, Malformed, WeakKey
from consent_client.protocol.encoding import decode_base64, encode_base64, utf8
from consent_client.protocol.keys import (
    PUBLIC_KEY_BYTES,
    check_public_key,
    verify,
)
from consent_client.protocol.origins import check_origin

MAX_NOTE_BYTES: Final = 65_536
"""Sixteen X-Wing sealing keys take 26 KB; a checkpoint with its witnesses far less."""

MAX_SIGNATURES: Final = 100
"""What the reference implementation in Go allows."""

_ED25519 = b"\x01"  # signed-note's identifier of the algorithm
_HASH_BYTES = 4
_NAME = re.compile(r"[^\s+]+")
_SIGNATURE_LINE = re.compile(r"— (\S+) (\S+)\Z")
_VKEY_PARTS = 3
_FIRST_PRINTABLE = " "


def key_hash(name: str, algorithm: bytes, public: bytes) -> bytes:
    """Four bytes that tell keys of one name apart (signed-note's key ID)."""
    return sha256(utf8(name) + b"\n" + algorithm + public).digest()[:_HASH_BYTES]


def check_verifier_key(name: str, public: bytes) -> None:
    """Refuse a name that breaks the rule of origins, and a weak key; `BadNote` for both."""
    try:
        check_origin(name)
        check_public_key(public)
    except (Malformed, WeakKey) as error:
        raise BadNote("not a verifier key") from error


def encode_vkey(name: str, algorithm: bytes, public: bytes) -> str:
    """The text of a verifier key."""
    digest = key_hash(name, algorithm, public).hex()
    return f"{name}+{digest}+{encode_base64(algorithm + public)}"


def parse_vkey(vkey: str, algorithm: bytes) -> tuple[str, bytes]:
    """Name and Ed25519 public key behind a verifier key of this algorithm.

    Raises:
        BadNote: not exactly what `encode_vkey` writes for it.
    """
    parts = vkey.split("+", _VKEY_PARTS - 1)  # base64 may hold further plus signs
    if len(parts) != _VKEY_PARTS:
        raise BadNote("not a verifier key")
    try:
        key = decode_base64(parts[2])
    except Malformed as error:
        raise BadNote("not a verifier key") from error
    name, public = parts[0], key[1:]
    if len(public) != PUBLIC_KEY_BYTES or key[:1] != algorithm:
        raise BadNote("not a verifier key of the kind expected")
    check_verifier_key(name, public)
    if encode_vkey(name, algorithm, public) != vkey:
        raise BadNote("a verifier key whose hash is wrong")
    return name, public


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A named public key whose signature on a note is believed.

    Attributes:
        name: the key's name, by the rule of origins.
        public: Ed25519 public key, 32 bytes.

    Raises:
        BadNote: a name that breaks the rule, or a weak key.
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_verifier_key(self.name, self.public)

    @property
    def key_hash(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return key_hash(self.name, _ED25519, self.public)

    @property
    def vkey(self) -> str:
        """The key as text, for configuration files and the registry's API."""
        return encode_vkey(self.name, _ED25519, self.public)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """The key behind its text; `BadNote` where it is not exactly what `vkey` writes."""
        return cls(*parse_vkey(vkey, _ED25519))


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A named private key that signs notes.

    Attributes:
        name: the key's name, by the rule of origins.
        private: Ed25519 private key, 32 bytes.
    """

    name: str
    private: bytes = field(repr=False)

    def __post_init__(self) -> None:
        try:
            check_origin(self.name)
            Ed25519PrivateKey.from_private_bytes(self.private)
        except ValueError:
            valid = False
        else:
            valid = True
        if not valid:  # outside the handler: nothing of the key may hang on to the error
            raise BadNote("not a signing key")

    @property
    def verifier(self) -> NoteVerifier:
        """The public half."""
        key = Ed25519PrivateKey.from_private_bytes(self.private)
        return NoteVerifier(self.name, key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note; that it verifies is not said.

    Attributes:
        name: of the key.
        key_hash: of the key, 4 bytes: says with the name which key it is, and of which algorithm.
        signature: whatever the algorithm makes, not empty.

    Raises:
        BadNote: a name, key hash or signature that a line can not hold.
    """

    name: str
    key_hash: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_letters(self.name)
        if _NAME.fullmatch(self.name) is None:
            raise BadNote("a key's name has no space and no plus sign")
        if len(self.key_hash) != _HASH_BYTES or not self.signature:
            raise BadNote("a signature line without a signature")

    @property
    def line(self) -> str:
        """The line, with the newline that ends it."""
        return f"— {self.name} {encode_base64(self.key_hash + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """The signature on a line without its newline; `BadNote` where it is not one."""
        match = _SIGNATURE_LINE.match(line)
        if match is None:
            raise BadNote("a signature line that is not one")
        name, encoded = match.groups()
        try:
            data = decode_base64(encoded)
        except Malformed as error:
            raise BadNote("a signature line that is not one") from error
        return cls(name, data[:_HASH_BYTES], data[_HASH_BYTES:])

    def by(self, name: str, key_hash: bytes) -> bool:
        """Whether it says to be of this key."""
        return self.name == name and self.key_hash == key_hash


def sign_note(text: str, signer: NoteSigner) -> str:
    """The signed note of a text.

    Raises:
        BadNote: text that is empty, does not end in a newline, holds other control characters, or
            makes too long a note.
    """
    _check_text(text)
    signature = Ed25519PrivateKey.from_private_bytes(signer.private).sign(utf8(text))
    note = f"{text}\n{NoteSignature(signer.name, signer.verifier.key_hash, signature).line}"
    _check_length(note)
    return note


def add_signature(note: str, signature: NoteSignature) -> str:
    """The note with one more signature, after those it has; that it verifies is not looked at.

    Raises:
        BadNote: not a well-formed note, one that this key signed already, or that is full.
    """
    _, signatures = split_note(note)
    if any(signature.by(other.name, other.key_hash) for other in signatures):
        raise BadNote("the key signed this note already")
    if len(signatures) == MAX_SIGNATURES:
        raise BadNote("the note has too many signatures")
    longer = note + signature.line
    _check_length(longer)
    return longer


def verify_note(note: str, verifier: NoteVerifier) -> str:
    """The text of a note that this key signed; signatures by other keys are left aside.

    Raises:
        BadNote: not a well-formed note, no signature by this key, a wrong one, or two.
    """
    text, signatures = split_note(note)
    own = signature_by(signatures, verifier.name, verifier.key_hash)
    try:
        verify(verifier.public, own, utf8(text))
    except BadSignature as error:
        raise BadNote("the note's signature does not verify") from error
    return text


def signature_by(signatures: Iterable[NoteSignature], name: str, key_hash: bytes) -> bytes:
    """What a key left on a note; `BadNote` unless it is there exactly once."""
    own = [line.signature for line in signatures if line.by(name, key_hash)]
    if len(own) != 1:
        raise BadNote("the note does not carry exactly one signature of the key expected")
    return own[0]


def split_note(note: str) -> tuple[str, tuple[NoteSignature, ...]]:
    """Text and signatures of a note, none of them verified: nothing in it is to be believed yet.

    Raises:
        BadNote: not a well-formed note.
    """
    _check_length(note)
    body, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise BadNote("the note has no signatures")
    text = body + "\n"
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote("the note has too many signatures")
    return text, tuple(map(NoteSignature.parse, lines))


def _check_length(note: str) -> None:
    try:
        long = len(utf8(note)) > MAX_NOTE_BYTES
    except Malformed as error:
        raise BadNote("the note is not UTF-8") from error
    if long:
        raise BadNote("the note is too long")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text == "\n":
        raise BadNote("a note's text is lines, each ended by a newline")
    _check_letters(text.replace("\n", ""))


def _check_letters(text: str) -> None:
    if any(character < _FIRST_PRINTABLE for character in text):
        raise BadNote("a note has no control characters")
    try:
        utf8(text)
    except Malformed as error:
        raise BadNote("the note is not UTF-8") from error
