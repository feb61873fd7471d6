"""Codes with their bits in an order drawn at random.

Neighbouring bits of real fingerprints depend on each other, and who registers may choose them: in
the codes' own order many rows could be made to share a chunk. In an order that only this process
knows, which bits share a chunk is chance. Distances stay what they are.
"""

import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled
from consent_client.search.words import WORD_BITS, WORD_BYTES, Words

_CACHE_LINE: Final = 64


type Table = NDArray[np.uint64]
"""uint64[bytes, 256, words]: what each value of each byte becomes in another order of the bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An order of a code's bits.

    Attributes:
        into: brings the bits into it.
        back: brings them back.
    """

    into: Table = field(repr=False)
    back: Table = field(repr=False)


@cache
def order_of_process(words: int) -> Order:
    """The order for codes of so many words that this process has drawn.

    Two threads that ask for the first time at once may get two; whoever keeps codes in an order
    keeps the order, too.
    """
    places = np.random.default_rng(secrets.randbits(128)).permutation(words * WORD_BITS)
    return Order(_table(places), _table(np.argsort(places)))


def permuted(words: Words, table: Table) -> Words:
    """A copy with its bits in another order, on whole cache lines where a code fits in one."""
    room = np.empty(words.size + _CACHE_LINE // WORD_BYTES, np.uint64)
    offset = -room.ctypes.data % _CACHE_LINE // WORD_BYTES
    moved = room[offset : offset + words.size].reshape(words.shape)
    _permute(words.view(np.uint8), table, moved)
    moved.flags.writeable = False
    return moved


def _table(places: NDArray[np.int64]) -> Table:
    """What brings each bit to its place: int64[bits]."""
    table = np.zeros((len(places) // 8, 256, len(places) // WORD_BITS), np.uint64)
    values = np.arange(256)
    for bit, place in enumerate(places.tolist()):
        having = (values >> bit % 8) & 1 == 1
        word = np.uint64(1) << np.uint64(place % WORD_BITS)
        table[bit // 8, having, place // WORD_BITS] |= word
    return table


@compiled
def _permute(codes: NDArray[np.uint8], table: Table, moved: NDArray[np.uint64]) -> None:
    for x in range(codes.shape[0]):
        for k in range(moved.shape[1]):
            word = np.uint64(0)
            for byte in range(codes.shape[1]):
                word |= table[byte, codes[x, byte], k]
            moved[x, k] = word
