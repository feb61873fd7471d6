"""Downloads what is new of a snapshot, and opens what was downloaded.

A folder holds the metadata that is trusted, the manifest and the parts. Opening it checks all of it
again, as if it had just been downloaded: only a part that is whole, signed and in date is searched.
What was downloaded before is not downloaded again, so after the first time only deltas are.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater

from consent_client.errors import (
    Malformed,
    NoSnapshot,
    SnapshotDamaged,
    SnapshotExpired,
    SnapshotIncomplete,
    SnapshotUntrusted,
    StateError,
)
from consent_client.private_files import create_private, private_folder, read_private
from consent_client.protocol.notes import NoteVerifier
from consent_client.snapshots import code_sets, layout, trust
from consent_client.snapshots.manifest import Manifest
from consent_client.snapshots.parts import read_part
from consent_client.snapshots.snapshot import Snapshot
from consent_client.snapshots.sources import FolderSource, Source

BOOTSTRAP: Final = "first-root.json"
TRUSTED: Final = "metadata"
FILES: Final = "targets"


def pull(
    source: Source,
    folder: Path,
    verifier: NoteVerifier,
    now: Callable[[], float] = time.time,
) -> Snapshot:
    """Downloads what is new, and opens it.

    Args:
        source: where from.
        folder: where to; made if missing. One process at a time.
        verifier: the registry's key, which its checkpoints are signed with.
        now: Unix time.

    Raises:
        SnapshotError: what is offered can not be relied on; nor then what was there before, unless
            `open_snapshot` opens it.
        TransportError: the source can not be reached.
        StateError: the folder can not be used.
    """
    private_folder(folder)
    bootstrap = read_private(folder / BOOTSTRAP)
    if bootstrap is None:
        bootstrap = trust.first_root(source, verifier)
        create_private(folder / BOOTSTRAP, bootstrap)
    with _usable(folder):
        updater = _updater(source, folder, bootstrap)
        with trust.told():
            updater.refresh()
            manifest, _ = _manifest(_fetched(updater, layout.MANIFEST), verifier)
            names = [part.name for part in manifest.parts]
            for name in names:
                _fetched(updater, name)
        kept = {layout.MANIFEST, *names}
        for file in (folder / FILES).iterdir():
            if file.name not in kept:
                file.unlink()
    return open_snapshot(folder, verifier, now)


def open_snapshot(
    folder: Path, verifier: NoteVerifier, now: Callable[[], float] = time.time
) -> Snapshot:
    """Opens what was downloaded; reads every byte and checks it.

    Raises:
        SnapshotError: it can not be relied on.
        StateError: the folder can not be read.
    """
    bootstrap = read_private(folder / BOOTSTRAP)
    if bootstrap is None or not (folder / TRUSTED / "timestamp.json").exists():
        raise NoSnapshot("no snapshot was downloaded yet; run consent snapshot pull")
    with _usable(folder):
        updater = _updater(FolderSource(folder / TRUSTED), folder, bootstrap, offline=True)
        with trust.told():
            updater.refresh()
            manifest, digest = _manifest(_kept(updater, folder, layout.MANIFEST), verifier)
            codes = {
                name: code_sets.empty(-(-facts.bits // 8))
                for name, facts in manifest.spaces.items()
            }
            for part in manifest.parts:
                before = codes[part.space_id]
                data = _kept(updater, folder, part.name).read_bytes()
                codes[part.space_id] = read_part(data, before.shape[1]).applied_to(before)
    if now() >= manifest.expires:
        raise SnapshotExpired("the snapshot has expired; run consent snapshot pull")
    return Snapshot.build(manifest, digest, codes, now)


def _updater(source: Source, folder: Path, bootstrap: bytes, *, offline: bool = False) -> Updater:
    for name in (TRUSTED, FILES):
        (folder / name).mkdir(exist_ok=True)
    below = "" if offline else layout.METADATA
    with trust.told():
        return Updater(
            str(folder / TRUSTED),
            f"{source.root}/{below}",
            str(folder / FILES),
            f"{source.root}/{layout.TARGETS}",
            fetcher=source.fetcher,
            bootstrap=bootstrap,
        )


def _target(updater: Updater, name: str) -> TargetFile:
    found = updater.get_targetinfo(name)
    if found is None:
        raise SnapshotDamaged("a file that nobody signed")
    return found


def _fetched(updater: Updater, name: str) -> Path:
    target = _target(updater, name)
    known = updater.find_cached_target(target)
    return Path(known or updater.download_target(target))


def _kept(updater: Updater, folder: Path, name: str) -> Path:
    known = updater.find_cached_target(_target(updater, name))
    if known is None:
        there = (folder / FILES / name).exists()
        raise (SnapshotDamaged if there else SnapshotIncomplete)(
            "a file that was downloaded is damaged" if there else "a file is missing"
        )
    return Path(known)


def _manifest(path: Path, verifier: NoteVerifier) -> tuple[Manifest, bytes]:
    data = path.read_bytes()
    try:
        manifest = Manifest.decode(data)
    except Malformed as error:
        raise SnapshotDamaged(str(error)) from None
    if manifest.origin != verifier.name:
        raise SnapshotUntrusted("the snapshot is another registry's")
    return manifest, hashlib.sha256(data).digest()


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Turns trouble with the folder into `StateError`."""
    try:
        yield
    except OSError as error:
        message = f"{folder} can not be used: {error.strerror or type(error).__name__}"
        raise StateError(message, str(folder)) from None
