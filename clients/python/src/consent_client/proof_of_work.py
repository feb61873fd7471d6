"""The work a registration brings instead of an identity: an altcha version 2 puzzle.

What a registry may ask for is bounded, so that a hostile one can not keep a device busy for hours.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Final

import altcha

from consent_client.errors import TransportError, WorkTooHard

ALGORITHMS: Final = frozenset({"PBKDF2/SHA-256", "PBKDF2/SHA-384", "PBKDF2/SHA-512", "SHA-256"})
"""Need no memory to speak of: a puzzle in scrypt or Argon2id could ask for all of it."""

MAX_COST: Final = 100_000
"""Iterations per attempt: about 30 ms, so that progress is shown and interrupts are noticed."""

MAX_DERIVED_BYTES: Final = 64
MAX_PREFIX_CHARACTERS: Final = 16

MAX_SECONDS: Final = 900.0
"""What asks for more than a quarter of an hour asks too much; 3 digits take about a second."""

MAX_CHALLENGE_CHARACTERS: Final = 4_096


def solve(
    challenge: str, record_id: bytes, on_attempts: Callable[[int], None] | None = None
) -> str:
    """The payload that answers a challenge, base64 of JSON.

    Args:
        challenge: as the registry gave it, JSON.
        record_id: the record it has to be for.
        on_attempts: told the number of attempts made so far, after each.

    Raises:
        TransportError: not such a challenge, or one for another record.
        WorkTooHard: beyond the bounds above, or not solved within `MAX_SECONDS`.
    """
    parsed = _parse(challenge)
    parameters = parsed.parameters
    if parameters.data != {"recordId": record_id.hex()}:
        raise TransportError("the registry's proof of work is for another record")
    if parameters.algorithm not in ALGORITHMS or parameters.cost > MAX_COST:
        raise WorkTooHard("the registry asks for a proof of work that this client does not do")
    derive = (
        altcha.derive_key_pbkdf2
        if parameters.algorithm.startswith("PBKDF2/")
        else altcha.derive_key_sha
    )
    attempts = 0

    def counted(given: altcha.ChallengeParameters, salt: bytes, password: bytes) -> bytes:
        nonlocal attempts
        attempts += 1
        if on_attempts is not None:
            on_attempts(attempts)
        return bytes(derive(given, salt, password))

    solution = altcha.solve_challenge(parsed, counted, timeout=_seconds(parameters.expires_at))
    if solution is None:
        raise WorkTooHard("the registry's proof of work was not solved in time")
    return str(altcha.Payload(challenge=parsed, solution=solution).to_base64())


def expected_attempts(challenge: str) -> int:
    """How many attempts a challenge takes on average; for a progress bar."""
    return int(16 ** len(_parse(challenge).parameters.key_prefix))


def _seconds(expires_at: object) -> float:
    if not isinstance(expires_at, int):
        return MAX_SECONDS
    return min(MAX_SECONDS, max(1.0, expires_at - time.time()))


def _parse(text: str) -> altcha.Challenge:
    parsed: altcha.Challenge | None = None
    try:
        if len(text) <= MAX_CHALLENGE_CHARACTERS:
            parsed = altcha.Challenge.from_dict(json.loads(text))
            _check(parsed.parameters)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        parsed = None
    if parsed is None:
        raise TransportError("the registry's proof of work could not be understood")
    return parsed


def _check(parameters: Any) -> None:
    sound = (
        isinstance(parameters.algorithm, str)
        and isinstance(parameters.cost, int)
        and parameters.cost > 0
        and isinstance(parameters.key_length, int)
        and 0 < parameters.key_length <= MAX_DERIVED_BYTES
        and isinstance(parameters.key_prefix, str)
        and len(parameters.key_prefix) <= MAX_PREFIX_CHARACTERS
        and isinstance(parameters.data, dict)
    )
    if not sound:
        raise ValueError("parameters of another form")
    bytes.fromhex(parameters.nonce)
    bytes.fromhex(parameters.salt)
    bytes.fromhex(parameters.key_prefix.zfill(MAX_PREFIX_CHARACTERS))
