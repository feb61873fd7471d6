"""Which public pictures the bank is made of.

Licences are those of Debian's `copyright` files. Nothing of a picture is kept but its fingerprints.
A quarter of each package's pictures is never in the bank, so that `benchmarks/specificity.py` can
choose numbers and test them with pictures that the bank knows nothing of; nor is any picture of the
packages named there, or of ../shared/data.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures of one kind in one package.

    Attributes:
        package: of Debian, bookworm.
        pattern: of paths in it, as `fnmatch` takes them: a star passes slashes too.
        kind: of these pictures.
        most: how many are taken, evenly over all that match.
        crops: how many crops of each are taken too.
        least_side: pixels; smaller pictures are passed over.
        licence: as the package says.
    """

    package: str
    pattern: str
    kind: str
    most: int
    licence: str
    crops: int = 0
    least_side: int = 64


SOURCES = (
    Source("endless-sky-data", "**/images/land/*.jpg", "photograph", 300, "CC-BY-SA and others", 1),
    Source("endless-sky-data", "**/images/outfit/*.png", "product", 200, "CC-BY-SA and others"),
    Source("endless-sky-data", "**/images/ship/*.png", "product", 140, "CC-BY-SA and others"),
    Source("gnome-backgrounds", "**/*", "art", 40, "CC-BY-SA-3.0", 1),
    Source("plasma-workspace-wallpapers", "**/contents/images/*", "art", 60, "LGPL-3, CC-BY-SA", 2),
    Source("lxqt-themes", "**/*.[jp][pn]g", "art", 30, "LGPL-2.1, CC-BY-SA"),
    Source("desktop-base", "**/*", "art", 30, "GPL-2, CC-BY-SA"),
    Source("stellarium-data", "**/nebulae/default/*", "photograph", 220, "GPL-2 and others"),
    Source("stellarium-data", "**/landscapes/*/*", "photograph", 60, "GPL-2 and others", 1, 256),
    Source("stellarium-data", "**/skycultures/*/*.png", "art", 180, "GPL-2, Free Art, CC-BY-SA"),
    Source("stellarium-data", "**/textures/*.png", "texture", 60, "GPL-2 and others"),
    Source("opencv-doc", "**/examples/data/*", "photograph", 90, "BSD-3-Clause, Apache-2.0", 1),
    Source("opencv-doc", "**/opencv4/html/**/*graph*.png", "chart", 60, "Apache-2.0"),
    Source("opencv-doc", "**/opencv4/html/*.[jp][pn]g", "screenshot", 380, "Apache-2.0", 0, 128),
    Source("wesnoth-1.16-data", "**/portraits/**/*", "portrait", 260, "GPL-2, CC-BY-SA-4.0", 1),
    Source("wesnoth-1.16-data", "**/maps/*", "map", 20, "GPL-2, CC-BY-SA-4.0", 2),
    Source("wesnoth-1.16-data", "**/story/*", "art", 60, "GPL-2, CC-BY-SA-4.0", 1),
    Source("tuxpaint-stamps-default", "**/stamps/**/*.png", "product", 700, "GPL-2 and free"),
    Source("openclipart-png", "**/png/[!sc]*/**/*.png", "clipart", 650, "public domain"),
    Source("openclipart-png", "**/png/signs_and_symbols/**/*", "sign", 300, "public domain"),
    Source("openclipart-png", "**/png/computer/icons/**/*", "icon", 200, "public domain"),
    Source("oxygen-icon-theme", "**/128x128/**/*.png", "icon", 300, "LGPL-3"),
    Source("gimp-help-en", "**/images/**/*.png", "screenshot", 400, "GFDL-1.2", 0, 128),
    Source("debian-handbook", "**/html/ar-MA/*.png", "screenshot", 120, "CC-BY-SA-3.0", 0, 128),
    Source("marble-data", "**/HTML/en/**/*", "screenshot", 20, "GFDL-1.2", 0, 128),
    Source("kgeography-data", "**/share/kgeography/[!f]*.png", "map", 200, "GPL-2"),
    Source("kgeography-data", "**/share/kgeography/flags/*", "sign", 80, "GPL-2"),
    Source("plasma-desktop-data", "**/HTML/en/**/*", "screenshot", 20, "GFDL-1.2", 0, 128),
    Source("krita-data", "**/patterns/*", "texture", 40, "GPL-3"),
    Source("krita-data", "**/images/*", "art", 20, "GPL-3"),
)
"""In the order in which they are taken, those of a package together: what is nearly equal to an
earlier one is left out, and a picture is of the first source that matches it."""

FONT_PACKAGES = ("fonts-dejavu-core", "fonts-freefont-ttf", "fonts-liberation2")
"""What pages are set in."""

PYTHON_PICTURES = (
    ("skimage.data", "camera", "photograph"),
    ("skimage.data", "coins", "photograph"),
    ("skimage.data", "hubble_deep_field", "photograph"),
    ("skimage.data", "moon", "photograph"),
    ("skimage.data", "clock", "photograph"),
    ("skimage.data", "cell", "photograph"),
    ("skimage.data", "brick", "texture"),
    ("skimage.data", "grass", "texture"),
    ("skimage.data", "gravel", "texture"),
    ("skimage.data", "page", "page"),
    ("skimage.data", "text", "page"),
)
"""Module, name and kind. Not among them: what the demonstration and the tests register (astronaut,
chelsea, coffee, rocket, retina, ihc, and scikit-learn's two). A picture that is in the bank is
nearest to itself, and nothing but a near-exact copy of it would be found."""


def held_out(package: str, name: str) -> bool:
    """Whether a picture stays out of the bank, to test with: about a quarter do."""
    return hashlib.sha256(f"{package} {name}".encode()).digest()[0] % 4 == 0
