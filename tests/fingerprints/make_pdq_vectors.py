"""Write tests/vectors/pdq.json with `pdqhash`, which needs a C++ compiler and is no dependency.

pip install pdqhash, and then: python tests/fingerprints/make_pdq_vectors.py
"""

import importlib
import json
from pathlib import Path

import numpy as np
import pdqhash  # type: ignore[import-not-found]
from PIL import Image

PHOTOGRAPHS = {
    "skimage": (
        "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png"
        " coins.png color.png grass.png gravel.png horse.png hubble_deep_field.jpg ihc.png"
        " microaneurysms.png moon.png motorcycle_left.png motorcycle_right.png page.png phantom.png"
        " retina.jpg rocket.jpg text.png"
    ),
    "sklearn.datasets": "china.jpg flower.jpg",
}
FOLDERS = {"skimage": "data", "sklearn.datasets": "images"}


def _hex(bits: np.ndarray) -> str:
    return np.packbits(bits.astype(np.uint8)).tobytes().hex()


if __name__ == "__main__":
    vectors = []
    for package, names in PHOTOGRAPHS.items():
        folder = Path(importlib.import_module(package).__file__ or "").parent / FOLDERS[package]
        for name in names.split():
            rgb = np.asarray(Image.open(folder / name).convert("RGB"))
            turned, quality = pdqhash.compute_dihedral(rgb)
            vectors.append(
                {
                    "package": package,
                    "file": f"{FOLDERS[package]}/{name}",
                    "quality": quality,
                    "hashes": [_hex(each) for each in turned],
                }
            )
    document = {
        "made_by": "pdqhash 0.2.8, compute_dihedral",
        "order": "consent_client.fingerprints.pdq.ORIENTATIONS",
        "vectors": vectors,
    }
    target = Path(__file__).parent.parent / "vectors" / "pdq.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")
