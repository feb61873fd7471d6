"""Publishing snapshots: codes of the active records, for builders to download.

The order makes a crash harmless. Files whose names hold their hashes come first, and metadata that
nothing refers to yet. Then the SNAPSHOT entry is appended and published, and only then
`timestamp.json` is replaced, which makes all of it visible. A crash before the entry leaves files
that nobody reads, which the next publication of the same serial writes over; a crash after it is
finished by whoever publishes next, from the digest in the entry.

What was published is read back from the folder, checked against the log, and continued. A folder
that was lost or damaged is begun anew with a base, under the next serial.
"""

import asyncio
import hashlib
import io
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray
from tuf.api.exceptions import RepositoryError

from consent_client.errors import ConsentError
from consent_client.protocol.log import EntryType, decode_entry
from consent_client.protocol.log import Snapshot as SnapshotEntry
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.own_spaces import SpaceFile
from consent_client.protocol.spaces import SPACES
from consent_client.snapshots import code_sets, layout
from consent_client.snapshots.codings import (
    MOST_TOP_SHARE,
    Codes,
    FloatCoding,
    correlations_share,
    in_snapshots,
    measured_of,
    packaged,
    top_share,
)
from consent_client.snapshots.manifest import Manifest, Part
from consent_client.snapshots.parts import read_part, write_parts
from registry.errors import ConfigurationError, CorruptRegistry, RegistryError
from registry.matching.packaged_bank import packaged_bank
from registry.matching.specificity import Bank
from registry.services.clock import SECONDS_PER_DAY, Clock
from registry.services.following import open_record
from registry.services.publishing import Publisher
from registry.settings import Settings
from registry.snapshots import metadata
from registry.snapshots.folder import SnapshotFolder
from registry.snapshots.metadata import RoleKeys
from registry.snapshots.plans import Contents, Plan, Registered, plan
from registry.store import entries, epochs, records
from registry.store import secrets as stored
from registry.store.engine import Store
from registry.vault import secrets as vault
from registry.vault.key_store import FileKeyStore, KeyStore
from registry.vault.keyring import Keyring
from registry.vault.stored_content import StoredContent

log = structlog.get_logger(__name__)

# Rows read and decrypted at a time, as the follower does.
PORTION: Final = 2_000

# How often it is looked whether a publication is due; after trouble it is tried again so soon.
LOOK_SECONDS: Final = 60.0

DUMMIES: Final = "snapshot-dummies"
_ROLE_SECRETS: Final = {role: f"snapshot-{role}-role" for role in metadata.ROLES}


@dataclass(frozen=True, slots=True)
class Published:
    """A publication that is visible.

    Attributes:
        manifest: what it says of itself.
        is_base: whether clients have to download everything.
        changed: codes that came or went with it, dummies included; of a base all.
    """

    manifest: Manifest
    is_base: bool
    changed: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What publishing needs of the key store."""

    roles: RoleKeys
    dummies: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Visible:
    """What is published now."""

    manifest: Manifest
    contents: Contents
    targets: dict[str, bytes] = field(repr=False)


class SnapshotPublisher:
    """Publishes snapshots of one registry; one process does it at a time.

    Args:
        store: where the records are.
        key_store: holds the keys.
        publisher: of the log.
        signer: the registry's own key, which clients have pinned.
        folder: where the files go.
        clock: what time it is.
        lifetime_days: how long a publication may be relied on.
        bank: public pictures, on which whitening is checked.
    """

    def __init__(
        self,
        store: Store,
        key_store: KeyStore,
        publisher: Publisher,
        signer: NoteSigner,
        folder: SnapshotFolder,
        clock: Clock,
        lifetime_days: int,
        bank: Bank,
    ) -> None:
        self._store = store
        self._key_store = key_store
        self._publisher = publisher
        self._signer = signer
        self._folder = folder
        self._clock = clock
        self._lifetime_days = lifetime_days
        self._bank = bank
        self._white = False  # not looked at yet

    async def publish(self) -> Published:
        """Publishes the state of the log as it is now; finishes first what was interrupted.

        Raises:
            StoreBusy: another process is about it.
            ConfigurationError: a coding that is not white, or a root that is another registry's.
            CorruptRegistry, StoreError, VaultError: nothing became visible.
        """
        if not self._white:
            await asyncio.to_thread(check_white, self._bank)
            self._white = True
        with self._folder.lock():
            keys = await load_keys(self._store, self._key_store, self._folder)
            newest = await newest_entry(self._store)
            await self._finish(newest, keys)
            await asyncio.to_thread(self._begin_trust, keys.roles)
            log_size = await self._publisher.publish()
            registered = await active_fingerprints(self._store, self._key_store, log_size)
            return await self._publish(registered, log_size, newest, keys)

    def issued_at(self) -> float | None:
        """When the visible publication was made, Unix time; None: there is none."""
        known = self._folder.read(layout.TIMESTAMP)
        if known is None:
            return None
        return metadata.expiry_of(known) - self._lifetime_days * SECONDS_PER_DAY

    async def _publish(
        self, registered: Registered, log_size: int, newest: SnapshotEntry | None, keys: Keys
    ) -> Published:
        serial = newest.serial + 1 if newest else 1
        visible = await asyncio.to_thread(self._visible, newest)
        deltas = visible.manifest.serial - visible.manifest.base if visible else 0
        contents = visible.contents if visible else None
        chosen = await asyncio.to_thread(plan, registered, keys.dummies, contents, deltas)
        manifest, files = await asyncio.to_thread(
            self._files, chosen, serial, log_size, visible, keys.roles
        )
        data = manifest.encode()
        for path, content in files.items():
            await asyncio.to_thread(self._folder.write, path, content)
        entry = SnapshotEntry(serial, log_size, hashlib.sha256(data).digest())
        async with self._store.write() as connection:
            await entries.append(connection, [entry.encode()])
        await self._finish(entry, keys)
        log.info("a snapshot was published", serial=serial, base=chosen.is_base)
        changed = sum(each.rows for each in chosen.changes.values())
        return Published(manifest, chosen.is_base, changed)

    async def _finish(self, newest: SnapshotEntry | None, keys: Keys) -> None:
        """Makes visible what is logged."""
        if newest is None:
            return
        await self._publisher.publish()
        await asyncio.to_thread(self._show, newest, keys)

    def _show(self, newest: SnapshotEntry, keys: Keys) -> None:
        known = self._folder.read(layout.TIMESTAMP)
        if known is not None and metadata.version_of(known) >= newest.serial:
            return
        listed = self._folder.read(f"metadata/{newest.serial}.targets.json")
        if listed is None:
            return  # the folder was lost: the next serial begins it anew
        targets = metadata.targets_of(listed)
        manifest = self._target(targets, layout.MANIFEST)
        if manifest is None or hashlib.sha256(manifest).digest() != newest.manifest_digest:
            return
        expires = Manifest.decode(manifest).expires
        signed = metadata.signed(newest.serial, expires, targets, keys.roles)
        self._folder.write(layout.TIMESTAMP, signed.timestamp)

    def _begin_trust(self, keys: RoleKeys) -> None:
        """Root metadata, and the note by which clients know it."""
        root = self._folder.read(layout.FIRST_ROOT)
        if root is None:
            if "root" not in keys.keys:
                message = "The snapshots' root key is offline, and its root metadata is missing."
                raise ConfigurationError(message)
            root = metadata.first_root(keys, self._clock.now())
            self._folder.write(layout.FIRST_ROOT, root)
        metadata.check_root(root, keys)
        self._folder.write(layout.ROOT_NOTE, layout.root_note(self._signer, root).encode())

    def _files(
        self,
        chosen: Plan,
        serial: int,
        log_size: int,
        visible: _Visible | None,
        keys: RoleKeys,
    ) -> tuple[Manifest, dict[str, bytes]]:
        continued = visible is not None and not chosen.is_base
        parts = list(visible.manifest.parts) if visible and continued else []
        targets = {part.name: visible.targets[part.name] for part in parts if visible is not None}
        files = {}
        for name, changed in chosen.changes.items():
            for number, data in enumerate(write_parts(changed)):
                part = Part(serial, name, f"{serial}-{name}-{number}.parquet", changed.rows)
                parts.append(part)
                targets[part.name] = metadata.described(data)
                files[_path(part.name, targets[part.name])] = data
        manifest = Manifest(
            origin=self._signer.name,
            serial=serial,
            base=visible.manifest.base if visible and continued else serial,
            log_size=log_size,
            expires=int(self._clock.now()) + self._lifetime_days * SECONDS_PER_DAY,
            spaces=chosen.contents.facts(),
            parts=tuple(parts),
        )
        data = manifest.encode()
        targets[layout.MANIFEST] = metadata.described(data)
        files[_path(layout.MANIFEST, targets[layout.MANIFEST])] = data
        signed = metadata.signed(serial, manifest.expires, targets, keys)
        return manifest, files | {f"metadata/{name}": file for name, file in signed.files.items()}

    def _visible(self, newest: SnapshotEntry | None) -> _Visible | None:
        """What is published now and can be continued; None: a base is needed."""
        if newest is None:
            return None
        listed = self._folder.read(f"metadata/{newest.serial}.targets.json")
        if listed is None:
            return None
        try:
            targets = metadata.targets_of(listed)
            data = self._target(targets, layout.MANIFEST)
            if data is None or hashlib.sha256(data).digest() != newest.manifest_digest:
                return None
            manifest = Manifest.decode(data)
            if set(manifest.spaces) != {space.id for space in in_snapshots()} or any(
                facts.coding != measured_of(name).version for name, facts in manifest.spaces.items()
            ):
                return None
            contents = self._contents(manifest, targets)
        except (ConsentError, RepositoryError, KeyError):
            return None
        return None if contents is None else _Visible(manifest, contents, targets)

    def _contents(self, manifest: Manifest, targets: dict[str, bytes]) -> Contents | None:
        bits = {name: facts.bits for name, facts in manifest.spaces.items()}
        codes: dict[str, Codes] = {
            name: code_sets.empty(-(-count // 8)) for name, count in bits.items()
        }
        for part in manifest.parts:
            data = self._target(targets, part.name)
            if data is None:
                return None
            before = codes[part.space_id]
            codes[part.space_id] = read_part(data, before.shape[1]).applied_to(before)
        for name, facts in manifest.spaces.items():
            if code_sets.digest(name, facts.bits, codes[name]) != facts.digest:
                return None
        return Contents(bits, codes)

    def _target(self, targets: dict[str, bytes], name: str) -> bytes | None:
        """A published file, or None where it is missing or damaged."""
        data = self._folder.read(_path(name, targets[name]))
        return data if data is not None and metadata.described(data) == targets[name] else None


def _path(name: str, described: bytes) -> str:
    return f"targets/{described[:32].hex()}.{name}"


def check_white(bank: Bank) -> None:
    """Refuses codings that are not white on public pictures.

    Without whitening, bits repeat one another: codes tell more of a fingerprint than is stated, and
    find less.

    Raises:
        ConfigurationError: one is not.
    """
    for name, coding in packaged().codings.items():
        public = bank.vectors.get(name)
        if isinstance(coding, FloatCoding) and public is not None and len(public) > coding.bits:
            fingerprints = np.ascontiguousarray(public.astype("<f2")).view(np.uint8)
            if not top_share(coding, fingerprints) <= MOST_TOP_SHARE:
                message = f"The coding of {name} is not white: its codes may not be published."
                raise ConfigurationError(message)
        own = SPACES[name].own
        fitted_on = None if own is None else own.public_bytes()
        if own is not None and isinstance(coding, FloatCoding) and fitted_on is not None:
            check_fitted(own.file, coding, fitted_on)


def check_fitted(space: SpaceFile, coding: FloatCoding, public: bytes) -> None:
    """Refuses a coding that is not white on the public sample that it was fitted on.

    Args:
        space: whose.
        coding: which.
        public: what `<id>.public.npz` holds.

    Raises:
        ConfigurationError: it is not, or the file does not say.
    """
    share = np.inf
    try:
        with np.load(io.BytesIO(public), allow_pickle=False) as arrays:
            covariance = arrays["covariance"].astype(np.float64)
        if covariance.shape == (space.dimension, space.dimension):
            share = correlations_share(coding, covariance)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        share = np.inf
    if not share <= MOST_TOP_SHARE:
        message = f"The coding of {space.id} is not white: its codes may not be published."
        raise ConfigurationError(message)


class Schedule:
    """Publishes every so often, in whichever process comes to it first.

    Args:
        snapshots: publishes.
        clock: what time it is.
        every_seconds: 0: never.
    """

    def __init__(self, snapshots: SnapshotPublisher, clock: Clock, every_seconds: float) -> None:
        self._snapshots = snapshots
        self._clock = clock
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Publishes until cancelled; what fails is logged and tried again."""
        if not self._every_seconds:
            return
        while True:
            try:
                await self.keep()
            except RegistryError as error:
                log.warning("a snapshot was postponed", code=error.code)
            except Exception:  # whatever it was, registrations go on
                log.exception("a snapshot failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def keep(self) -> bool:
        """Publishes where it is time to.

        Returns:
            Whether it did.

        Raises:
            RegistryError: as `SnapshotPublisher.publish`.
        """
        issued = await asyncio.to_thread(self._snapshots.issued_at)
        if issued is not None and self._clock.now() < issued + self._every_seconds:
            return False
        await self._snapshots.publish()
        return True


def open_snapshots(
    settings: Settings, store: Store, publisher: Publisher, signer: NoteSigner, clock: Clock
) -> SnapshotPublisher:
    """What publishes snapshots by these settings."""
    return SnapshotPublisher(
        store,
        FileKeyStore(settings.keyring_dir),
        publisher,
        signer,
        SnapshotFolder(settings.snapshot_dir),
        clock,
        settings.snapshot_days,
        packaged_bank(),
    )


async def load_keys(store: Store, key_store: KeyStore, folder: SnapshotFolder) -> Keys:
    """The keys of publishing; those that are missing are made.

    Where root metadata is there before the first publication, its key is offline and none is made.

    Raises:
        StoreError, VaultError: the database or the key store can not be used.
    """
    async with store.write() as connection:
        rows: dict[str, vault.SecretRow] = {
            row.name: row for row in await stored.all_secrets(connection)
        }
        wanted = [DUMMIES, *_ROLE_SECRETS.values()]
        first = not any(name in rows for name in wanted)
        if first and folder.read(layout.FIRST_ROOT) is not None:
            wanted.remove(_ROLE_SECRETS["root"])
        for name in wanted if first else ():
            issued = await asyncio.to_thread(vault.issue, key_store, name)
            await stored.insert(connection, issued)
            rows[name] = issued
    opened = {
        name: await asyncio.to_thread(vault.load, key_store, rows[name])
        for name in (DUMMIES, *_ROLE_SECRETS.values())
        if name in rows
    }
    roles = {role: opened[name] for role, name in _ROLE_SECRETS.items() if name in opened}
    return Keys(RoleKeys(roles), opened[DUMMIES])


async def newest_entry(store: Store) -> SnapshotEntry | None:
    """The newest SNAPSHOT entry of the log, or None."""
    async with store.read() as connection:
        data = await entries.newest_of_type(connection, EntryType.SNAPSHOT)
    entry = None if data is None else decode_entry(data)
    if entry is not None and not isinstance(entry, SnapshotEntry):
        message = "An entry of the log is not of the type that it is stored under."
        raise CorruptRegistry(message)
    return entry


async def active_fingerprints(store: Store, key_store: KeyStore, log_size: int) -> Registered:
    """The fingerprints of works of all records that are active after `log_size` entries.

    What has ended since is left out too: nobody is published after they have gone.

    Returns:
        Space id → uint8[n, size], in the order of the log.

    Raises:
        CorruptRegistry: a record can not be read although nothing ended it.
        StoreError, VaultError: the database or the key store can not be used.
    """
    keyring = Keyring(key_store)
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    wanted = {space.id for space in in_snapshots()}
    for start in range(0, log_size, PORTION):
        async with store.read() as connection:
            await asyncio.to_thread(keyring.load, await epochs.live(connection))
            rows = await records.replay(connection, start, min(start + PORTION, log_size))
        active = [
            row for row in rows if row.type == EntryType.REGISTER and row.terminal_index is None
        ]
        for record in await asyncio.to_thread(_opened, active, keyring):
            for name, values in record.content.fingerprints.items():
                if name in wanted:
                    found[name] += values
    return {name: _rows(name, values) for name, values in found.items()}


def _opened(rows: list[records.ReplayRow], keyring: Keyring) -> list[StoredContent]:
    return [open_record(row, keyring.keks) for row in rows]


def _rows(space_id: str, values: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, SPACES[space_id].size)
