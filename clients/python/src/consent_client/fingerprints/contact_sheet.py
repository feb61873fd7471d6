"""A picture on which the faces are numbered, for the person who has to say which one is theirs."""

import io
from collections.abc import Sequence
from typing import Final

from consent_client.fingerprints.pillow import Image, ImageDraw, ImageFont
from consent_client.fingerprints.yunet import Face

SIDE: Final = 1_200
"""Longer side of the picture on the sheet: fits a screen."""

TILE: Final = 160
"""Pixels along each side of the enlarged faces below it."""

TILES_ACROSS: Final = 8
"""Faces in a row; a sheet of 64 then has 8 rows."""

_MARGIN: Final = 0.3  # of a face's size, shown around it
_LINE: Final = 3
_MARK: Final = (200, 30, 30)
_PAPER: Final = (255, 255, 255)


def contact_sheet(picture: Image.Image, faces: Sequence[Face]) -> bytes:
    """A PNG file of the picture with numbered boxes, and below it each face, enlarged.

    Args:
        picture: RGB, upright.
        faces: numbered from 1 in this order.
    """
    scale = min(1.0, SIDE / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    across = min(max(1, len(faces)), TILES_ACROSS)
    rows = -(-len(faces) // TILES_ACROSS)
    sheet = Image.new("RGB", (max(width, across * TILE), height + rows * TILE), _PAPER)
    sheet.paste(picture.resize((width, height)))
    draw = ImageDraw.Draw(sheet)
    for number, face in enumerate(faces, 1):
        left, top = face.left * scale, face.top * scale
        box = (left, top, left + face.width * scale, top + face.height * scale)
        draw.rectangle(box, outline=_MARK, width=_LINE)
        _number(draw, (max(0.0, left), max(0.0, top)), number)
        row, column = divmod(number - 1, TILES_ACROSS)
        corner = (column * TILE, height + row * TILE)
        sheet.paste(_enlarged(picture, face), corner)
        _number(draw, corner, number)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def place(picture: Image.Image, face: Face) -> str:
    """Where in the picture a face is, in words."""
    across = (face.left + face.width / 2) / picture.width
    down = (face.top + face.height / 2) / picture.height
    column = _third(across, ("left", "middle", "right"))
    row = _third(down, ("at the top", "halfway up", "at the bottom"))
    return f"{column}, {row}, {round(face.width)} pixels wide"


def _third(share: float, words: tuple[str, str, str]) -> str:
    return words[min(2, max(0, int(share * 3)))]


def _enlarged(picture: Image.Image, face: Face) -> Image.Image:
    more = _MARGIN * max(face.width, face.height)
    box = (
        max(0, int(face.left - more)),
        max(0, int(face.top - more)),
        min(picture.width, int(face.left + face.width + more) + 1),
        min(picture.height, int(face.top + face.height + more) + 1),
    )
    return picture.crop(box).resize((TILE, TILE))


def _number(draw: ImageDraw.ImageDraw, corner: tuple[float, float], number: int) -> None:
    font = ImageFont.load_default(size=24)
    text = str(number)
    left, top, right, bottom = draw.textbbox(corner, text, font=font)
    draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=_MARK)
    draw.text(corner, text, fill=_PAPER, font=font)
