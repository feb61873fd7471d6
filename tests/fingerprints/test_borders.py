"""White borders of img2dataset are taken off; other squares are left alone."""

import numpy as np
import pytest
from PIL import Image

from consent_client.fingerprints.borders import content_box, without_border
from consent_client.fingerprints.images import Bordered, fingerprint_image
from tests.fingerprints import photographs
from tests.support.layouts import bordered
from tests.support.planted import jpeg


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("which", [photographs.TEMPLE, photographs.COFFEE, photographs.ROCKET])
def test_the_picture_is_within_pdqs_distance_of_its_original_again(which, turned):
    picture = photographs.photograph(*which)
    if turned:
        picture = picture.transpose(Image.Transpose.ROTATE_90)

    def bits(source):
        (value,) = fingerprint_image(source, ("pdq-1",)).fingerprints["pdq-1"]
        return np.unpackbits(np.frombuffer(value, np.uint8))

    original = bits(jpeg(picture))
    file = jpeg(bordered(picture))
    assert (bits(file) != original).sum() > 31
    assert (bits(Bordered(file, picture.size)) != original).sum() <= 31


def test_a_square_that_was_cropped_is_left_alone():
    picture = photographs.photograph(*photographs.TEMPLE)
    side = min(picture.size)
    cropped = picture.crop((0, 0, side, side))
    assert without_border(cropped, picture.size) is cropped


@pytest.mark.parametrize(
    ("size", "original"),
    [((256, 200), (512, 400)), ((256, 256), (400, 400)), ((256, 256), (0, 5)), ((1, 1), (1, 9))],
)
def test_where_there_can_be_no_border_nothing_is_cropped(size, original):
    assert content_box(size, original) is None


def test_boxes_lie_inside_the_square():
    for original in [(1, 10**6), (10**6, 1), (3, 2), (1023, 1024)]:
        box = content_box((256, 256), original)
        if box is not None:
            left, top, right, bottom = box
            assert 0 <= left < right <= 256
            assert 0 <= top < bottom <= 256
