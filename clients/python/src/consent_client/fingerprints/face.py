"""Faces as fingerprints: what other photographs of a person are found by (space `face-1`).

Biometric data. Nothing here runs unless `face-1` is asked for by name: a builder's session has to
opt in, and a registrant chooses the face. For screening every face of a picture counts, down to
`LEAST_WIDTH`; for registering, one face is taken, and only if it is large, sharp and frontal enough
that what it finds is that person.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import NoFace, PoorFace, SeveralFaces
from consent_client.fingerprints.alignment import aligned
from consent_client.fingerprints.catalogue import FACE_SPACE
from consent_client.fingerprints.face_models import FaceModel
from consent_client.fingerprints.face_quality import LEAST_WIDTH, flaw
from consent_client.fingerprints.pillow import Image
from consent_client.fingerprints.yunet import Face
from consent_client.protocol.spaces import MAX_FACES

SPACE: Final = FACE_SPACE


def find_faces(picture: Image.Image, model: FaceModel) -> list[Face]:
    """The faces in a picture that are at least `LEAST_WIDTH` pixels wide, largest first.

    Args:
        picture: RGB, upright, as `loading.decoded` makes it.
        model: from `load_face_model`.

    Raises:
        ModelMismatch: the network does not run.
    """
    return [face for face in model.detector.faces(picture) if face.width >= LEAST_WIDTH]


def screening_vectors(picture: Image.Image, model: FaceModel) -> NDArray[np.float32] | None:
    """A vector for every face in a picture.

    Args:
        picture: as `find_faces`.
        model: from `load_face_model`.

    Returns:
        float32[n, 128] of norm 1, n from 0; None where there are more than `MAX_FACES`: such a
        picture can not be checked.

    Raises:
        ModelMismatch: a network does not run.
    """
    found = find_faces(picture, model)
    return None if len(found) > MAX_FACES else embed(picture, found, model)


def chosen_face(faces: Sequence[Face], number: int | None, source: str) -> Face:
    """The face that a person means.

    Args:
        faces: from `find_faces`.
        number: which, from 1 in that order; None: the only one.
        source: what errors call the picture.

    Raises:
        NoFace: there is none, or none of this number.
        SeveralFaces: there are several, and none was chosen.
    """
    if not faces:
        raise NoFace(f"{source}: no face is seen in this picture", source)
    if number is None:
        if len(faces) > 1:
            raise SeveralFaces(
                f"{source}: {len(faces)} faces are seen; say which one is meant", len(faces), source
            )
        return faces[0]
    if not 1 <= number <= len(faces):
        raise NoFace(f"{source}: there is no face {number}, only {len(faces)}", source)
    return faces[number - 1]


def registration_vectors(
    picture: Image.Image, number: int | None, model: FaceModel, source: str
) -> NDArray[np.float32]:
    """The vectors that a person's face is registered with.

    Args:
        picture: as `find_faces`.
        number: as `chosen_face`.
        model: from `load_face_model`.
        source: what errors call the picture.

    Returns:
        float32[1, 128] of norm 1. A mirrored photograph is found by it too (cosine .92 and more
        between a face and its mirror image), and a second vector of the mirror image found nothing
        more.

    Raises:
        NoFace, SeveralFaces: as `chosen_face`.
        PoorFace: too small, too blurred or turned too far; `.reason` says which.
        ModelMismatch: a network does not run.
    """
    face = chosen_face(find_faces(picture, model), number, source)
    cut = np.asarray(aligned(picture, face.landmarks))
    found = flaw(face, cut)
    if found is not None:
        raise PoorFace(f"{source}: {found.advice}", found.value, source)
    return model.recogniser.embed(cut[None])


def embed(picture: Image.Image, faces: Sequence[Face], model: FaceModel) -> NDArray[np.float32]:
    """The vectors of some faces: float32[n, 128] of norm 1.

    Raises:
        ModelMismatch: the network does not run.
    """
    cuts = [np.asarray(aligned(picture, face.landmarks)) for face in faces]
    return model.recogniser.embed(np.stack(cuts) if cuts else _NO_CUTS)


_NO_CUTS: Final = np.zeros((0, 112, 112, 3), np.uint8)
