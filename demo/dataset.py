"""The data set that a builder is about to train on: a folder of pictures from here and there."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.edits import EDITS
from demo.photographs import PHOTOGRAPHS, Photograph, Role

ORIGINAL = "original"
# A download that broke off: the file ends after this share of its bytes.
CUT_SHORT = "cut short"
CUT_SHARE = 0.4
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
    the unrelated ones are there unchanged. One file is damaged, as some always are.
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
    return (*candidates, _broken_download(folder))


def _broken_download(folder: Path) -> Candidate:
    photograph = PHOTOGRAPHS[0]
    whole = photograph.path.read_bytes()
    file = f"{photograph.name}-{CUT_SHORT.replace(' ', '-')}{photograph.path.suffix}"
    (folder / file).write_bytes(whole[: round(len(whole) * CUT_SHARE)])
    return Candidate(file, photograph, CUT_SHORT)
