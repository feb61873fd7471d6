"""Registering a face: what it means, and which one is meant."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from consent_client.cli.common import Common, usage
from consent_client.errors import SeveralFaces
from consent_client.private_files import create_private

FACE_SPACE: Final = "face-1"

WHAT_IT_MEANS: Final = (
    "A face is registered too, so that other photographs of this person are found, not only copies "
    "of this one. What is computed of a face is biometric data. It is computed here and sealed to "
    "the registry; it is compared only for builders who ask to look for people and state that they "
    "lawfully may. Nobody can search for a person with it, it is in nothing that builders "
    "download, and consent withdraw makes it unreadable. Recognising faces is not exact: some "
    "photographs will be missed, and close relatives, children above all, can be taken for each "
    "other. Register your own face, or one you speak for."
)

NOT_A_RIGHTSHOLDER: Final = (
    "a face belongs to the person, not to who made the picture: with --face, --basis is "
    "data-subject, guardian or agent"
)

_SHEET_NAME: Final = "faces.png"

type Fingerprints = dict[str, tuple[bytes, ...]]


def check_face_options(
    *, face: bool, number: int | None, basis: str, pictures: int, folders: bool
) -> bool:
    """Whether a face is to be registered.

    Ends the command where the options do not fit together.
    """
    if number is not None and (pictures != 1 or folders):
        usage("--face-number goes with one picture")
    wanted = face or number is not None
    if wanted and not pictures:
        usage("--face needs a picture")
    if wanted and basis == "rightsholder":
        usage(NOT_A_RIGHTSHOLDER)
    return wanted


def with_chosen_face(
    common: Common, path: Path, number: int | None, make: Callable[[int | None], Fingerprints]
) -> Fingerprints:
    """A picture's fingerprints with those of the face that is meant.

    Where there are several and none was named, a person at a terminal is asked.

    Args:
        common: how to talk.
        path: the picture.
        number: of the face that was named.
        make: computes all fingerprints, given the number of a face.

    Raises:
        ImageError: as `registration_fingerprints`; `SeveralFaces` says where each is.
    """
    try:
        return make(number)
    except SeveralFaces as problem:
        several = problem
    sheet, places = _look(path)
    if not _at_a_terminal(common):
        raise SeveralFaces(
            f"{several} with --face-number (the largest is 1): {_listed(places)}",
            several.faces,
            several.source,
        )
    with _shown(sheet) as file:
        common.note(f"There are {len(places)} faces in {path}: {_listed(places)}.")
        common.note(f"They are numbered in {file}, which only you can read and which goes away.")
        chosen = _ask(len(places))
    return make(chosen)


def _look(path: Path) -> tuple[bytes, list[str]]:
    """The contact sheet, and where each face is."""
    from consent_client.fingerprints.contact_sheet import (  # noqa: PLC0415 (needs an extra)
        contact_sheet,
        place,
    )
    from consent_client.fingerprints.face import find_faces  # noqa: PLC0415
    from consent_client.fingerprints.face_models import load_face_model  # noqa: PLC0415
    from consent_client.fingerprints.loading import decoded, read_source  # noqa: PLC0415

    name = str(path)
    with decoded(read_source(path, name), name) as picture:
        faces = find_faces(picture, load_face_model())
        return contact_sheet(picture, faces), [place(picture, face) for face in faces]


def _listed(places: Sequence[str]) -> str:
    return "; ".join(f"{number}: {where}" for number, where in enumerate(places, 1))


def _at_a_terminal(common: Common) -> bool:
    return not common.as_json and sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def _shown(sheet: bytes) -> Iterator[Path]:
    """The contact sheet as a private file, for as long as it is looked at."""
    with tempfile.TemporaryDirectory(prefix="consent-faces-") as folder:  # 0700
        file = Path(folder) / _SHEET_NAME
        create_private(file, sheet)
        yield file


def _ask(count: int) -> int:
    while True:
        chosen: int = typer.prompt(
            f"Which one is meant? 1 to {count}, or 0 to stop", type=int, err=True
        )
        if chosen == 0:
            raise typer.Abort
        if 1 <= chosen <= count:
            return chosen
