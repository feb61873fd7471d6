"""What happens to pictures on their way into a data set.

Each edit takes the picture (RGB) and returns another picture (RGB). All are deterministic.
"""

import io
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageFont, ImageOps

# How much of each side a crop takes away, in fractions of the side: 81 % of the area is left.
CROP_MARGIN = 0.05
# A hard crop keeps a quarter of the area, a detail a sixteenth: those that go beyond what copy
# detection is made for, so that the page shows where it ends.
HARD_CROP_MARGIN = 0.25
DETAIL_MARGIN = 0.375
BAR_SHARE = 0.15
CAPTION_SHARE = 0.14
JPEG_QUALITY = 30
SCREEN_MARGIN = 0.08


def jpeg(picture: Image.Image) -> Image.Image:
    """Saved as JPEG of quality 30 and read again."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def resize(picture: Image.Image) -> Image.Image:
    """Half the width and height."""
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


def flip(picture: Image.Image) -> Image.Image:
    """Mirrored, left to right."""
    return ImageOps.mirror(picture)


def _inner(picture: Image.Image, margin: float) -> Image.Image:
    width, height = picture.size
    left, top = round(width * margin), round(height * margin)
    return picture.crop((left, top, width - left, height - top))


def crop(picture: Image.Image) -> Image.Image:
    """A tenth off the width and the height."""
    return _inner(picture, CROP_MARGIN)


def hard_crop(picture: Image.Image) -> Image.Image:
    """Only the middle quarter of the area."""
    return _inner(picture, HARD_CROP_MARGIN)


def detail(picture: Image.Image) -> Image.Image:
    """Only the middle sixteenth of the area."""
    return _inner(picture, DETAIL_MARGIN)


def black_bar(picture: Image.Image) -> Image.Image:
    """A black bar across the picture, as over the eyes in a medical journal."""
    covered = picture.copy()
    top = round(picture.height * 0.3)
    bar = (0, top, picture.width, top + round(picture.height * BAR_SHARE))
    ImageDraw.Draw(covered).rectangle(bar, fill="black")
    return covered


def _text(canvas: Image.Image, box: tuple[int, int, int, int], text: str, fill: str) -> None:
    left, top, right, bottom = box
    draw = ImageDraw.Draw(canvas)
    size = max(6, round((bottom - top) * 0.6))
    font = ImageFont.load_default(size)
    # Long captions in small pictures: as large as fits.
    shrink = (right - left) * 0.94 / draw.textlength(text, font=font)
    font = ImageFont.load_default(max(6, size * min(1.0, shrink)))
    draw.text(((left + right) / 2, (top + bottom) / 2), text, fill=fill, font=font, anchor="mm")


def caption(picture: Image.Image) -> Image.Image:
    """A white strip with words under the picture, as in a meme."""
    strip = round(picture.height * CAPTION_SHARE)
    canvas = Image.new("RGB", (picture.width, picture.height + strip), "white")
    canvas.paste(picture)
    _text(
        canvas,
        (0, picture.height, picture.width, picture.height + strip),
        "when you see it",
        "black",
    )
    return canvas


def screenshot(picture: Image.Image) -> Image.Image:
    """The picture in a web page on a phone's screen: bars above and below, margins, small text."""
    width, height = picture.size
    side = round(width * SCREEN_MARGIN)
    bar = round(height * 0.12)
    canvas = Image.new("RGB", (width + 2 * side, height + 3 * bar), (246, 246, 248))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, bar), fill=(32, 33, 36))
    _text(canvas, (0, 0, canvas.width, bar), "gallery · 14:02", "white")
    canvas.paste(picture, (side, bar + bar // 2))
    below = height + 2 * bar
    _text(canvas, (0, below, canvas.width, below + bar), "1,204 likes      share", "black")
    return canvas


EDITS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 30": jpeg,
    "resize": resize,
    "flip": flip,
    "crop": crop,
    "black bar": black_bar,
    "caption": caption,
    "screenshot": screenshot,
    "hard crop": hard_crop,
    "detail": detail,
}
