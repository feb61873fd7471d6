"""Real photographs that installed packages carry."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def path(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported: sklearn.datasets takes seconds."""
    top, *inner = package.split(".")
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(top)
    return Path(found.origin).parent.joinpath(*inner, file)


ASTRONAUT = ("skimage", "data/astronaut.png")
CAT = ("skimage", "data/chelsea.png")
COFFEE = ("skimage", "data/coffee.png")
ROCKET = ("skimage", "data/rocket.jpg")
RETINA = ("skimage", "data/retina.jpg")
TISSUE = ("skimage", "data/ihc.png")
TEMPLE = ("sklearn.datasets", "images/china.jpg")
FLOWER = ("sklearn.datasets", "images/flower.jpg")
ALL = (ASTRONAUT, CAT, COFFEE, ROCKET, RETINA, TISSUE, TEMPLE, FLOWER)


@cache
def photograph(package: str, file: str) -> Image.Image:
    with Image.open(path(package, file)) as opened:
        return opened.convert("RGB")


def pixels(which: tuple[str, str]) -> NDArray[np.uint8]:
    return np.asarray(photograph(*which))
