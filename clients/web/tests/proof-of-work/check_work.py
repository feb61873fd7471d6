# ruff: noqa: INP001 - a script that the tests of the pages run
"""Issue challenges as the registry does, or check what was made of them.

`issue` prints a JSON list of challenges for the record id `00…0f`. `check` reads a JSON list of
challenge and payload from standard input and prints which payloads altcha verifies.
"""

import base64
import json
import sys

import altcha

SECRET = b"a secret of the tests"
RECORD_ID = bytes(15) + b"\x0f"
ALGORITHMS = ("PBKDF2/SHA-256", "PBKDF2/SHA-384", "PBKDF2/SHA-512", "SHA-256")
PREFIXES = ("0", "00", "f")


def issue() -> list[str]:
    """One challenge for each algorithm and prefix."""
    return [
        json.dumps(
            altcha.create_challenge(
                algorithm,
                100,
                key_prefix=prefix,
                expires_at=2**31,
                data={"recordId": RECORD_ID.hex()},
                hmac_secret=SECRET,
            ).to_dict()
        )
        for algorithm in ALGORITHMS
        for prefix in PREFIXES
    ]


def check(payloads: list[str]) -> list[bool]:
    """Whether each payload solves a challenge of ours."""
    found = []
    for payload in payloads:
        value = json.loads(base64.b64decode(payload, validate=True))
        parsed = altcha.Payload(
            altcha.Challenge.from_dict(value["challenge"]),
            altcha.Solution.from_dict(value["solution"]),
        )
        found.append(altcha.verify_solution(parsed, hmac_secret=SECRET).verified)
    return found


if __name__ == "__main__":
    answer = issue() if sys.argv[1] == "issue" else check(json.load(sys.stdin))
    sys.stdout.write(json.dumps(answer))
