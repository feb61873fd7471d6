import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadFingerprint, Malformed, ProtocolError, UnknownSpace
from consent_client.protocol.fingerprints import (
    check_fingerprint,
    check_fingerprints,
    decode_floats,
    decode_kept_floats,
    decode_list,
    encode_float,
    encode_list,
    image_digest,
)
from consent_client.protocol.spaces import MAX_LIST_BYTES, SPACES

SSCD = SPACES["sscd-1"]
DIGEST = bytes(range(32))

DIGESTS = st.binary(min_size=32, max_size=32)
VECTORS = st.integers(0, 2**32 - 1).map(
    lambda seed: encode_float(np.random.default_rng(seed).normal(size=512))
)
LISTS = st.fixed_dictionaries(
    {},
    optional={
        "sha256": st.lists(DIGESTS, min_size=1, max_size=8),
        "url-1": st.lists(DIGESTS, min_size=1, max_size=8),
        "pdq-1": st.lists(DIGESTS, min_size=1, max_size=8),
        "sscd-1": st.lists(VECTORS, min_size=1, max_size=3),
    },
).filter(bool)


def frozen(fingerprints):
    return {space: tuple(values) for space, values in fingerprints.items()}


@given(LISTS)
def test_a_list_reads_back(fingerprints):
    data = encode_list(fingerprints)
    assert decode_list(data) == frozen(fingerprints)
    assert encode_list(decode_list(data)) == data
    check_fingerprints(fingerprints)


@given(LISTS, st.randoms())
def test_the_order_of_spaces_does_not_matter_that_of_fingerprints_does(fingerprints, random):
    spaces = list(fingerprints)
    random.shuffle(spaces)
    assert image_digest({s: fingerprints[s] for s in spaces}) == image_digest(fingerprints)
    turned = {space: tuple(values)[::-1] for space, values in fingerprints.items()}
    same = turned == frozen(fingerprints)
    assert (image_digest(turned) == image_digest(fingerprints)) == same


@given(LISTS, LISTS)
def test_different_lists_have_different_digests(first, second):
    same = frozen(first) == frozen(second)
    assert (image_digest(first) == image_digest(second)) == same


@given(st.binary(max_size=120))
def test_any_bytes_are_a_canonical_list_or_refused(data):
    try:
        fingerprints = decode_list(data)
    except ProtocolError:
        return
    assert encode_list(fingerprints) == data


@given(LISTS, st.data())
def test_a_spoiled_list_is_another_list_or_refused(fingerprints, data):
    encoded = bytearray(encode_list(fingerprints))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_list(bytes(encoded))
    except ProtocolError:
        return
    assert found != frozen(fingerprints)
    assert encode_list(found) == bytes(encoded)


@pytest.mark.parametrize(
    ("fingerprints", "error"),
    [
        ({}, Malformed),
        ({"sha256": []}, Malformed),
        ({"sha256": [DIGEST] * 9}, Malformed),
        ({"sscd-1": [bytes(1024)] * 8}, Malformed),
        ({"sha257": [DIGEST]}, UnknownSpace),
        ({f"space-{k}": [DIGEST] for k in range(9)}, Malformed),
        ({"sha256": [DIGEST[:-1]]}, BadFingerprint),
        ({"pdq-1": [DIGEST, DIGEST + b"\0"]}, BadFingerprint),
    ],
)
def test_what_is_no_list_is_not_encoded(fingerprints, error):
    with pytest.raises(error):
        encode_list(fingerprints)


def test_a_list_longer_than_the_limit_is_not_read():
    with pytest.raises(Malformed):
        decode_list(bytes(MAX_LIST_BYTES + 1))


def test_a_vector_goes_over_the_wire_and_keeps_its_direction():
    vector = np.random.default_rng(1).normal(size=512).astype(np.float32)
    vector /= np.linalg.norm(vector)
    data = encode_float(vector)
    assert len(data) == SSCD.size
    (back,) = decode_floats(data, SSCD)
    assert back.dtype == np.float32
    assert back @ vector > 0.999999
    assert abs(np.linalg.norm(back) - 1) < 1e-6


@given(st.floats(1e-30, 1e30))
def test_encoding_brings_a_vector_to_norm_one(scale):
    vector = scale * np.random.default_rng(2).normal(size=512)
    check_fingerprint(SSCD, encode_float(vector.astype(np.float32)))


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(512),
        np.full(512, np.nan),
        np.array([np.inf] + [0] * 511),
        np.ones((2, 512)),
        np.float32(1),
        np.zeros(0),
    ],
)
def test_what_is_no_direction_is_not_encoded(vector):
    with pytest.raises(BadFingerprint):
        encode_float(vector)


@pytest.mark.parametrize("bits", [0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF, 0x7BFF])
def test_every_infinity_nan_and_huge_component_is_refused_quietly(bits):
    """Signalling NaNs too: no warning may come out of numpy (warnings are errors here)."""
    data = bytearray(encode_float(np.ones(512)))
    data[6:8] = bits.to_bytes(2, "little")
    with pytest.raises(BadFingerprint):
        check_fingerprint(SSCD, bytes(data))
    with pytest.raises(BadFingerprint):
        decode_floats(bytes(data), SSCD)


@given(st.binary(min_size=1024, max_size=1024))
def test_any_vector_is_refused_or_of_norm_one(data):
    try:
        (vector,) = decode_floats(data, SSCD)
    except BadFingerprint:
        return
    assert abs(np.linalg.norm(vector) - 1) < 1e-6


@pytest.mark.parametrize("norm", [0.0, 0.5, 0.979, 1.021, 2.0])
def test_a_vector_off_norm_one_is_refused_wherever_it_stands(norm):
    good = [encode_float(np.random.default_rng(k).normal(size=512)) for k in range(5)]
    bad = (np.frombuffer(good[0], "<f2").astype(np.float64) * norm).astype("<f2").tobytes()
    for at in range(6):
        block = b"".join([*good[:at], bad, *good[at:]])
        with pytest.raises(BadFingerprint):
            decode_floats(block, SSCD)


def test_no_vectors_are_no_vectors():
    assert decode_floats(b"", SSCD).shape == (0, 512)


@pytest.mark.parametrize("data", [b"\0", bytes(1023), bytes(1025)])
def test_half_a_vector_is_refused(data):
    with pytest.raises(BadFingerprint):
        decode_floats(data, SSCD)


def test_only_float_spaces_have_vectors():
    with pytest.raises(BadFingerprint):
        decode_floats(DIGEST, SPACES["pdq-1"])


@given(st.integers(0, 2**32 - 1), st.floats(0.91, 1.09))
def test_a_kept_vector_may_be_a_little_beyond_the_bound(seed, scale):
    """It was within it when it came, by some other machine's sum."""
    sscd = SPACES["sscd-1"]
    unit = np.random.default_rng(seed).standard_normal(sscd.dimension)
    kept = (unit / np.linalg.norm(unit) * scale).astype("<f2").tobytes()
    (vector,) = decode_kept_floats(kept, sscd)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert vector @ unit / np.linalg.norm(unit) == pytest.approx(1, abs=2e-2)


@pytest.mark.parametrize("value", [0.0, 0.03, 0.06, np.nan, np.inf])
def test_a_kept_vector_that_says_nothing_is_refused(value):
    sscd = SPACES["sscd-1"]
    data = np.full(sscd.dimension, value, "<f2").tobytes()
    with pytest.raises(BadFingerprint):
        decode_kept_floats(data, sscd)
    with pytest.raises(BadFingerprint):
        decode_kept_floats(data[:-1], sscd)
