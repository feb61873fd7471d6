"""Arrays as compiled functions take them best."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_LINE: Final = 64
"""Bytes of a vector, and of a line of the cache: loads across two cost twice."""


def aligned[T: np.generic](shape: tuple[int, ...], dtype: type[T]) -> NDArray[T]:
    """An array of undefined contents, C-contiguous, that begins at a multiple of 64 bytes.

    Memory that is never written to is never taken from the system.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    array: NDArray[T] = memory[start : start + size].view(kind).reshape(shape)
    return array


def read_only(array: Any) -> NDArray[Any]:
    """The same memory, not to be written to through this view.

    Compiled functions tell arrays that may be written from others, and compile once for each kind:
    what is only read always comes as this one.
    """
    view: NDArray[Any] = array.view()
    view.flags.writeable = False
    return view
