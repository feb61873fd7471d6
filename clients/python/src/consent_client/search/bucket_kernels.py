"""What is compiled for `buckets` and `binary`: filling buckets, and finding near codes in them."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.search.compiled import compiled
from consent_client.search.popcount import popcount, signed, unsigned
from consent_client.search.words import Words

if TYPE_CHECKING:
    from consent_client.search.buckets import Buckets

ONE_ROW: Final = np.uint32(2**31)
"""Set in a slot that holds a row, not where a list begins."""

_ONE: Final = unsigned(1)
_IN_WORD: Final = unsigned(63)
_WORD_SHIFT: Final = unsigned(6)
"""A bit's place in its word, and which word that is."""


@compiled
def occupy(
    words: Words,
    first_bit: int,
    width: int,
    once: NDArray[np.uint64],
    twice: NDArray[np.uint64],
    ranks: NDArray[np.uint32],
) -> tuple[int, int]:
    """Marks the values that occur in a chunk, and those that occur again.

    Returns:
        How many there are of each.
    """
    for x in range(words.shape[0]):
        value = _chunk(words[x], first_bit, width)
        k, bit = value >> _WORD_SHIFT, _ONE << (value & _IN_WORD)
        twice[k] |= once[k] & bit
        once[k] |= bit
    values, several = 0, 0
    for k in range(once.shape[0]):
        ranks[k] = values
        values += signed(popcount(once[k]))
        several += signed(popcount(twice[k]))
    return values, several


@compiled
def fill(
    words: Words,
    first_bit: int,
    width: int,
    once: NDArray[np.uint64],
    twice: NDArray[np.uint64],
    ranks: NDArray[np.uint32],
    slots: NDArray[np.uint32],
    lists: NDArray[np.uint32],
) -> None:
    """Writes a chunk's slots and lists; both come zeroed."""
    for x in range(words.shape[0]):
        value = _chunk(words[x], first_bit, width)
        s = _slot(once, ranks, value)
        if _is_set(twice, value):
            slots[s] += np.uint32(1)  # counted, before lists have a place
        else:
            slots[s] = np.uint32(x) | ONE_ROW
    end = 0
    for s in range(slots.shape[0]):
        if not slots[s] & ONE_ROW:
            size = signed(slots[s])
            slots[s] = end
            end += 1 + size
    for x in range(words.shape[0]):
        value = _chunk(words[x], first_bit, width)
        if _is_set(twice, value):
            begin = signed(slots[_slot(once, ranks, value)])
            lists[begin] += np.uint32(1)
            lists[begin + signed(lists[begin])] = x


@compiled
def find(
    buckets: "Buckets",
    words: Words,
    queries: Words,
    radius: int,
    limit: int,
    query: int,
    numbers: NDArray[np.int64],
    rows: NDArray[np.int64],
    crowded: NDArray[np.bool_],
) -> tuple[int, int]:
    """Goes on from a query until the room may not do for the next one.

    A row that several chunks lead to is told of by the first of them. Of a query whose buckets
    hold more than `limit` rows nothing is told; it is marked as crowded.

    Returns:
        Query to go on from, and how many pairs were found.
    """
    probes = np.empty(buckets.masks.shape[0], np.uint64)
    candidates = np.empty(limit + buckets.masks.shape[0], np.uint32)
    found = 0
    for i in range(query, queries.shape[0]):
        if found + limit > numbers.shape[0]:
            return i, found
        before, seen = found, 0
        for c in range(buckets.widths.shape[0]):
            lists = buckets.lists[buckets.list_starts[c] : buckets.list_starts[c + 1]]
            alone, shared = _probe(buckets, c, queries[i], probes, candidates)
            seen += alone
            for j in range(shared):
                seen += signed(lists[probes[j]])
            if seen > limit:
                crowded[i] = True
                found = before
                break
            count = _listed(lists, probes[:shared], candidates, alone)
            count = _near(words, queries[i], radius, candidates[:count])
            for p in range(count):
                row = candidates[p]
                if not _found_before(buckets, queries[i], words[row], c):
                    numbers[found] = i
                    rows[found] = row
                    found += 1
    return queries.shape[0], found


@compiled
def _probe(
    buckets: "Buckets",
    c: int,
    query: NDArray[np.uint64],
    probes: NDArray[np.uint64],
    candidates: NDArray[np.uint32],
) -> tuple[int, int]:
    """Looks up a chunk's buckets: rows that are alone go to candidates, lists' begins to probes.

    Returns:
        How many there are of each.
    """
    bits = slice(buckets.bitmap_starts[c], buckets.bitmap_starts[c + 1])
    bitmap, ranks = buckets.bitmaps[bits], buckets.ranks[bits]
    masks = buckets.masks[buckets.mask_starts[c] : buckets.mask_starts[c + 1]]
    slots = buckets.slots[buckets.slot_starts[c] : buckets.slot_starts[c + 1]]
    own = _chunk(query, buckets.first_bits[c], buckets.widths[c])
    # Step by step rather than bucket by bucket, and without branches: the processor then waits
    # for many places in memory at once.
    occupied = 0
    for j in range(masks.shape[0]):
        value = own ^ unsigned(masks[j])
        probes[occupied] = value
        occupied += signed(_is_set(bitmap, value))
    for j in range(occupied):
        probes[j] = _slot(bitmap, ranks, probes[j])
    alone, shared = 0, 0
    for j in range(occupied):
        slot = slots[probes[j]]
        probes[shared] = slot
        candidates[alone] = slot & ~ONE_ROW
        one = signed(slot >> np.uint32(31))
        alone += one
        shared += 1 - one
    return alone, shared


@compiled
def _listed(
    lists: NDArray[np.uint32],
    begins: NDArray[np.uint64],
    candidates: NDArray[np.uint32],
    count: int,
) -> int:
    """Writes the rows of lists behind the candidates there are; how many there are then."""
    for j in range(begins.shape[0]):
        begin = signed(begins[j])
        for p in range(begin + 1, begin + 1 + signed(lists[begin])):
            candidates[count] = lists[p]
            count += 1
    return count


@compiled
def _near(
    words: Words, query: NDArray[np.uint64], radius: int, candidates: NDArray[np.uint32]
) -> int:
    """Moves the candidates that are near to the front, and returns how many they are."""
    count = 0
    for p in range(candidates.shape[0]):
        row = candidates[p]
        distance = unsigned(0)
        for k in range(words.shape[1]):
            distance += popcount(query[k] ^ words[row, k])
        candidates[count] = row
        count += signed(distance <= unsigned(radius))
    return count


@compiled
def _found_before(
    buckets: "Buckets", query: NDArray[np.uint64], code: NDArray[np.uint64], chunk: int
) -> bool:
    """Whether a chunk before this one leads from the query to the code."""
    for c in range(chunk):
        first_bit, width = buckets.first_bits[c], buckets.widths[c]
        differences = _chunk(query, first_bit, width) ^ _chunk(code, first_bit, width)
        if signed(popcount(differences)) <= buckets.radii[c]:
            return True
    return False


@compiled
def _chunk(code: NDArray[np.uint64], first_bit: int, width: int) -> int:
    """A chunk of less than 64 bits, as a number."""
    k, shift = first_bit >> 6, unsigned(first_bit & 63)
    value = code[k] >> shift
    if (first_bit & 63) + width > 64:  # noqa: PLR2004 (bits of a word)
        value |= code[k + 1] << (unsigned(64) - shift)
    return unsigned(value & ((_ONE << unsigned(width)) - _ONE))


@compiled
def _is_set(bitmap: NDArray[np.uint64], value: int) -> int:
    """1 where a value's bit is set, else 0."""
    return unsigned((bitmap[value >> _WORD_SHIFT] >> (value & _IN_WORD)) & _ONE)


@compiled
def _slot(bitmap: NDArray[np.uint64], ranks: NDArray[np.uint32], value: int) -> int:
    """The number of a value that occurs."""
    k = value >> _WORD_SHIFT
    below = (_ONE << (value & _IN_WORD)) - _ONE
    return popcount(bitmap[k] & below) + unsigned(ranks[k])
