"""Which rows an auditor looks at: random, and yet nobody's choice.

The seed is a hash over what the builder could not know when it certified (a public beacon's later
value), what the auditor could not choose afterwards (the CERTIFY entry), and a nonce that the
auditor publishes the hash of beforehand, so that nobody else can foresee the sample.
"""

import hmac
import math
from hashlib import sha256
from typing import Final

from consent_client.errors import Malformed
from consent_client.protocol.encoding import lp, u64

NONCE_BYTES: Final = 32

MAX_BEACON: Final = 1_024
"""Characters of a beacon's value; NIST's has 128."""

_DOMAIN: Final = b"consent-registry/sample/v1\0"


def sample_seed(certify: bytes, beacon: str, nonce: bytes) -> bytes:
    """H(domain ‖ lp(CERTIFY entry, the beacon's value, nonce)), 32 bytes.

    Args:
        certify: the encoded CERTIFY entry.
        beacon: a value of a public beacon, published after the entry; ASCII.
        nonce: 32 bytes of the auditor's.

    Raises:
        Malformed: a beacon that is empty, long or not ASCII, or a nonce of another length.
    """
    if not 1 <= len(beacon) <= MAX_BEACON or not beacon.isascii() or len(nonce) != NONCE_BYTES:
        raise Malformed("a beacon's value is short ASCII, and a nonce has 32 bytes")
    return sha256(_DOMAIN + lp(certify, beacon.encode(), nonce)).digest()


def sample(seed: bytes, count: int, size: int) -> list[int]:
    """Distinct numbers below `count`, ascending: each set of `size` as likely as any other.

    Floyd's algorithm (CACM 30, 1987) over HMAC-SHA256(seed, u64 counter), whose first 8 bytes are
    taken where they are below the greatest multiple of the range.

    Raises:
        ValueError: more than there are.
    """
    if not 0 <= size <= count:
        raise ValueError("a sample is not larger than the whole")
    drawn: set[int] = set()
    counter = 0
    for last in range(count - size, count):
        number, counter = _below(seed, last + 1, counter)
        drawn.add(last if number in drawn else number)
    return sorted(drawn)


def _below(seed: bytes, limit: int, counter: int) -> tuple[int, int]:
    """A number below `limit`, and the counter after it."""
    while True:
        value = int.from_bytes(hmac.digest(seed, u64(counter), "sha256")[:8])
        counter += 1
        if value < 2**64 // limit * limit:
            return value % limit, counter


def sample_size(share: float, confidence: float, count: int) -> int:
    """How many to look at so that, if none is wrong, fewer than `share` of all are.

    Args:
        share: between 0 and 1.
        confidence: that this is right, between 0 and 1.
        count: how many there are.

    Raises:
        ValueError: numbers out of range.
    """
    if not 0 < share < 1 or not 0 < confidence < 1 or count < 1:
        raise ValueError("a share and a confidence are between 0 and 1")
    # Two-sided intervals, as reported: half of what is left of the confidence at each end.
    return min(count, math.ceil(math.log((1 - confidence) / 2) / math.log1p(-share)))
