"""Fills a registry's database with records, through the vault and the repositories.

The records are what registering would have left behind: real entries, content encrypted under data
keys that are wrapped under an epoch. They are not sealed, signed or worked for, which would take
hours for a million. Their fingerprints are random, in the numbers that a client registers: `pdq-1`
in eight rotations and mirrors, `sscd-1` also mirrored.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from consent_client.protocol.fingerprints import Fingerprints
from consent_client.protocol.keys import owner_tag
from consent_client.protocol.log import Register
from consent_client.protocol.records import RecordContent
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Basis, Stance, Statement, Use
from registry.matching.packaged_bank import packaged_bank
from registry.services.clock import SystemClock
from registry.services.founding import found
from registry.store import entries, records
from registry.store.engine import Store, open_store
from registry.store.migrate import upgrade
from registry.vault.envelope import encrypt_record, new_data_key, wrap_data_key
from registry.vault.key_store import FileKeyStore
from registry.vault.keyring import Keyring
from registry.vault.stored_content import StoredContent

PER_RECORD = {"pdq-1": 8, "sha256": 1, "sscd-1": 2}
"""Fingerprints of a record in each space, as `consent protect` makes them."""

REFUSAL = Statement.of(dict.fromkeys(Use, Stance.NOT_ALLOWED), Basis.DATA_SUBJECT)

# Records written in one transaction: 40 MB.
_PORTION = 5_000


def random_vectors(generator: np.random.Generator, count: int) -> bytes:
    """`count` random fingerprints of `sscd-1`, one after the other."""
    vectors = generator.standard_normal((count, SPACES["sscd-1"].dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype("<f2").tobytes()


def random_fingerprints(generator: np.random.Generator, count: int) -> Iterator[Fingerprints]:
    """`count` records' fingerprints, of pictures that nobody has taken."""
    data = {
        name: random_vectors(generator, count * each)
        if name == "sscd-1"
        else generator.bytes(count * each * SPACES[name].size)
        for name, each in PER_RECORD.items()
    }
    for record in range(count):
        yield {
            name: tuple(_pieces(data[name], record * each, each, SPACES[name].size))
            for name, each in PER_RECORD.items()
        }


async def fill(
    database_url: str, keyring_folder: Path, origin: str, count: int, seed: int = 0
) -> list[Fingerprints]:
    """Founds a registry and writes `count` records.

    Returns:
        The first few records' fingerprints, to screen for.
    """
    await upgrade(database_url)
    key_store = FileKeyStore(keyring_folder)
    keyring = Keyring(key_store)
    store = open_store(database_url)
    try:
        await found(store, key_store, keyring, SystemClock(), origin)
        generator = np.random.default_rng(seed)
        first: list[Fingerprints] = []
        for start in range(0, count, _PORTION):
            portion = list(random_fingerprints(generator, min(_PORTION, count - start)))
            first = first or portion[:10]
            await _write(store, keyring, portion)
        await store.checkpoint_wal()
    finally:
        await store.dispose()
    return first


async def _write(store: Store, keyring: Keyring, portion: list[Fingerprints]) -> None:
    epoch = keyring.current_epoch
    kek = keyring.keks[epoch]
    async with store.write() as connection:
        first = await entries.log_size(connection)
        new = []
        for index, fingerprints in enumerate(portion, first):
            content = RecordContent(secrets.token_bytes(32), REFUSAL, fingerprints)
            record_id, data_key = secrets.token_bytes(16), new_data_key()
            new.append(
                records.NewRecord(
                    register_index=index,
                    record_id=record_id,
                    owner_public_key=secrets.token_bytes(32),
                    commitment=content.commitment,
                    ciphertext=encrypt_record(data_key, record_id, measured(content).encode()),
                    epoch=epoch,
                    wrapped=wrap_data_key(kek, epoch, record_id, data_key),
                )
            )
        await entries.append(
            connection,
            [Register(row.commitment, owner_tag(row.owner_public_key)).encode() for row in new],
        )
        await records.insert_many(connection, new)


def measured(content: RecordContent) -> StoredContent:
    """As registering leaves it behind; how alike the bank is was not computed, but made up."""
    bank = packaged_bank()
    nearest = {name: (0.25,) * len(content.fingerprints[name]) for name in bank.vectors}
    return StoredContent(content, bank.version, nearest)


def _pieces(data: bytes, first: int, count: int, size: int) -> Iterator[bytes]:
    for start in range(first * size, (first + count) * size, size):
        yield data[start : start + size]
