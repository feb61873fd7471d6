"""What is not the registry's newest word is refused, and then everything is UNKNOWN.

Each attack is on real files that a real registry published, by somebody who holds the server but
no keys; or is a fault of the disk that they lie on.
"""

import json
import shutil

import pytest

from consent_client.errors import (
    NoSnapshot,
    SnapshotDamaged,
    SnapshotError,
    SnapshotExpired,
    SnapshotIncomplete,
    SnapshotRolledBack,
    SnapshotUntrusted,
)
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.verdicts import Verdict
from consent_client.snapshots.pulling import open_snapshot, pull
from consent_client.snapshots.snapshot import first_stage
from consent_client.snapshots.sources import FolderSource
from registry.services.snapshots import open_snapshots
from registry.settings import Settings
from tests.support.people import Picture, columns
from tests.support.registering import Harness

DAYS = 7


@pytest.fixture
def settings(tmp_path):
    return Settings(
        origin="registry.example/test",
        data_dir=tmp_path / "data",
        proof_of_work_digits=1,
        follow_seconds=0.05,
        batch_seconds=0,
        snapshot_days=DAYS,
    )


class Scene:
    """A registry, its snapshot folder as the attacker serves it, and a client."""

    def __init__(self, harness: Harness, folder):
        registry = harness.registry
        self.harness = harness
        self.served = registry.settings.snapshot_dir
        self.client = folder / "client"
        self.verifier = registry.signer.verifier
        self.publisher = open_snapshots(
            registry.settings, registry.store, registry.publisher, registry.signer, harness.clock
        )

    async def publish(self, seed):
        await self.harness.protect(Picture(seed))
        return await self.publisher.publish()

    def pull(self):
        return pull(FolderSource(self.served), self.client, self.verifier, self.harness.clock.now)

    def open(self):
        return open_snapshot(self.client, self.verifier, self.harness.clock.now)

    def verdicts(self):
        """Of a picture that nobody registered: CLEAR where a snapshot is relied on."""
        try:
            snapshot = self.open()
        except SnapshotError as error:
            snapshot = error
        block = columns([Picture(900), Picture(901)], "sha256", "sscd-1")
        return set(first_stage(snapshot, block, ["sha256", "sscd-1"]).tolist())


@pytest.fixture
async def scene(harness, tmp_path):
    scene = Scene(harness, tmp_path)
    await scene.publish(1)
    return scene


def one(folder, ending):
    (found,) = [file for file in folder.iterdir() if file.name.endswith(ending)]
    return found


def flip(file, at=-30):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


async def test_a_snapshot_in_date_clears_what_it_does_not_have(scene):
    scene.pull()
    assert scene.verdicts() == {Verdict.CLEAR}


async def test_without_a_download_everything_is_unknown(scene):
    with pytest.raises(NoSnapshot):
        scene.open()
    assert scene.verdicts() == {Verdict.UNKNOWN}


async def test_going_back_is_refused(scene):
    old = scene.served.with_name("old")
    shutil.copytree(scene.served, old)
    await scene.publish(2)
    scene.pull()
    shutil.rmtree(scene.served)
    old.rename(scene.served)
    with pytest.raises(SnapshotRolledBack):
        scene.pull()
    assert scene.open().manifest.serial == 2  # what was there is as good as it was


async def test_holding_back_what_is_new_works_no_longer_than_it_is_in_date(scene):
    scene.pull()
    frozen = scene.served.with_name("frozen")
    shutil.copytree(scene.served, frozen)
    await scene.publish(2)
    shutil.rmtree(scene.served)
    frozen.rename(scene.served)
    assert scene.pull().manifest.serial == 1  # nothing tells yet
    scene.harness.clock.advance(days=DAYS)
    with pytest.raises(SnapshotExpired):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


async def test_metadata_that_has_expired_is_refused_whatever_the_manifest_says(harness, tmp_path):
    scene = Scene(harness, tmp_path)
    harness.clock.advance(days=-30)  # published a month ago, by the machine's own clock
    await scene.publisher.publish()
    with pytest.raises(SnapshotExpired):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("folder", "ending", "error"),
    [
        ("targets", "1-sscd-1-0.parquet", SnapshotDamaged),
        ("targets", "manifest.json", SnapshotDamaged),
        ("metadata", "1.targets.json", SnapshotDamaged),
        ("metadata", "1.snapshot.json", SnapshotDamaged),
        ("metadata", "timestamp.json", SnapshotUntrusted),
        ("metadata", "1.root.json", SnapshotUntrusted),
    ],
)
async def test_a_bit_flipped_on_the_server_is_refused(scene, folder, ending, error):
    flip(one(scene.served / folder, ending))
    with pytest.raises(error):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


@pytest.mark.parametrize("ending", ["1-sha256-0.parquet", "manifest.json"])
async def test_a_file_missing_on_the_server_is_refused(scene, ending):
    one(scene.served / "targets", ending).unlink()
    with pytest.raises(SnapshotIncomplete):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


@pytest.mark.parametrize("ending", ["1-pdq-1-0.parquet", "manifest.json"])
async def test_a_bit_flipped_or_a_file_missing_after_the_download_is_refused(scene, ending):
    scene.pull()
    file = one(scene.client / "targets", ending)
    flip(file)
    with pytest.raises(SnapshotDamaged):
        scene.open()
    assert scene.verdicts() == {Verdict.UNKNOWN}
    file.unlink()
    with pytest.raises(SnapshotIncomplete):
        scene.open()
    assert scene.verdicts() == {Verdict.UNKNOWN}
    assert scene.pull().manifest.serial == 1  # which mends it


@pytest.mark.parametrize("name", ["timestamp.json", "snapshot.json", "targets.json"])
async def test_metadata_altered_after_the_download_is_refused(scene, name):
    scene.pull()
    flip(scene.client / "metadata" / name)
    with pytest.raises(SnapshotError):
        scene.open()
    assert scene.verdicts() == {Verdict.UNKNOWN}


async def test_the_parts_of_another_publication_are_refused(scene):
    """All that is signed may not be put together anew: a delta left out is a registration lost."""
    await scene.publish(2)
    scene.pull()
    metadata = scene.served / "metadata"
    (metadata / "2.targets.json").write_bytes((metadata / "1.targets.json").read_bytes())
    shutil.rmtree(scene.client)
    with pytest.raises(SnapshotError):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


async def test_a_root_that_the_registrys_key_did_not_sign_is_refused(scene):
    stranger = NoteSigner(scene.verifier.name, bytes(range(32)))
    scene.verifier = stranger.verifier
    with pytest.raises(SnapshotUntrusted):
        scene.pull()
    assert scene.verdicts() == {Verdict.UNKNOWN}


async def test_a_snapshot_signed_by_other_keys_is_refused(scene, tmp_path):
    scene.pull()
    timestamp = scene.served / "metadata" / "timestamp.json"
    value = json.loads(timestamp.read_text())
    value["signed"]["version"] = 9
    timestamp.write_text(json.dumps(value))
    with pytest.raises(SnapshotUntrusted):
        scene.pull()


async def test_what_is_published_after_a_folder_was_lost_is_believed(scene):
    await scene.publish(2)
    scene.pull()
    shutil.rmtree(scene.served)
    result = await scene.publish(3)
    assert result.is_base
    assert result.manifest.serial == 3
    assert scene.pull().manifest == result.manifest
