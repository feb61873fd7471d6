"""C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note).

A note is UTF-8 text ending in a newline, an empty line, and signature lines
`— <key name> <base64(u32 key hash ‖ signature)>`. A verifier key is written
`<key name>+<hex key hash>+<base64(0x01 ‖ public key)>`.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

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
_SIGNATURE_LINE = re.compile(r"— (\S+) (\S+)\Z")
_VKEY_PARTS = 3
_FIRST_PRINTABLE = " "


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(utf8(name) + b"\n" + _ED25519 + public).digest()[:_HASH_BYTES]


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
        try:
            check_origin(self.name)
            check_public_key(self.public)
        except (Malformed, WeakKey) as error:
            raise BadNote("not a verifier key") from error

    @property
    def key_hash(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return _key_hash(self.name, self.public)

    @property
    def vkey(self) -> str:
        """The key as text, for configuration files and the registry's API."""
        return f"{self.name}+{self.key_hash.hex()}+{encode_base64(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> "NoteVerifier":
        """The key behind its text; `BadNote` where it is not exactly what `vkey` writes."""
        parts = vkey.split("+", _VKEY_PARTS - 1)  # base64 may hold further plus signs
        if len(parts) != _VKEY_PARTS:
            raise BadNote("not a verifier key")
        try:
            key = decode_base64(parts[2])
        except Malformed as error:
            raise BadNote("not a verifier key") from error
        if len(key) != 1 + PUBLIC_KEY_BYTES or key[:1] != _ED25519:
            raise BadNote("not an Ed25519 verifier key")
        verifier = cls(parts[0], key[1:])
        if verifier.vkey != vkey:
            raise BadNote("a verifier key whose hash is wrong")
        return verifier


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


def sign_note(text: str, signer: NoteSigner) -> str:
    """The signed note of a text.

    Raises:
        BadNote: text that is empty, does not end in a newline, holds other control characters, or
            makes too long a note.
    """
    _check_text(text)
    signature = Ed25519PrivateKey.from_private_bytes(signer.private).sign(utf8(text))
    line = encode_base64(signer.verifier.key_hash + signature)
    note = f"{text}\n— {signer.name} {line}\n"
    if len(utf8(note)) > MAX_NOTE_BYTES:
        raise BadNote("the note is too long")
    return note


def verify_note(note: str, verifier: NoteVerifier) -> str:
    """The text of a note that this key signed; signatures by other keys are left aside.

    Raises:
        BadNote: not a well-formed note, no signature by this key, a wrong one, or two.
    """
    text, lines = _split(note)
    own = [
        signature
        for name, key_hash, signature in map(_signature, lines)
        if name == verifier.name and key_hash == verifier.key_hash
    ]
    if len(own) != 1:
        raise BadNote("the note does not carry exactly one signature of the key expected")
    try:
        verify(verifier.public, own[0], utf8(text))
    except BadSignature as error:
        raise BadNote("the note's signature does not verify") from error
    return text


def _split(note: str) -> tuple[str, list[str]]:
    """Text and signature lines."""
    try:
        long = len(utf8(note)) > MAX_NOTE_BYTES
    except Malformed as error:
        raise BadNote("the note is not UTF-8") from error
    if long:
        raise BadNote("the note is too long")
    body, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise BadNote("the note has no signatures")
    text = body + "\n"
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote("the note has too many signatures")
    return text, lines


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text == "\n":
        raise BadNote("a note's text is lines, each ended by a newline")
    if any(character < _FIRST_PRINTABLE for character in text if character != "\n"):
        raise BadNote("a note's text has no control characters")
    try:
        utf8(text)
    except Malformed as error:
        raise BadNote("the note is not UTF-8") from error


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Key name, key hash, signature of one line."""
    match = _SIGNATURE_LINE.match(line)
    if match is None:
        raise BadNote("a signature line that is not one")
    name, encoded = match.groups()
    try:
        data = decode_base64(encoded)
    except Malformed as error:
        raise BadNote("a signature line that is not one") from error
    if "+" in name or len(data) <= _HASH_BYTES:
        raise BadNote("a signature line without a signature")
    return name, data[:_HASH_BYTES], data[_HASH_BYTES:]
