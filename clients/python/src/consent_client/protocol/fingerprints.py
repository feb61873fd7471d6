"""The list of an image's fingerprints, its digest F, and vectors on the wire (FORMATS §1).

A list is encoded as `u8 spaces ‖ for each space, ascending by id: lp(space_id) ‖ u8 n ‖ lp(fp₁) …
lp(fpₙ)`. The order of fingerprints within a space is the registrant's and is kept.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import BadFingerprint, Malformed, UnknownSpace
from consent_client.protocol.encoding import lp, u32
from consent_client.protocol.spaces import (
    MAX_FINGERPRINTS,
    MAX_LIST_BYTES,
    MAX_SPACES,
    SPACES,
    Kind,
    Space,
    space,
)

type Fingerprints = Mapping[str, Sequence[bytes]]
"""Space id → the fingerprints of one image in that space, at least one."""

NORM_TOLERANCE: Final = 0.02
"""How far from 1 a vector's norm may be: float16 rounding of 512 components stays far below it."""

# Sums of 512 squares differ by a millionth between machines; this is far beyond, and still far from
# what a damaged record would have.
_KEPT_NORM_TOLERANCE = 0.1

_IMAGE_DOMAIN = b"consent-registry/image/v1\0"
_HALF = np.dtype("<f2")

# Computed once, for these functions run for every record of a replay: what stands before each
# space's fingerprints and before each fingerprint, and how a run of n of them lies in memory.
_SPACE_HEADER = {name: lp(name) for name in SPACES}
_FINGERPRINT_HEADER = {name: u32(SPACES[name].size) for name in SPACES}
_BY_ID_BYTES = {name.encode(): SPACES[name] for name in SPACES}
_RUNS = {
    (name, count): (struct.Struct(">" + f"I{of.size}s" * count), (of.size,) * count)
    for name, of in SPACES.items()
    for count in range(1, MAX_FINGERPRINTS + 1)
}


def check_fingerprint(space: Space, data: bytes) -> None:
    """Refuse what can not be a fingerprint of this space.

    Raises:
        BadFingerprint: the wrong size, or a vector that is not finite or not of norm 1 ± 2 %.
    """
    _check_values(space, (data,))


def check_fingerprints(fingerprints: Fingerprints) -> None:
    """Check every fingerprint of a list, vectors' norms included (`decode_list` checks sizes only).

    Raises:
        UnknownSpace: a space id that is not known.
        BadFingerprint: as `check_fingerprint`.
    """
    for name, values in fingerprints.items():
        _check_values(space(name), values)


def _check_values(of: Space, values: Sequence[bytes]) -> None:
    if any(len(value) != of.size for value in values):
        raise BadFingerprint("a fingerprint of the wrong size for its space")
    if of.kind is Kind.FLOAT:
        _unit_squares(
            np.frombuffer(b"".join(values), _HALF).reshape(-1, of.dimension), NORM_TOLERANCE
        )


def encode_list(fingerprints: Fingerprints) -> bytes:
    """The canonical bytes of one image's fingerprints.

    Raises:
        UnknownSpace: a space id that is not known.
        BadFingerprint: a fingerprint of the wrong size.
        Malformed: no space, too many, a space without fingerprints or with too many, or more than
            `MAX_LIST_BYTES` in all.
    """
    if not 1 <= len(fingerprints) <= MAX_SPACES:
        raise Malformed(f"an image has fingerprints in 1 to {MAX_SPACES} spaces")
    parts = [len(fingerprints).to_bytes(1)]
    for name in sorted(fingerprints):
        header = _SPACE_HEADER.get(name)
        if header is None:
            raise UnknownSpace("no fingerprint space has this id")
        values = fingerprints[name]
        if not 1 <= len(values) <= MAX_FINGERPRINTS:
            raise Malformed(f"a space holds 1 to {MAX_FINGERPRINTS} fingerprints of an image")
        parts += (header, len(values).to_bytes(1))
        size = SPACES[name].size
        length = _FINGERPRINT_HEADER[name]
        if any(len(value) != size for value in values):
            raise BadFingerprint("a fingerprint of the wrong size for its space")
        parts += (length, length.join(values))
    data = b"".join(parts)
    if len(data) > MAX_LIST_BYTES:
        raise Malformed(f"an image's fingerprints take at most {MAX_LIST_BYTES} bytes")
    return data


def decode_list(data: bytes) -> dict[str, tuple[bytes, ...]]:
    """The fingerprints behind canonical list bytes: shape and sizes are checked, norms are not.

    Raises:
        UnknownSpace: a space id that is not known.
        BadFingerprint: a fingerprint of the wrong size, in a list long enough for right ones.
        Malformed: anything else `encode_list` would not have written.
    """
    if len(data) > MAX_LIST_BYTES:
        raise Malformed(f"an image's fingerprints take at most {MAX_LIST_BYTES} bytes")
    if not data or not 1 <= data[0] <= MAX_SPACES:
        raise Malformed(f"an image has fingerprints in 1 to {MAX_SPACES} spaces")
    out: dict[str, tuple[bytes, ...]] = {}
    position = 1
    before = b""
    for _ in range(data[0]):
        start = position + 4
        stop = start + int.from_bytes(data[position:start])
        name = data[start:stop]
        if stop >= len(data):
            raise Malformed("the list ends early")
        if name <= before:
            raise Malformed("spaces are listed once each, in ascending order")
        of = _BY_ID_BYTES.get(name)
        if of is None:
            raise UnknownSpace("no fingerprint space has this id")
        count = data[stop]
        if not 1 <= count <= MAX_FINGERPRINTS:
            raise Malformed(f"a space holds 1 to {MAX_FINGERPRINTS} fingerprints of an image")
        position = stop + 1
        out[of.id], position = _take_fingerprints(data, position, count, of)
        before = name
    if position != len(data):
        raise Malformed("the list goes on after its end")
    return out


def _take_fingerprints(
    data: bytes, position: int, count: int, of: Space
) -> tuple[tuple[bytes, ...], int]:
    """The next `count` fingerprints, and where they end."""
    layout, sizes = _RUNS[of.id, count]
    stop = position + layout.size
    if stop > len(data):
        raise Malformed("the list ends early")
    fields = layout.unpack_from(data, position)
    if fields[::2] != sizes:
        raise BadFingerprint("a fingerprint of the wrong size for its space")
    return fields[1::2], stop


def list_digest(data: bytes) -> bytes:
    """F of a list that is already encoded (32 bytes); the bytes are not checked again."""
    return hashlib.sha256(_IMAGE_DOMAIN + data).digest()


def image_digest(fingerprints: Fingerprints) -> bytes:
    """F, 32 bytes: what stands for an image's fingerprints in commitments and manifests.

    Raises:
        ProtocolError: as `encode_list`.
    """
    return list_digest(encode_list(fingerprints))


def encode_float(vector: NDArray[np.float32]) -> bytes:
    """float32[d] → d float16 little-endian of the vector scaled to norm 1.

    Raises:
        BadFingerprint: not one-dimensional, not finite, or zero.
    """
    values = np.asarray(vector, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise BadFingerprint("a fingerprint vector is one row of finite numbers")
    greatest = float(np.abs(values).max(initial=0.0))
    if greatest == 0:
        raise BadFingerprint("a fingerprint vector is not zero")
    scaled = values / greatest  # first to at most 1, so that no square overflows
    return (scaled / np.sqrt(scaled @ scaled)).astype(_HALF).tobytes()


def decode_floats(data: bytes, space: Space) -> NDArray[np.float32]:
    """N concatenated fingerprints of a float space → float32[n, dimension] of norm 1, C-contiguous.

    Raises:
        BadFingerprint: not a float space, not a whole number of fingerprints, or any of them not
            finite or not of norm 1 ± 2 %.
    """
    return _decode_floats(data, space, NORM_TOLERANCE)


def decode_kept_floats(data: bytes, space: Space) -> NDArray[np.float32]:
    """As `decode_floats`, for vectors that were looked at when they came: norm 1 ± 10 %.

    How a norm is summed up depends on the processor and on NumPy's build: on another machine a
    vector at the bound may lie a hair beyond it. What was taken once has to be read for ever.

    Raises:
        BadFingerprint: as `decode_floats`, with the wider bound.
    """
    return _decode_floats(data, space, _KEPT_NORM_TOLERANCE)


def _decode_floats(data: bytes, space: Space, tolerance: float) -> NDArray[np.float32]:
    if space.kind is not Kind.FLOAT or len(data) % space.size:
        raise BadFingerprint("not a whole number of this space's vectors")
    half = np.frombuffer(data, _HALF).reshape(-1, space.dimension)
    squares, vectors = _unit_squares(half, tolerance)
    vectors /= np.sqrt(squares)[:, None]
    return vectors


def _unit_squares(
    half: NDArray[np.float16], tolerance: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Squared norms float32[n], all near 1, and the vectors as float32[n, d]."""
    with np.errstate(invalid="ignore", over="ignore"):  # not-a-number is refused just below
        vectors = half.astype(np.float32)
        squares: NDArray[np.float32] = np.einsum("ij,ij->i", vectors, vectors)
        least, greatest = np.float32((1 - tolerance) ** 2), np.float32((1 + tolerance) ** 2)
        near_one = (squares >= least) & (squares <= greatest)
    if not near_one.all():
        raise BadFingerprint("a fingerprint vector is not a finite unit vector")
    return squares, vectors
