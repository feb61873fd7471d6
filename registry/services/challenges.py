"""What a registrant must bring instead of an identity: work done, and a fresh nonce.

Both are stateless. The proof of work (altcha, PBKDF2) carries the record id it was made for under
the registry's HMAC, so that solving it once serves one record, and replaying it only repeats a
registration that is idempotent anyway: nothing needs to be remembered, and any process can check
what another gave out. The nonce for reading one's own record is an HMAC over record id and expiry.
"""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass

import altcha

from consent_client.protocol.encoding import lp, u32
from registry.errors import InvalidInput, NotYours, ProofOfWorkRejected
from registry.services.clock import Clock

RECORD_ID_BYTES = 16

# One PBKDF2 call of this cost takes about 0.3 ms, so checking an answer is cheap; the work lies in
# the number of calls, which the leading digits set.
PBKDF2_ITERATIONS = 1_000
ALGORITHM = "PBKDF2/SHA-256"

# Long enough to solve the work on a slow telephone and to send 9 kB over a bad line.
CHALLENGE_SECONDS = 600

# A payload is about 700 bytes; what is longer was not made by a client.
MAX_PAYLOAD_CHARACTERS = 4_096

_NONCE_MAC_BYTES = 16
_NONCE_BYTES = 4 + _NONCE_MAC_BYTES


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client gets before it registers or reads.

    Attributes:
        proof_of_work: altcha version 2 challenge, JSON.
        nonce: 20 bytes to sign when reading one's own record.
        expires_at: seconds since the epoch, UTC.
    """

    proof_of_work: str
    nonce: bytes
    expires_at: int


class Challenges:
    """Issues and checks challenges under one secret shared by all processes of a registry."""

    def __init__(self, secret: bytes, digits: int, clock: Clock) -> None:
        self._work_secret = hmac.digest(secret, b"consent-registry/proof-of-work", "sha256")
        self._nonce_secret = hmac.digest(secret, b"consent-registry/read-nonce", "sha256")
        self._prefix = "0" * digits
        self._clock = clock

    def issue(self, record_id: bytes) -> Challenge:
        """A challenge for one record.

        Raises:
            InvalidInput: the record id is not 16 bytes.
        """
        if len(record_id) != RECORD_ID_BYTES:
            message = f"A record id has {RECORD_ID_BYTES} bytes."
            raise InvalidInput(message)
        expires_at = int(self._clock.now()) + CHALLENGE_SECONDS
        work = altcha.create_challenge(
            ALGORITHM,
            PBKDF2_ITERATIONS,
            key_prefix=self._prefix,
            expires_at=expires_at,
            data={"recordId": record_id.hex()},
            hmac_secret=self._work_secret,
        )
        return Challenge(json.dumps(work.to_dict()), self._nonce(record_id, expires_at), expires_at)

    def check_work(self, payload: str, record_id: bytes) -> None:
        """Checks an altcha payload (base64 of JSON) made for this record.

        The fields are compared with what this registry issues before the library sees them: a
        challenge can not name its own algorithm or cost.

        Raises:
            ProofOfWorkRejected: malformed, expired, for another record, or not solved.
        """
        challenge, solution = _parse(payload)
        parameters = challenge.parameters
        if parameters.data != {"recordId": record_id.hex()}:
            message = "The proof of work was made for another record."
            raise ProofOfWorkRejected(message)
        expires_at = parameters.expires_at
        if not isinstance(expires_at, int) or expires_at < self._clock.now():
            message = "The proof of work has expired; ask for a new challenge."
            raise ProofOfWorkRejected(message)
        result = altcha.verify_solution(
            altcha.Payload(challenge=challenge, solution=solution), hmac_secret=self._work_secret
        )
        if not result.verified:
            message = "The proof of work is not a solution of a challenge of this registry."
            raise ProofOfWorkRejected(message)

    def check_nonce(self, nonce: bytes, record_id: bytes) -> None:
        """Checks that this registry issued the nonce for this record, not too long ago.

        Raises:
            NotYours: the same answer as for a wrong signature.
        """
        expires_at = int.from_bytes(nonce[:4])
        genuine = (
            len(nonce) == _NONCE_BYTES
            and expires_at >= self._clock.now()
            and hmac.compare_digest(nonce, self._nonce(record_id, expires_at))
        )
        if not genuine:
            raise NotYours(NOT_YOURS)

    def _nonce(self, record_id: bytes, expires_at: int) -> bytes:
        mac = hmac.digest(self._nonce_secret, lp(record_id, u32(expires_at)), "sha256")
        return u32(expires_at) + mac[:_NONCE_MAC_BYTES]


NOT_YOURS = "There is no such record, or it is not yours."


def _parse(payload: str) -> tuple[altcha.Challenge, altcha.Solution]:
    rejected = ProofOfWorkRejected("The proof of work is malformed.")
    if len(payload) > MAX_PAYLOAD_CHARACTERS:
        raise rejected
    try:
        parsed = json.loads(base64.b64decode(payload, validate=True))
        challenge = altcha.Challenge.from_dict(parsed["challenge"])
        solution = altcha.Solution.from_dict(parsed["solution"])
        parameters = challenge.parameters
        known = (
            parameters.algorithm == ALGORITHM
            and parameters.cost == PBKDF2_ITERATIONS
            and isinstance(parameters.key_prefix, str)
            and isinstance(challenge.signature, str)
        )
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise rejected from None
    if not known:
        raise rejected
    return challenge, solution
