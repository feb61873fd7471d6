"""The bank that comes with the registry: the newest version counts, a damaged one is no bank."""

import hashlib
import io
import json

import numpy as np
import pytest

from consent_client.fingerprints.images import registration_fingerprints
from registry.errors import ConfigurationError
from registry.matching.packaged_bank import newest_bank, packaged_bank
from registry.matching.specificity import BREADTH, NO_PICTURES
from tests.fingerprints import photographs

RANDOM = np.random.default_rng(0)
SSCD = RANDOM.integers(-128, 128, (6, 512), dtype=np.int8)
PDQ = RANDOM.integers(0, 256, (4, 32), dtype=np.uint8)


def archive(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def write(folder, version=1, data=None, changes=None):
    data = archive(sscd=SSCD, pdq=PDQ) if data is None else data
    description = {
        "version": version,
        "sha256": hashlib.sha256(data).hexdigest(),
    } | (changes or {})
    (folder / f"bank-{version}.npz").write_bytes(data)
    (folder / f"bank-{version}.json").write_text(json.dumps(description))
    return newest_bank(folder.iterdir())


@pytest.mark.parametrize("dtype", [np.int8, np.float16])
def test_a_bank_is_read_as_unit_vectors(tmp_path, dtype):
    bank = write(tmp_path, data=archive(sscd=SSCD.astype(dtype), pdq=PDQ, kind=np.zeros(6)))
    assert bank.version == 1
    assert bank.breadth == BREADTH
    vectors = bank.vectors["sscd-1"]
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert bank.nearest("sscd-1", vectors).tolist() == [1.0] * 6
    assert (bank.codes["pdq-1"] == PDQ).all()


def test_the_highest_version_counts(tmp_path):
    for version in (2, 10, 9):
        bank = write(tmp_path, version)
    (tmp_path / "bank-11.txt").touch()
    (tmp_path / "bank-011.json").touch()
    assert bank.version == 10


def test_where_there_is_none_nothing_is_near(tmp_path):
    assert newest_bank(tmp_path.iterdir()) is NO_PICTURES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        archive(sscd=SSCD, pdq=PDQ)[:-40],
        archive(sscd=SSCD),
        archive(pdq=PDQ),
        archive(sscd=SSCD[:, :-1], pdq=PDQ),
        archive(sscd=SSCD[0], pdq=PDQ),
        archive(sscd=SSCD[:0], pdq=PDQ),
        archive(sscd=SSCD.astype(np.float64), pdq=PDQ),
        archive(sscd=np.zeros((2, 512), np.int8), pdq=PDQ),
        archive(sscd=np.full((2, 512), np.nan, np.float16), pdq=PDQ),
        archive(sscd=SSCD, pdq=PDQ[:, :-1]),
        archive(sscd=SSCD, pdq=PDQ.astype(np.int8)),
        archive(sscd=np.array([[object()] * 512]), pdq=PDQ),
    ],
    ids=range(14),
)
def test_a_damaged_bank_is_refused(tmp_path, data):
    with pytest.raises(ConfigurationError, match="bank 1"):
        write(tmp_path, data=data)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": None},
        {"sha256": "00" * 32},
        {"sha256": None},
    ],
)
def test_a_description_of_something_else_is_refused(tmp_path, changes):
    with pytest.raises(ConfigurationError, match="bank 1"):
        write(tmp_path, changes=changes)


def test_a_bank_of_which_half_is_missing_is_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "bank-1.npz").unlink()
    with pytest.raises(ConfigurationError):
        newest_bank(tmp_path.iterdir())


def test_what_comes_with_the_registry_can_be_read():
    bank = packaged_bank()
    assert packaged_bank() is bank
    for vectors in bank.vectors.values():
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("which", photographs.ALL, ids=lambda which: which[1])
def test_no_real_photograph_is_too_generic(which):
    bank = packaged_bank()
    if not bank.version:
        pytest.skip("no bank comes with this version")
    made = registration_fingerprints(photographs.path(*which), ["pdq-1", "sscd-1"])
    assert bank.too_generic(made.fingerprints) == []
