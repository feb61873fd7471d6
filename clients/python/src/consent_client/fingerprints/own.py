"""Vectors of a space of one's own: the ONNX file that its space file names, and what goes into it.

What is done to a picture is declared (`consent_client.protocol.own_spaces.Model`) and nothing else
is done; the file is the one whose digest is declared, and no other.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import MissingModel, ModelMismatch, UnknownSpace
from consent_client.fingerprints.onnx_sessions import start_session
from consent_client.fingerprints.pillow import Image
from consent_client.protocol.own_spaces import Colours, Crop, Layout, Model, Resize
from consent_client.protocol.spaces import space

MAX_MODEL_BYTES: Final = 1 << 31
"""Largest model file read, 2 GiB: the most that an ONNX file with its weights inside can have."""

_FILTERS: Final = {
    Resize.BOX: Image.Resampling.BOX,
    Resize.BILINEAR: Image.Resampling.BILINEAR,
    Resize.BICUBIC: Image.Resampling.BICUBIC,
    Resize.LANCZOS: Image.Resampling.LANCZOS,
}


class OwnModel:
    """A loaded network. `embed` may be called from several threads at once.

    Raises (on construction):
        ModelMismatch: it has not one input, or no output of the declared name.
    """

    def __init__(self, session: Any, model: Model, dimension: int, name: str) -> None:
        self.model = model
        self._session = session
        self._dimension = dimension
        self._name = name
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise ModelMismatch(f"{name}: its input is not one batch of float32", name)
        if model.output not in {each.name for each in session.get_outputs()}:
            raise ModelMismatch(f"{name}: it has no output of the declared name", name)
        self._input = inputs[0].name

    def embed(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of norm 1.

        Args:
            views: float32[n, …], as `view` makes them.

        Returns:
            float32[n, dimension].

        Raises:
            ModelMismatch: the network does not run on it, or answers something else.
        """
        try:
            # One by one: a network that was exported for one picture takes no other number.
            answers = [
                self._session.run([self.model.output], {self._input: one[None]})[0] for one in views
            ]
        # onnxruntime raises errors of many kinds, which have no common root but this one.
        except Exception as problem:
            raise ModelMismatch(f"{self._name}: the model does not run", self._name) from problem
        if any(getattr(each, "shape", None) != (1, self._dimension) for each in answers):
            raise ModelMismatch(
                f"{self._name}: does not answer with {self._dimension} numbers", self._name
            )
        vectors = np.concatenate(answers).astype(np.float64)
        norms = np.linalg.norm(vectors, axis=1)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise ModelMismatch(f"{self._name}: its vectors are zero or not finite", self._name)
        return (vectors / norms[:, None]).astype(np.float32)


def view(picture: Image.Image, model: Model) -> NDArray[np.float32]:
    """What the network sees: float32 of shape (1, 3, height, width) or (1, height, width, 3)."""
    size = (model.width, model.height)
    box = None
    if model.crop is Crop.CENTRE:
        scale = max(model.width / picture.width, model.height / picture.height)
        width, height = model.width / scale, model.height / scale
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        box = (max(left, 0.0), max(top, 0.0), left + width, top + height)
        box = (*box[:2], min(box[2], float(picture.width)), min(box[3], float(picture.height)))
    small = picture.resize(size, _FILTERS[model.resize], box)
    pixels = np.asarray(small, np.float32)
    if model.colours is Colours.BGR:
        pixels = pixels[:, :, ::-1]
    mean, deviation = (np.array(each, np.float32) for each in (model.mean, model.deviation))
    values = (pixels * np.float32(model.scale) - mean) / deviation
    if model.layout is Layout.NCHW:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, np.float32)[None]


def view_and_mirror(picture: Image.Image, model: Model) -> NDArray[np.float32]:
    """The picture and, where its space says so, its mirror image: float32[1 or 2, …]."""
    seen = view(picture, model)
    if not model.mirror:
        return seen
    across = 3 if model.layout is Layout.NCHW else 2
    return np.concatenate([seen, np.flip(seen, across)])


@lru_cache(maxsize=4)
def load_own_model(space_id: str, file: Path | None) -> OwnModel:
    """The network of a space of one's own, loaded once.

    Args:
        space_id: which.
        file: the ONNX file, with the weights inside it.

    Raises:
        UnknownSpace: no such space of one's own.
        MissingModel: no file was named, or onnxruntime is not installed.
        ModelMismatch: the file can not be read, is not the one whose digest the space file names,
            or is no such network.
    """
    own = space(space_id).own
    if own is None:
        raise UnknownSpace(f"{space_id} is no space of one's own")
    if file is None:
        raise MissingModel(
            f"{space_id} needs its model file: name it with --model {space_id}=FILE",
            extra="",
            source=space_id,
        )
    name = f"{space_id} model {file.name}"
    data = _read(file, name)
    if hashlib.sha256(data).hexdigest() != own.file.model.sha256:
        raise ModelMismatch(f"{name}: not the file that the space file names", str(file))
    try:
        session = start_session(data)
    except ImportError as problem:
        raise MissingModel(
            f"{space_id} needs onnxruntime", extra="sscd", source=space_id
        ) from problem
    except Exception as problem:  # as in `embed`
        raise ModelMismatch(f"{name}: not an ONNX model that can be run", str(file)) from problem
    return OwnModel(session, own.file.model, own.file.dimension, name)


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_MODEL_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise ModelMismatch(f"{name}: can not be read", str(file)) from problem
    if len(data) > MAX_MODEL_BYTES:
        raise ModelMismatch(f"{name}: more than {MAX_MODEL_BYTES} bytes", str(file))
    return data
