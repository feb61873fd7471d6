import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadCheckpoint, BadNote, ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from consent_client.protocol.merkle import EMPTY_ROOT
from consent_client.protocol.notes import NoteSigner, sign_note

SIGNER = NoteSigner("registry.example/2026", bytes(range(32)))
ROOT = bytes(range(32))

checkpoints = st.builds(
    Checkpoint,
    st.just(SIGNER.name),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(
        st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), min_size=1), max_size=2
    ).map(tuple),
)


@given(checkpoints)
def test_a_checkpoint_reads_back(checkpoint):
    assert Checkpoint.parse(checkpoint.encode()) == checkpoint
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER), SIGNER.verifier) == checkpoint


def test_the_example_of_the_specification_reads():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert Checkpoint.parse(text).size == 20_852_163
    assert Checkpoint.parse(text).encode() == text


@given(st.text("registry.example\n0123456789=/+AB", max_size=120) | st.text(max_size=80))
def test_any_text_is_a_checkpoint_that_reads_back_or_none(text):
    try:
        checkpoint = Checkpoint.parse(text)
    except ProtocolError:
        return
    assert checkpoint.encode() == text


@given(checkpoints, st.data())
def test_a_checkpoint_with_any_character_changed_is_not_opened(checkpoint, data):
    note = sign_checkpoint(checkpoint, SIGNER)
    at = data.draw(st.integers(0, len(note) - 1))
    letter = data.draw(st.characters(min_codepoint=10).filter(lambda letter: letter != note[at]))
    with pytest.raises(ProtocolError):
        open_checkpoint(note[:at] + letter + note[at + 1 :], SIGNER.verifier)


@pytest.mark.parametrize(
    ("size", "root", "extensions"),
    [
        (-1, ROOT, ()),
        (2**63, ROOT, ()),
        (1, ROOT[:-1], ()),
        (0, ROOT, ()),
        (1, ROOT, ("",)),
        (1, ROOT, ("two\nlines",)),
        (1, ROOT, ("a\0",)),
        (1, ROOT, ("\ud800",)),
    ],
)
def test_what_no_log_says_is_no_checkpoint(size, root, extensions):
    with pytest.raises(BadCheckpoint):
        Checkpoint("registry.example", size, root, extensions)


def test_the_empty_log_has_a_checkpoint():
    empty = Checkpoint(SIGNER.name, 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, SIGNER), SIGNER.verifier) == empty


def test_a_log_speaks_for_itself_only():
    other = Checkpoint("other.example", 1, ROOT)
    with pytest.raises(BadCheckpoint):
        sign_checkpoint(other, SIGNER)
    with pytest.raises(BadCheckpoint):
        open_checkpoint(sign_note(other.encode(), SIGNER), SIGNER.verifier)


def test_a_note_about_something_else_is_no_checkpoint():
    with pytest.raises(BadCheckpoint):
        open_checkpoint(sign_note("text\n", SIGNER), SIGNER.verifier)
    with pytest.raises(BadNote):
        open_checkpoint("text\n", SIGNER.verifier)
