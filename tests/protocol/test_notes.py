import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadNote
from consent_client.protocol.notes import NoteSigner, NoteVerifier, sign_note, verify_note

SIGNER = NoteSigner("registry.example", bytes(range(32)))
OTHER = NoteSigner("registry.example", bytes(32))

LETTERS = st.characters(min_codepoint=32, exclude_categories=("Cs",))
TEXTS = st.lists(st.text(LETTERS, max_size=20), min_size=1, max_size=4).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(TEXTS)
def test_a_note_reads_back(text):
    if text == "\n":
        return
    assert verify_note(sign_note(text, SIGNER), SIGNER.verifier) == text


@given(TEXTS, st.data())
def test_a_note_with_any_character_changed_is_refused(text, data):
    note = sign_note("title\n" + text, SIGNER)
    at = data.draw(st.integers(0, len(note) - 1))
    letter = data.draw(LETTERS.filter(lambda letter: letter != note[at]))
    with pytest.raises(BadNote):
        verify_note(note[:at] + letter + note[at + 1 :], SIGNER.verifier)


@given(st.text(max_size=100) | st.text("— \na=+", max_size=30))
def test_any_text_is_no_note(text):
    with pytest.raises(BadNote):
        verify_note(text, SIGNER.verifier)


@given(st.text(max_size=60) | st.text("a+0=/", max_size=60))
def test_any_text_is_no_verifier_key(text):
    with pytest.raises(BadNote):
        NoteVerifier.parse(text)


def test_a_verifier_key_of_the_specification():
    """The example key of c2sp.org/signed-note and of Go's sumdb/note."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    verifier = NoteVerifier.parse(vkey)
    assert verifier.vkey == vkey
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdn"
        "gotpRZb6KE6RyyBwJnAM=\n"
    )
    assert verify_note(note, verifier).endswith("your problem is.\n")


def test_a_key_of_the_same_name_is_another_key():
    note = sign_note("text\n", OTHER)
    assert verify_note(note, OTHER.verifier) == "text\n"
    with pytest.raises(BadNote):
        verify_note(note, SIGNER.verifier)


def test_signatures_by_others_are_left_aside():
    text = "text\n"
    witness = NoteSigner("witness.example", bytes(32))
    more = sign_note(text, witness).removeprefix(text + "\n")
    note = sign_note(text, SIGNER) + more
    assert verify_note(note, SIGNER.verifier) == text
    assert verify_note(note, witness.verifier) == text


@pytest.mark.parametrize("text", ["", "\n", "no newline", "a\rb\n", "a\0\n", "\ud800\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text):
    with pytest.raises(BadNote):
        sign_note(text, SIGNER)


@pytest.mark.parametrize(
    ("name", "private"), [("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a", b"key")]
)
def test_what_is_no_signer_is_refused_without_a_trace_of_the_key(name, private):
    with pytest.raises(BadNote) as caught:
        NoteSigner(name, private)
    assert caught.value.__context__ is None


def test_a_signer_does_not_show_its_key():
    assert repr(SIGNER.private) not in repr(SIGNER)
