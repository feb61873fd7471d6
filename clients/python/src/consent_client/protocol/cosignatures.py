"""Cosignatures: what witnesses say about a checkpoint (https://c2sp.org/tlog-cosignature).

A witness signs, with Ed25519, that at a time a checkpoint's tree was the largest it had seen of
that log, and that it grew out of all it had seen before. Its line on the note holds `u64 time ‖
signature`; what is signed is a line `cosignature/v1`, a line `time <time>`, and the note's text.
Its verifier key has algorithm 0x04. Cosignatures with ML-DSA-44 (0x06) are left aside, as
signatures of unknown keys are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.errors import BadNote, BadSignature, Malformed
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.encoding import Reader, u64, utf8
from consent_client.protocol.keys import SIGNATURE_BYTES, verify
from consent_client.protocol.notes import (
    NoteSignature,
    NoteSigner,
    check_verifier_key,
    encode_vkey,
    key_hash,
    parse_vkey,
    signature_by,
    split_note,
)

MAX_TIME: Final = 2**63 - 1

_COSIGNATURE = b"\x04"  # signed-note's identifier of the algorithm


def _message(time: int, text: str) -> bytes:
    if not 0 <= time <= MAX_TIME:
        raise BadNote("a cosignature's time is out of range")
    return utf8(f"cosignature/v1\ntime {time}\n{text}")


@dataclass(frozen=True, slots=True)
class WitnessVerifier:
    """A named public key whose cosignature is believed.

    Attributes:
        name: the witness's name, by the rule of origins.
        public: Ed25519 public key, 32 bytes; a witness uses it for nothing else.

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
        return key_hash(self.name, _COSIGNATURE, self.public)

    @property
    def vkey(self) -> str:
        """The key as text, for policies."""
        return encode_vkey(self.name, _COSIGNATURE, self.public)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """The key behind its text; `BadNote` where it is not exactly what `vkey` writes."""
        return cls(*parse_vkey(vkey, _COSIGNATURE))


@dataclass(frozen=True, slots=True)
class WitnessSigner:
    """A witness's private key.

    Attributes:
        name: the witness's name, by the rule of origins.
        private: Ed25519 private key, 32 bytes.

    Raises:
        BadNote: a name that breaks the rule, or not a key.
    """

    name: str
    private: bytes = field(repr=False)

    def __post_init__(self) -> None:
        NoteSigner(self.name, self.private)

    @property
    def verifier(self) -> WitnessVerifier:
        """The public half."""
        key = Ed25519PrivateKey.from_private_bytes(self.private)
        return WitnessVerifier(self.name, key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Cosignature:
    """What one witness said about a checkpoint.

    Attributes:
        witness: who.
        time: when, seconds since 1970-01-01; a time to come is for the caller to judge.
    """

    witness: WitnessVerifier
    time: int


def cosign(text: str, signer: WitnessSigner, time: int) -> NoteSignature:
    """A witness's line under a checkpoint, for `notes.add_signature`.

    The caller is the witness: it has seen that the tree grew out of what it cosigned before.

    Args:
        text: the note's text, all of it.
        signer: the witness.
        time: seconds since 1970-01-01, at most `MAX_TIME`.

    Raises:
        BadCheckpoint: the text is not a checkpoint.
        BadNote: a time out of range.
    """
    Checkpoint.parse(text)
    message = _message(time, text)
    signature = Ed25519PrivateKey.from_private_bytes(signer.private).sign(message)
    return NoteSignature(signer.name, signer.verifier.key_hash, u64(time) + signature)


def verify_cosignature(note: str, witness: WitnessVerifier) -> Cosignature:
    """What this witness said about a note's checkpoint; other signatures are left aside.

    Raises:
        BadNote: not a note, no cosignature by this witness, a wrong one, or two.
        BadCheckpoint: the text is not a checkpoint.
    """
    text, signatures = split_note(note)
    Checkpoint.parse(text)
    return _verified(text, signature_by(signatures, witness.name, witness.key_hash), witness)


def verify_cosignatures(note: str, witnesses: Iterable[WitnessVerifier]) -> tuple[Cosignature, ...]:
    """What those of the witnesses said that cosigned, in their order.

    Raises:
        BadNote: not a note, or one of the witnesses is there with a wrong cosignature, or twice.
        BadCheckpoint: the text is not a checkpoint.
    """
    text, signatures = split_note(note)
    Checkpoint.parse(text)
    there = {(line.name, line.key_hash) for line in signatures}
    return tuple(
        _verified(text, signature_by(signatures, witness.name, witness.key_hash), witness)
        for witness in witnesses
        if (witness.name, witness.key_hash) in there
    )


def _verified(text: str, signature: bytes, witness: WitnessVerifier) -> Cosignature:
    reader = Reader(signature)
    try:
        time = reader.u64()
        own = reader.take(SIGNATURE_BYTES)
        reader.end()
        verify(witness.public, own, _message(time, text))
    except (Malformed, BadSignature) as error:
        raise BadNote("a cosignature does not verify") from error
    return Cosignature(witness, time)
