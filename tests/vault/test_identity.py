"""A key store is one database's."""

import os
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ConfigurationError
from registry.vault.identity import check_own, check_unused, mark, mark_of
from registry.vault.key_store import FileKeyStore
from registry.vault.secrets import issue


@dataclass(frozen=True)
class Row:
    wrapped: bytes
    name: str = "note-signing"
    key_name: str = "secret-note-signing"


def test_a_mark_is_a_key_that_is_made_once(tmp_path):
    key_store = FileKeyStore(tmp_path / "keyring")
    name = mark_of(issue(key_store, "note-signing"))
    mark(key_store, name)
    mark(key_store, name)
    assert key_store.names() == {"secret-note-signing", name}
    check_own(key_store.names(), name)
    with pytest.raises(ConfigurationError):
        check_own(key_store.names(), mark_of(issue(key_store, "note-signing")))


def test_a_key_store_is_unused_until_founding_is_done():
    check_unused([])
    check_unused(["epoch-1", "secret-note-signing", "secret-challenges"])
    for other in ("epoch-2", "sealing-00", "registry-00", "epoch-10", "anything"):
        with pytest.raises(ConfigurationError):
            check_unused(["epoch-1", other])


@given(st.binary(min_size=16, max_size=60), st.binary(min_size=16, max_size=60))
def test_two_registries_have_one_mark_only_where_their_secrets_begin_alike(one, other):
    alike = one[:16] == other[:16]
    assert (mark_of(Row(one)) == mark_of(Row(other))) == alike


def test_a_mark_shows_nothing_that_was_wrapped(tmp_path):
    key_store = FileKeyStore(tmp_path / "keyring")
    first, second = (mark_of(issue(key_store, "note-signing")) for _ in range(2))
    assert first != second
    assert mark_of(Row(os.urandom(60))) not in {first, second}
