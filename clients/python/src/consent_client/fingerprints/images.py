"""All fingerprints of one picture, for screening it or for registering it."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import MissingModel, UnknownSpace
from consent_client.fingerprints import exact, face, own, pdq, sscd
from consent_client.fingerprints.borders import without_border
from consent_client.fingerprints.face_models import FaceModel, load_face_model
from consent_client.fingerprints.loading import decoded, read_source, source_name
from consent_client.fingerprints.onnx_sessions import Provider
from consent_client.fingerprints.pillow import Image
from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.own_spaces import Model
from consent_client.protocol.spaces import OWN_SPACES

IMAGE_SPACES: Final = (pdq.SPACE, exact.SPACE, sscd.SPACE)
"""Spaces of pictures as works and of their files, in ascending order of id: what is computed where
nothing else is said. `url-1` is of addresses."""

PICTURE_SPACES: Final = (face.SPACE, *IMAGE_SPACES, *OWN_SPACES)
"""Everything that can be computed of a picture. `face-1` only where it is asked for by name, spaces
of one's own only with their model files."""

_NO_FILES: Final[Mapping[str, Path]] = MappingProxyType({})

type Source = bytes | os.PathLike[str] | str
"""A picture's file: its bytes, or its path."""


@dataclass(frozen=True, slots=True)
class Bordered:
    """A picture's file that may have a white border around the picture: see `borders`.

    Attributes:
        data: the file's bytes.
        original: width and height of the picture that it was made of, in pixels.
    """

    data: bytes = field(repr=False)
    original: tuple[int, int]


type Screened = Source | Bordered
"""A file that is screened, as it is or without a border."""

type _Hashes = Callable[[pdq.Samples], tuple[pdq.Hash, ...]]
type _Views = Callable[[Image.Image], NDArray[np.uint8]]
type _OwnViews = Callable[[Image.Image, Model], NDArray[np.float32]]
type _Faces = Callable[[Image.Image, FaceModel], NDArray[np.float32] | None]


@dataclass(frozen=True, slots=True)
class Models:
    """The loaded models; None for a space that was not asked for."""

    of_sscd: sscd.SscdModel | None = None
    of_faces: FaceModel | None = None
    of_own: Mapping[str, own.OwnModel] = field(default_factory=dict)

    @property
    def sscd(self) -> sscd.SscdModel:
        """The network of `sscd-1`. ValueError: it was not asked for when these were loaded."""
        return _loaded(self.of_sscd)

    @property
    def face(self) -> FaceModel:
        """The networks of `face-1`. ValueError: as `sscd`."""
        return _loaded(self.of_faces)


def _loaded[Model](model: Model | None) -> Model:
    if model is None:
        raise ValueError("these models were loaded for other spaces")
    return model


@dataclass(frozen=True, slots=True)
class _Methods:
    """What is computed of a picture in each space."""

    hashes: _Hashes
    views: _Views
    faces: _Faces
    own_views: _OwnViews


class Missing(StrEnum):
    """Why a picture has no fingerprint in a space."""

    TOO_PLAIN = "too plain"
    """PDQ's quality is below 50: too little to see for the hash to mean anything."""
    TOO_SMALL = "too small"
    """A side of fewer than 5 pixels."""
    TOO_MANY_FACES = "too full of faces"
    """More than `MAX_FACES`: not all of them could be looked for, so none counts as checked."""


@dataclass(frozen=True, slots=True)
class ImageFingerprints:
    """What was computed of one picture.

    Attributes:
        fingerprints: space id → fingerprints, in ascending order of id; ready for
            `consent_client.protocol.fingerprints`. Never shown by `repr`. Of a picture without
            faces, `face-1` is there and empty: it was looked at.
        missing: space id → why there is none, for every other space that was asked for.
    """

    fingerprints: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    missing: Mapping[str, Missing]


def load_models(
    spaces: Collection[str],
    files: Mapping[str, Path] = _NO_FILES,
    provider: Provider = Provider.CPU,
) -> Models:
    """The models that these spaces need, each loaded and compared once in a process.

    Args:
        spaces: some of `PICTURE_SPACES`.
        files: space id → the user's own model file, where it is not the installed one.
        provider: on what the network of `sscd-1` runs; those of faces are small.

    Raises:
        MissingExtra: it can not run on that here.
        UnknownSpace: not a space of pictures, or a file for a space without a model.
        MissingModel: the extra that brings a model is not installed.
        ModelMismatch: a file that disagrees with its space.
        StateError: the folder that the models for faces are prepared in can not be written.
    """
    check_spaces(spaces)
    takes = (sscd.SPACE, *OWN_SPACES)
    if not files.keys() <= set(takes):
        raise UnknownSpace(f"model files are taken for {', '.join(takes)}")
    return Models(
        of_sscd=(
            sscd.load_model(files.get(sscd.SPACE), provider) if sscd.SPACE in spaces else None
        ),
        of_faces=load_face_model() if face.SPACE in spaces else None,
        of_own={
            name: own.load_own_model(name, files.get(name)) for name in OWN_SPACES if name in spaces
        },
    )


def available_spaces() -> tuple[str, ...]:
    """The spaces of `IMAGE_SPACES` whose fingerprints this installation can compute."""
    try:
        sscd.load_model()
    except MissingModel:
        return tuple(name for name in IMAGE_SPACES if name != sscd.SPACE)
    return IMAGE_SPACES


def check_spaces(spaces: Collection[str]) -> None:
    """Refuse what has no fingerprint of a picture.

    Raises:
        UnknownSpace: not one of `PICTURE_SPACES`.
    """
    if not set(spaces) <= set(PICTURE_SPACES):
        raise UnknownSpace(f"pictures have fingerprints in {', '.join(PICTURE_SPACES)}")


def fingerprint_image(
    source: Screened, spaces: Collection[str], *, name: str = "", models: Models | None = None
) -> ImageFingerprints:
    """The fingerprints that a picture is screened by: one for each space, and one for each face.

    A file of which only `sha256` is asked is not decoded, and need not be a picture.

    Args:
        source: the file's bytes or path; it is read once.
        spaces: some of `PICTURE_SPACES`.
        name: what errors call the file; a path's own name where empty.
        models: from `load_models`; None: the installed ones.

    Raises:
        UnknownSpace: not one of `PICTURE_SPACES`.
        ImageError: the file can not be fingerprinted, or a model is missing.
        StateError: as `load_models`.
    """
    methods = _Methods(_one_hash, sscd.view, face.screening_vectors, own.view)
    return _compute(source, spaces, name, models, methods)


def registration_fingerprints(
    source: Source,
    spaces: Collection[str],
    *,
    name: str = "",
    models: Models | None = None,
    face_number: int | None = None,
) -> ImageFingerprints:
    """The fingerprints that a picture is registered with, so that turned copies are found too.

    pdq: exactly 8, in the order of `pdq.ORIENTATIONS`; sscd: 2, the picture and its mirror image.
    A symmetrical picture has equal ones among them: their number says nothing about the picture.
    face: 1, of one person.

    Args:
        source: as `fingerprint_image`.
        spaces: as `fingerprint_image`.
        name: as `fingerprint_image`.
        models: as `fingerprint_image`.
        face_number: which face is meant, from 1, the largest first; None: the only one.

    Raises:
        NoFace, SeveralFaces, PoorFace: `face-1` is asked for, and no face can be registered.
        UnknownSpace, ImageError, StateError: as `fingerprint_image`.
    """
    called = name or source_name(source)

    def chosen(picture: Image.Image, model: FaceModel) -> NDArray[np.float32]:
        return face.registration_vectors(picture, face_number, model, called)

    methods = _Methods(pdq.hash_orientations, sscd.view_and_mirror, chosen, own.view_and_mirror)
    return _compute(source, spaces, name, models, methods)


def _compute(
    source: Screened,
    spaces: Collection[str],
    name: str,
    models: Models | None,
    methods: _Methods,
) -> ImageFingerprints:
    check_spaces(spaces)
    loaded = load_models(spaces) if models is None else models
    original = source.original if isinstance(source, Bordered) else None
    file = source.data if isinstance(source, Bordered) else source
    called = name or source_name(file)
    data = read_source(file, called)
    found: dict[str, tuple[bytes, ...]] = {}
    missing: dict[str, Missing] = {}
    if exact.SPACE in spaces:
        found[exact.SPACE] = (exact.file_fingerprint(data),)
    if set(spaces) - {exact.SPACE}:
        with decoded(data, called) as whole:
            picture = whole if original is None else without_border(whole, original)
            if pdq.SPACE in spaces:
                _put(pdq.SPACE, _hashed(picture, methods.hashes), found, missing)
            if face.SPACE in spaces:
                _put(face.SPACE, _faces(picture, methods.faces, loaded.face), found, missing)
            seen = methods.views(picture) if sscd.SPACE in spaces else None
            own_seen = {
                name: methods.own_views(picture, model.model)
                for name, model in loaded.of_own.items()
                if name in spaces
            }
        if seen is not None:
            found[sscd.SPACE] = tuple(map(encode_float, loaded.sscd.embed(seen)))
        for own_name, views in own_seen.items():
            found[own_name] = tuple(map(encode_float, loaded.of_own[own_name].embed(views)))
    return ImageFingerprints(dict(sorted(found.items())), missing)


def _put(
    space_id: str,
    computed: tuple[bytes, ...] | Missing,
    found: dict[str, tuple[bytes, ...]],
    missing: dict[str, Missing],
) -> None:
    if isinstance(computed, Missing):
        missing[space_id] = computed
    else:
        found[space_id] = computed


def _one_hash(samples: pdq.Samples) -> tuple[pdq.Hash, ...]:
    return (pdq.hash_samples(samples),)


def _hashed(picture: Image.Image, hashes: _Hashes) -> tuple[bytes, ...] | Missing:
    if min(picture.size) < pdq.LEAST_SIDE:
        return Missing.TOO_SMALL
    hashed = hashes(pdq.sample(np.asarray(picture)))
    if hashed[0].quality < pdq.LEAST_QUALITY:
        return Missing.TOO_PLAIN
    return tuple(each.bits for each in hashed)


def _faces(picture: Image.Image, faces: _Faces, model: FaceModel) -> tuple[bytes, ...] | Missing:
    vectors = faces(picture, model)
    return Missing.TOO_MANY_FACES if vectors is None else tuple(map(encode_float, vectors))
