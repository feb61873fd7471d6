"""Published logs of any entries, signed by a key of ours: what a registry that lies could show."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.keys import OwnerKey, derive_owner
from consent_client.protocol.log import Day, Register, Withdraw, encode_bundle
from consent_client.protocol.merkle import Tree, leaf_hash
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.policies import Policy
from consent_client.protocol.records import withdraw_message
from consent_client.protocol.tiles import TILE_WIDTH, new_bundles, new_tiles, tile_bytes

ORIGIN = "registry.example/test"
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
POLICY = Policy.of_log(SIGNER.verifier)
SEED = bytes(16)


@dataclass
class Published:
    """A log in a folder."""

    folder: Path
    entries: list[bytes] = field(default_factory=list)
    signer: NoteSigner = SIGNER

    def write(self, entries: Sequence[bytes] | None = None) -> str:
        """Publishes these entries in place of what was there; returns the checkpoint."""
        self.entries = self.entries if entries is None else list(entries)
        shutil.rmtree(self.folder, ignore_errors=True)
        tree = Tree(leaf_hash(entry) for entry in self.entries)
        for bundle in new_bundles(0, len(self.entries)):
            first = bundle.index * TILE_WIDTH
            self.put(bundle.path, encode_bundle(self.entries[first : first + bundle.width]))
        for tile in new_tiles(0, len(self.entries)):
            self.put(tile.path, tile_bytes(tree.node, tile))
        note = self.sign(len(self.entries), tree.root())
        self.put("checkpoint", note.encode())
        return note

    def sign(self, size: int, root: bytes) -> str:
        return sign_checkpoint(Checkpoint(self.signer.name, size, root), self.signer)

    def put(self, path: str, data: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def flip(self, path: str, at: int) -> None:
        data = bytearray((self.folder / path).read_bytes())
        data[at] ^= 1
        self.put(path, bytes(data))


def owner(number: int) -> OwnerKey:
    return derive_owner(SEED, ORIGIN, number)


def register(number: int) -> Register:
    return Register(number.to_bytes(32), owner(number).owner_tag)


def withdraw(at: int, number: int, by: int | None = None) -> Withdraw:
    """The withdrawal of record `number`, registered at `at`; signed by another owner if asked."""
    key = owner(number if by is None else by)
    signature = key.sign(withdraw_message(ORIGIN, number.to_bytes(32)))
    return Withdraw(at, owner(number).public, signature)


def day(number: int) -> bytes:
    return Day(number).encode()


def plain(count: int) -> list[bytes]:
    """Entries of any number of records."""
    return [Register(bytes(32), number.to_bytes(32)).encode() for number in range(count)]
