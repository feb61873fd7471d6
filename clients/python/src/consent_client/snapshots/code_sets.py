"""Sets of codes: sorted rows, each once; their union, difference and digest."""

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.encoding import lp, u32, u64
from consent_client.snapshots.codings import Codes

_DOMAIN: Final = b"consent-registry/snapshot-codes/v1\0"
_NUMBER_BYTES: Final = 8


def empty(width: int) -> Codes:
    """No code of so many bytes."""
    return np.empty((0, width), np.uint8)


def code_set(codes: Codes) -> Codes:
    """The rows in ascending order, each once."""
    return _codes(np.unique(_keys(codes)), codes.shape[1])


def union(some: Codes, more: Codes) -> Codes:
    """What is in either of two sets."""
    return _codes(np.union1d(_keys(some), _keys(more)), some.shape[1])


def difference(some: Codes, others: Codes) -> Codes:
    """What is in the first set and not in the second."""
    return _codes(np.setdiff1d(_keys(some), _keys(others), assume_unique=True), some.shape[1])


def order(codes: Codes) -> NDArray[np.int64]:
    """int64[n]: where each row of the sorted codes is in these."""
    return np.argsort(_keys(codes), kind="stable")


def is_code_set(codes: Codes) -> bool:
    """Whether rows ascend, each once."""
    keys = _keys(codes)
    return bool(len(keys) < 2 or (keys[:-1] < keys[1:]).all())  # noqa: PLR2004


def contains(codes: Codes, sought: Codes) -> NDArray[np.bool_]:
    """bool[n]: which of some codes are in a set."""
    keys, wanted = _keys(codes), _keys(sought)
    places = np.searchsorted(keys, wanted)
    found = np.zeros(len(wanted), np.bool_)
    inside = places < len(keys)
    found[inside] = keys[places[inside]] == wanted[inside]
    return found


def digest(space_id: str, bits: int, codes: Codes) -> bytes:
    """H(domain ‖ lp(space) ‖ u32 bits ‖ u64 n ‖ codes), 32 bytes: what a set says, and no more."""
    head = _DOMAIN + lp(space_id) + u32(bits) + u64(len(codes))
    return hashlib.sha256(head + codes.tobytes()).digest()


def _keys(codes: Codes) -> NDArray[Any]:
    """Rows as values that are ordered as their bytes are: numbers where they fit, for speed.

    NumPy strips zero bytes at the end of byte strings where it compares them; as all have one
    length, that changes neither order nor equality.
    """
    width = codes.shape[1]
    if width > _NUMBER_BYTES:
        return np.ascontiguousarray(codes).view(f"S{width}").reshape(-1)
    wide = np.zeros((len(codes), _NUMBER_BYTES), np.uint8)
    wide[:, _NUMBER_BYTES - width :] = codes
    return wide.view(">u8").reshape(-1).astype(np.uint64)


def _codes(keys: NDArray[Any], width: int) -> Codes:
    if width > _NUMBER_BYTES:
        return np.ascontiguousarray(keys).view(np.uint8).reshape(-1, width)
    wide = keys.astype(">u8").view(np.uint8).reshape(-1, _NUMBER_BYTES)
    return np.ascontiguousarray(wide[:, _NUMBER_BYTES - width :])
