"""Instructions on sixteen numbers or eight codes at once, for compiled functions.

What LLVM would make of loops is either in another order each time it is asked (sums), or half as
fast. These say which instructions they mean; a processor without them gets their equal in smaller
steps. Addresses are of C-contiguous arrays; nothing here checks a length.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BIT: Final = ir.IntType(1)
BYTE: Final = ir.IntType(8)
INT16: Final = ir.IntType(16)
INT32: Final = ir.IntType(32)
INT64: Final = ir.IntType(64)
FLOAT: Final = ir.FloatType()

LANES: Final = 16
"""Floats in a vector."""

GROUP: Final = 8
"""Codes looked at together: as many 64-bit words as a vector of 512 bits has."""

_FLOATS: Final = ir.VectorType(FLOAT, LANES)
_WORDS: Final = ir.VectorType(INT64, GROUP)

MOST_GROUPS: Final = 64
"""Groups in a tile: so many that a word has a bit for each."""

_GROUPS: Final = ir.VectorType(BYTE, MOST_GROUPS)


def load(builder: Any, address: Any, kind: Any) -> Any:
    """What lies at an address, wherever that is."""
    pointer = builder.inttoptr(address, ir.PointerType())
    return builder.load(pointer, typ=kind, align=1)


def store(builder: Any, value: Any, address: Any) -> None:
    """Writes to an address."""
    builder.store(value, builder.inttoptr(address, ir.PointerType()), align=1)


def at(builder: Any, address: Any, offset: int) -> Any:
    """An address some bytes further."""
    return builder.add(address, ir.Constant(INT64, offset))


def call(builder: Any, name: str, returned: Any, arguments: list[Any]) -> Any:
    """An instruction by LLVM's name for it."""
    kind = ir.FunctionType(returned, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, kind, name
    )
    return builder.call(function, arguments)


def variable(builder: Any, value: Any) -> Any:
    """A place that begins with a value; LLVM keeps it in a register."""
    return cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]


def spread(builder: Any, value: Any, kind: Any) -> Any:
    """A value in all lanes."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    zeros = ir.Constant(ir.VectorType(INT32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, undefined, zeros)


def _distances(builder: Any, codes: Any, query: list[Any], first: int, last: int) -> Any:
    """In how many bits of some words each of a group's codes differs; `query` is spread."""
    total = None
    for word in range(first, last):
        ours = load(builder, at(builder, codes, 8 * GROUP * word), _WORDS)
        differing = builder.xor(ours, query[word])
        bits = call(builder, "llvm.ctpop.v8i64", _WORDS, [differing])
        total = bits if total is None else builder.add(total, bits)
    return total


def _within(builder: Any, distances: Any, radii: Any) -> Any:
    """A bit for each code: whether its distance is at most its radius."""
    narrow = load(builder, radii, ir.VectorType(INT16, GROUP))
    return builder.icmp_unsigned("<=", distances, builder.zext(narrow, _WORDS))


def _query_words(builder: Any, query: Any, words: int) -> list[Any]:
    return [
        spread(builder, load(builder, at(builder, query, 8 * word), INT64), _WORDS)
        for word in range(words)
    ]


type NearGroups = Callable[[int, int, int, int], np.uint64]


def near_groups(words: int, all_words: int) -> NearGroups:
    """Makes the function that compares the first words of a query's code with groups of codes.

    Args:
        words: how many are compared.
        all_words: how many a code has.

    Returns:
        (address of uint64[groups, `all_words`, 8], of uint16[groups · 8] radii, number of groups,
        address of uint64[`all_words`]) → uint64 with the bit of each group that has a code which
        differs in at most its radius.
    """

    def near(_typing: Any, _codes: Any, _radii: Any, _groups: Any, _query: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            codes, radii, groups, query = arguments
            sought = _query_words(builder, query, words)
            masks = cgutils.alloca_once(builder, _GROUPS)  # type: ignore[no-untyped-call]
            builder.store(ir.Constant(_GROUPS, [0] * MOST_GROUPS), masks)
            out = builder.ptrtoint(masks, INT64)
            with cgutils.for_range(builder, groups, intp=INT64) as loop:
                group = loop.index
                ours = builder.add(
                    codes, builder.mul(group, ir.Constant(INT64, 8 * GROUP * all_words))
                )
                own_radii = builder.add(radii, builder.mul(group, ir.Constant(INT64, 2 * GROUP)))
                distances = _distances(builder, ours, sought, 0, words)
                bits = builder.bitcast(_within(builder, distances, own_radii), BYTE)
                store(builder, bits, builder.add(out, group))
            written = load(builder, out, _GROUPS)
            some = builder.icmp_unsigned("!=", written, ir.Constant(_GROUPS, [0] * MOST_GROUPS))
            return builder.bitcast(some, INT64)

        word = types.int64
        return types.uint64(word, word, word, word), generate

    return cast("NearGroups", intrinsic(near))


type NearInAll = Callable[[int, int, int, int], int]


def near_in_all(lengths: tuple[int, ...]) -> NearInAll:
    """Makes the function that compares one group at several lengths.

    Args:
        lengths: words, ascending; the last is all that a code has.

    Returns:
        (address of uint64[words, 8], of uint16 radii for the first length, bytes from there to the
        radii for the next length, address of uint64[words]) → eight bits, the bit of each code that
        is within its radius at every length.
    """

    def near(_typing: Any, _codes: Any, _radii: Any, _stride: Any, _query: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            codes, radii, stride, query = arguments
            sought = _query_words(builder, query, lengths[-1])
            total, result, before = None, None, 0
            for length in lengths:
                more = _distances(builder, codes, sought, before, length)
                total = more if total is None else builder.add(total, more)
                within = _within(builder, total, radii)
                result = within if result is None else builder.and_(result, within)
                radii, before = builder.add(radii, stride), length
            return builder.zext(builder.bitcast(result, BYTE), INT64)

        word = types.int64
        return types.int64(word, word, word, word), generate

    return cast("NearInAll", intrinsic(near))


def _lowest_bit(_typing: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(BIT, 1))

    return types.int64(types.uint64), generate


lowest_bit = cast("Callable[[np.uint64], int]", intrinsic(_lowest_bit))
"""uint64, not zero → number of its lowest bit."""


def _bit_count(_typing: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


bit_count = cast("Callable[[np.uint64], int]", intrinsic(_bit_count))
"""uint64 → how many of its bits are set."""


def _fetch(_typing: Any, _address: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType())
        to_read, second_cache, data = (ir.Constant(INT32, number) for number in (0, 2, 1))
        call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, to_read, second_cache, data])
        return _context.get_dummy_value()

    return types.void(types.int64), generate


fetch = cast("Callable[[int], None]", intrinsic(_fetch))
"""Address → nothing: has a line of memory brought into the second cache, and does not wait."""


def _append_rows(_typing: Any, _places: Any, _bits: Any, _first: Any, _out: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        places, bits, first, out = arguments
        rows = ir.VectorType(INT64, GROUP)
        own = builder.add(places, builder.mul(bits, ir.Constant(INT64, GROUP)))
        lanes = builder.zext(load(builder, own, ir.VectorType(BYTE, GROUP)), rows)
        store(builder, builder.add(lanes, spread(builder, first, rows)), out)
        return builder.ctpop(bits)

    word = types.int64
    return types.int64(word, word, word, word), generate


append_rows = cast("Callable[[int, int, int, int], int]", intrinsic(_append_rows))
"""(address of `PLACES`, eight bits, number of a group's first row, address to write to) → how many.

Writes the numbers of the rows whose bits are set, and then others, up to eight int64: without a
branch that the processor would have to guess."""

PLACES: Final = np.array(
    [sorted(range(GROUP), key=lambda lane: not bits >> lane & 1) for bits in range(2**GROUP)],
    np.uint8,
)
"""uint8[256, 8]: for each byte the numbers of its set bits, then of the others."""
PLACES.flags.writeable = False


def _sum(builder: Any, vector: Any) -> Any:
    """Halves are added until one number is left: always in the same order."""
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    size = LANES
    while size > 1:
        size //= 2
        upper = [lane + size if lane < size else 0 for lane in range(LANES)]
        moved = builder.shuffle_vector(
            vector, undefined, ir.Constant(ir.VectorType(INT32, LANES), upper)
        )
        vector = builder.fadd(vector, moved)
    return builder.extract_element(vector, ir.Constant(INT32, 0))


def _dot_floats(_typing: Any, _first: Any, _second: Any, _steps: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, second, steps = arguments
        total = variable(builder, ir.Constant(_FLOATS, [0.0] * LANES))
        with cgutils.for_range(builder, steps, intp=INT64) as loop:
            offset = builder.mul(loop.index, ir.Constant(INT64, 4 * LANES))
            factors = [
                load(builder, builder.add(start, offset), _FLOATS) for start in (first, second)
            ]
            sums = builder.load(total, typ=_FLOATS)
            added = call(builder, "llvm.fmuladd.v16f32", _FLOATS, [*factors, sums])
            builder.store(added, total)
        return _sum(builder, builder.load(total, typ=_FLOATS))

    return types.float32(types.int64, types.int64, types.int64), generate


dot_floats = cast("Callable[[int, int, int], np.float32]", intrinsic(_dot_floats))
"""(address of float32[16 · steps], address of another, steps) → their product, float32.

Products are added up in one order whoever asks and whatever else is computed beside them.
"""

PANEL: Final = 4 * LANES
"""Columns of a matrix that lie together, and are multiplied together."""


def products(rows: int) -> Callable[[int, int, int, int, int], None]:
    """Makes the function that multiplies some rows with one panel of a matrix.

    Each sum runs over the dimensions in order, so the same row gives the same sums in any company.

    Returns:
        (address of float32 rows, bytes from one to the next, dimensions, address of the panel's
        float32[dimensions, `PANEL`], address of float32[rows, `PANEL`] to write to).
    """

    def multiply(
        _typing: Any, _rows: Any, _stride: Any, _dimensions: Any, _panel: Any, _out: Any
    ) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            start, stride, dimensions, panel, out = arguments
            zero = ir.Constant(_FLOATS, [0.0] * LANES)
            sums = [[variable(builder, zero) for _ in range(PANEL // LANES)] for _ in range(rows)]
            starts = [start]
            for _ in range(rows - 1):
                starts.append(builder.add(starts[-1], stride))
            with cgutils.for_range(builder, dimensions, intp=INT64) as loop:
                row = builder.add(panel, builder.mul(loop.index, ir.Constant(INT64, 4 * PANEL)))
                offset = builder.mul(loop.index, ir.Constant(INT64, 4))
                columns = [
                    load(builder, at(builder, row, 4 * LANES * number), _FLOATS)
                    for number in range(PANEL // LANES)
                ]
                for own, own_sums in zip(starts, sums, strict=True):
                    one = load(builder, builder.add(own, offset), FLOAT)
                    factor = spread(builder, one, _FLOATS)
                    for column, total in zip(columns, own_sums, strict=True):
                        before = builder.load(total, typ=_FLOATS)
                        after = call(
                            builder, "llvm.fmuladd.v16f32", _FLOATS, [factor, column, before]
                        )
                        builder.store(after, total)
            place = 0
            for own_sums in sums:
                for total in own_sums:
                    store(builder, builder.load(total, typ=_FLOATS), at(builder, out, place))
                    place += 4 * LANES
            return _context.get_dummy_value()

        word = types.int64
        return types.void(word, word, word, word, word), generate

    return cast("Callable[[int, int, int, int, int], None]", intrinsic(multiply))
