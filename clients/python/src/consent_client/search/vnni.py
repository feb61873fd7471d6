"""Products of bytes: 64 of them in one instruction where the processor has VNNI.

The instruction is not checked by LLVM: on a processor without it the process would end. So it is
asked for by name only where numba compiles for a processor that has it, and widened products are
used elsewhere, some five times slower.
"""

from typing import TYPE_CHECKING, Any, Final, cast

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from consent_client.search.lanes import BYTE, INT32, INT64, at, call, load, variable

if TYPE_CHECKING:
    from collections.abc import Callable

STEP: Final = 64
"""Bytes multiplied at a time: vectors are padded to multiples of it."""

_LANES: Final = 16
_SUMS: Final = ir.VectorType(INT32, _LANES)
_BYTES: Final = ir.VectorType(BYTE, _LANES)


def has_vnni() -> bool:
    """Whether numba compiles for a processor with AVX-512 VNNI (here: usually this one).

    `NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` make it compile for another; then only what is named
    there counts.
    """
    config = numba.config
    if config.CPU_NAME or config.CPU_FEATURES:  # type: ignore[attr-defined]  # read from variables
        named = config.CPU_FEATURES or ""  # type: ignore[attr-defined]
        return "+avx512vnni" in named.split(",")
    return bool(binding.get_host_cpu_features().get("avx512vnni", False))


def _step(builder: Any, ours: Any, query: Any, sums: Any) -> Any:
    if has_vnni():
        factors = [load(builder, address, _SUMS) for address in (ours, query)]
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", _SUMS, [sums, *factors])
    for part in range(0, STEP, _LANES):
        wide = builder.mul(
            builder.zext(load(builder, at(builder, ours, part), _BYTES), _SUMS),
            builder.sext(load(builder, at(builder, query, part), _BYTES), _SUMS),
        )
        sums = builder.add(sums, wide)
    return sums


def _dot_bytes(_typing: Any, _ours: Any, _query: Any, _steps: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        ours, query, steps = arguments
        total = variable(builder, ir.Constant(_SUMS, [0] * _LANES))
        with cgutils.for_range(builder, steps, intp=INT64) as loop:
            offset = builder.mul(loop.index, ir.Constant(INT64, STEP))
            added = _step(
                builder,
                builder.add(ours, offset),
                builder.add(query, offset),
                builder.load(total, typ=_SUMS),
            )
            builder.store(added, total)
        return call(
            builder, "llvm.vector.reduce.add.v16i32", INT32, [builder.load(total, typ=_SUMS)]
        )

    return types.int32(types.int64, types.int64, types.int64), generate


dot_bytes = cast("Callable[[int, int, int], int]", intrinsic(_dot_bytes))
"""(address of uint8[64 · steps], address of int8[64 · steps], steps) → their product, int32."""
