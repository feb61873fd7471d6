"""What is encrypted for one record, under one key and epoch, opens there and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import EnvelopeError
from registry.vault.envelope import (
    CONTENT_BYTES,
    WRAPPED_BYTES,
    Kek,
    decrypt_record,
    encrypt_record,
    new_data_key,
    unwrap_data_key,
    wrap_data_key,
    wrapped_epoch,
)

KEYS = st.binary(min_size=32, max_size=32)
RECORDS = st.binary(min_size=16, max_size=16)
EPOCHS = st.integers(0, 2**32 - 1)
PLAINTEXT = bytes(range(256)) * 32


def altered(data, at, by):
    out = bytearray(data)
    out[at % len(out)] ^= by
    return bytes(out)


@given(KEYS, RECORDS)
def test_content_comes_back(key, record):
    stored = encrypt_record(key, record, PLAINTEXT)
    assert len(stored) == CONTENT_BYTES == 8_221
    assert decrypt_record(key, record, stored) == PLAINTEXT


@given(KEYS, EPOCHS, RECORDS, KEYS)
def test_a_data_key_comes_back(kek, epoch, record, key):
    wrapped = wrap_data_key(Kek(kek), epoch, record, key)
    assert len(wrapped) == WRAPPED_BYTES == 65
    assert wrapped_epoch(wrapped) == epoch
    assert unwrap_data_key({epoch: Kek(kek)}, record, wrapped) == key


@given(KEYS, KEYS, RECORDS, RECORDS)
def test_content_opens_for_no_other_key_or_record(key, other_key, record, other_record):
    stored = encrypt_record(key, record, PLAINTEXT)
    for a_key, a_record in ((other_key, record), (key, other_record)):
        if (a_key, a_record) != (key, record):
            with pytest.raises(EnvelopeError):
                decrypt_record(a_key, a_record, stored)


@given(KEYS, KEYS, EPOCHS, EPOCHS, RECORDS, RECORDS)
def test_a_data_key_opens_for_no_other_kek_epoch_or_record(
    kek, other_kek, epoch, other_epoch, record, other_record
):
    wrapped = wrap_data_key(Kek(kek), epoch, record, new_data_key())
    both = {epoch: Kek(kek)}
    if other_kek != kek:
        with pytest.raises(EnvelopeError):
            unwrap_data_key({epoch: Kek(other_kek)}, record, wrapped)
    if other_record != record:
        with pytest.raises(EnvelopeError):
            unwrap_data_key(both, other_record, wrapped)
    if other_epoch != epoch:
        with pytest.raises(EnvelopeError):
            unwrap_data_key({other_epoch: Kek(kek)}, record, wrapped)
        relabelled = wrapped[:1] + other_epoch.to_bytes(4) + wrapped[5:]
        with pytest.raises(EnvelopeError):
            unwrap_data_key({epoch: Kek(kek), other_epoch: Kek(kek)}, record, relabelled)


@given(st.integers(0), st.integers(1, 255))
def test_one_altered_byte_anywhere_is_noticed(at, by):
    key, kek, record = new_data_key(), Kek(new_data_key()), bytes(16)
    with pytest.raises(EnvelopeError):
        decrypt_record(key, record, altered(encrypt_record(key, record, PLAINTEXT), at, by))
    wrapped = wrap_data_key(kek, 5, record, key)
    keks = dict.fromkeys(range(300), kek)
    with pytest.raises(EnvelopeError):
        unwrap_data_key(keks, record, altered(wrapped, at, by))


@given(st.binary(max_size=200), RECORDS)
def test_any_bytes_give_the_typed_error_and_no_other(data, record):
    keks = dict.fromkeys(range(4), Kek(bytes(32)))
    for attempt in (
        lambda: decrypt_record(bytes(32), record, data),
        lambda: unwrap_data_key(keks, record, data),
        lambda: unwrap_data_key(keks, data, b"\x01\0\0\0\x02" + bytes(60)),
        lambda: decrypt_record(data, record, b"\x01" + bytes(CONTENT_BYTES - 1)),
    ):
        with pytest.raises(EnvelopeError):
            attempt()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: encrypt_record(bytes(16), bytes(16), PLAINTEXT),
        lambda: encrypt_record(bytes(32), bytes(17), PLAINTEXT),
        lambda: encrypt_record(bytes(32), bytes(16), PLAINTEXT[:-1]),
        lambda: encrypt_record(bytes(32), bytes(16), b""),
        lambda: wrap_data_key(Kek(bytes(32)), -1, bytes(16), bytes(32)),
        lambda: wrap_data_key(Kek(bytes(32)), 2**32, bytes(16), bytes(32)),
        lambda: wrap_data_key(Kek(bytes(32)), 1, bytes(16), bytes(31)),
        lambda: wrap_data_key(Kek(bytes(32)), 1, bytes(15), bytes(32)),
        lambda: Kek(bytes(31)),
        lambda: Kek(b""),
    ],
)
def test_what_does_not_fit_the_format_is_never_written(attempt):
    with pytest.raises(EnvelopeError):
        attempt()


@settings(max_examples=20)
@given(KEYS, RECORDS)
def test_nothing_is_encrypted_twice_the_same(key, record):
    assert encrypt_record(key, record, PLAINTEXT) != encrypt_record(key, record, PLAINTEXT)
    kek = Kek(key)
    assert wrap_data_key(kek, 1, record, key) != wrap_data_key(kek, 1, record, key)
    assert new_data_key() != new_data_key()


def test_no_key_is_shown():
    key = b"\xabk" * 16
    kek = Kek(key)
    assert repr(kek) == str(kek) == f"{kek}" == "Kek()"
    assert repr({1: kek}) == "{1: Kek()}"
    assert not hasattr(kek, "__dict__")


def test_an_error_holds_neither_key_nor_content():
    key, record = b"\xabk" * 16, b"\xcdr" * 8
    stored = altered(encrypt_record(key, record, PLAINTEXT), 100, 1)
    wrapped = altered(wrap_data_key(Kek(key), 1, record, key), 30, 1)
    with pytest.raises(EnvelopeError) as content:
        decrypt_record(key, record, stored)
    with pytest.raises(EnvelopeError) as data_key:
        unwrap_data_key({1: Kek(key)}, record, wrapped)
    for text in (str(content.value), str(data_key.value)):
        for secret in (key, record, wrapped[:20], stored[:20]):
            assert secret.hex()[:8] not in text
            assert repr(secret)[2:10] not in text
