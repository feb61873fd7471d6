"""SFace: a face as a vector that other photographs of the same person come near to.

Zhong, Deng, Hu, Zhao, Li and Wen, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
Recognition", IEEE Transactions on Image Processing 2021; the network of OpenCV's model zoo.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.errors import ModelMismatch
from consent_client.protocol.spaces import space

DIMENSION: Final = space("face-1").dimension

_OUTPUT: Final = "fc1"


class Recogniser:
    """A loaded SFace. It may be called from several threads at once."""

    def __init__(self, session: Any, name: str) -> None:
        self._session = session
        self._name = name
        (self._input,) = (each.name for each in session.get_inputs())

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors of norm 1.

        Args:
            faces: uint8[n, 112, 112, 3], aligned, red, green, blue.

        Returns:
            float32[n, 128].

        Raises:
            ModelMismatch: the network does not run on them, or answers something else.
        """
        vectors = np.empty((len(faces), DIMENSION), np.float32)
        for number, face in enumerate(faces):
            vectors[number] = self._one(face)
        return vectors

    def _one(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(face.transpose(2, 0, 1)[None], np.float32)
        try:
            (answer,) = self._session.run([_OUTPUT], {self._input: pixels})
        except Exception as problem:  # as in `Detector.raw`
            raise ModelMismatch(f"{self._name}: the model does not run", self._name) from problem
        if not isinstance(answer, np.ndarray) or answer.shape != (1, DIMENSION):
            raise ModelMismatch(
                f"{self._name}: does not answer with {DIMENSION} numbers", self._name
            )
        vector = answer[0].astype(np.float32)
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0:
            raise ModelMismatch(f"{self._name}: its vector has no direction", self._name)
        return np.asarray(vector / norm, np.float32)
