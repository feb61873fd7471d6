"""The log of another implementation, aics-tlog: as it was recorded, and live where it is installed.

`tests/vectors/record_second_opinion.py` says how the recording is made.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import (
    WitnessSigner,
    WitnessVerifier,
    cosign,
    verify_cosignature,
)
from consent_client.protocol.encoding import decode_base64
from consent_client.protocol.log import encode_bundle
from consent_client.protocol.merkle import (
    HASH_BYTES,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from consent_client.protocol.notes import (
    NoteSignature,
    NoteSigner,
    NoteVerifier,
    add_signature,
    sign_note,
)
from consent_client.protocol.policies import Standing, parse_policy, vouch
from consent_client.protocol.tiles import (
    decode_tile,
    new_bundles,
    new_tiles,
    parse_path,
    tile_bytes,
    tile_nodes,
    tile_path,
)

RECORDED = json.loads(
    (Path(__file__).parent.parent / "vectors" / "recorded" / "aics-tlog.json").read_text()
)
LOG = NoteVerifier.parse(RECORDED["log"])
WITNESS = WitnessVerifier.parse(RECORDED["witness"])
LARGEST = max(case["size"] for case in RECORDED["checkpoints"])
SIGNER = NoteSigner(LOG.name, b"\1" * 32)
WITNESS_SIGNER = WitnessSigner(WITNESS.name, b"\2" * 32)


def entry(index: int) -> bytes:
    return b"entry %d" % index


def hashes(proof: str) -> tuple[bytes, ...]:
    data = decode_base64(proof)
    return decode_tile(data, len(data) // HASH_BYTES) if data else ()


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(leaf_hash(entry(index)) for index in range(LARGEST))


def test_its_checkpoints_are_ours(tree):
    policy = parse_policy(
        f"log {RECORDED['log']}\nwitness w {RECORDED['witness']}\nquorum w\n".encode()
    )
    for case in RECORDED["checkpoints"]:
        checkpoint = Checkpoint(LOG.name, case["size"], tree.root(case["size"]))
        assert open_checkpoint(case["note"], LOG) == checkpoint
        assert verify_cosignature(case["note"], WITNESS).time == case["time"]
        assert vouch(policy, case["note"]).standing is Standing.WITNESSED
        line = cosign(checkpoint.encode(), WITNESS_SIGNER, case["time"])
        assert add_signature(sign_checkpoint(checkpoint, SIGNER), line) == case["note"]


def test_its_proofs_are_ours(tree):
    for case in RECORDED["inclusion"]:
        index, size = case["index"], case["size"]
        proof = hashes(case["proof"])
        assert inclusion_proof(tree.node, index, size) == proof
        verify_inclusion(leaf_hash(entry(index)), index, size, proof, tree.root(size))
    for case in RECORDED["consistency"]:
        old, new = case["old"], case["new"]
        proof = hashes(case["proof"])
        assert consistency_proof(tree.node, old, new) == proof
        verify_consistency(old, new, proof, tree.root(old), tree.root(new))


def test_its_tiles_are_ours(tree):
    size = RECORDED["tiles"]["size"]
    ours = {tile.path: tile_bytes(tree.node, tile) for tile in new_tiles(0, size)}
    for bundle in new_bundles(0, size):
        first = bundle.index * 256
        entries = map(entry, range(first, first + bundle.width))
        ours[bundle.path] = encode_bundle(entries)
    digests = {path: sha256(data).hexdigest() for path, data in ours.items()}
    assert digests == RECORDED["tiles"]["sha256"]
    assert {parse_path(path).path for path in digests} == set(digests)


# Live, where it is installed.


@pytest.fixture(scope="module")
def aics():
    return pytest.importorskip("aics_tlog")


@given(st.integers(1, 2000), st.data())
def test_each_takes_the_others_proofs_from_tiles(aics, tree, size, data):
    ours = {tile.path: tile_bytes(tree.node, tile) for tile in new_tiles(0, size)}
    reader = aics.MemoryTileReader(ours)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert aics.tree_root_from_tiles(reader, size) == tree.root(size)
    proof = tuple(aics.inclusion_proof_from_tiles(reader, index, size))
    nodes = tile_nodes(lambda *place: ours[tile_path(*place)], size)
    assert inclusion_proof(nodes, index, size) == proof
    assert aics.verify_leaf_inclusion(entry(index), index, size, proof, tree.root(size))
    growth = tuple(aics.consistency_proof_from_tiles(reader, old, size))
    assert consistency_proof(nodes, old, size) == growth
    assert aics.verify_consistency(old, size, tree.root(old), tree.root(size), growth)


@given(
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63 - 1),
    st.lists(st.text("abc =+—é", min_size=1), max_size=2),
)
def test_each_takes_the_others_checkpoints(aics, size, root, time, extensions):
    checkpoint = Checkpoint(LOG.name, size, root, tuple(extensions))
    theirs = aics.Checkpoint(LOG.name, size, root, tuple(extensions))
    key = Ed25519PrivateKey.from_private_bytes(SIGNER.private)
    note = aics.sign_checkpoint(theirs, key, LOG.name).serialise()
    assert note == sign_checkpoint(checkpoint, SIGNER)
    cosigned = add_signature(note, cosign(checkpoint.encode(), WITNESS_SIGNER, time))
    witness = Ed25519PrivateKey.from_private_bytes(WITNESS_SIGNER.private)
    _, line = aics.sign_cosignature(
        witness, WITNESS.name, time, LOG.name, size, root, tuple(extensions)
    )
    assert add_signature(note, NoteSignature(line.name, line.key_id, line.signature)) == cosigned
    log_key, witness_key = (aics.parse_vkey(each.vkey) for each in (LOG, WITNESS))
    verdict = aics.verify_checkpoint(aics.parse_note(cosigned), log_key, [witness_key], quorum=1)
    assert verdict.ok
    forged = sign_note(checkpoint.encode(), NoteSigner(LOG.name, b"\7" * 32))
    assert not aics.verify_checkpoint(aics.parse_note(forged), log_key).ok


PATHS = st.one_of(
    st.text("tile/entriesx012.p", max_size=24),
    st.builds("tile/{}/{}".format, st.sampled_from("012"), st.text("x012/.p", max_size=16)),
    st.integers(0, 2**50).map(lambda index: tile_path(0, index, index % 256 + 1)),
)


@given(PATHS.filter(lambda path: re.match("tile/[1-9][0-9]", path) is None))
def test_each_reads_a_path_as_the_other_does(aics, path):
    """But for levels that no tree of 2⁶³ leaves has, which it takes and we do not."""
    read = aics.tiles.parse_entry_bundle_path if "entries" in path else aics.tiles.parse_tile_path
    try:
        named = parse_path(path)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            read(path)
        return
    width = None if named.width == 256 else named.width
    assert read(path)[-2:] == (named.index, width)
