"""Which registry a key store belongs to.

Two databases on one key store would destroy each other's keys: what one does not know, it takes
for left over. So the key store is marked, by a key that wraps nothing and is named after the
registry. The name is the beginning of the registry's first wrapped secret: random, made once when
it is founded, and the same in its backups and companions.
"""

from collections.abc import Iterable
from typing import Final

from registry.errors import ConfigurationError
from registry.vault.key_store import KeyStore
from registry.vault.secrets import SecretRow

_NAMES: Final = "registry-"
_ID_BYTES: Final = 16

# What founding makes before the database says that it was founded.
_EPOCH: Final = "epoch-1"
_SECRETS: Final = "secret-"

_ANOTHERS: Final = (
    "The key store belongs to another database. Each has a key store of its own: move this one "
    "away, or name another folder or another database. A copy of a database needs a copy of its "
    "key store."
)


def mark_of(first_secret: SecretRow) -> str:
    """The name of the key that marks a registry's key store."""
    return _NAMES + first_secret.wrapped[:_ID_BYTES].hex()


def check_unused(names: Iterable[str]) -> None:
    """Before a registry is founded: nothing is there but what an interrupted founding left.

    Raises:
        ConfigurationError: there is; another database needs it.
    """
    if not all(name == _EPOCH or name.startswith(_SECRETS) for name in names):
        raise ConfigurationError(_ANOTHERS)


def check_own(names: Iterable[str], mark: str) -> None:
    """No other registry has marked it. Unmarked is one that was founded by an older version.

    Raises:
        ConfigurationError: another has.
    """
    if any(name.startswith(_NAMES) and name != mark for name in names):
        raise ConfigurationError(_ANOTHERS)


def mark(key_store: KeyStore, name: str) -> None:
    """Marks it; repeating it changes nothing.

    Raises:
        KeyStoreError: the key store can not be used.
    """
    key_store.create(name)
