"""Two people twice, years apart, and two others once: see `demo/portraits/CREDITS.md`."""

from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parents[2] / "demo" / "portraits"

A_BEFORE, A_NOW = FOLDER / "person_a_1.jpg", FOLDER / "person_a_2.jpg"
B_BEFORE, B_NOW = FOLDER / "person_b_1.jpg", FOLDER / "person_b_2.jpg"
OTHERS = (FOLDER / "impostor_1.jpg", FOLDER / "impostor_2.jpg")
ALL = (A_BEFORE, A_NOW, B_BEFORE, B_NOW, *OTHERS)


def opened(path):
    with Image.open(path) as picture:
        return picture.convert("RGB")


def crowd(columns, rows, face_width=32):
    """A picture with the same face many times."""
    portrait = opened(B_NOW)
    scale = face_width / 284  # the face is so wide in the portrait
    small = portrait.resize(
        (round(portrait.width * scale), round(portrait.height * scale)), Image.Resampling.LANCZOS
    )
    picture = Image.new("RGB", (columns * small.width, rows * small.height))
    for column in range(columns):
        for row in range(rows):
            picture.paste(small, (column * small.width, row * small.height))
    return picture


def group(*paths, height=400):
    """Some portraits side by side."""
    pictures = [opened(path) for path in paths]
    pictures = [
        each.resize((round(each.width * height / each.height), height)) for each in pictures
    ]
    together = Image.new("RGB", (sum(each.width for each in pictures), height))
    left = 0
    for each in pictures:
        together.paste(each, (left, 0))
        left += each.width
    return together
