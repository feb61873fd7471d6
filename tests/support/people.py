"""Registrants and candidates for tests, made of real protocol values; nothing is mocked."""

import base64
import hashlib
import json
from dataclasses import dataclass, field

import altcha
import numpy as np

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.keys import OwnerKey, derive_owner, new_phrase, seed_of
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.records import (
    RecordContent,
    RegistrationRequest,
    build_registration,
    withdraw_message,
)
from consent_client.protocol.screening import Column
from consent_client.protocol.sealing import Suite, decode_sealing_keys
from consent_client.protocol.spaces import WORK_SPACES
from consent_client.protocol.statements import Basis, Stance, Statement, Use

REFUSAL = Statement.of(dict.fromkeys(Use, Stance.NOT_ALLOWED), Basis.DATA_SUBJECT)
CONSENT = Statement.of(dict.fromkeys(Use, Stance.ALLOWED), Basis.RIGHTSHOLDER)


def until(day: int, stance: Stance = Stance.NOT_ALLOWED) -> Statement:
    return Statement.of(dict.fromkeys(Use, stance), Basis.DATA_SUBJECT, valid_until=day)


@dataclass(frozen=True)
class Picture:
    """What a picture's fingerprints would be; the seed stands for the picture."""

    seed: int

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(b"picture %d" % self.seed).digest()

    @property
    def pdq(self) -> bytes:
        return np.random.default_rng(self.seed).bytes(32)

    @property
    def sscd(self) -> bytes:
        vector = np.random.default_rng([self.seed, 1]).standard_normal(512)
        return encode_float((vector / np.linalg.norm(vector)).astype(np.float32))

    @property
    def fingerprints(self) -> dict[str, tuple[bytes, ...]]:
        return {"sha256": (self.sha256,), "pdq-1": (self.pdq,), "sscd-1": (self.sscd,)}

    def one(self, space_id: str) -> bytes:
        return self.fingerprints[space_id][0]


def columns(pictures: list[Picture | None], *space_ids: str) -> tuple[Column, ...]:
    """A block's columns; None stands for an image without fingerprints."""
    present = np.array([picture is not None for picture in pictures])
    return tuple(
        Column(
            space_id,
            present,
            b"".join(picture.one(space_id) for picture in pictures if picture is not None),
        )
        for space_id in space_ids or set(WORK_SPACES) - {"url-1"}
    )


@dataclass
class Person:
    """Somebody with a recovery phrase."""

    phrase: str = field(default_factory=new_phrase)
    used: int = 0

    def owner(self, origin: str, i: int) -> OwnerKey:
        return derive_owner(seed_of(self.phrase), origin, i)

    def seal(
        self,
        origin: str,
        note: str,
        vkey: str,
        fingerprints: dict[str, tuple[bytes, ...]],
        statement: Statement = REFUSAL,
        suite: Suite = Suite.X_WING,
    ) -> tuple[OwnerKey, RegistrationRequest]:
        keys = decode_sealing_keys(note, origin, NoteVerifier.parse(vkey))
        key = next(key for key in keys if key.suite is suite)
        owner = self.owner(origin, self.used)
        self.used += 1
        return owner, build_registration(owner, origin, statement, fingerprints, key)


def content_of(
    owner: OwnerKey, fingerprints: dict[str, tuple[bytes, ...]], statement: Statement = REFUSAL
) -> RecordContent:
    return RecordContent(owner.opening, statement, fingerprints)


def withdrawal_signature(owner: OwnerKey, origin: str, commitment: bytes) -> bytes:
    return owner.sign(withdraw_message(origin, commitment))


def solve(proof_of_work: str) -> str:
    """Does the work and returns the payload to send."""
    challenge = altcha.Challenge.from_dict(json.loads(proof_of_work))
    solution = altcha.solve_challenge(challenge)
    payload = {"challenge": challenge.to_dict(), "solution": solution.to_dict()}
    return base64.b64encode(json.dumps(payload).encode()).decode()
