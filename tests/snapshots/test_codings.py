"""Codes: the same everywhere, white, and telling no more of fingerprints than is stated."""

import hashlib

import numpy as np
import pytest

from consent_client.errors import BadFingerprint, UnknownSpace
from consent_client.snapshots import codings
from consent_client.snapshots.codings import (
    EXACT_DOMAIN,
    ExactCoding,
    FloatCoding,
    coding_of,
    measured_of,
    packaged,
    top_share,
)
from registry.errors import ConfigurationError
from registry.matching.packaged_bank import packaged_bank
from registry.services.snapshots import check_white

WITHIN = 0.03


def _halves(vectors):
    return np.ascontiguousarray(vectors.astype("<f2")).view(np.uint8)


def _not_white(public, bits):
    """What a coding would be without whitening."""
    drawn = np.linalg.qr(np.random.default_rng(1).standard_normal((512, 512)))[0][:bits]
    rows = np.round(drawn / np.abs(drawn).max() * 32_767).astype(np.int16)
    offsets = np.round(rows @ public.mean(axis=0, dtype=np.float64) * 2.0**24).astype(np.int64)
    return FloatCoding(rows, offsets)


def _reached(coding, public):
    """Mean cosines of what linear inversion makes of codes with what they were made of."""
    order = np.random.default_rng(5).permutation(len(public))
    known, sought = public[order[::2]], public[order[1::2]]
    mean = known.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov((public - mean).T))
    codes, seen = (
        np.unpackbits(coding.codes(_halves(of)), axis=1) * 2.0 - 1 for of in (known, sought)
    )
    out = {}
    for name, change in (
        ("whitened", (vectors / np.sqrt(values)) @ vectors.T),
        ("as it is", np.eye(512)),
    ):
        rows = coding.rows @ np.linalg.inv(change)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        target, true = (known - mean) @ change, (sought - mean) @ change
        ridge = len(codes) * np.eye(coding.bits)
        learned = np.linalg.solve(codes.T @ codes + ridge, codes.T @ target)
        for how, rebuilt in (
            ("solved", seen @ np.linalg.pinv(rows).T),
            ("learned", seen @ learned),
        ):
            cosines = np.einsum("ij,ij->i", rebuilt, true)
            cosines /= np.linalg.norm(rebuilt, axis=1) * np.linalg.norm(true, axis=1)
            out[f"{how}, {name}"] = cosines.mean()
    return out


@pytest.fixture(scope="module")
def bank():
    return packaged_bank().vectors["sscd-1"]


@pytest.fixture(scope="module")
def sscd():
    return packaged().codings["sscd-1"]


@pytest.mark.parametrize("bits", [1, 7, 8, 13, 40, 64])
def test_an_exact_code_is_the_beginning_of_a_hash(bits):
    digest = hashlib.sha256(b"a picture").digest()
    code = ExactCoding(bits).codes(np.frombuffer(digest, np.uint8)[None])
    whole = hashlib.sha256(EXACT_DOMAIN + digest).digest()
    wanted = f"{int.from_bytes(whole):0256b}"[:bits].ljust(8 * code.shape[1], "0")
    assert "".join(f"{byte:08b}" for byte in code[0]) == wanted


def test_float_codes_are_computed_without_rounding(bank, sscd):
    fingerprints = _halves(bank[:20])
    whole = [
        [int(float(value) * 2**24) for value in row]
        for row in fingerprints.view("<f2").astype(np.float64)
    ]
    outputs = sscd.outputs(fingerprints)
    for at in range(0, sscd.bits, 37):
        weights = [int(weight) for weight in sscd.rows[at]]
        for row, numbers in enumerate(whole):
            exact = sum(a * b for a, b in zip(numbers, weights, strict=True))
            assert outputs[row, at] == exact - int(sscd.offsets[at])


def test_whatever_comes_with_it_a_fingerprint_has_one_code(bank, sscd):
    fingerprints = _halves(bank[:300])
    together = sscd.codes(fingerprints)
    alone = np.concatenate([sscd.codes(row[None]) for row in fingerprints])
    assert (together == alone).all()


def test_a_vector_that_is_not_finite_is_refused(sscd):
    broken = np.full(512, np.nan, "<f2").view(np.uint8)[None]
    with pytest.raises(BadFingerprint):
        sscd.codes(broken)


def test_inverting_codes_reaches_what_is_stated_and_no_more(bank, sscd):
    """Whoever knows the coding, and half of the public pictures, inverts the codes of the rest."""
    reached = _reached(sscd, bank)
    stated = measured_of("sscd-1")
    assert abs(reached["solved, whitened"] - stated.leakage) <= WITHIN
    assert max(reached.values()) <= stated.leakage + WITHIN
    assert abs(stated.leakage - stated.expected_leakage) <= WITHIN


def test_without_whitening_inverting_reaches_more_than_is_stated(bank, sscd):
    assert max(_reached(_not_white(bank, sscd.bits), bank).values()) > (
        measured_of("sscd-1").leakage + WITHIN
    )


def test_the_packaged_coding_is_white_and_one_without_whitening_is_refused(bank, sscd, monkeypatch):
    check_white(packaged_bank())
    assert top_share(sscd, _halves(bank)) == pytest.approx(1, abs=0.1)
    plain = codings.Packaged(
        {"sscd-1": _not_white(bank, sscd.bits)}, packaged().measured, packaged().digests
    )
    monkeypatch.setattr("registry.services.snapshots.packaged", lambda: plain)
    with pytest.raises(ConfigurationError):
        check_white(packaged_bank())


def test_there_are_no_codes_of_faces():
    with pytest.raises(UnknownSpace):
        coding_of("face-1", 20)


def test_a_candidate_is_found_as_often_as_is_stated():
    for name in ("sscd-1", "pdq-1"):
        assert measured_of(name).recall >= 0.99
