"""Publishing, downloading and opening snapshots, with a real registry and real files."""

import pytest

from consent_client.errors import SnapshotExpired
from consent_client.protocol.log import Snapshot as SnapshotEntry
from consent_client.protocol.log import decode_entry
from consent_client.snapshots.pulling import open_snapshot, pull
from consent_client.snapshots.sources import FolderSource
from registry.services.snapshots import SnapshotPublisher
from registry.snapshots.folder import SnapshotFolder
from registry.store import entries
from registry.vault.key_store import FileKeyStore
from tests.support.people import Picture, columns

LIFETIME_DAYS = 7


@pytest.fixture
def published(tmp_path):
    return tmp_path / "snapshots"


@pytest.fixture
def publisher(harness, published):
    registry = harness.registry
    return SnapshotPublisher(
        registry.store,
        FileKeyStore(registry.settings.keyring_dir),
        registry.publisher,
        registry.signer,
        SnapshotFolder(published),
        harness.clock,
        LIFETIME_DAYS,
        registry.bank,
    )


@pytest.fixture
def fetch(harness, published, tmp_path):
    def fetched(folder="client"):
        return pull(
            FolderSource(published),
            tmp_path / folder,
            harness.registry.signer.verifier,
            harness.clock.now,
        )

    return fetched


async def test_what_is_registered_is_a_candidate_and_the_rest_is_not(harness, publisher, fetch):
    protected, others = [Picture(n) for n in range(3)], [Picture(n) for n in range(50, 90)]
    for picture in protected:
        await harness.protect(picture)
    result = await publisher.publish()
    assert result.is_base
    snapshot = fetch()
    found = snapshot.candidates(columns(protected + others, "sha256", "pdq-1", "sscd-1"))
    assert found[:3].all()
    assert found[3:].sum() <= 3


async def test_deltas_are_all_that_is_downloaded_and_lead_to_what_a_newcomer_sees(
    harness, publisher, fetch, tmp_path
):
    owners = [await harness.protect(Picture(n)) for n in range(3)]
    await publisher.publish()
    old = fetch()
    await harness.protect(Picture(7))
    owner, request, _ = owners[0]
    await harness.withdraw(owner, request.commitment)
    result = await publisher.publish()
    assert not result.is_base
    assert result.changed >= 4 * 256  # four spaces, dummies included
    before = {file.name for file in (tmp_path / "client" / "targets").iterdir()}
    new, newcomer = fetch(), fetch("newcomer")
    fetched = {file.name for file in (tmp_path / "client" / "targets").iterdir()} - before
    assert fetched == {f"2-{name}-0.parquet" for name in new.manifest.spaces}
    assert new.manifest == newcomer.manifest
    seen = columns([Picture(n) for n in (0, 1, 7)], "sha256")
    assert old.candidates(seen).tolist() == [True, True, False]
    assert new.candidates(seen).tolist() == [False, True, True]


async def test_each_publication_is_in_the_log(harness, publisher, fetch):
    await harness.protect(Picture(1))
    await publisher.publish()
    snapshot = fetch()
    async with harness.registry.store.read() as connection:
        size = await entries.log_size(connection)
        rows = await entries.read_data(connection, 0, size)
    logged = [entry for entry in map(decode_entry, rows) if isinstance(entry, SnapshotEntry)]
    assert logged == [SnapshotEntry(1, snapshot.log_size, snapshot.manifest_digest)]
    assert harness.registry.publisher.size == size


async def test_nothing_new_is_a_publication_without_a_part(harness, publisher, fetch):
    await harness.protect(Picture(1))
    first = await publisher.publish()
    harness.clock.advance(days=3)
    second = await publisher.publish()
    assert second.changed == 0
    assert second.manifest.parts == first.manifest.parts
    assert second.manifest.expires > first.manifest.expires
    assert fetch().manifest == second.manifest


async def test_past_its_expiry_everything_is_unknown(harness, publisher, fetch, tmp_path):
    await publisher.publish()
    snapshot = fetch()
    harness.clock.advance(days=LIFETIME_DAYS)
    block = columns([Picture(1)], "sha256")
    with pytest.raises(SnapshotExpired):
        snapshot.candidates(block)
    with pytest.raises(SnapshotExpired):
        open_snapshot(tmp_path / "client", harness.registry.signer.verifier, harness.clock.now)
