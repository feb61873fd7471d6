"""Faces, with the real models on real portraits."""

import io
import itertools
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from consent_client.errors import ImageError, NoFace, PoorFace, SeveralFaces
from consent_client.fingerprints import alignment, face, face_quality
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import (
    IMAGE_SPACES,
    Missing,
    available_spaces,
    fingerprint_image,
    registration_fingerprints,
)
from consent_client.fingerprints.yunet import Face
from consent_client.protocol.fingerprints import check_fingerprints, decode_floats
from consent_client.protocol.spaces import MAX_FACES, space

from . import files, photographs, portraits

pytest.importorskip("onnxruntime", reason="needs consent-client[face]")
pytest.importorskip("onnx", reason="needs consent-client[face]")

face_models = pytest.importorskip("consent_client.fingerprints.face_models")
MODEL = face_models.load_face_model()
THRESHOLD = space("face-1").threshold


def bytes_of(picture):
    return files.encoded(picture, "PNG")


@lru_cache
def registered(source, number=None):
    found = registration_fingerprints(source, ["face-1"], face_number=number, name="a picture")
    check_fingerprints(found.fingerprints)
    return decode_floats(b"".join(found.fingerprints["face-1"]), space("face-1"))


@lru_cache
def screened(source):
    found = fingerprint_image(source, ["face-1"]).fingerprints["face-1"]
    return decode_floats(b"".join(found), space("face-1"))


def excluded(record, source):
    """Whether any face of a picture matches a record."""
    return bool((screened(source) @ record.T).max(initial=-1) >= THRESHOLD)


def test_a_recent_portrait_finds_the_same_person_years_before_and_nobody_else():
    for now, before in (
        (portraits.A_NOW, portraits.A_BEFORE),
        (portraits.B_NOW, portraits.B_BEFORE),
    ):
        record = registered(now)
        assert record.shape == (1, 128)
        for each in portraits.ALL:
            assert excluded(record, each) is (each in (now, before)), each.name


def test_faces_are_never_computed_where_nothing_was_said():
    assert face.SPACE not in IMAGE_SPACES
    assert face.SPACE not in available_spaces()


def test_one_vector_for_each_face_largest_first():
    together = portraits.group(*portraits.ALL, height=300)
    vectors = screened(bytes_of(together))
    assert len(vectors) == len(portraits.ALL)
    found = face.find_faces(together, MODEL)
    assert [each.area for each in found] == sorted((each.area for each in found), reverse=True)
    data = bytes_of(together)
    for path in portraits.ALL:
        assert excluded(registered(path), data)


def test_a_picture_without_faces_was_looked_at_all_the_same():
    found = fingerprint_image(bytes_of(photographs.photograph(*photographs.CAT)), ["face-1"])
    assert found.fingerprints == {"face-1": ()}
    assert found.missing == {}


def test_more_faces_than_the_limit_are_not_checked_at_all():
    """A few faces of a crowd are no answer for the others."""
    fits, full = portraits.crowd(8, 8), portraits.crowd(11, 6)
    assert len(screened(bytes_of(fits))) == MAX_FACES
    found = fingerprint_image(bytes_of(full), ["face-1", "sha256"])
    assert set(found.fingerprints) == {"sha256"}
    assert found.missing == {"face-1": Missing.TOO_MANY_FACES}


def test_what_is_smaller_than_the_stated_width_is_not_looked_at():
    widths = [each.width for each in MODEL.detector.faces(portraits.crowd(6, 4, face_width=12))]
    assert widths
    assert max(widths) < face_quality.LEAST_WIDTH
    assert face.find_faces(portraits.crowd(6, 4, face_width=12), MODEL) == []
    assert len(face.find_faces(portraits.crowd(6, 4, face_width=24), MODEL)) == 24


@pytest.mark.parametrize("margin", [0.0, 0.3, 3.0])
def test_a_face_is_found_whether_it_fills_the_picture_or_not(margin):
    portrait = portraits.opened(portraits.B_NOW)
    (own,) = face.find_faces(portrait, MODEL)
    more = margin * own.width
    box = (
        own.left - more,
        own.top - more,
        own.left + own.width + more,
        own.top + own.height + more,
    )
    cut = portrait.crop(tuple(map(round, box))).resize((1000, 1390))
    assert excluded(registered(portraits.B_NOW), bytes_of(cut))


def test_common_edits_are_still_the_person():
    record = registered(portraits.B_NOW)
    before = portraits.opened(portraits.B_BEFORE).resize((478, 600))
    edits = {
        "mirrored": ImageOps.mirror(before),
        "grey": ImageOps.grayscale(before).convert("RGB"),
        "half": before.resize((before.width // 2, before.height // 2)),
        "rotated": before.rotate(15, expand=True),
        "darker": before.point(lambda value: value * 0.6),
    }
    for name, edited in edits.items():
        assert excluded(record, bytes_of(edited)), name
    assert excluded(record, files.encoded(before, "JPEG", quality=30))


def test_the_orientation_of_the_camera_and_transparency_are_seen_to():
    """As for every space: the picture is upright and on white before anything looks at it."""
    portrait = portraits.opened(portraits.A_NOW)
    record = registered(portraits.A_NOW)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = io.BytesIO()
    portrait.transpose(Image.Transpose.ROTATE_90).save(lying, "JPEG", exif=exif, quality=95)
    see_through = portrait.convert("RGBA")
    for data in (lying.getvalue(), bytes_of(see_through)):
        assert float(screened(data)[0] @ record[0]) > 0.97


# Registering


def test_the_person_chooses_among_several():
    together = bytes_of(portraits.group(portraits.A_NOW, portraits.B_NOW))
    with pytest.raises(SeveralFaces) as caught:
        registered(together)
    assert caught.value.faces == 2
    assert "2 faces" in str(caught.value)
    both = [registered(together, number) for number in (1, 2)]
    for who in (portraits.A_BEFORE, portraits.B_BEFORE):
        assert [excluded(one, who) for one in both].count(True) == 1
    for wrong in (0, 3, -1):
        with pytest.raises(NoFace):
            registered(together, wrong)


def test_a_picture_without_a_face_can_not_register_one():
    with pytest.raises(NoFace):
        registered(bytes_of(photographs.photograph(*photographs.CAT)))


def test_a_face_that_is_too_small_is_refused_and_it_says_what_helps():
    portrait = portraits.opened(portraits.B_NOW)
    small = portrait.resize((round(portrait.width * 0.15), round(portrait.height * 0.15)))
    with pytest.raises(PoorFace, match="too small") as caught:
        registered(bytes_of(small))
    assert caught.value.reason == "too small"
    assert "from nearer" in str(caught.value)


def test_a_blurred_face_is_refused():
    portrait = portraits.opened(portraits.B_NOW)
    with pytest.raises(PoorFace, match="blurred") as caught:
        registered(bytes_of(portrait.filter(ImageFilter.GaussianBlur(10))))
    assert caught.value.reason == "blurred"


def test_a_turned_face_is_refused():
    """No portrait here is in profile: one is made of landmarks."""
    points = alignment.TEMPLATE.copy()
    sharp = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    frontal = Face(0.9, 0, 0, 112, 112, points)
    assert face_quality.flaw(frontal, sharp) is None
    aside = points.copy()
    aside[2, 0] += 0.4 * face_quality.eye_distance(frontal)
    turned = Face(0.9, 0, 0, 112, 112, aside)
    assert face_quality.flaw(turned, sharp) is face_quality.Flaw.TURNED


def test_the_portraits_are_all_good_enough():
    for path in portraits.ALL:
        assert registered(path).shape == (1, 128)


def test_a_second_vector_of_the_mirror_image_would_find_nothing_more():
    """Why a record has one: a face and its mirror image are nearly the same to the network."""
    for path in portraits.ALL[:3]:
        mirrored = screened(bytes_of(ImageOps.mirror(portraits.opened(path))))
        assert float(mirrored[0] @ registered(path)[0]) > 0.9


# Alignment


@given(st.floats(-3.1, 3.1), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_any_similar_landmarks_come_to_lie_on_the_template(angle, scale, x, y):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = alignment.TEMPLATE @ turn.T + (x, y)
    found = alignment.similarity(moved)
    back = np.column_stack([moved, np.ones(5)]) @ found.T
    np.testing.assert_allclose(back, alignment.TEMPLATE, atol=1e-6)


def test_an_aligned_picture_is_itself():
    """The template's own landmarks change nothing but the rounding: no half pixel is lost."""
    noise = np.random.default_rng(2).integers(0, 256, (112, 112, 3), np.uint8)
    same = alignment.aligned(Image.fromarray(noise), alignment.TEMPLATE)
    np.testing.assert_allclose(np.asarray(same).astype(int), noise, atol=1)


def test_what_shrinks_is_averaged():
    """Every third pixel of a fine pattern would be one colour; its mean is grey."""
    fine = np.zeros((672, 672, 3), np.uint8)
    fine[::2] = 255
    cut = np.asarray(alignment.aligned(Image.fromarray(fine), alignment.TEMPLATE * 6 + 2.5))
    assert np.abs(cut[10:-10, 10:-10].astype(int) - 127).max() <= 8


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.lists(st.floats(-300, 300), min_size=10, max_size=10),
)
@example((1, 1), [1000.0 + 7 * i * i for i in range(10)])
def test_any_landmarks_in_any_picture_give_a_face(size, numbers):
    """Landmarks may lie outside the picture; where they lie in one point there is no face."""
    points = np.array(numbers).reshape(5, 2)
    if points.var(axis=0).sum() < 1e-3:
        return
    cut = alignment.aligned(Image.new("RGB", size, "red"), points)
    assert cut.size == (112, 112)


# Hostile pictures


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (3_000, 1)),
        Image.new("RGB", (1, 3_000)),
        Image.new("RGB", (33, 31), "white"),
        Image.fromarray(np.random.default_rng(3).integers(0, 256, (700, 50, 3), np.uint8)),
    ],
    ids=["one pixel", "a row", "a column", "white", "noise"],
)
def test_odd_pictures_show_nobody(picture):
    assert fingerprint_image(bytes_of(picture), ["face-1"]).fingerprints == {"face-1": ()}


@given(data=st.data())
def test_damaged_files_are_one_error_or_faces(data):
    whole = (portraits.A_BEFORE).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        found = fingerprint_image(
            bytes(damaged[: data.draw(st.integers(at, len(whole)))]), ["face-1"]
        )
    except ImageError:
        return
    check_fingerprints(found.fingerprints)


def test_many_workers_see_the_same_faces():
    sources = [(path.name, path) for path in portraits.ALL[:3]]
    alone = dict(fingerprint_many(sources, ["face-1"], workers=1))
    together = dict(fingerprint_many(sources * 2, ["face-1"], workers=4))
    for name, found in alone.items():
        assert together[name].fingerprints == found.fingerprints


def test_no_repr_shows_a_face():
    found = face.find_faces(portraits.opened(portraits.A_BEFORE), MODEL)
    assert "landmarks" not in repr(found)
    made = fingerprint_image(portraits.A_BEFORE, ["face-1"])
    assert "fingerprints" not in repr(made)


def test_strangers_are_far_apart():
    vectors = [registered(path)[0] for path in portraits.ALL]
    people = [
        path.name[:8] if path.name.startswith("person") else path.name for path in portraits.ALL
    ]
    for (one, who), (other, whom) in itertools.combinations(zip(vectors, people, strict=True), 2):
        if who != whom:
            assert float(one @ other) < 0.3
