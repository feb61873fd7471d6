"""Pictures that are drawn: pages, forms, charts, screens, maps, gradients, noise, borders.

There are far more of these in the world than any package holds, and they resemble each other most.
Each is drawn from its number alone, so the same number gives the same picture.
"""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

type Random = np.random.Generator
type Fonts = Sequence[Path]

PAGE = (744, 1052)
"""A4 at 90 dots per inch."""

SCREEN = (1024, 640)

_WORDS = " ".join(topics[name] for name in sorted(topics)).split()


def _font(random: Random, fonts: Fonts, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fonts[random.integers(len(fonts))], size)


def _text(random: Random, words: int) -> str:
    start = int(random.integers(len(_WORDS) - words))
    return " ".join(_WORDS[start : start + words])


def _paper(random: Random, size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    shade = int(random.integers(236, 256))
    colour = (shade, shade, int(shade - random.integers(0, 14)))
    picture = Image.new("RGB", size if random.random() < 0.8 else size[::-1], colour)
    return picture, ImageDraw.Draw(picture)


def page(random: Random, fonts: Fonts) -> Image.Image:
    """A page of text in one to three columns."""
    picture, pen = _paper(random, PAGE)
    width, height = picture.size
    size = int(random.integers(11, 24))
    font = _font(random, fonts, size)
    columns = int(random.integers(1, 4))
    margin = int(random.integers(30, 100))
    each = (width - margin * (columns + 1)) // columns
    top = margin
    if random.random() < 0.6:
        pen.text((margin, top), _text(random, 4), "black", _font(random, fonts, size * 2))
        top += size * 4
    spacing = int(random.integers(2, 10))
    for column in range(columns):
        left = margin + column * (each + margin)
        y = top
        while y < height - margin - size:
            words = int(random.integers(20, 120))
            for line in textwrap.wrap(_text(random, words), max(8, int(each / (size * 0.55)))):
                if y >= height - margin - size:
                    break
                pen.text((left, y), line, (20, 20, 20), font)
                y += size + spacing
            y += size
    return picture


def form(random: Random, fonts: Fonts) -> Image.Image:
    """A form: labels, boxes, lines, a stamp."""
    picture, pen = _paper(random, PAGE)
    width, height = picture.size
    font = _font(random, fonts, int(random.integers(13, 20)))
    pen.text((50, 40), _text(random, 3).upper(), "black", _font(random, fonts, 30))
    y = 110
    while y < height - 80:
        rows = int(random.integers(22, 54))
        cells = int(random.integers(1, 5))
        for cell in range(cells):
            left = 50 + cell * (width - 100) // cells
            right = 50 + (cell + 1) * (width - 100) // cells
            if random.random() < 0.7:
                pen.rectangle((left, y, right, y + rows), outline="black")
            else:
                pen.line((left, y + rows, right - 10, y + rows), "black")
            pen.text((left + 4, y + 3), _text(random, 2)[: (right - left) // 9], "black", font)
            if random.random() < 0.2:
                pen.rectangle((right - 22, y + 4, right - 8, y + 18), outline="black")
        y += rows + int(random.integers(0, 12))
    if random.random() < 0.4:
        x, y = random.integers(100, width - 100), random.integers(100, height - 100)
        pen.ellipse((x - 60, y - 60, x + 60, y + 60), outline=(150, 20, 40), width=5)
    return picture


def table(random: Random, fonts: Fonts) -> Image.Image:
    """A table of numbers."""
    picture, pen = _paper(random, SCREEN)
    width, height = picture.size
    font = _font(random, fonts, int(random.integers(12, 20)))
    rows, columns = int(random.integers(6, 30)), int(random.integers(3, 12))
    tinted = random.random() < 0.5
    for row in range(rows):
        y = 20 + row * (height - 40) // rows
        if tinted and row % 2:
            pen.rectangle((20, y, width - 20, y + (height - 40) // rows), (226, 232, 240))
        for column in range(columns):
            x = 24 + column * (width - 40) // columns
            said = f"{random.normal(0, 1000):,.2f}" if row and column else _text(random, 1)[:9]
            pen.text((x, y + 3), said, "black", font)
        pen.line((20, y, width - 20, y), (120, 120, 120))
    return picture


def chart(random: Random, fonts: Fonts) -> Image.Image:
    """Lines, bars, points or a pie, with axes and a legend."""
    picture, pen = _paper(random, (800, 600))
    width, height = picture.size
    font = _font(random, fonts, 14)
    left, bottom, right, top = 70, height - 60, width - 40, 60
    series = int(random.integers(1, 6))
    colours = [tuple(int(part) for part in random.integers(0, 220, 3)) for _ in range(series)]
    kind = random.integers(4)
    pen.text((left, 18), _text(random, 4), "black", _font(random, fonts, 22))
    if kind == 3:
        ends = np.cumsum(random.dirichlet(np.ones(series + 2))) * 360
        radius = min(width, height) // 3
        box = (width // 2 - radius, height // 2 - radius, width // 2 + radius, height // 2 + radius)
        for start, end in zip(np.concatenate([[0.0], ends[:-1]]), ends, strict=True):
            pen.pieslice(box, start, end, tuple(random.integers(60, 250, 3).tolist()), "white")
        return picture
    pen.line((left, top, left, bottom, right, bottom), "black", 2)
    for tick in range(6):
        y = bottom - tick * (bottom - top) // 5
        pen.line((left, y, right, y), (215, 215, 215))
        pen.text((left - 45, y - 8), f"{tick * int(random.integers(1, 50))}", "black", font)
    points = int(random.integers(5, 60))
    xs = np.linspace(left, right, points)
    for colour in colours:
        ys = bottom - np.abs(np.cumsum(random.normal(0, 1, points)))
        ys = bottom - (bottom - ys) / max(1e-6, (bottom - ys).max()) * (bottom - top) * 0.9
        line = list(zip(xs.tolist(), ys.tolist(), strict=True))
        if kind == 0:
            pen.line(line, colour, int(random.integers(1, 5)))
        elif kind == 1:
            for x, y in line:
                pen.rectangle((x, y, x + (right - left) / points * 0.6, bottom), colour)
        else:
            for x, y in line:
                pen.ellipse((x - 4, y - 4, x + 4, y + 4), colour)
    for number, colour in enumerate(colours):
        y = top + 20 * number
        pen.rectangle((right - 110, y, right - 98, y + 12), colour)
        pen.text((right - 92, y - 2), _text(random, 1)[:10], "black", font)
    return picture


def screen(random: Random, fonts: Fonts) -> Image.Image:
    """A window or a telephone's screen: bars, lists, messages, buttons."""
    tall = random.random() < 0.5
    size = (480, 960) if tall else SCREEN
    dark = random.random() < 0.3
    ground, ink = ((28, 30, 34), "white") if dark else ((248, 248, 250), "black")
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    width, height = size
    accent = tuple(random.integers(30, 220, 3).tolist())
    pen.rectangle((0, 0, width, 56), accent)
    pen.text((20, 16), _text(random, 2), "white", _font(random, fonts, 20))
    font = _font(random, fonts, int(random.integers(13, 19)))
    if not tall and random.random() < 0.7:
        pen.rectangle((0, 56, 200, height), tuple(min(255, part + 12) for part in ground))
        for row in range(int(random.integers(3, 14))):
            pen.text((18, 80 + row * 36), _text(random, 2)[:20], ink, font)
    y = 80
    messages = random.random() < 0.5
    while y < height - 60:
        tallness = int(random.integers(36, 120))
        left = 20 if tall else 220
        shift = int(random.integers(0, 120)) if messages else 0
        box = (left + shift, y, width - 20 - (120 - shift if messages else 0), y + tallness)
        fill = tuple(int(part) for part in random.integers(190, 250, 3)) if messages else None
        pen.rounded_rectangle(box, 12, fill, None if messages else (150, 150, 150))
        words = _text(random, int(random.integers(3, 24)))
        for number, line in enumerate(textwrap.wrap(words, max(10, (box[2] - box[0]) // 10))):
            if number * 20 > tallness - 24:
                break
            pen.text((box[0] + 12, y + 8 + number * 20), line, "black" if fill else ink, font)
        y += tallness + 14
    return picture


def street_map(random: Random, fonts: Fonts) -> Image.Image:
    """Roads, blocks, water, names."""
    picture = Image.new("RGB", (800, 700), (242, 239, 233))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(1, 6))):
        middle = random.uniform(0, 800, 2)
        around = [
            (
                float(middle[0] + random.uniform(60, 240) * math.cos(angle)),
                float(middle[1] + random.uniform(60, 240) * math.sin(angle)),
            )
            for angle in np.linspace(0, 2 * math.pi, 12)
        ]
        pen.polygon(around, ((170, 211, 223), (205, 230, 190))[int(random.integers(2))])
    for _ in range(int(random.integers(12, 50))):
        line = np.cumsum(
            np.concatenate([random.uniform(0, 800, (1, 2)), random.normal(0, 120, (6, 2))]), axis=0
        )
        wide = int(random.choice([3, 5, 9, 14]))
        road = [tuple(point) for point in line.tolist()]
        pen.line(road, (170, 150, 130), wide + 2, "curve")
        pen.line(road, ((255, 255, 255), (250, 215, 130), (252, 252, 170))[wide % 3], wide, "curve")
    font = _font(random, fonts, 15)
    for _ in range(int(random.integers(4, 25))):
        at = random.uniform(0, 700, 2).tolist()
        pen.text((at[0], at[1]), _text(random, 2), (60, 60, 60), font)
    return picture


def gradient(random: Random, fonts: Fonts) -> Image.Image:  # noqa: ARG001 (all painters are alike)
    """Colours that pass into each other, straight or round."""
    y, x = np.mgrid[0:480, 0:640] / 640
    if random.random() < 0.5:
        turn = random.uniform(0, 2 * math.pi)
        along = x * math.cos(turn) + y * math.sin(turn)
    else:
        along = np.hypot(x - random.random(), y - random.random() * 0.75)
    along = (along - along.min()) / (along.max() - along.min())
    first, last = random.uniform(0, 255, (2, 3))
    steps = int(random.choice([0, 0, 4, 12]))
    along = np.floor(along * steps) / steps if steps else along
    colours = first + along[..., None] * (last - first)
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


def noise(random: Random, fonts: Fonts) -> Image.Image:  # noqa: ARG001
    """Grain, clouds, stripes, squares."""
    kind = random.integers(4)
    if kind == 0:
        grain = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        return Image.fromarray(grain).filter(ImageFilter.GaussianBlur(random.uniform(0, 3)))
    if kind == 1:
        side = int(random.integers(3, 40))
        small = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        return Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)
    y, x = np.mgrid[0:480, 0:640]
    turn, wave = random.uniform(0, math.pi), random.uniform(8, 90)
    if kind == 2:
        on = np.sin((x * math.cos(turn) + y * math.sin(turn)) / wave * 2 * math.pi) > 0
    else:
        on = (x // int(wave) + y // int(wave)) % 2 == 0
    pair = random.integers(0, 256, (2, 3))
    return Image.fromarray(np.where(on[..., None], pair[0], pair[1]).astype(np.uint8))


def border(random: Random, fonts: Fonts) -> Image.Image:
    """Hardly anything: an empty frame, a line, a word, a logo's place."""
    shade = random.integers(0, 256, 3) if random.random() < 0.4 else np.array([255, 255, 255])
    picture = Image.new("RGB", (640, 480), tuple(shade.tolist()))
    pen = ImageDraw.Draw(picture)
    ink = tuple(random.integers(0, 256, 3).tolist())
    inset = int(random.integers(0, 80))
    if random.random() < 0.6:
        pen.rectangle(
            (inset, inset, 639 - inset, 479 - inset), None, ink, int(random.integers(1, 40))
        )
    kind = random.integers(3)
    x, y = random.integers(100, 500), random.integers(80, 380)
    if kind == 0:
        pen.text(
            (x - 80, y), _text(random, 2), ink, _font(random, fonts, int(random.integers(18, 70)))
        )
    elif kind == 1:
        size = int(random.integers(10, 90))
        pen.ellipse((x - size, y - size, x + size, y + size), ink)
    return picture


PAINTERS: Mapping[str, tuple[Callable[[Random, Fonts], Image.Image], int]] = {
    "page": (page, 340),
    "form": (form, 160),
    "table": (table, 110),
    "chart": (chart, 240),
    "screenshot": (screen, 160),
    "map": (street_map, 90),
    "gradient": (gradient, 90),
    "noise": (noise, 100),
    "border": (border, 90),
}
"""Kind → what draws it, and how many are drawn."""


def draw(kind: str, number: int, fonts: Fonts) -> Image.Image:
    """The picture of this kind and number."""
    painter, _ = PAINTERS[kind]
    seed = [ord(letter) for letter in kind]
    return painter(np.random.default_rng([*seed, number]), fonts)
