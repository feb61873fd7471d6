"""PDQ agrees with the reference implementation, and turns as pictures turn."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.fingerprints import pdq

from . import photographs

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "pdq.json").read_text("ascii"))

# Decoders of JPEG differ by a unit here and there; the arithmetic itself gives the very same bits.
MOST_DIFFERENT_BITS = 2


def distance(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["file"])
def test_the_eight_hashes_are_those_of_pdqhash(vector):
    rgb = photographs.pixels((vector["package"], vector["file"]))
    found = pdq.hash_orientations(pdq.sample(rgb))
    expected = [bytes.fromhex(each) for each in vector["hashes"]]
    assert len(found) == len(expected) == len(pdq.ORIENTATIONS) == 8
    for ours, theirs in zip(found, expected, strict=True):
        assert distance(ours.bits, theirs) <= MOST_DIFFERENT_BITS
        assert abs(ours.quality - vector["quality"]) <= 1
    assert pdq.hash_samples(pdq.sample(rgb)) == found[0]


def test_lossless_photographs_have_exactly_the_hash_of_pdqhash():
    """Pictures stored without loss, whose samples do not depend on the decoder's version."""
    lossless = [vector for vector in VECTORS["vectors"] if vector["file"].endswith(".png")]
    same = [
        pdq.hash_samples(
            pdq.sample(photographs.pixels((vector["package"], vector["file"])))
        ).bits.hex()
        == vector["hashes"][0]
        for vector in lossless
    ]
    assert len(same) >= 20
    assert sum(same) >= len(same) - 1


TURNED = (
    lambda rgb: rgb,
    lambda rgb: np.rot90(rgb, 1),
    lambda rgb: np.rot90(rgb, 2),
    lambda rgb: np.rot90(rgb, 3),
    lambda rgb: rgb[::-1],
    lambda rgb: rgb[:, ::-1],
    lambda rgb: rgb.transpose(1, 0, 2),
    lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2),
)


@pytest.mark.parametrize("which", [photographs.CAT, photographs.TEMPLE], ids=lambda each: each[1])
def test_orientations_find_the_turned_picture(which):
    rgb = photographs.pixels(which)
    from_coefficients = pdq.hash_orientations(pdq.sample(rgb))
    for name, turn, expected in zip(pdq.ORIENTATIONS, TURNED, from_coefficients, strict=True):
        found = pdq.hash_samples(pdq.sample(np.ascontiguousarray(turn(rgb))))
        # Which pixel a sample falls on is not quite symmetrical, in the reference as well.
        assert distance(found.bits, expected.bits) <= 14, name


@pytest.mark.parametrize("length", [5, 6, 63, 64, 65, 127, 128, 129, 1000, 4096, 9001])
def test_sampling_is_two_passes_of_the_box(length):
    """The matrix against the running box filter, written out as in the reference."""
    line = np.random.default_rng(length).integers(0, 256, length).astype(np.float64)
    window = (length + 127) // 128
    half = (window + 2) // 2
    blurred = line
    for _ in range(2):
        blurred = np.array(
            [
                blurred[max(0, at + half - window) : min(length, at + half)].mean()
                for at in range(length)
            ]
        )
    expected = [blurred[int((sample + 0.5) * length / 64)] for sample in range(64)]
    np.testing.assert_allclose(pdq.sampling_matrix(length) @ line, expected, atol=1e-9)


@given(
    height=st.integers(5, 300),
    width=st.integers(5, 300),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_tiles_and_bands_do_not_change_the_product(height, width, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    whole = pdq.sampling_matrix(height) @ luma @ pdq.sampling_matrix(width).T
    np.testing.assert_allclose(pdq.sample(rgb), whole, rtol=1e-4)


@pytest.mark.parametrize("shape", [(20_000, 7), (7, 20_000), (9_000, 1_200)])
def test_pictures_too_large_to_remember_are_hashed_as_well(shape):
    ramp = np.zeros((*shape, 3), dtype=np.uint8)
    ramp[:] = np.linspace(0, 255, shape[1]).astype(np.uint8)[None, :, None]
    samples = pdq.sample(ramp)
    np.testing.assert_allclose(samples, np.broadcast_to(samples[:1], samples.shape), rtol=1e-4)


def test_a_blank_picture_has_no_quality():
    blank = np.full((300, 200, 3), 255, dtype=np.uint8)
    assert pdq.hash_samples(pdq.sample(blank)).quality == 0


def test_remembered_matrices_can_not_be_changed():
    band = pdq._remembered_row_bands(100)[0]
    with pytest.raises(ValueError):
        band.weights[0, 0] = 1
