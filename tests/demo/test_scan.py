"""The search of the registry's disk finds what is there, or finding nothing means nothing."""

import base64
from pathlib import Path

import pytest

from demo.scan import scan

FINGERPRINT = bytes(range(7, 39))
OTHER = bytes(range(107, 139))


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize(
    "encode",
    [
        bytes,
        lambda data: data.hex().encode(),
        lambda data: data.hex().upper().encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
    ],
)
def test_finds_a_fingerprint_in_every_encoding_at_every_offset(
    tmp_path: Path, encode, before: int, after: int
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(encode(bytes(before) + FINGERPRINT + bytes(after)))
    found = scan(tmp_path, [FINGERPRINT, OTHER])
    assert (found.files, found.fingerprints, found.found) == (1, 2, 1)


def test_counts_each_fingerprint_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(FINGERPRINT + FINGERPRINT)
    found = scan(tmp_path, [FINGERPRINT, FINGERPRINT])
    assert (found.files, found.bytes_read, found.fingerprints, found.found) == (2, 128, 1, 1)


def test_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1000))
    assert scan(tmp_path, [FINGERPRINT]).found == 0
