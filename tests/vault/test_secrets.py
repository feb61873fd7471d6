"""Named secrets come back under their name alone."""

from dataclasses import replace

import pytest

from registry.errors import KeyMissing, KeyStoreError
from registry.vault.key_store import FileKeyStore
from registry.vault.secrets import SECRET_BYTES, issue, load


@pytest.fixture
def key_store(tmp_path):
    return FileKeyStore(tmp_path / "keyring")


def test_a_secret_is_the_same_after_a_restart(key_store):
    row = issue(key_store, "note-signing")
    secret = load(key_store, row)
    assert len(secret) == SECRET_BYTES
    assert load(FileKeyStore(key_store._path), row) == secret
    assert secret not in row.wrapped


def test_two_secrets_differ(key_store):
    first, second = issue(key_store, "note-signing"), issue(key_store, "challenges")
    again = issue(key_store, "note-signing")  # the first was never stored
    assert len({load(key_store, row) for row in (first, second, again)}) == 3


def test_a_secret_under_another_name_does_not_open(key_store):
    row, other = issue(key_store, "note-signing"), issue(key_store, "challenges")
    for spoilt in (
        replace(row, name="challenges"),
        replace(row, key_name=other.key_name),
        replace(row, wrapped=other.wrapped),
        replace(row, wrapped=row.wrapped[:-1]),
    ):
        with pytest.raises(KeyStoreError):
            load(key_store, spoilt)


def test_without_its_key_it_is_missing(key_store):
    row = issue(key_store, "note-signing")
    key_store.destroy(row.key_name)
    with pytest.raises(KeyMissing):
        load(key_store, row)


def test_what_can_be_no_name_is_refused(key_store):
    for name in ("Note", "../up", "a" * 100):
        with pytest.raises(KeyStoreError):
            issue(key_store, name)


def test_it_is_not_shown(key_store):
    row = issue(key_store, "note-signing")
    assert "wrapped" not in repr(row)
