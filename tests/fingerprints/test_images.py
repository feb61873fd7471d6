"""All fingerprints of one picture, and what they find."""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from consent_client.errors import ImageError, NotAnImage, TruncatedImage, UnknownSpace
from consent_client.fingerprints import pdq
from consent_client.fingerprints.images import (
    IMAGE_SPACES,
    Missing,
    available_spaces,
    fingerprint_image,
    load_models,
    registration_fingerprints,
)
from consent_client.protocol.fingerprints import (
    check_fingerprints,
    decode_floats,
    decode_list,
    encode_list,
)
from consent_client.protocol.spaces import MAX_FINGERPRINTS, MAX_LIST_BYTES, SPACES, space

from . import files, photographs

LIGHT = ("pdq-1", "sha256")
SSCD = "sscd-1"

needs_sscd = pytest.mark.skipif(SSCD not in available_spaces(), reason="needs consent-client[sscd]")


def jpeg(image, quality=90, **options):
    return files.encoded(image, "JPEG", quality=quality, **options)


def closest_pdq(record, candidate):
    """Least Hamming distance of a candidate to any of a record's fingerprints."""
    (seen,) = candidate["pdq-1"]
    return min((int.from_bytes(seen) ^ int.from_bytes(own)).bit_count() for own in record["pdq-1"])


def closest_sscd(record, candidate):
    own = decode_floats(b"".join(record[SSCD]), space(SSCD))
    seen = decode_floats(b"".join(candidate[SSCD]), space(SSCD))
    return float((own @ seen.T).max())


@needs_sscd
def test_screening_has_one_fingerprint_for_each_space():
    data = jpeg(photographs.photograph(*photographs.CAT))
    found = fingerprint_image(data, IMAGE_SPACES)
    assert list(found.fingerprints) == sorted(IMAGE_SPACES)
    assert {name: len(values) for name, values in found.fingerprints.items()} == dict.fromkeys(
        IMAGE_SPACES, 1
    )
    assert found.fingerprints["sha256"] == (hashlib.sha256(data).digest(),)
    assert found.missing == {}
    check_fingerprints(found.fingerprints)
    assert decode_list(encode_list(found.fingerprints)) == found.fingerprints


@needs_sscd
def test_a_registration_fits_the_formats():
    data = jpeg(photographs.photograph(*photographs.COFFEE))
    found = registration_fingerprints(data, IMAGE_SPACES)
    counts = {name: len(values) for name, values in found.fingerprints.items()}
    assert counts == {"pdq-1": len(pdq.ORIENTATIONS), "sha256": 1, SSCD: 2}
    assert max(counts.values()) <= MAX_FINGERPRINTS
    check_fingerprints(found.fingerprints)
    assert len(encode_list(found.fingerprints)) <= MAX_LIST_BYTES
    screened = fingerprint_image(data, IMAGE_SPACES)
    for name, values in screened.fingerprints.items():
        assert found.fingerprints[name][0] == values[0]


def test_a_symmetrical_picture_still_has_eight():
    """Equal fingerprints are kept: their number must not say what the picture looks like."""
    rings = np.hypot(*np.mgrid[-128:128, -128:128])
    picture = np.repeat(((rings // 6) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    found = registration_fingerprints(files.encoded(picture, "PNG"), ["pdq-1"])
    assert len(found.fingerprints["pdq-1"]) == 8
    assert len(set(found.fingerprints["pdq-1"])) < 8


def test_only_what_is_asked_for():
    data = files.encoded(files.scene(200, 300), "PNG")
    for spaces in (["sha256"], ["pdq-1"], LIGHT, []):
        found = fingerprint_image(data, spaces)
        assert set(found.fingerprints) | set(found.missing) == set(spaces)


@pytest.mark.parametrize("spaces", [["url-1"], ["face-2"], ["pdq-1", "nothing"]])
def test_other_spaces_are_refused(spaces):
    for function in (fingerprint_image, registration_fingerprints):
        with pytest.raises(UnknownSpace):
            function(b"", spaces)
    with pytest.raises(UnknownSpace):
        load_models(spaces)


def test_a_model_file_for_a_space_without_a_model_is_refused(tmp_path):
    with pytest.raises(UnknownSpace):
        load_models(["pdq-1"], {"pdq-1": tmp_path / "pdq.onnx"})


def test_why_a_fingerprint_is_missing():
    blank = files.encoded(np.full((300, 300, 3), 250, np.uint8), "PNG")
    tiny = files.encoded(np.zeros((4, 900, 3), np.uint8), "PNG")
    for function in (fingerprint_image, registration_fingerprints):
        assert function(blank, LIGHT).missing == {"pdq-1": Missing.TOO_PLAIN}
        assert function(tiny, LIGHT).missing == {"pdq-1": Missing.TOO_SMALL}
        assert list(function(blank, LIGHT).fingerprints) == ["sha256"]


def test_the_file_alone_needs_no_picture():
    assert fingerprint_image(b"not a picture", ["sha256"]).missing == {}
    with pytest.raises(NotAnImage):
        fingerprint_image(b"not a picture", LIGHT)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "half.png"
    path.write_bytes(files.encoded(files.scene(), "PNG")[:90])
    with pytest.raises(TruncatedImage, match=r"half\.png") as caught:
        fingerprint_image(path, LIGHT)
    assert caught.value.source == str(path)
    with pytest.raises(ImageError, match="row 12"):
        fingerprint_image(path.read_bytes(), LIGHT, name="row 12")


def test_a_path_and_its_bytes_have_the_same_fingerprints(tmp_path):
    path = tmp_path / "scene.png"
    path.write_bytes(files.encoded(files.scene(90, 90), "PNG"))
    assert fingerprint_image(path, LIGHT) == fingerprint_image(path.read_bytes(), LIGHT)


@needs_sscd
def test_no_fingerprint_is_shown():
    found = registration_fingerprints(jpeg(photographs.photograph(*photographs.CAT)), IMAGE_SPACES)
    shown = repr(found) + str(found)
    for values in found.fingerprints.values():
        for value in values:
            assert value.hex()[:8] not in shown
            assert repr(value)[2:10] not in shown


# What they find


def bar(image):
    changed = image.copy()
    width, height = image.size
    ImageDraw.Draw(changed).rectangle((0, height * 3 // 4, width, height * 7 // 8), fill="black")
    return changed


def caption(image):
    width, height = image.size
    changed = Image.new("RGB", (width, height + height // 6), "white")
    changed.paste(image)
    ImageDraw.Draw(changed).text((10, height + 5), "when it is monday again", fill="black")
    return changed


def screenshot(image):
    screen = Image.new("RGB", (1280, 900), (32, 33, 36))
    ImageDraw.Draw(screen).rectangle((0, 0, 1280, 60), fill=(60, 64, 67))
    small = image.copy()
    small.thumbnail((1000, 700))
    screen.paste(small, (140, 120))
    return screen


EDITS = {
    "jpeg 30": (lambda image: image, 30),
    "resized": (lambda image: image.resize((image.width // 2, image.height // 2)), 90),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
    "turned": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "cropped": (
        lambda image: image.crop(
            (image.width // 10, image.height // 10, image.width * 9 // 10, image.height * 9 // 10)
        ),
        90,
    ),
    "black bar": (bar, 90),
    "caption": (caption, 90),
    "screenshot": (screenshot, 90),
}

FOUND_BY_PDQ = ("jpeg 30", "resized", "mirrored", "turned")
FOUND_BY_SSCD = ("jpeg 30", "resized", "mirrored", "cropped", "black bar", "caption")


@pytest.mark.parametrize("edit", FOUND_BY_PDQ)
def test_pdq_finds_light_edits(edit):
    change, quality = EDITS[edit]
    for which in photographs.ALL:
        image = photographs.photograph(*which)
        record = registration_fingerprints(jpeg(image, 95), ["pdq-1"]).fingerprints
        candidate = fingerprint_image(jpeg(change(image), quality), ["pdq-1"]).fingerprints
        assert closest_pdq(record, candidate) <= (SPACES["pdq-1"].radius or 0), which


@needs_sscd
@pytest.mark.parametrize("edit", FOUND_BY_SSCD)
def test_sscd_finds_edited_copies(edit):
    change, quality = EDITS[edit]
    for which in photographs.ALL[:6]:
        image = photographs.photograph(*which)
        record = registration_fingerprints(jpeg(image, 95), [SSCD]).fingerprints
        candidate = fingerprint_image(jpeg(change(image), quality), [SSCD]).fingerprints
        assert closest_sscd(record, candidate) >= (SPACES[SSCD].threshold or 1), which


@needs_sscd
def test_other_photographs_are_not_found():
    spaces = ["pdq-1", SSCD]
    data = [jpeg(photographs.photograph(*each)) for each in photographs.ALL]
    records = [registration_fingerprints(each, spaces).fingerprints for each in data]
    candidates = [fingerprint_image(each, spaces).fingerprints for each in data]
    for at, record in enumerate(records):
        for other, candidate in enumerate(candidates):
            if at != other:
                assert closest_pdq(record, candidate) > (SPACES["pdq-1"].radius or 256)
                assert closest_sscd(record, candidate) < (SPACES[SSCD].threshold or 0)
