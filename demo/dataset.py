"""The data set that a builder is about to train on: a folder of pictures from here and there."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.edits import EDITS
from demo.photographs import PHOTOGRAPHS, Photograph, Role

ORIGINAL = "original"
# What the web does to pictures anyway: every edited copy is saved as JPEG once more.
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture in the data set: its file's name, what it is made from, and how."""

    file: str
    photograph: Photograph
    edit: str


def build(folder: Path) -> tuple[Candidate, ...]:
    """Writes the data set into `folder` and says what each file is.

    Photographs that somebody made a statement about are there unchanged and once for each edit;
    the unrelated ones are there unchanged.
    """
    folder.mkdir(parents=True)
    candidates = []
    for photograph in PHOTOGRAPHS:
        original = f"{photograph.name}{photograph.path.suffix}"
        shutil.copyfile(photograph.path, folder / original)
        candidates.append(Candidate(original, photograph, ORIGINAL))
        if photograph.role is Role.UNRELATED:
            continue
        picture = photograph.open()
        for name, edit in EDITS.items():
            file = f"{photograph.name}-{name.lower().replace(' ', '-')}.jpg"
            edit(picture).save(folder / file, quality=JPEG_QUALITY)
            candidates.append(Candidate(file, photograph, name))
    return tuple(candidates)
