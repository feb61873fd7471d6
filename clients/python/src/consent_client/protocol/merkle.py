"""The Merkle tree of RFC 6962 section 2.1: roots, inclusion and consistency proofs.

A tree is asked for through `Nodes`, a function that gives the hash of a complete subtree: so the
same proofs come from memory, from tiles on a disk and from tiles on somebody's server. Positions
are counted from 0; `(level, index)` names the subtree over the leaves from `index << level` up to
`(index + 1) << level`, which must all exist.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from consent_client.errors import BadProof

HASH_BYTES: Final = 32

EMPTY_ROOT: Final = sha256().digest()
"""Root of the tree without leaves (RFC 6962, MTH({}))."""

MAX_PROOF_HASHES: Final = 63
"""Hashes in the longest proof of a tree whose size fits in 63 bits (C2SP tlog-proof)."""

type Nodes = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: H(0x00 ‖ data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: H(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes.

    Also the root over roots of equally large, aligned parts of a list, of which only the last may
    be shorter: RFC 6962 splits at powers of two, so such parts are the tree's own subtrees.
    """
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        above = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


class Tree:
    """A tree in memory that grows: the hashes of all complete subtrees.

    Args:
        leaves: the first leaf hashes.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Adds a leaf hash."""
        self._levels[0].append(leaf)
        for level, hashes in enumerate(self._levels):
            if len(hashes) % 2:
                return
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(hashes[-2], hashes[-1]))

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree; `IndexError` where the tree has none."""
        if level >= len(self._levels):
            raise IndexError(level, index)
        return self._levels[level][index]

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (all by default)."""
        return root_at(self.node, len(self) if size is None else size)


class Frontier:
    """A tree of which only what its root and its growth need is kept: at most 64 hashes.

    Attributes:
        size: leaves so far.
        hashes: of the complete subtrees that cover them, largest first, as RFC 6962 splits.

    Raises:
        BadProof: another number of hashes than a tree of this size has.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count():
            raise BadProof("not the subtrees of a tree of this size")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Adds a leaf hash.

        Returns:
            The subtrees it completed: level, index and hash, the leaf itself first.
        """
        completed = [(0, self.size, leaf)]
        index = self.size
        while index % 2:
            leaf = node_hash(self.hashes.pop(), leaf)
            index //= 2
            completed.append((len(completed), index, leaf))
        self.hashes.append(leaf)
        self.size += 1
        return completed

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Adds leaf hashes; of a whole subtree, three times as fast as one after the other."""
        level = max(0, len(leaves).bit_length() - 1)
        if len(leaves) == 1 << level and self.size % len(leaves) == 0:
            self.append_subtree(level, root_of(leaves))
        else:
            for leaf in leaves:
                self.append(leaf)

    def append_subtree(self, level: int, node: bytes) -> None:
        """Adds 2^level leaves of which only the subtree's hash is known.

        Raises:
            BadProof: the tree's size is not a multiple of that.
        """
        if level < 0 or self.size % (1 << level):
            raise BadProof("a subtree begins at a multiple of its size")
        index = self.size >> level
        while index % 2:
            node = node_hash(self.hashes.pop(), node)
            index //= 2
        self.hashes.append(node)
        self.size += 1 << level

    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def frontier_at(nodes: Nodes, size: int) -> Frontier:
    """The frontier of the first `size` leaves of a tree."""
    hashes, done = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            hashes.append(nodes(level, done >> level))
            done += 1 << level
    return Frontier(size, hashes)


def root_at(nodes: Nodes, size: int) -> bytes:
    """The root of the first `size` leaves of a tree."""
    return frontier_at(nodes, size).root()


def inclusion_proof(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf up.

    Raises:
        ValueError: no such leaf in a tree of that size.
    """
    if not 0 <= index < size:
        message = f"There is no leaf {index} in a tree of {size}."
        raise ValueError(message)
    path = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(nodes, middle, high))
            high = middle
        else:
            path.append(_range(nodes, low, middle))
            low = middle
    return tuple(reversed(path))


def consistency_proof(nodes: Nodes, old: int, new: int) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty where a tree is empty or both are one.

    Raises:
        ValueError: the tree does not grow from `old` to `new`.
    """
    if not 0 <= old <= new:
        message = f"A tree of {new} does not come after one of {old}."
        raise ValueError(message)
    if old in (0, new):
        return ()
    path = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(nodes, middle, high))
            high = middle
        else:
            path.append(_range(nodes, low, middle))
            low = middle
    if low:  # a verifier has the old root itself where the old tree is a subtree of the new
        path.append(_range(nodes, low, high))
    return tuple(reversed(path))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range(nodes: Nodes, low: int, high: int) -> bytes:
    """The root over the leaves from `low` to `high`, where a split of RFC 6962 left them.

    `low` is then a multiple of every power of two up to `high - low`.
    """
    hashes = []
    while low < high:
        level = (high - low).bit_length() - 1
        hashes.append(nodes(level, low >> level))
        low += 1 << level
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Whether a leaf hash stands at `index` of the tree of that size and root.

    The algorithm of RFC 9162 section 2.1.3.2, which knows the right number of hashes.

    Raises:
        BadProof: it is not shown.
    """
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise BadProof("the proof is about a leaf beyond the tree")
    seen = leaf
    for sibling, on_left in _siblings(index, size - 1, proof):
        seen = node_hash(sibling, seen) if on_left else node_hash(seen, sibling)
    if seen != root:
        raise BadProof("the inclusion proof does not lead to the root")


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Whether the newer tree begins with all leaves of the older one.

    The algorithm of RFC 9162 section 2.1.4.2.

    Raises:
        BadProof: it is not shown.
    """
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old_size <= new_size:
        raise BadProof("the newer tree is smaller than the older one")
    if old_size in (0, new_size):
        _check_nothing_grew(old_size, new_size, proof, old_root, new_root)
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # the old tree is a subtree of the new one
        path.insert(0, old_root)
    if not path:
        raise BadProof("the proof is too short")
    at, last = old_size - 1, new_size - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    old_seen = new_seen = path[0]
    for sibling, on_left in _siblings(at, last, path[1:]):
        if on_left:
            old_seen, new_seen = node_hash(sibling, old_seen), node_hash(sibling, new_seen)
        else:
            new_seen = node_hash(new_seen, sibling)
    if (old_seen, new_seen) != (old_root, new_root):
        raise BadProof("the consistency proof does not lead to both roots")


def _check_nothing_grew(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Where there is nothing to prove, the proof is empty and the roots are what they must be."""
    if proof:
        raise BadProof("the proof is too long")
    if old_size == new_size and old_root != new_root:
        raise BadProof("the roots of one tree differ")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise BadProof("the empty tree has another root")


def _siblings(at: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The hashes on the way up, each with whether it is the left one of its pair.

    Args:
        at: where the way begins, a node's place on its level.
        last: place of that level's last node.
        proof: the siblings, from below.

    Raises:
        BadProof: more or fewer than there are levels with a sibling.
    """
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof is too long")
        on_left = at % 2 == 1 or at == last
        yield sibling, on_left
        while on_left and at % 2 == 0 and at:  # the last node of a level may stand alone
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")


def _check_hashes(*hashes: bytes) -> None:
    if len(hashes) > MAX_PROOF_HASHES + 2:
        raise BadProof("the proof is too long")
    if any(len(value) != HASH_BYTES for value in hashes):
        raise BadProof("a hash has 32 bytes")
