import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import BadNote, Malformed, NoUsableKey, ProtocolError, SealError
from consent_client.protocol.keys import derive_owner
from consent_client.protocol.notes import NoteSigner, sign_note
from consent_client.protocol.sealing import (
    MAX_SEALING_KEYS,
    NOTE_TITLE,
    PLAINTEXT_BYTES,
    PRIVATE_BYTES,
    PUBLIC_BYTES,
    SEALED_BYTES,
    SealingKey,
    SealingSecret,
    Suite,
    decode_sealing_keys,
    encode_sealing_keys,
    open_sealed,
    seal,
    usable_key,
)

ORIGIN = "registry.example"
OWNER = derive_owner(bytes(range(16)), ORIGIN, 0)
SIGNER = NoteSigner("registry.example/sealing-keys", bytes(range(32)))
PLAINTEXT = bytes(range(256)) * (PLAINTEXT_BYTES // 256)
SECRETS = {suite: SealingSecret.generate(suite) for suite in Suite}
KEYS = {suite: SealingKey(suite, SECRETS[suite].public_bytes, 10, 20) for suite in Suite}
BLOBS = {
    suite: seal(PLAINTEXT, KEYS[suite], ORIGIN, OWNER.record_id, OWNER.public) for suite in Suite
}

each_suite = pytest.mark.parametrize("suite", Suite)


def open_blob(suite, blob):
    secret = SECRETS[suite]
    return open_sealed(blob, secret, secret.key_id, ORIGIN, OWNER.record_id, OWNER.public)


@each_suite
def test_what_is_sealed_opens(suite):
    assert open_blob(suite, BLOBS[suite]) == PLAINTEXT
    assert len(BLOBS[suite]) == SEALED_BYTES[suite]
    assert KEYS[suite].key_id == SECRETS[suite].key_id


@each_suite
def test_sealing_twice_gives_unlike_blobs(suite):
    again = seal(PLAINTEXT, KEYS[suite], ORIGIN, OWNER.record_id, OWNER.public)
    assert again != BLOBS[suite]


@each_suite
@given(data=st.data())
@settings(max_examples=150)
def test_a_blob_with_any_byte_changed_does_not_open(suite, data):
    spoiled = bytearray(BLOBS[suite])
    at = data.draw(st.integers(0, 1200) | st.integers(0, len(spoiled) - 1))
    spoiled[at] ^= data.draw(st.integers(1, 255))
    # Bit 255 of an X25519 share is ignored by X25519 itself, but HPKE hashes the share as sent.
    with pytest.raises(SealError):
        open_blob(suite, bytes(spoiled))


@each_suite
@given(blob=st.binary(max_size=100) | st.integers(0, 9400).map(bytes))
def test_any_bytes_do_not_open(suite, blob):
    with pytest.raises(SealError):
        open_blob(suite, blob)


@each_suite
def test_a_blob_opens_for_its_registry_record_owner_and_key_only(suite):
    other = derive_owner(bytes(range(16)), ORIGIN, 1)
    secret = SECRETS[suite]
    right = [secret, secret.key_id, ORIGIN, OWNER.record_id, OWNER.public]
    wrong = [
        SealingSecret.generate(suite),
        bytes(8),
        "other.example",
        other.record_id,
        other.public,
    ]
    for at, value in enumerate(wrong):
        arguments = [*right[:at], value, *right[at + 1 :]]
        with pytest.raises(SealError):
            open_sealed(BLOBS[suite], *arguments)


@each_suite
def test_private_keys_read_back(suite):
    secret = SECRETS[suite]
    assert len(secret.private_bytes) == PRIVATE_BYTES[suite]
    assert len(secret.public_bytes) == PUBLIC_BYTES[suite]
    again = SealingSecret.from_private_bytes(suite, secret.private_bytes)
    assert again == secret
    for data in (b"", secret.private_bytes[:-1], secret.private_bytes + b"\0"):
        with pytest.raises(Malformed):
            SealingSecret.from_private_bytes(suite, data)


@each_suite
@pytest.mark.parametrize("size", [0, PLAINTEXT_BYTES - 1, PLAINTEXT_BYTES + 1])
def test_only_plaintexts_of_the_one_size_are_sealed(suite, size):
    with pytest.raises(Malformed):
        seal(bytes(size), KEYS[suite], ORIGIN, OWNER.record_id, OWNER.public)


@each_suite
@given(data=st.binary(max_size=40) | st.integers(0, 1300).map(bytes))
def test_any_bytes_are_no_public_key_or_one_to_seal_to(suite, data):
    try:
        key = SealingKey(suite, data, 1, 2)
    except Malformed:
        return
    seal(PLAINTEXT, key, ORIGIN, OWNER.record_id, OWNER.public)


def test_suites_do_not_share_key_ids():
    x25519 = SECRETS[Suite.X25519].public_bytes
    x_wing = SECRETS[Suite.X_WING].public_bytes
    assert KEYS[Suite.X25519].key_id != KEYS[Suite.X_WING].key_id
    for suite, public in ((Suite.X_WING, x25519), (Suite.X25519, x_wing)):
        with pytest.raises(Malformed):
            SealingKey(suite, public, 1, 2)


@pytest.mark.parametrize(("issue", "expiry"), [(-1, 1), (2, 2), (2, 1), (0, 2**32)])
def test_days_of_a_key_are_in_order(issue, expiry):
    with pytest.raises(Malformed):
        SealingKey(Suite.X25519, SECRETS[Suite.X25519].public_bytes, issue, expiry)


def test_the_note_reads_back_in_any_order():
    keys = [*KEYS.values(), key_of(Suite.X25519, 1, 5)]
    note = encode_sealing_keys(ORIGIN, keys, SIGNER)
    assert encode_sealing_keys(ORIGIN, keys[::-1], SIGNER) == note
    assert set(decode_sealing_keys(note, ORIGIN, SIGNER.verifier)) == set(keys)


def test_a_full_note_of_the_largest_keys_is_within_the_limit():
    keys = [key_of(Suite.X_WING, day, day + 30) for day in range(MAX_SEALING_KEYS)]
    note = encode_sealing_keys(ORIGIN, keys, SIGNER)
    assert len(decode_sealing_keys(note, ORIGIN, SIGNER.verifier)) == MAX_SEALING_KEYS


@pytest.mark.parametrize("count", [0, MAX_SEALING_KEYS + 1])
def test_a_note_has_a_sensible_number_of_keys(count):
    keys = [key_of(Suite.X25519, 1, 2) for _ in range(count)]
    with pytest.raises(BadNote):
        encode_sealing_keys(ORIGIN, keys, SIGNER)


def test_a_key_is_not_published_twice():
    with pytest.raises(BadNote):
        encode_sealing_keys(ORIGIN, [KEYS[Suite.X25519]] * 2, SIGNER)


LINES = st.lists(st.text(max_size=20) | st.text("12 0A=/+\n", max_size=40), max_size=3)


@given(LINES)
def test_any_signed_text_is_a_list_of_keys_or_refused(lines):
    text = "".join(f"{line}\n" for line in (NOTE_TITLE, ORIGIN, *lines))
    with pytest.raises(BadNote):
        decode_sealing_keys(sign_note(text, SIGNER), ORIGIN, SIGNER.verifier)


@given(st.text(max_size=200))
def test_any_text_is_no_note(text):
    with pytest.raises(ProtocolError):
        decode_sealing_keys(text, ORIGIN, SIGNER.verifier)


def key_of(suite, issue, expiry):
    return SealingKey(suite, SealingSecret.generate(suite).public_bytes, issue, expiry)


def test_the_newest_key_of_the_preferred_suite_is_used():
    old, new = key_of(Suite.X_WING, 10, 40), key_of(Suite.X_WING, 20, 30)
    classical = key_of(Suite.X25519, 25, 50)
    keys = [new, classical, old]
    assert usable_key(keys, 10) is old
    assert usable_key(keys, 20) is new
    assert usable_key(keys, 29) is new
    assert usable_key(keys, 30) is old  # refused on its expiry day
    assert usable_key(keys, 40) is classical
    assert usable_key(keys, 26, (Suite.X25519,)) is classical
    for day, preference in ((9, tuple(Suite)), (50, tuple(Suite)), (40, (Suite.X_WING,))):
        with pytest.raises(NoUsableKey):
            usable_key(keys, day, preference)
