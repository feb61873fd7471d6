import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadCheckpoint, BadNote, ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import (
    MAX_TIME,
    Cosignature,
    WitnessSigner,
    WitnessVerifier,
    cosign,
    verify_cosignature,
    verify_cosignatures,
)
from consent_client.protocol.keys import verify
from consent_client.protocol.notes import (
    MAX_SIGNATURES,
    NoteSignature,
    NoteSigner,
    NoteVerifier,
    add_signature,
    sign_note,
    split_note,
    verify_note,
)

LOG = NoteSigner("registry.example/2026", bytes(range(32)))
WITNESS = WitnessSigner("witness.example/w1", bytes(32))
SECOND = WitnessSigner("witness.example/w2", b"\1" * 32)
CHECKPOINT = Checkpoint(LOG.name, 7, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, LOG)
TEXT = CHECKPOINT.encode()


@given(st.integers(0, MAX_TIME))
def test_a_cosignature_verifies_and_leaves_the_logs_own_alone(time):
    note = add_signature(NOTE, cosign(TEXT, WITNESS, time))
    assert verify_cosignature(note, WITNESS.verifier) == Cosignature(WITNESS.verifier, time)
    assert open_checkpoint(note, LOG.verifier) == CHECKPOINT


def test_what_is_signed_is_what_the_specification_says():
    signature = cosign(TEXT, WITNESS, 1_679_315_147).signature
    assert int.from_bytes(signature[:8]) == 1_679_315_147
    message = f"cosignature/v1\ntime 1679315147\n{TEXT}".encode()
    verify(WITNESS.verifier.public, signature[8:], message)


def test_a_verifier_key_reads_back_and_is_of_its_own_kind():
    vkey = WITNESS.verifier.vkey
    assert WitnessVerifier.parse(vkey) == WITNESS.verifier
    with pytest.raises(BadNote):
        NoteVerifier.parse(vkey)
    log = NoteSigner(WITNESS.name, WITNESS.private).verifier
    assert log.key_hash != WITNESS.verifier.key_hash
    with pytest.raises(BadNote):
        WitnessVerifier.parse(log.vkey)


def test_a_signature_of_one_kind_is_none_of_the_other():
    """The same private key, once as a log's and once as a witness's."""
    plain = NoteSigner(WITNESS.name, WITNESS.private)
    with pytest.raises(BadNote):
        verify_cosignature(sign_note(TEXT, plain), WITNESS.verifier)
    note = add_signature(NOTE, cosign(TEXT, WITNESS, 1))
    with pytest.raises(BadNote):
        verify_note(note, plain.verifier)
    relabelled = NoteSignature(
        WITNESS.name, WITNESS.verifier.key_hash, bytes(8) + split_note(NOTE)[1][0].signature
    )
    with pytest.raises(BadNote):
        verify_cosignature(add_signature(NOTE, relabelled), WITNESS.verifier)


@given(st.data())
def test_a_cosignature_with_any_bit_changed_is_refused(data):
    line = cosign(TEXT, WITNESS, 1_700_000_000)
    changed = bytearray(line.signature)
    bit = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    note = add_signature(NOTE, NoteSignature(line.name, line.key_hash, bytes(changed)))
    with pytest.raises(BadNote):
        verify_cosignature(note, WITNESS.verifier)
    with pytest.raises(BadNote):
        verify_cosignatures(note, [SECOND.verifier, WITNESS.verifier])


def test_a_cosignature_is_of_one_checkpoint_with_all_its_lines():
    line = cosign(TEXT, WITNESS, 1)
    for other in (
        Checkpoint(LOG.name, 8, CHECKPOINT.root),
        Checkpoint(LOG.name, 7, CHECKPOINT.root, ("a line more",)),
    ):
        with pytest.raises(BadNote):
            verify_cosignature(add_signature(sign_checkpoint(other, LOG), line), WITNESS.verifier)


@pytest.mark.parametrize("length", [1, 8, 71, 73])
def test_a_cosignature_has_its_length(length):
    signature = (cosign(TEXT, WITNESS, 1).signature + b"\0")[:length]
    line = NoteSignature(WITNESS.name, WITNESS.verifier.key_hash, signature)
    with pytest.raises(BadNote):
        verify_cosignature(add_signature(NOTE, line), WITNESS.verifier)


def test_of_several_witnesses_those_are_named_that_cosigned():
    note = add_signature(NOTE, cosign(TEXT, SECOND, 5))
    assert verify_cosignatures(note, []) == ()
    assert verify_cosignatures(note, [WITNESS.verifier]) == ()
    both = [WITNESS.verifier, SECOND.verifier]
    assert verify_cosignatures(note, both) == (Cosignature(SECOND.verifier, 5),)
    note = add_signature(note, cosign(TEXT, WITNESS, 6))
    assert [each.time for each in verify_cosignatures(note, both)] == [6, 5]
    with pytest.raises(BadNote):
        verify_cosignature(NOTE, WITNESS.verifier)


def test_one_key_signs_once():
    line = cosign(TEXT, WITNESS, 5)
    note = add_signature(NOTE, line)
    with pytest.raises(BadNote):
        add_signature(note, cosign(TEXT, WITNESS, 6))
    with pytest.raises(BadNote):
        verify_cosignatures(note + line.line, [WITNESS.verifier])


def test_a_note_takes_so_many_signatures():
    note = NOTE
    for number in range(MAX_SIGNATURES - 1):
        note = add_signature(note, NoteSignature(f"witness{number}", bytes(4), b"\1"))
    assert len(split_note(note)[1]) == MAX_SIGNATURES
    with pytest.raises(BadNote):
        add_signature(note, NoteSignature("one.more", bytes(4), b"\1"))
    with pytest.raises(BadNote):
        add_signature(NOTE, NoteSignature("long", bytes(4), bytes(65_536)))


@pytest.mark.parametrize(
    ("name", "key_hash", "signature"),
    [
        ("", bytes(4), b"a"),
        ("a b", bytes(4), b"a"),
        ("a+b", bytes(4), b"a"),
        ("a\u2003b", bytes(4), b"a"),
        ("a\0b", bytes(4), b"a"),
        ("\ud800", bytes(4), b"a"),
        ("a", bytes(3), b"a"),
        ("a", bytes(5), b"a"),
        ("a", bytes(4), b""),
    ],
)
def test_what_is_no_signature_is_not_added(name, key_hash, signature):
    with pytest.raises(BadNote):
        NoteSignature(name, key_hash, signature)


def test_only_checkpoints_are_cosigned():
    with pytest.raises(BadCheckpoint):
        cosign("text\n", WITNESS, 1)
    with pytest.raises(BadCheckpoint):
        verify_cosignature(sign_note("text\n", LOG), WITNESS.verifier)
    for time in (-1, MAX_TIME + 1):
        with pytest.raises(BadNote):
            cosign(TEXT, WITNESS, time)


@given(st.text(max_size=100) | st.text("— \na=+", max_size=30))
def test_any_text_is_no_cosigned_checkpoint(text):
    with pytest.raises(ProtocolError):
        verify_cosignatures(text, [WITNESS.verifier])


@pytest.mark.parametrize(("name", "private"), [("a b", bytes(32)), ("a", b"key")])
def test_what_is_no_witness_is_refused(name, private):
    with pytest.raises(BadNote):
        WitnessSigner(name, private)
    assert repr(WITNESS.private) not in repr(WITNESS)


@given(st.text(max_size=60) | st.text("a+0=/", max_size=60))
def test_any_text_is_no_witness_key(text):
    with pytest.raises(BadNote):
        WitnessVerifier.parse(text)
