"""Reads the specificity bank that comes with the registry, `registry/matching/bank/`.

`bank-N.json` says what is in it: `version` N, `sha256` of `bank-N.npz` in hex, counts and sources.
`bank-N.npz` holds `sscd` (int8 or float16[n, 512]; any length, they are scaled to norm 1) and `pdq`
(uint8[m, 32]), without pickles. The highest N counts.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.protocol.spaces import SPACES
from registry.errors import ConfigurationError
from registry.matching.specificity import NO_PICTURES, Bank

_DESCRIPTION: Final = re.compile(r"bank-([1-9][0-9]*)\.json")


@cache
def packaged_bank() -> Bank:
    """The newest bank that comes with the registry; read once.

    Raises:
        ConfigurationError: it is damaged.
    """
    folder = files("registry.matching") / "bank"
    return newest_bank(folder.iterdir() if folder.is_dir() else ())


def newest_bank(found: Iterable[Traversable]) -> Bank:
    """The newest bank among some files.

    Raises:
        ConfigurationError: it is damaged.
    """
    by_name = {file.name: file for file in found}
    versions = [int(name[1]) for name in map(_DESCRIPTION.fullmatch, by_name) if name]
    if not versions:
        return NO_PICTURES
    version = max(versions)
    try:
        description = json.loads(by_name[f"bank-{version}.json"].read_text(encoding="utf-8"))
        return _bank(version, description, by_name[f"bank-{version}.npz"].read_bytes())
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        message = f"The specificity bank {version} that comes with the registry is damaged."
        raise ConfigurationError(message) from None


def _bank(version: int, description: dict[str, Any], data: bytes) -> Bank:
    """The bank behind its files.

    Raises:
        ValueError, TypeError, KeyError, OSError, EOFError, BadZipFile: they are not those of one.
    """
    if (
        description["version"] != version
        or description["sha256"] != hashlib.sha256(data).hexdigest()
    ):
        raise ValueError
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        vectors, codes = _unit(arrays["sscd"]), arrays["pdq"]
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != SPACES["pdq-1"].size:  # noqa: PLR2004
        raise ValueError
    return Bank(version, {"sscd-1": vectors}, {"pdq-1": np.ascontiguousarray(codes)})


def _unit(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Float32[n, 512] of norm 1, C-contiguous."""
    if stored.dtype not in (np.int8, np.float16) or stored.ndim != 2:  # noqa: PLR2004
        raise ValueError
    vectors = stored.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not len(vectors) or vectors.shape[1] != SPACES["sscd-1"].dimension:
        raise ValueError
    if not (np.isfinite(norms) & (norms > 0)).all():
        raise ValueError
    unit: NDArray[np.float32] = np.ascontiguousarray(vectors / norms)
    return unit
