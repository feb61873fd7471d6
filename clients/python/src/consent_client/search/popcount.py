"""Words in compiled functions: how many bits are set, as one instruction where there is one.

numba turns sums of signed and unsigned numbers into floats, so every number is made one or the
other where it begins.
"""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

signed = cast("Callable[[Any], int]", np.int64)
"""A number that counts, or a place in an array."""

unsigned = cast("Callable[[Any], int]", np.uint64)
"""A word."""


def _ctpop(_typing: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)])
        return builder.call(function, arguments)

    return types.uint64(types.uint64), generate


popcount = cast("Callable[[Any], int]", intrinsic(_ctpop))
"""Word → word: how many bits are set. In loops over arrays LLVM makes vectors of it."""
