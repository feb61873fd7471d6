"""The codes of each chunk's buckets, in little memory and few accesses.

For a chunk of w bits, a bitmap of 2^w says which values occur; counting its bits up to one (`ranks`
for whole words) numbers the values that do. A value's slot holds the row itself where only one row
has it, which is the rule, else where its list of rows begins. So most probes end in the bitmap,
which the cache holds, and most of the others in one more access.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_client.search.bucket_kernels import fill, occupy
from consent_client.search.pigeonhole import Plan, masks
from consent_client.search.words import WORD_BITS, Words


class Buckets(NamedTuple):
    """All chunks' buckets, one chunk's behind the other's; `…_starts` says where each begin.

    A tuple, because compiled functions take those.

    Attributes:
        first_bits: int64[m], of each chunk.
        widths: int64[m], bits.
        radii: int64[m], differences allowed.
        masks: uint32, what a probe's value differs in from the query's.
        bitmaps: uint64, a bit for each value.
        ranks: uint32 for each word of the bitmaps: how many values occur before it.
        slots: uint32 for each value that occurs: the row and `ONE_ROW`, or where its list begins.
        lists: uint32, for each value of several rows: how many, then the rows.
    """

    first_bits: NDArray[np.int64]
    widths: NDArray[np.int64]
    radii: NDArray[np.int64]
    masks: NDArray[np.uint32]
    mask_starts: NDArray[np.int64]
    bitmaps: NDArray[np.uint64]
    ranks: NDArray[np.uint32]
    bitmap_starts: NDArray[np.int64]
    slots: NDArray[np.uint32]
    slot_starts: NDArray[np.int64]
    lists: NDArray[np.uint32]
    list_starts: NDArray[np.int64]

    def __repr__(self) -> str:
        """Says nothing: rows can be told from what lies in which bucket."""
        return "Buckets(…)"


def buckets_of(words: Words, plan: Plan) -> Buckets:
    """Puts codes into buckets; a row's number is its position."""
    chunk_masks = [masks(*chunk) for chunk in zip(plan.widths, plan.radii, strict=True)]
    widths = np.array(plan.widths, np.int64)
    first_bits = np.cumsum(widths) - widths
    bitmap_starts = _starts([-(-(2**width) // WORD_BITS) for width in plan.widths])
    once = np.zeros(bitmap_starts[-1], np.uint64)
    twice = np.zeros(bitmap_starts[-1], np.uint64)
    ranks = np.empty(bitmap_starts[-1], np.uint32)
    chunks = [
        (first_bit, width, once[start:stop], twice[start:stop], ranks[start:stop])
        for first_bit, width, (start, stop) in zip(
            first_bits, widths, pairwise(bitmap_starts), strict=True
        )
    ]
    counts = [occupy(words, *chunk) for chunk in chunks]
    slot_starts = _starts([values for values, _ in counts])
    # The rows that are not alone in their bucket, and how many there are in each of those.
    list_starts = _starts([len(words) - values + 2 * several for values, several in counts])
    slots = np.zeros(slot_starts[-1], np.uint32)
    lists = np.zeros(list_starts[-1], np.uint32)
    for chunk, slot, own in zip(chunks, pairwise(slot_starts), pairwise(list_starts), strict=True):
        fill(words, *chunk, slots[slice(*slot)], lists[slice(*own)])
    return Buckets(
        first_bits=first_bits,
        widths=widths,
        radii=np.array(plan.radii, np.int64),
        masks=np.concatenate(chunk_masks),
        mask_starts=_starts([len(each) for each in chunk_masks]),
        bitmaps=once,
        ranks=ranks,
        bitmap_starts=bitmap_starts,
        slots=slots,
        slot_starts=slot_starts,
        lists=lists,
        list_starts=list_starts,
    )


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(sizes, np.int64))])
