import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadNote, BadProof, Malformed, ProtocolError, WeakKey
from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.encoding import decode_base64, encode_base64
from consent_client.protocol.fingerprints import image_digest
from consent_client.protocol.keys import derive_owner
from consent_client.protocol.log import Day, Register
from consent_client.protocol.merkle import Tree, inclusion_proof, leaf_hash
from consent_client.protocol.notes import NoteSigner, add_signature
from consent_client.protocol.policies import Standing, parse_policy
from consent_client.protocol.receipts import EXTRA_BYTES, Receipt, verify_receipt
from consent_client.protocol.records import RecordContent
from consent_client.protocol.statements import Stance, Statement, Use
from consent_client.protocol.tlog_proofs import TlogProof

LOG = NoteSigner("registry.example/2026", bytes(range(32)))
WITNESS = WitnessSigner("witness.example", bytes(32))
OWNER = derive_owner(bytes(16), LOG.name, 0)
OTHER = derive_owner(bytes(16), LOG.name, 1)
STATEMENT = Statement.of({Use.AI_TRAINING: Stance.NOT_ALLOWED})
CONTENT = RecordContent(OWNER.opening, STATEMENT, {"sha256": (bytes(32),), "pdq-1": (bytes(32),)})

ENTRIES = [
    *(Day(day) for day in range(20_000, 20_005)),
    Register(CONTENT.commitment, OWNER.owner_tag),
    *(Register(bytes([n] * 32), bytes(32)) for n in range(6)),
]
TREE = Tree(leaf_hash(entry.encode()) for entry in ENTRIES)
INDEX = 5
CHECKPOINT = Checkpoint(LOG.name, len(TREE), TREE.root())

POLICY = parse_policy(
    f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n".encode()
)


def receipt(*, witnessed=True, checkpoint=CHECKPOINT, signer=LOG):
    note = sign_checkpoint(checkpoint, signer)
    if witnessed:
        note = add_signature(note, cosign(checkpoint.encode(), WITNESS, 1_800_000_000))
    proof = TlogProof(INDEX, inclusion_proof(TREE.node, INDEX, len(TREE)), note)
    return Receipt(OWNER.opening, STATEMENT, CONTENT.image_digest, OWNER.public, proof)


def test_a_receipt_reads_back_and_says_who_vouches():
    read = Receipt.parse(receipt().encode())
    assert read == receipt()
    vouched = verify_receipt(read, POLICY)
    assert vouched.standing is Standing.WITNESSED
    assert [each.witness for each in vouched.cosignatures] == [WITNESS.verifier]
    assert vouched.cosignatures[0].time == 1_800_000_000
    assert vouched.checkpoint == CHECKPOINT
    assert read.register == ENTRIES[INDEX]


def test_without_its_witness_a_receipt_is_unwitnessed():
    vouched = verify_receipt(receipt(witnessed=False), POLICY)
    assert vouched.standing is Standing.UNWITNESSED
    assert not vouched.satisfied
    assert vouched.cosignatures == ()


def test_a_receipt_holds_the_digest_of_the_fingerprints_and_not_them():
    proof = TlogProof.parse(receipt().encode())
    assert len(proof.extra) == EXTRA_BYTES == 106
    assert proof.extra == (
        OWNER.opening + STATEMENT.encode() + image_digest(CONTENT.fingerprints) + OWNER.public
    )


@pytest.mark.parametrize(
    "change",
    [
        {"opening": bytes(32)},
        {"statement": Statement.of({Use.AI_TRAINING: Stance.ALLOWED})},
        {"image_digest": bytes(32)},
        {"owner_public_key": OTHER.public},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_receipt_for_something_else_is_not_believed(change):
    with pytest.raises(BadProof):
        verify_receipt(dataclasses.replace(receipt(), **change), POLICY)


@given(st.integers(0, 8 * EXTRA_BYTES - 1))
def test_every_bit_of_the_extra_data_is_bound(bit):
    proof = TlogProof.parse(receipt().encode())
    extra = bytearray(proof.extra)
    extra[bit // 8] ^= 1 << bit % 8
    changed = TlogProof(proof.index, proof.hashes, proof.checkpoint, bytes(extra))
    with pytest.raises(ProtocolError):
        verify_receipt(Receipt.parse(changed.encode()), POLICY)


@pytest.mark.parametrize("index", [0, 4, 6, 11, 12])
def test_a_receipt_with_another_index_is_not_believed(index):
    proof = dataclasses.replace(receipt().proof, index=index)
    with pytest.raises(BadProof):
        verify_receipt(dataclasses.replace(receipt(), proof=proof), POLICY)


def test_a_receipt_under_another_tree_is_not_believed():
    for other in (
        Checkpoint(LOG.name, len(TREE), bytes(32)),
        Checkpoint(LOG.name, 17, TREE.root()),
    ):
        with pytest.raises(BadProof):
            verify_receipt(receipt(checkpoint=other), POLICY)


def test_a_receipt_of_a_log_nobody_trusts_is_not_believed():
    forger = NoteSigner(LOG.name, b"\5" * 32)
    with pytest.raises(BadNote):
        verify_receipt(receipt(signer=forger), POLICY)


@pytest.mark.parametrize("length", [0, 1, 32, 105, 107, 212])
def test_extra_data_of_another_length_is_no_receipt(length):
    proof = TlogProof.parse(receipt().encode())
    extra = (proof.extra * 2)[:length]
    with pytest.raises(Malformed):
        Receipt.parse(TlogProof(proof.index, proof.hashes, proof.checkpoint, extra).encode())


def test_a_weak_owner_key_is_no_owner():
    with pytest.raises(WeakKey):
        dataclasses.replace(receipt(), owner_public_key=b"\1" + bytes(31))


def test_what_is_no_receipt_is_not_written():
    good = receipt()
    for change in (
        {"opening": bytes(31)},
        {"image_digest": bytes(33)},
        {"proof": dataclasses.replace(good.proof, extra=b"more")},
        {"proof": dataclasses.replace(good.proof, index=2**53)},
    ):
        with pytest.raises(Malformed):
            dataclasses.replace(good, **change)


@given(st.binary(max_size=200))
def test_any_extra_data_is_a_receipt_that_reads_back_or_none(extra):
    lines = receipt().encode().split("\n")
    lines[1] = f"extra {encode_base64(extra)}"
    try:
        read = Receipt.parse("\n".join(lines))
    except ProtocolError:
        return
    assert decode_base64(read.encode().split("\n")[1].removeprefix("extra ")) == extra


def test_a_receipt_does_not_show_itself_in_a_log():
    shown = repr(receipt())
    for secret in (OWNER.opening, CONTENT.image_digest):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
