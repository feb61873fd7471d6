"""The Merkle tree, against transparency-dev's vectors and against RFC 6962's own definition."""

import base64
import json
import random
from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadProof
from consent_client.protocol.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.support.shared_data import SHARED

VECTORS = SHARED / "vectors" / "merkle"

# Their roots have 12 bytes, and yet they are said to be right; the set's README names the first.
DUMMY_ROOTS = {
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    (
        "subtreeconsistency/additional/subtree-is-empty-sizes-are-equal-zero-subtree-root-valid-"
        "tree-root-random-proof-is-empty.json"
    ),
}

sizes = st.integers(1, 300)


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4)) for index in range(count)]


def defined_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


def vectors(kind: str) -> list[str]:
    return [path.relative_to(VECTORS).as_posix() for path in (VECTORS / kind).rglob("*.json")]


def hashes(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


@pytest.mark.skipif(not VECTORS.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", sorted(vectors("inclusion")))
def test_inclusion_vector(name: str) -> None:
    case = json.loads((VECTORS / name).read_text())
    leaf, root = hashes([case["leafHash"], case["root"]])
    arguments = (leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), root)
    if case["wantErr"]:
        with pytest.raises(BadProof):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.skipif(not VECTORS.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", sorted(vectors("consistency")))
def test_consistency_vector(name: str) -> None:
    case = json.loads((VECTORS / name).read_text())
    old, new = hashes([case["root1"], case["root2"]])
    arguments = (case["size1"], case["size2"], hashes(case["proof"]), old, new)
    if case["wantErr"] or name in DUMMY_ROOTS:
        with pytest.raises(BadProof):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)


@pytest.mark.skipif(not VECTORS.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", sorted(vectors("subtreeinclusion")))
def test_inclusion_in_a_subtree_is_inclusion_in_a_tree(name: str) -> None:
    """Of an aligned subtree; that others are none, is not for us to say: we prove none."""
    case = json.loads((VECTORS / name).read_text())
    leaf, root = hashes([case["leafHash"], case["root"]])
    start, size = case["start"], case["end"] - case["start"]
    if size < 1 or start % (1 << (size - 1).bit_length()):
        assert case["wantErr"]
        return
    arguments = (leaf, case["leafIdx"] - start, size, hashes(case["proof"]), root)
    if case["wantErr"]:
        with pytest.raises(BadProof):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.skipif(not VECTORS.exists(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", sorted(vectors("subtreeconsistency")))
def test_consistency_of_a_subtree_from_the_first_leaf(name: str) -> None:
    """Other subtrees are none that a log ever signed, and we verify nothing about them."""
    case = json.loads((VECTORS / name).read_text())
    if case["start"]:
        return
    old, new = hashes([case["root1"], case["root2"]])
    arguments = (case["end"], case["size"], hashes(case["proof"]), old, new)
    if case["wantErr"] or name in DUMMY_ROOTS:
        with pytest.raises(BadProof):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)


@given(sizes)
def test_the_root_is_what_the_rfc_defines(size: int) -> None:
    hashes = leaves(size)
    frontier = Frontier()
    for leaf in hashes:
        frontier.append(leaf)
    assert defined_root(hashes) == root_of(hashes) == Tree(hashes).root() == frontier.root()


def test_the_empty_tree_has_a_root() -> None:
    assert root_of([]) == Tree().root() == Frontier().root() == EMPTY_ROOT


@given(sizes, st.data())
def test_a_frontier_taken_up_again_goes_on_as_the_tree_does(size: int, data: st.DataObject) -> None:
    tree = Tree(leaves(size))
    start = data.draw(st.integers(0, size))
    frontier = frontier_at(tree.node, start)
    for leaf in leaves(size)[start:]:
        for level, index, value in frontier.append(leaf):
            assert tree.node(level, index) == value
    assert frontier.root() == tree.root()


@given(sizes, st.data())
def test_every_leaf_is_shown_to_be_where_it_is_and_nowhere_else(
    size: int, data: st.DataObject
) -> None:
    tree = Tree(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(tree.node, index, size)
    verify_inclusion(tree.node(0, index), index, size, proof, tree.root())
    other = (
        data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
        if (size > 1)
        else 1
    )
    for wrong in (
        (tree.node(0, index), other, size, proof),
        (leaf_hash(b"another"), index, size, proof),
        (tree.node(0, index), index, size, (*proof, EMPTY_ROOT)),
        (tree.node(0, index), index, size + 1, (*proof, EMPTY_ROOT)),
        (tree.node(0, index), -1, size, proof),
    ):
        with pytest.raises(BadProof):
            verify_inclusion(*wrong, tree.root())
    if proof:
        with pytest.raises(BadProof):
            verify_inclusion(tree.node(0, index), index, size, proof[:-1], tree.root())


@given(sizes, st.data())
def test_a_tree_is_shown_to_have_grown_and_no_other_past_is(size: int, data: st.DataObject) -> None:
    tree = Tree(leaves(size))
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(tree.node, old, size)
    verify_consistency(old, size, proof, tree.root(old), tree.root())
    rewritten = leaves(size)
    rewritten[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    with pytest.raises(BadProof):
        verify_consistency(old, size, proof, root_of(rewritten[:old]), tree.root())
    with pytest.raises(BadProof):
        verify_consistency(old, size, (*proof, EMPTY_ROOT), tree.root(old), tree.root())
    with pytest.raises(BadProof):
        verify_consistency(old, size, proof[:-1] or (EMPTY_ROOT,), tree.root(old), tree.root())


EVERY_SIZE_TO = 130  # beyond 128: every shape of a right edge of up to seven levels, and one more


def damaged(proof: Sequence[bytes], chance: random.Random) -> Iterator[tuple[bytes, ...]]:
    """The proof with one bit flipped, a hash too few, and one too many at either end."""
    if proof:
        place = chance.randrange(len(proof))
        bit = 1 << chance.randrange(256)
        flipped = (int.from_bytes(proof[place]) ^ bit).to_bytes(32)
        yield (*proof[:place], flipped, *proof[place + 1 :])
        yield (*proof[:place], *proof[place + 1 :])
    another = chance.randbytes(32)
    yield (*proof, another)
    yield (another, *proof)


def test_every_inclusion_up_to_a_size_and_none_that_is_damaged() -> None:
    chance = random.Random(130)
    tree = Tree(leaves(EVERY_SIZE_TO))
    for size in range(1, EVERY_SIZE_TO + 1):
        root = tree.root(size)
        for index in range(size):
            leaf = tree.node(0, index)
            proof = inclusion_proof(tree.node, index, size)
            verify_inclusion(leaf, index, size, proof, root)
            for wrong in damaged(proof, chance):
                with pytest.raises(BadProof):
                    verify_inclusion(leaf, index, size, wrong, root)
            if size > 1:
                with pytest.raises(BadProof):
                    verify_inclusion(root, index, size, proof, leaf)


def test_every_growth_up_to_a_size_and_none_that_is_damaged() -> None:
    chance = random.Random(131)
    tree = Tree(leaves(EVERY_SIZE_TO))
    roots = [tree.root(size) for size in range(EVERY_SIZE_TO + 1)]
    for new in range(1, EVERY_SIZE_TO + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(tree.node, old, new)
            verify_consistency(old, new, proof, roots[old], roots[new])
            for wrong in damaged(proof, chance):
                with pytest.raises(BadProof):
                    verify_consistency(old, new, wrong, roots[old], roots[new])
            if old < new:
                with pytest.raises(BadProof):
                    verify_consistency(old, new, proof, roots[new], roots[old])


@given(st.integers(1, 70), st.sampled_from([1, 2, 4, 8, 16]))
def test_aligned_parts_are_subtrees(size: int, part: int) -> None:
    hashes = leaves(size)
    roots = [root_of(hashes[start : start + part]) for start in range(0, size, part)]
    assert root_of(roots) == root_of(hashes)


@pytest.mark.parametrize("corrupt", [b"", b"\x00" * 31, b"\x00" * 33])
def test_hashes_of_another_length_are_refused(corrupt: bytes) -> None:
    with pytest.raises(BadProof):
        verify_inclusion(corrupt, 0, 1, (), corrupt)
    with pytest.raises(BadProof):
        verify_consistency(1, 1, (), corrupt, corrupt)


def test_endless_proofs_are_refused_before_they_are_read() -> None:
    with pytest.raises(BadProof):
        verify_inclusion(EMPTY_ROOT, 0, 2**62, (EMPTY_ROOT,) * 100, EMPTY_ROOT)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    tree = Tree(leaves(4))
    with pytest.raises(ValueError, match="no leaf 4"):
        inclusion_proof(tree.node, 4, 4)
    with pytest.raises(ValueError, match="does not come after"):
        consistency_proof(tree.node, 5, 4)
    with pytest.raises(BadProof):
        Frontier(3, [EMPTY_ROOT])


@given(st.lists(st.integers(0, 6), max_size=12))
def test_a_frontier_grows_by_whole_subtrees(levels: list[int]) -> None:
    frontier, tree = Frontier(), Tree()
    for level in levels:
        if len(tree) % (1 << level):
            with pytest.raises(BadProof):
                frontier.append_subtree(level, EMPTY_ROOT)
            continue
        leaves = [leaf_hash(b"%d" % i) for i in range(len(tree), len(tree) + (1 << level))]
        other = Frontier(frontier.size, frontier.hashes)
        frontier.append_subtree(level, root_of(leaves))
        other.extend(leaves)
        assert other.hashes == frontier.hashes
        for leaf in leaves:
            tree.append(leaf)
        assert (frontier.size, frontier.root()) == (len(tree), tree.root())
        frontier = Frontier(frontier.size, frontier.hashes)
    with pytest.raises(BadProof):
        frontier.append_subtree(-1, EMPTY_ROOT)


@given(st.lists(st.integers(0, 9), max_size=8))
def test_a_frontier_grows_by_any_number_of_leaves(counts: list[int]) -> None:
    frontier, tree = Frontier(), Tree()
    for count in counts:
        leaves = [leaf_hash(b"%d" % i) for i in range(len(tree), len(tree) + count)]
        frontier.extend(leaves)
        for leaf in leaves:
            tree.append(leaf)
        assert (frontier.size, frontier.root()) == (len(tree), tree.root())
