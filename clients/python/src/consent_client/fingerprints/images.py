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
from consent_client.fingerprints import exact, pdq, sscd
from consent_client.fingerprints.loading import decoded, read_source, source_name
from consent_client.fingerprints.pillow import Image
from consent_client.protocol.fingerprints import encode_float

IMAGE_SPACES: Final = (pdq.SPACE, exact.SPACE, sscd.SPACE)
"""Spaces of pictures and their files, in ascending order of id. `url-1` is of addresses."""

_NO_FILES: Final[Mapping[str, Path]] = MappingProxyType({})

type Source = bytes | os.PathLike[str] | str
"""A picture's file: its bytes, or its path."""

type Models = Mapping[str, sscd.SscdModel]
"""The loaded model of each space that needs one."""

type _Hashes = Callable[[pdq.Samples], tuple[pdq.Hash, ...]]
type _Views = Callable[[Image.Image], NDArray[np.uint8]]


class Missing(StrEnum):
    """Why a picture has no fingerprint in a space."""

    TOO_PLAIN = "too plain"
    """PDQ's quality is below 50: too little to see for the hash to mean anything."""
    TOO_SMALL = "too small"
    """A side of fewer than 5 pixels."""


@dataclass(frozen=True, slots=True)
class ImageFingerprints:
    """What was computed of one picture.

    Attributes:
        fingerprints: space id → fingerprints, in ascending order of id; ready for
            `consent_client.protocol.fingerprints`. Never shown by `repr`.
        missing: space id → why there is none, for every other space that was asked for.
    """

    fingerprints: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    missing: Mapping[str, Missing]


def load_models(spaces: Collection[str], files: Mapping[str, Path] = _NO_FILES) -> Models:
    """The models that these spaces need, each loaded and compared once in a process.

    Args:
        spaces: some of `IMAGE_SPACES`.
        files: space id → the user's own model file, where it is not the installed one.

    Raises:
        UnknownSpace: not a space of pictures, or a file for a space without a model.
        MissingModel: the extra that brings a model is not installed.
        ModelMismatch: a file that disagrees with its space.
    """
    check_spaces(spaces)
    if not files.keys() <= {sscd.SPACE}:
        raise UnknownSpace(f"only {sscd.SPACE} takes a model file")
    if sscd.SPACE not in spaces:
        return {}
    return {sscd.SPACE: sscd.load_model(files.get(sscd.SPACE))}


def available_spaces() -> tuple[str, ...]:
    """The spaces of pictures whose fingerprints this installation can compute."""
    try:
        sscd.load_model()
    except MissingModel:
        return tuple(name for name in IMAGE_SPACES if name != sscd.SPACE)
    return IMAGE_SPACES


def check_spaces(spaces: Collection[str]) -> None:
    """Refuse what has no fingerprint of a picture.

    Raises:
        UnknownSpace: not one of `IMAGE_SPACES`.
    """
    if not set(spaces) <= set(IMAGE_SPACES):
        raise UnknownSpace(f"pictures have fingerprints in {', '.join(IMAGE_SPACES)}")


def fingerprint_image(
    source: Source, spaces: Collection[str], *, name: str = "", models: Models | None = None
) -> ImageFingerprints:
    """The fingerprints that a picture is screened by: one for each space.

    A file of which only `sha256` is asked is not decoded, and need not be a picture.

    Args:
        source: the file's bytes or path; it is read once.
        spaces: some of `IMAGE_SPACES`.
        name: what errors call the file; a path's own name where empty.
        models: from `load_models`; None: the installed ones.

    Raises:
        UnknownSpace: not one of `IMAGE_SPACES`.
        ImageError: the file can not be fingerprinted, or a model is missing.
    """
    return _compute(source, spaces, name, models, hashes=_one_hash, views=sscd.view)


def registration_fingerprints(
    source: Source, spaces: Collection[str], *, name: str = "", models: Models | None = None
) -> ImageFingerprints:
    """The fingerprints that a picture is registered with, so that turned copies are found too.

    pdq: exactly 8, in the order of `pdq.ORIENTATIONS`; sscd: 2, the picture and its mirror image.
    A symmetrical picture has equal ones among them: their number says nothing about the picture.
    Arguments and errors are those of `fingerprint_image`.
    """
    return _compute(
        source, spaces, name, models, hashes=pdq.hash_orientations, views=sscd.view_and_mirror
    )


def _compute(
    source: Source,
    spaces: Collection[str],
    name: str,
    models: Models | None,
    *,
    hashes: _Hashes,
    views: _Views,
) -> ImageFingerprints:
    check_spaces(spaces)
    loaded = load_models(spaces) if models is None else models
    called = name or source_name(source)
    data = read_source(source, called)
    found: dict[str, tuple[bytes, ...]] = {}
    missing: dict[str, Missing] = {}
    if exact.SPACE in spaces:
        found[exact.SPACE] = (exact.file_fingerprint(data),)
    if not {pdq.SPACE, sscd.SPACE}.isdisjoint(spaces):
        with decoded(data, called) as picture:
            if pdq.SPACE in spaces:
                hashed = _hashed(picture, hashes)
                if isinstance(hashed, Missing):
                    missing[pdq.SPACE] = hashed
                else:
                    found[pdq.SPACE] = hashed
            seen = views(picture) if sscd.SPACE in spaces else None
        if seen is not None:
            vectors = loaded[sscd.SPACE].embed(seen)
            found[sscd.SPACE] = tuple(encode_float(vector) for vector in vectors)
    return ImageFingerprints(dict(sorted(found.items())), missing)


def _one_hash(samples: pdq.Samples) -> tuple[pdq.Hash, ...]:
    return (pdq.hash_samples(samples),)


def _hashed(picture: Image.Image, hashes: _Hashes) -> tuple[bytes, ...] | Missing:
    if min(picture.size) < pdq.LEAST_SIDE:
        return Missing.TOO_SMALL
    hashed = hashes(pdq.sample(np.asarray(picture)))
    if hashed[0].quality < pdq.LEAST_QUALITY:
        return Missing.TOO_PLAIN
    return tuple(each.bits for each in hashed)
