"""Files of unknown origin: the picture as a person sees it, or one of our errors."""

import io
import os
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from consent_client.errors import (
    ImageError,
    ImageTooLarge,
    NotAnImage,
    TruncatedImage,
    UnreadableImage,
)
from consent_client.fingerprints import loading
from consent_client.fingerprints.loading import load_image

from . import files

SCENE = files.scene()
LOSSY_TOLERANCE = 40  # a hard white corner in a lossy format


def differs(found, expected):
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected.astype(int)).mean()


# What is read


@pytest.mark.parametrize("kind", files.FORMATS)
def test_every_format_is_read(kind):
    found = load_image(files.encoded(SCENE, kind))
    assert found.dtype == np.uint8
    assert differs(found, SCENE) < (0.01 if kind in files.LOSSLESS else 6)


@pytest.mark.parametrize("kind", files.FORMATS)
def test_a_path_is_read_like_its_bytes(kind, tmp_path):
    data = files.encoded(SCENE, kind)
    path = tmp_path / "photo.whatever"  # the name says nothing
    path.write_bytes(data)
    np.testing.assert_array_equal(load_image(path), load_image(data))
    np.testing.assert_array_equal(load_image(str(path)), load_image(data))


UPRIGHT = {
    1: lambda rgb: rgb,
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.transpose(1, 0, 2),
    6: lambda rgb: np.rot90(rgb, -1),
    7: lambda rgb: rgb[::-1, ::-1].transpose(1, 0, 2),
    8: lambda rgb: np.rot90(rgb, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_picture_is_turned_upright(kind, orientation):
    """The stored picture, turned as the EXIF standard's table says, is the one seen."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    found = load_image(files.encoded(SCENE, kind, exif=tags))
    assert differs(found, UPRIGHT[orientation](SCENE)) < (0.01 if kind in files.LOSSLESS else 6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_both_byte_orders(order):
    found = load_image(files.encoded(SCENE, "JPEG", exif=files.exif(6, order)))
    assert found.shape == (56, 40, 3)


BAD_EXIF = {
    "empty": b"Exif\0\0",
    "no header": b"Exif\0\0II",
    "wrong magic": b"Exif\0\0II\x2b\0\x08\0\0\0\x01\0",
    "directory outside": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "directory cut off": files.exif(6)[:-8],
    "orientation 0": files.exif(0),
    "orientation 9": files.exif(9),
    "orientation 65535": files.exif(65535),
    "two values": files.exif(6)[:20] + b"\x02" + files.exif(6)[21:],
    "as text": files.exif(6)[:18] + b"\x02" + files.exif(6)[19:],
    "65535 entries": files.exif(6)[:14] + b"\xff\xff" + b"\0" * 65535,
    "random": bytes(range(256)),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", BAD_EXIF)
def test_a_damaged_exif_means_as_stored(kind, name):
    found = load_image(files.encoded(SCENE, kind, exif=BAD_EXIF[name][:60_000]))
    assert found.shape == SCENE.shape


def test_transparency_is_white():
    see_through = np.dstack([SCENE, np.full(SCENE.shape[:2], 255, np.uint8)])
    see_through[:, :28, 3] = 0
    see_through[:, 28:40, 3] = 128
    for kind in ("PNG", "WEBP", "TIFF"):
        found = load_image(files.encoded(Image.fromarray(see_through), kind))
        assert (found[:, :28] == 255).all()
        np.testing.assert_array_equal(found[:, 40:], SCENE[:, 40:])
        halfway = (SCENE[:, 28:40].astype(int) * 128 + 255 * 127) / 255
        assert np.abs(found[:, 28:40] - halfway).max() <= 1


def palette_with_transparency():
    image = Image.fromarray(SCENE).quantize(16)
    return image, files.encoded(image, "PNG", transparency=bytes([0] * 8 + [255] * 8))


def test_modes_are_right():
    grey = Image.fromarray(SCENE).convert("L")
    expected = np.asarray(grey.convert("RGB"))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    half = grey.copy()
    half.putalpha(Image.new("L", grey.size, 0))
    for image in (grey, deep):
        for kind in ("PNG", "TIFF"):
            np.testing.assert_array_equal(load_image(files.encoded(image, kind)), expected)
    assert (load_image(files.encoded(half, "PNG")) == 255).all()
    one_bit = Image.fromarray(SCENE).convert("1")
    np.testing.assert_array_equal(
        load_image(files.encoded(one_bit, "PNG")), np.asarray(one_bit.convert("RGB"))
    )
    palette, data = palette_with_transparency()
    indices = np.asarray(palette)
    assert (load_image(data)[indices < 8] == 255).all()
    np.testing.assert_array_equal(
        load_image(data)[indices >= 8], np.asarray(palette.convert("RGB"))[indices >= 8]
    )
    cmyk = Image.fromarray(SCENE).convert("CMYK")
    assert differs(load_image(files.encoded(cmyk, "JPEG", quality=95)), SCENE) < 6
    assert differs(load_image(files.encoded(cmyk, "TIFF")), SCENE) < 1


def test_a_colour_that_means_transparent_is_white():
    """PNG's tRNS for grey and true-colour pictures: one colour that is to be seen through."""
    for image, colour in (
        (Image.fromarray(SCENE), (255, 255, 255)),
        (Image.new("L", (9, 9), 7), 7),
    ):
        assert (load_image(files.encoded(image, "PNG", transparency=colour))[0, 0] == 255).all()


def test_sixteen_bits_a_colour():
    raw = b"".join(
        b"\0" + b"".join(struct.pack(">H", int(value) * 257) for value in row.ravel())
        for row in SCENE
    )
    header = struct.pack(">IIBBBBB", SCENE.shape[1], SCENE.shape[0], 16, 2, 0, 0, 0)
    data = b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            files.png_chunk(b"IHDR", header),
            files.png_chunk(b"IDAT", zlib.compress(raw)),
            files.png_chunk(b"IEND", b""),
        )
    )
    np.testing.assert_array_equal(load_image(data), SCENE)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_measurements_are_no_pictures(mode):
    data = files.encoded(Image.new(mode, (8, 8)), "TIFF")
    with pytest.raises(NotAnImage):
        load_image(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "TIFF", "PNG"])
def test_the_first_frame_is_the_picture(kind):
    others = [Image.new("RGB", (56, 40), colour) for colour in ("blue", "black")]
    first = Image.fromarray(SCENE)
    data = files.encoded(first, kind, save_all=True, append_images=others)
    alone = load_image(data)
    assert differs(alone, SCENE) < 6


def test_one_pixel():
    for kind in files.FORMATS:
        assert load_image(files.encoded(np.full((1, 1, 3), 200, np.uint8), kind)).shape == (1, 1, 3)


def test_a_camera_file_with_a_second_picture_inside():
    """MPO, which phones write: a JPEG, and after it another."""
    data = files.encoded(
        Image.fromarray(SCENE), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]
    )
    assert load_image(data).shape == SCENE.shape


def test_what_follows_the_picture_does_not_matter():
    """Polyglots: an archive, a script or another picture behind the first."""
    plain = {kind: files.encoded(SCENE, kind) for kind in files.FORMATS}
    for kind, data in plain.items():
        if kind == "AVIF":
            continue  # boxes are read to the end of the file; junk there is damage
        for tail in (b"PK\x03\x04archive", b"<script>", plain["GIF"], b"\0" * 4096):
            np.testing.assert_array_equal(load_image(data + tail), load_image(data))


def test_what_stands_before_the_picture_makes_it_none():
    for kind in files.FORMATS:
        with pytest.raises(NotAnImage):
            load_image(b"\n" + files.encoded(SCENE, kind))


# What is refused


def attempt(data):
    """None for a picture, else our error, with the name of the file; nothing else is raised."""
    try:
        found = load_image(data, "photo.jpg")
    except ImageError as refused:
        problem = refused
    else:
        assert found.ndim == 3
        assert found.dtype == np.uint8
        return None
    assert problem.source == "photo.jpg"
    assert str(problem).startswith("photo.jpg: ")
    return problem


@pytest.mark.parametrize("kind", files.FORMATS)
def test_cut_short_anywhere(kind):
    data = files.encoded(files.scene(160, 224), kind)
    cuts = sorted({0, *range(1, 40), *range(40, len(data), max(1, len(data) // 120))})
    problems = {cut: attempt(data[:cut]) for cut in cuts}
    read = sum(problem is None for problem in problems.values())
    for cut, problem in problems.items():
        assert problem is None or cut <= 16 or isinstance(problem, TruncatedImage)
    assert read < len(cuts) / 10  # a few bytes at the end may not matter


def test_the_end_is_missing():
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF"):
        data = files.encoded(files.scene(160, 224), kind)
        with pytest.raises(TruncatedImage, match=r"^half\.img: .*cut short or damaged"):
            load_image(data[: len(data) // 2], "half.img")


NOT_IMAGES = {
    "nothing": b"",
    "text": b"To be or not to be",
    "html": b"<!DOCTYPE html><html><img src=x></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n",
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "bmp": b"BM" + b"\0" * 60,
    "icon": b"\0\0\1\0" + b"\0" * 60,
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "heic": b"\0\0\0\x18ftypheic" + b"\0" * 60,
    "sound": b"RIFF\0\0\0\0WAVEfmt ",
    "zeros": b"\0" * 4096,
}


@pytest.mark.parametrize("name", NOT_IMAGES)
def test_what_is_no_picture_of_the_six_formats(name):
    with pytest.raises(NotAnImage, match=r"^row 7: ") as caught:
        load_image(NOT_IMAGES[name], "row 7")
    assert caught.value.source == "row 7"


def test_formats_that_pillow_would_also_read_are_not_read():
    for kind in ("BMP", "PPM", "ICO", "TGA", "PCX", "SGI", "JPEG2000", "DDS"):
        with pytest.raises(NotAnImage):
            load_image(files.encoded(SCENE, kind))


def extended_webp():
    return files.encoded(SCENE, "WEBP", exif=files.exif(1))


BOMBS = {
    "png, 50,000 square": files.png(50_000, 50_000, b"\0" * 100),
    "png, 2^31 wide": files.png(2**31 - 1, 1, b"\0" * 100),
    "png, too long a side": files.png(1, 70_000, b"\0" * 100),
    "jpeg, 65,500 square": files.jpeg_resized(files.encoded(SCENE, "JPEG"), 65_500, 65_500),
    "gif, 65,535 square": files.gif_resized(files.encoded(SCENE, "GIF"), 65_535, 65_535),
    "webp, 16,383 square": files.webp_resized(extended_webp(), 16_383, 16_383),
    "avif, 60,000 square": files.avif_resized(files.encoded(SCENE, "AVIF"), 60_000, 60_000),
    "tiff, 2^31 square": files.tiff(2**31, 2**31, (262, 3, 1), (258, 3, 8), (273, 4, 8)),
    "tiff, a tile of 60,000": files.tiff(
        8, 8, (262, 3, 1), (258, 3, 8), (322, 4, 60_000), (323, 4, 60_000), (324, 4, 8), (325, 4, 9)
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(name):
    started = time.perf_counter()
    with pytest.raises((ImageTooLarge, TruncatedImage), match=r"^bomb: ") as caught:
        load_image(BOMBS[name], "bomb")
    assert time.perf_counter() - started < 2  # decoding one would take minutes
    if "avif" not in name:  # libavif itself refuses it, as damage
        assert isinstance(caught.value, ImageTooLarge)


def test_a_bomb_takes_no_memory():
    """Refused before its pixels are made: 7 gigabytes would not go unseen."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in BOMBS.values():
        with pytest.raises(ImageError):
            load_image(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kilobytes


def test_the_limits_are_where_they_are_said_to_be(monkeypatch):
    data = files.encoded(SCENE, "PNG")
    monkeypatch.setattr(loading, "MAX_PIXELS", SCENE.shape[0] * SCENE.shape[1])
    monkeypatch.setattr(loading, "MAX_SIDE", SCENE.shape[1])
    monkeypatch.setattr(loading, "MAX_FILE_BYTES", len(data))
    load_image(data)
    for limit in ("MAX_PIXELS", "MAX_SIDE", "MAX_FILE_BYTES"):
        with monkeypatch.context() as smaller:
            smaller.setattr(loading, limit, getattr(loading, limit) - 1)
            with pytest.raises(ImageTooLarge):
                load_image(data)


def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "long.png"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)
    started = time.perf_counter()
    with pytest.raises(ImageTooLarge):
        load_image(path)
    assert time.perf_counter() - started < 1


def test_text_that_unpacks_to_gigabytes_is_not_unpacked():
    bomb = zlib.compress(b"\0" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))
    row = b"\0" + b"\x80" * 12
    data = files.png(4, 4, row * 4, files.png_chunk(b"zTXt", b"note\0\0" + bomb))
    assert attempt(data) is None or isinstance(attempt(data), TruncatedImage)


def test_a_picture_without_pixels():
    for data in (
        files.png(0, 5, b""),
        files.png(5, 0, b""),
        files.gif_resized(files.encoded(SCENE, "GIF"), 0, 0),
        files.jpeg_resized(files.encoded(SCENE, "JPEG"), 0, 0),
        files.tiff(0, 0),
    ):
        with pytest.raises(TruncatedImage):
            load_image(data)


def test_paths_that_can_not_be_read(tmp_path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for path in (
        tmp_path / "missing.png",
        tmp_path / "folder.png",
        tmp_path / "pipe.png",
        "/dev/zero",
        "zero\0byte.png",
    ):
        with pytest.raises(UnreadableImage) as caught:
            load_image(path)
        assert caught.value.source == str(path)


def test_a_warning_of_the_decoder_changes_nothing():
    """The same file has the same answer whatever the program around makes of warnings."""
    good = files.encoded(SCENE, "TIFF", description="a scene")
    planar = good.index(struct.pack("<HHI", 284, 3, 1))
    damaged = good[: planar + 4] + struct.pack("<I", 2) + good[planar + 8 :]
    described = good.index(struct.pack("<HH", 270, 2))
    outside = good[: described + 4] + struct.pack("<I", 1 << 20) + good[described + 8 :]
    load_image(good)
    for data in (damaged, outside):
        for action in ("error", "ignore"):
            with warnings.catch_warnings():
                warnings.simplefilter(action)  # type: ignore[arg-type]
                with pytest.raises(TruncatedImage):
                    load_image(data)


# Anything at all


STARTS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0*"]
STARTS += [b"RIFF\x40\0\0\0WEBPVP8 ", b"\0\0\0\x20ftypavif"]


@given(start=st.sampled_from([b"", *STARTS]), rest=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes(start, rest):
    attempt(start + rest)


SMALL = {kind: files.encoded(SCENE, kind) for kind in files.FORMATS}


@given(
    kind=st.sampled_from(files.FORMATS),
    changes=st.lists(
        st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.integers(0, 1 << 16),
)
@settings(max_examples=400, deadline=None)
def test_changed_bytes(kind, changes, cut):
    data = bytearray(SMALL[kind])
    for at, value in changes:
        data[at % len(data)] = value
    attempt(bytes(data))
    attempt(bytes(data[: cut % len(data)]))


@given(exif=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_exif(exif):
    out = io.BytesIO()
    Image.fromarray(SCENE).save(out, "JPEG", exif=b"Exif\0\0" + exif)
    assert load_image(out.getvalue()).shape in {SCENE.shape, (56, 40, 3)}
