"""Publishing, downloading and opening snapshots, with a real registry and real files."""

import itertools

import pytest

from consent_client.errors import SnapshotExpired
from consent_client.protocol.log import Snapshot as SnapshotEntry
from consent_client.protocol.log import decode_entry
from consent_client.snapshots import layout
from consent_client.snapshots.pulling import open_snapshot, pull
from consent_client.snapshots.sources import FolderSource
from registry.errors import ConfigurationError, StoreBusy
from registry.services.snapshots import Schedule, SnapshotPublisher, load_keys
from registry.snapshots import metadata
from registry.snapshots.folder import SnapshotFolder
from registry.snapshots.metadata import RoleKeys
from registry.store import entries
from registry.store.engine import SQLITE
from registry.vault.key_store import FileKeyStore
from tests.support.people import Picture, columns

LIFETIME_DAYS = 7

# Where the database does nothing but hold an entry.
ON_FILES = pytest.mark.parametrize("store_url", [SQLITE], indirect=True)


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
    entry = SnapshotEntry(1, snapshot.log_size, snapshot.manifest_digest)
    assert await _logged(harness) == [entry]
    assert harness.registry.publisher.size > snapshot.log_size


@ON_FILES
async def test_nothing_new_is_a_publication_without_a_part(harness, publisher, fetch):
    await harness.protect(Picture(1))
    first = await publisher.publish()
    harness.clock.advance(days=3)
    second = await publisher.publish()
    assert second.changed == 0
    assert second.manifest.parts == first.manifest.parts
    assert second.manifest.expires > first.manifest.expires
    assert fetch().manifest == second.manifest


@ON_FILES
async def test_past_its_expiry_everything_is_unknown(harness, publisher, fetch, tmp_path):
    await publisher.publish()
    snapshot = fetch()
    harness.clock.advance(days=LIFETIME_DAYS)
    block = columns([Picture(1)], "sha256")
    with pytest.raises(SnapshotExpired):
        snapshot.candidates(block)
    with pytest.raises(SnapshotExpired):
        open_snapshot(tmp_path / "client", harness.registry.signer.verifier, harness.clock.now)


class _Crash(Exception):
    """What stops a publication in its middle."""


@ON_FILES
async def test_a_crash_anywhere_is_recovered_from(harness, publisher, fetch, monkeypatch):
    """The process dies before it has written one thing or another, and the next goes on."""
    await harness.protect(Picture(0))
    serial = (await publisher.publish()).manifest.serial
    for number, at in enumerate(_POINTS):
        await harness.protect(Picture(number + 1))
        with monkeypatch.context() as patched:
            died = await _publishes_until(at, publisher, patched)
        assert died == (at < _STEPS)
        between = fetch()  # whatever is there is whole
        assert between.manifest.serial in {serial, serial + 1}
        assert between.candidates(columns([Picture(number)], "sha256")).all()
        again = await publisher.publish()
        snapshot = fetch()
        assert snapshot.manifest == again.manifest
        assert snapshot.candidates(columns([Picture(n) for n in range(number + 2)], "sha256")).all()
        serial = again.manifest.serial
    assert fetch("newcomer").manifest == snapshot.manifest
    logged = await _logged(harness)
    assert [entry.serial for entry in logged] == list(range(1, serial + 1))
    assert logged[-1].manifest_digest == snapshot.manifest_digest


_STEPS = 10
"""Note, four parts, manifest, targets, snapshot, the entry, timestamp."""

_POINTS = (2, 6, 8, 9, _STEPS)
"""With a part, the targets, the entry and the timestamp not written, and with nothing missing."""


async def _publishes_until(at, publisher, patched):
    """Publishes, and dies at the `at`-th thing that is written; whether it did."""
    written = itertools.count()
    write, append = SnapshotFolder.write, entries.append

    def step():
        if next(written) == at:
            raise _Crash

    def dying_write(folder, path, data):
        step()
        write(folder, path, data)

    async def dying_append(connection, encoded):
        step()
        return await append(connection, encoded)

    patched.setattr(SnapshotFolder, "write", dying_write)
    patched.setattr("registry.services.snapshots.entries.append", dying_append)
    try:
        await publisher.publish()
    except _Crash:
        return True
    return False


async def test_what_died_before_its_entry_is_published_under_the_same_serial(
    harness, publisher, fetch, monkeypatch
):
    async def dying(*_):
        raise _Crash

    with monkeypatch.context() as patched:
        patched.setattr("registry.services.snapshots.entries.append", dying)
        with pytest.raises(_Crash):
            await publisher.publish()
    await harness.protect(Picture(1))
    assert (await publisher.publish()).manifest.serial == 1
    assert fetch().candidates(columns([Picture(1)], "sha256")).all()


@ON_FILES
async def test_two_do_not_publish_at_once(publisher, published):
    with SnapshotFolder(published).lock(), pytest.raises(StoreBusy):
        await publisher.publish()


@ON_FILES
async def test_a_schedule_publishes_when_it_is_time(harness, publisher):
    schedule = Schedule(publisher, harness.clock, 24 * 3_600)
    assert await schedule.keep()
    assert not await schedule.keep()
    harness.clock.advance(days=1)
    assert await schedule.keep()


@ON_FILES
async def test_a_root_signed_elsewhere_is_taken_and_another_is_refused(
    harness, publisher, published, fetch
):
    registry = harness.registry
    folder = SnapshotFolder(published)
    folder.write(layout.FIRST_ROOT, b"{}")  # so that no root key is made here
    key_store = FileKeyStore(registry.settings.keyring_dir)
    keys = await load_keys(registry.store, key_store, folder)
    assert "root" not in keys.roles.keys
    with pytest.raises(ConfigurationError):
        await publisher.publish()
    offline = RoleKeys({**keys.roles.keys, "root": bytes(range(32))})
    folder.write(layout.FIRST_ROOT, metadata.first_root(offline, harness.clock.now()))
    await publisher.publish()
    assert fetch().manifest.serial == 1


async def _logged(harness):
    async with harness.registry.store.read() as connection:
        size = await entries.log_size(connection)
        rows = await entries.read_data(connection, 0, size)
    return [entry for entry in map(decode_entry, rows) if isinstance(entry, SnapshotEntry)]
