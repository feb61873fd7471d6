"""Statistics of real vectors, for models of them: how they spread, and nothing of what they are.

    python -m benchmarks.spectra photographs=VECTORS.npz edited=OTHERS.npz

Searching does not change when all vectors are rotated together, so a Gaussian model needs only the
variances along the principal axes and the mean's coordinates there: 2 · 512 numbers, without a
direction. `spectra.npz` was made of the `sscd-1` vectors of 855 distinct photographs, and of 564
vectors of photographs and edited ones.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FILE: Final = Path(__file__).parent / "spectra.npz"


def spectrum(mean: NDArray[np.floating], covariance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Variances along the principal axes, greatest first, and the mean's size there.

    Returns:
        float32[2, d].
    """
    variances, axes = np.linalg.eigh(covariance.astype(np.float64))
    along = np.abs(mean.astype(np.float64) @ axes)
    return np.stack([variances.clip(0)[::-1], along[::-1]]).astype(np.float32)


def of_file(file: Path) -> NDArray[np.float32]:
    """The spectrum of a file's vectors: an array `vectors`, or `mean` and `cov` of them."""
    with np.load(file) as found:
        if "vectors" in found:
            vectors = found["vectors"].astype(np.float64)
            return spectrum(vectors.mean(axis=0), np.cov(vectors, rowvar=False))
        return spectrum(found["mean"], found["cov"])


def main(words: Sequence[str]) -> int:
    """Writes `spectra.npz`."""
    named = dict(word.split("=", 1) for word in words)
    np.savez_compressed(FILE, **{name: of_file(Path(file)) for name, file in named.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
