import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadPhrase, BadSignature, Malformed, WeakKey
from consent_client.protocol.keys import (
    check_public_key,
    derive_owner,
    new_phrase,
    owner_tag,
    record_id,
    seed_of,
    verify,
)

ORIGIN = "registry.example"
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SEED = bytes.fromhex("7f" * 16)  # from the vectors of BIP-39 itself

SEEDS = st.binary(min_size=16, max_size=16)


def test_a_phrase_of_bip_39():
    assert seed_of(PHRASE) == SEED


@pytest.mark.parametrize(
    "phrase",
    [
        PHRASE.upper(),
        PHRASE.title(),
        f"  {PHRASE}\n",
        PHRASE.replace(" ", "\t \n"),
        PHRASE.replace(" ", "\u3000"),
        PHRASE.replace("l", "\uff4c"),
    ],
)
def test_a_phrase_typed_another_way_is_the_same(phrase):
    assert seed_of(phrase) == SEED


def test_new_phrases_have_twelve_words_and_differ():
    phrases = {new_phrase() for _ in range(20)}
    assert len(phrases) == 20
    for phrase in phrases:
        assert len(phrase.split()) == 12
        assert len(seed_of(phrase)) == 16


@given(st.text(max_size=100))
def test_any_text_is_a_phrase_or_refused(text):
    with contextlib.suppress(BadPhrase):
        assert len(seed_of(text)) == 16


def test_a_wrong_word_is_named_by_its_place_and_never_repeated():
    words = PHRASE.split()
    words[4] = "wavee"
    with pytest.raises(BadPhrase) as caught:
        seed_of(" ".join(words))
    assert "word 5" in str(caught.value)
    assert not any(word in str(caught.value) for word in words)
    assert caught.value.__context__ is None


@given(SEEDS, st.integers(0, 2**32 - 1))
def test_keys_are_the_same_again(seed, i):
    owner = derive_owner(seed, ORIGIN, i)
    assert owner == derive_owner(seed, ORIGIN, i)
    assert owner.record_id == record_id(owner.public)
    assert owner.owner_tag == owner_tag(owner.public)
    verify(owner.public, owner.sign(b"message"), b"message")


def test_other_seed_registry_or_number_give_unrelated_keys():
    owners = [
        derive_owner(seed, origin, i)
        for seed in (bytes(16), SEED)
        for origin in (ORIGIN, "other.example")
        for i in (0, 1, 2)
    ]
    values = [
        value
        for owner in owners
        for value in (
            owner.private,
            owner.public,
            owner.opening,
            owner.owner_tag,
            owner.record_id,
        )
    ]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("seed", "origin", "i"),
    [
        (b"", ORIGIN, 0),
        (bytes(15), ORIGIN, 0),
        (bytes(32), ORIGIN, 0),
        (SEED, "", 0),
        (SEED, "a b", 0),
        (SEED, ORIGIN, -1),
        (SEED, ORIGIN, 2**32),
    ],
)
def test_keys_come_from_a_seed_a_registry_and_a_number_only(seed, origin, i):
    with pytest.raises(Malformed):
        derive_owner(seed, origin, i)


def test_an_owner_key_does_not_show_its_secrets():
    owner = derive_owner(SEED, ORIGIN, 0)
    shown = f"{owner!r} {owner}"
    for secret in (owner.private, owner.opening, owner.public):
        assert repr(secret) not in shown
        assert secret.hex() not in shown


@given(SEEDS, st.binary(max_size=50), st.data())
def test_a_signature_holds_for_its_message_and_key_only(seed, message, data):
    owner = derive_owner(seed, ORIGIN, 0)
    signature = bytearray(owner.sign(message))
    verify(owner.public, bytes(signature), message)
    with pytest.raises(BadSignature):
        verify(owner.public, bytes(signature), message + b"\0")
    with pytest.raises(BadSignature):
        verify(derive_owner(seed, ORIGIN, 1).public, bytes(signature), message)
    signature[data.draw(st.integers(0, 63))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSignature):
        verify(owner.public, bytes(signature), message)


@given(st.binary(max_size=40), st.binary(max_size=70), st.binary(max_size=10))
def test_any_key_and_signature_are_refused_with_a_typed_error(public, signature, message):
    with pytest.raises((WeakKey, BadSignature)):
        verify(public, signature, message)


@given(st.binary(min_size=32, max_size=32))
def test_keys_that_come_from_a_private_key_are_accepted(private):
    check_public_key(Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw())
