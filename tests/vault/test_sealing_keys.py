"""Sealing keys: accepted until their expiry day begins, destroyed a day after that."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import SealError
from consent_client.protocol.sealing import PLAINTEXT_BYTES, SealingKey, Suite, open_sealed, seal
from registry.errors import KeyDamaged, KeyMissing, KeyStoreError
from registry.vault.key_store import FileKeyStore
from registry.vault.sealing_keys import (
    expired,
    forgotten,
    is_lost,
    issue,
    load,
    must_be_destroyed,
    unknown,
)

ORIGIN = "registry.example/test"
RECORD, OWNER = bytes(16), bytes(range(32))
DAY = 20_000


@pytest.fixture
def key_store(tmp_path):
    return FileKeyStore(tmp_path / "keyring")


@dataclass(frozen=True)
class Row:
    expiry_day: int
    key_id: bytes = bytes(8)
    suite: int = 1
    key_name: str = "sealing-00"
    wrapped_private: bytes | None = b"wrapped"


@pytest.mark.parametrize("suite", Suite)
def test_what_is_sealed_to_an_issued_key_opens_after_a_restart(key_store, suite):
    row = issue(key_store, suite, DAY, 90)
    public = SealingKey(row.suite, row.public, row.issue_day, row.expiry_day)
    assert public.key_id == row.key_id
    assert (row.issue_day, row.expiry_day) == (DAY, DAY + 90)
    plaintext = bytes(PLAINTEXT_BYTES)
    sealed = seal(plaintext, public, ORIGIN, RECORD, OWNER)
    secret = load(FileKeyStore(key_store._path), row)
    assert open_sealed(sealed, secret, row.key_id, ORIGIN, RECORD, OWNER) == plaintext


@pytest.mark.parametrize("suite", Suite)
def test_each_key_opens_only_its_own(key_store, suite):
    first, second = issue(key_store, suite, DAY, 90), issue(key_store, suite, DAY, 90)
    assert first.key_id != second.key_id
    public = SealingKey(first.suite, first.public, first.issue_day, first.expiry_day)
    sealed = seal(bytes(PLAINTEXT_BYTES), public, ORIGIN, RECORD, OWNER)
    with pytest.raises(SealError):
        open_sealed(sealed, load(key_store, second), first.key_id, ORIGIN, RECORD, OWNER)


@pytest.mark.parametrize("suite", Suite)
def test_a_row_that_was_mixed_up_does_not_load(key_store, suite):
    first, second = issue(key_store, suite, DAY, 90), issue(key_store, suite, DAY, 90)
    for spoilt in (
        replace(first, wrapped_private=second.wrapped_private),
        replace(first, key_name=second.key_name),
        replace(first, key_id=second.key_id),
        replace(first, wrapped_private=first.wrapped_private[:-1]),
        replace(first, wrapped_private=b""),
    ):
        with pytest.raises(KeyStoreError):
            load(key_store, spoilt)


@given(st.integers(0, 2**31), st.integers(1, 400))
def test_a_client_and_the_registry_agree_on_the_days(day, lifetime):
    key = SealingKey(Suite.X25519, bytes(range(32)), day, day + lifetime)
    row = Row(expiry_day=key.expiry_day)
    for later in (0, lifetime - 1, lifetime, lifetime + 1):
        assert key.usable(day + later) == (not expired(row, day + later))


@pytest.mark.parametrize(("suite", "claimed"), [(1, 2), (2, 1), (2, 0), (2, 99)])
def test_a_row_that_names_another_suite_does_not_load(key_store, suite, claimed):
    row = issue(key_store, Suite(suite), DAY, 90)
    with pytest.raises(KeyDamaged):
        load(key_store, replace(row, suite=claimed))


def test_a_destroyed_private_half_is_gone(key_store):
    row = issue(key_store, Suite.X25519, DAY, 90)
    with pytest.raises(KeyMissing):
        load(key_store, replace(row, wrapped_private=None))
    key_store.destroy(row.key_name)
    with pytest.raises(KeyMissing):  # a backup that still has the wrapped half does not help
        load(key_store, row)


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_the_days(expiry, day):
    row = Row(expiry_day=expiry)
    assert expired(row, day) == (day >= expiry)
    assert must_be_destroyed(row, day) == (day >= expiry + 1)
    assert not must_be_destroyed(replace(row, wrapped_private=None), day)


@pytest.mark.parametrize(
    ("day", "is_expired", "is_destroyed"),
    [(98, False, False), (99, False, False), (100, True, False), (101, True, True)],
)
def test_around_the_expiry_day(day, is_expired, is_destroyed):
    row = Row(expiry_day=100)
    assert (expired(row, day), must_be_destroyed(row, day)) == (is_expired, is_destroyed)


def test_what_is_left_over_or_lost_is_named_and_nothing_else(key_store):
    kept = issue(key_store, Suite.X25519, DAY, 90)
    past = issue(key_store, Suite.X25519, DAY, 90)
    never_stored = issue(key_store, Suite.X25519, DAY, 90)
    key_store.create("epoch-1")
    key_store.create("secret-note-signing")
    rows = [kept, replace(past, wrapped_private=None)]
    names = key_store.names()
    assert forgotten(names, rows) == {past.key_name}
    assert unknown(names, rows) == {never_stored.key_name}
    assert forgotten(set(), rows) == unknown(set(), rows) == set()
    assert [is_lost(row, names) for row in rows] == [False, False]
    assert [is_lost(row, names - {kept.key_name}) for row in rows] == [True, False]


def test_no_private_half_is_shown(key_store):
    row = issue(key_store, Suite.X_WING, DAY, 90)
    private = load(key_store, row).private_bytes
    for text in (repr(row), repr(load(key_store, row))):
        assert private.hex()[:8] not in text
        assert repr(private)[2:10] not in text
        assert "wrapped" not in text
