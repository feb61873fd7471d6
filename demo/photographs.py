"""Real photographs that installed packages carry (scikit-image and scikit-learn).

Nothing is downloaded and nothing is copied into this repository: the files are read where the
packages were installed.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import skimage
import sklearn
from PIL import Image

from consent_client.protocol.statements import Purpose

SKIMAGE_DATA = Path(skimage.__file__).parent / "data"
SKLEARN_IMAGES = Path(sklearn.__file__).parent / "datasets" / "images"


class Role(StrEnum):
    """What the person in the story says about a photograph."""

    OPTED_OUT = "opted out"
    CONSENTED = "consented"
    UNRELATED = "unrelated"


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph in an installed package, and the part it plays.

    `name` is short, unique, and used in file names. `given_for` is the only purpose for which the
    person once gave the picture away.
    """

    name: str
    title: str
    path: Path
    role: Role
    credit: str
    given_for: Purpose = Purpose.UNSAID

    def open(self) -> Image.Image:
        """The picture as RGB, transparency on white, as an image of a data set would be."""
        with Image.open(self.path) as picture:
            if picture.mode != "RGBA":
                return picture.convert("RGB")
            white = Image.new("RGBA", picture.size, "white")
            return Image.alpha_composite(white, picture).convert("RGB")


def _skimage(
    name: str,
    title: str,
    file: str,
    role: Role,
    credit: str,
    given_for: Purpose = Purpose.UNSAID,
) -> Photograph:
    return Photograph(name, title, SKIMAGE_DATA / file, role, credit, given_for)


def _sklearn(name: str, title: str, file: str, credit: str) -> Photograph:
    return Photograph(name, title, SKLEARN_IMAGES / file, Role.UNRELATED, credit)


OUT, YES, OTHER = Role.OPTED_OUT, Role.CONSENTED, Role.UNRELATED

# Credits as the packages themselves give them.
PHOTOGRAPHS: tuple[Photograph, ...] = (
    _skimage("portrait", "a portrait", "astronaut.png", OUT, "NASA, public domain"),
    _skimage(
        "retina",
        "a retina, for a medical file",
        "retina.jpg",
        OUT,
        "Mikael Häggström, CC0",
        Purpose.MEDICAL_CONDITION_DIAGNOSIS,
    ),
    _skimage("tissue", "a tissue sample", "ihc.png", OUT, "CMMI, no known restrictions"),
    _skimage("vessels", "vessels of an eye", "microaneurysms.png", OUT, "Andreas Maier, CC0"),
    _skimage("cat", "a cat", "chelsea.png", OUT, "Stéfan van der Walt, CC0"),
    _skimage("coffee", "a cup of coffee", "coffee.png", OUT, "Rachel Michetti, CC0"),
    _skimage("rocket", "a rocket launch", "rocket.jpg", YES, "SpaceX, public domain"),
    _skimage("camera", "a man with a camera", "camera.png", OTHER, "Lav Varshney, CC0"),
    _skimage("hubble", "the deep field", "hubble_deep_field.jpg", OTHER, "NASA, public domain"),
    _skimage("motorcycle", "a motorcycle", "motorcycle_left.png", OTHER, "Middlebury Stereo 2014"),
    _skimage("coins", "coins", "coins.png", OTHER, "Brooklyn Museum, no known restrictions"),
    _skimage("moon", "the moon", "moon.png", OTHER, "scikit-image"),
    _skimage("clock", "a blurred clock", "clock_motion.png", OTHER, "Stéfan van der Walt, CC0"),
    _skimage("cell", "a cell", "cell.png", OTHER, "Paul Müller and others, CC0"),
    _skimage("brick", "a brick wall", "brick.png", OTHER, "CC0Textures, CC0"),
    _skimage("grass", "grass", "grass.png", OTHER, "linolafett, CC0"),
    _skimage("gravel", "gravel", "gravel.png", OTHER, "CC0Textures, CC0"),
    _skimage("page", "a scanned page", "page.png", OTHER, "scikit-image"),
    _skimage("horse", "a drawn horse", "horse.png", OTHER, "Andreas Preuss, CC0"),
    _sklearn("china", "a temple", "china.jpg", "danielbuechele, CC BY 2.0"),
    _sklearn("flower", "a flower", "flower.jpg", "vultilion, CC BY 2.0"),
)

# The one whose owner changes their mind during the demonstration.
WITHDRAWN = "coffee"


def with_role(role: Role) -> tuple[Photograph, ...]:
    """The photographs that play one part, in order."""
    return tuple(photograph for photograph in PHOTOGRAPHS if photograph.role is role)
