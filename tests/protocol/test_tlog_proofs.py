import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadNote, BadProof, Malformed, ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent_client.protocol.merkle import Tree, inclusion_proof, leaf_hash
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.tlog_proofs import MAX_EXTRA_BYTES, TlogProof

LOG = NoteSigner("registry.example/2026", bytes(range(32)))
TREE = Tree(leaf_hash(bytes([index])) for index in range(100))


def proof_of(index, size, extra=b""):
    note = sign_checkpoint(Checkpoint(LOG.name, size, TREE.root(size)), LOG)
    return TlogProof(index, inclusion_proof(TREE.node, index, size), note, extra)


places = st.integers(1, 100).flatmap(
    lambda size: st.tuples(st.integers(0, size - 1), st.just(size))
)


@given(places, st.binary(max_size=40))
def test_a_proof_reads_back_and_verifies(place, extra):
    index, size = place
    proof = TlogProof.parse(proof_of(index, size, extra).encode())
    assert proof == proof_of(index, size, extra)
    checkpoint = open_checkpoint(proof.checkpoint, LOG.verifier)
    proof.verify(TREE.node(0, index), checkpoint)
    with pytest.raises(BadProof):
        proof.verify(leaf_hash(b"another"), checkpoint)


def test_the_text_is_what_the_specification_shows():
    proof = proof_of(1, 2, b"extra data")
    title, extra, index, sibling, empty, *checkpoint = proof.encode().split("\n")
    assert title == "c2sp.org/tlog-proof@v1"
    assert extra == "extra ZXh0cmEgZGF0YQ=="
    assert index == "index 1"
    assert len(sibling) == 44
    assert empty == ""
    assert "\n".join(checkpoint) == proof.checkpoint
    assert "extra" not in proof_of(1, 2).encode()


@given(st.data())
def test_a_proof_with_any_character_changed_does_not_verify(data):
    text = proof_of(5, 77).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=10).filter(lambda letter: letter != text[at]))
    with pytest.raises(ProtocolError):
        checked(text[:at] + letter + text[at + 1 :])


def checked(text):
    proof = TlogProof.parse(text)
    proof.verify(TREE.node(0, 5), open_checkpoint(proof.checkpoint, LOG.verifier))


@given(st.text("c2sp.org/tlog-proof@v1\nextra index 0123=—", max_size=200) | st.text(max_size=80))
def test_any_text_is_no_proof(text):
    with pytest.raises(ProtocolError):
        TlogProof.parse(text)


@given(st.lists(st.text("extra index01234AB=", max_size=12), max_size=6))
def test_any_lines_before_a_checkpoint_are_a_proof_that_reads_back_or_none(lines):
    text = "\n".join(["c2sp.org/tlog-proof@v1", *lines]) + "\n\n" + proof_of(0, 1).checkpoint
    try:
        proof = TlogProof.parse(text)
    except ProtocolError:
        return
    assert proof.encode() == text


def test_values_out_of_range_are_no_proof():
    good = proof_of(0, 1)
    for index, hashes, extra in (
        (-1, (), b""),
        (2**63 - 1, (), b""),
        (0, (bytes(31),), b""),
        (0, (bytes(32),) * 64, b""),
        (0, (), bytes(MAX_EXTRA_BYTES + 1)),
    ):
        with pytest.raises(Malformed):
            TlogProof(index, hashes, good.checkpoint, extra)
    with pytest.raises(BadNote):
        TlogProof(0, (), "checkpoint")


def test_extra_data_is_not_vouched_for():
    """Why nothing but what the leaf is computed from may be believed of it."""
    text = proof_of(5, 77, b"one").encode().replace("extra b25l", "extra dHdv")
    proof = TlogProof.parse(text)
    proof.verify(TREE.node(0, 5), open_checkpoint(proof.checkpoint, LOG.verifier))
    assert proof.extra == b"two"
