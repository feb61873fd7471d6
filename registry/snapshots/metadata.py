"""TUF metadata of the published files: four roles, each with a key of its own.

Versions of targets, snapshot and timestamp are the publication's serial. Only `timestamp.json` is
ever replaced; it makes a publication visible.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from registry.errors import ConfigurationError

ROLES: Final = ("root", "targets", "snapshot", "timestamp")

ROOT_DAYS: Final = 3_650
"""Ten years: a new root is signed by hand (docs/snapshots.md)."""

_DAY_SECONDS: Final = 86_400
_WRITER: Final = JSONSerializer(compact=True)


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The private keys of the roles, Ed25519, 32 bytes each; root is absent where it is offline."""

    keys: Mapping[str, bytes] = field(repr=False)

    def signer(self, role: str) -> CryptoSigner:
        """Who signs for a role."""
        return CryptoSigner(Ed25519PrivateKey.from_private_bytes(self.keys[role]))


def first_root(keys: RoleKeys, now: float) -> bytes:
    """Root metadata, version 1, signed by the root key."""
    root = Root(version=1, expires=_time(now + ROOT_DAYS * _DAY_SECONDS), consistent_snapshot=True)
    for role in ROLES:
        root.add_key(keys.signer(role).public_key, role)
    metadata = Metadata(root)
    metadata.sign(keys.signer("root"))
    return metadata.to_bytes(_WRITER)


def check_root(data: bytes, keys: RoleKeys) -> None:
    """Whether root metadata lets this registry's keys sign the other roles.

    Raises:
        ConfigurationError: it does not, or is not root metadata.
    """
    try:
        root = Metadata[Root].from_bytes(data).signed
        for role in ROLES[1:]:
            if keys.signer(role).public_key.keyid not in root.roles[role].keyids:
                raise ConfigurationError(_OTHER_KEYS)
    except (RepositoryError, KeyError, AttributeError):
        raise ConfigurationError(_OTHER_KEYS) from None


_OTHER_KEYS = "The snapshot folder's root metadata does not name this registry's keys."


@dataclass(frozen=True, slots=True)
class Signed:
    """The metadata of one publication.

    Attributes:
        files: those that never change, by name.
        timestamp: `timestamp.json`, which makes them visible.
    """

    files: Mapping[str, bytes] = field(repr=False)
    timestamp: bytes = field(repr=False)


def signed(serial: int, expires: int, targets: Mapping[str, bytes], keys: RoleKeys) -> Signed:
    """Metadata of a publication.

    Args:
        serial: becomes the version of every role.
        expires: Unix time.
        targets: name → SHA-256 and length as `described` gives them.
        keys: of the roles.
    """
    until = _time(expires)
    listed = Targets(version=serial, expires=until)
    for name, described in targets.items():
        listed.targets[name] = TargetFile(
            int.from_bytes(described[32:]), {"sha256": described[:32].hex()}, name
        )
    targets_json = _signed(Metadata(listed), keys, "targets")
    snapshot = Snapshot(version=serial, expires=until)
    snapshot.meta = {"targets.json": _meta(serial, targets_json)}
    snapshot_json = _signed(Metadata(snapshot), keys, "snapshot")
    timestamp = Timestamp(version=serial, expires=until)
    timestamp.snapshot_meta = _meta(serial, snapshot_json)
    return Signed(
        {f"{serial}.targets.json": targets_json, f"{serial}.snapshot.json": snapshot_json},
        _signed(Metadata(timestamp), keys, "timestamp"),
    )


def described(data: bytes) -> bytes:
    """SHA-256 and length of a file: what is signed of it."""
    return hashlib.sha256(data).digest() + len(data).to_bytes(8)


def targets_of(targets_json: bytes) -> dict[str, bytes]:
    """What is signed of each file of a publication, as `described` gives it."""
    listed = Metadata[Targets].from_bytes(targets_json).signed
    return {
        name: bytes.fromhex(target.hashes["sha256"]) + target.length.to_bytes(8)
        for name, target in listed.targets.items()
    }


def version_of(timestamp_json: bytes) -> int:
    """Which publication is visible."""
    return Metadata[Timestamp].from_bytes(timestamp_json).signed.version


def expiry_of(timestamp_json: bytes) -> float:
    """When the visible publication expires, Unix time."""
    return Metadata[Timestamp].from_bytes(timestamp_json).signed.expires.timestamp()


def _signed(
    metadata: Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp],
    keys: RoleKeys,
    role: str,
) -> bytes:
    metadata.sign(keys.signer(role))
    return metadata.to_bytes(_WRITER)


def _meta(version: int, data: bytes) -> MetaFile:
    return MetaFile(version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def _time(unix: float) -> datetime:
    return datetime.fromtimestamp(int(unix), UTC)
