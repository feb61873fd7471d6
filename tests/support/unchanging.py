"""What somebody who keeps everything that was ever published expects of a log's folder."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.merkle import Tree, consistency_proof, leaf_hash, verify_consistency
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.tiles import (
    new_bundles,
    new_tiles,
    read_bundle,
    tile_bytes,
    tile_nodes,
    tile_path,
)


def files(folder: Path) -> dict[str, bytes]:
    """All published files, path → bytes; drafts and locks are none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def _settled(folder: Path) -> dict[str, bytes]:
    """The files while nothing was published in between: partial ones may go at any moment."""
    while True:
        try:
            before = (folder / "checkpoint").read_bytes()
            found = files(folder)
            if before == (folder / "checkpoint").read_bytes():
                return found
        except FileNotFoundError:
            continue


@dataclass
class Unchanging:
    """A published log that is looked at again and again, and remembered.

    Attributes:
        folder: where it is published.
        verifier: of its checkpoints.
        files: as they were last time.
        checkpoints: every one that was seen, here or in a proof.
    """

    folder: Path
    verifier: NoteVerifier
    files: dict[str, bytes] = field(default_factory=dict)
    checkpoints: set[Checkpoint] = field(default_factory=set)

    def check(self, seen: Iterable[Checkpoint] = ()) -> Checkpoint:
        """Everything published before is still so, and leads to what is published now.

        Args:
            seen: checkpoints that were seen elsewhere.

        Returns:
            The newest checkpoint.
        """
        found = _settled(self.folder)
        newest = open_checkpoint(found["checkpoint"].decode(), self.verifier)
        self._check_unchanged(found)
        _check_complete(found, newest)
        self.checkpoints |= {*seen, newest}
        nodes = tile_nodes(lambda *place: found[tile_path(*place)], newest.size)
        for old in self.checkpoints:
            assert old.size <= newest.size
            proof = consistency_proof(nodes, old.size, newest.size)
            verify_consistency(old.size, newest.size, proof, old.root, newest.root)
        self.files = found
        return newest

    def _check_unchanged(self, found: dict[str, bytes]) -> None:
        for path, data in self.files.items():
            if path == "checkpoint":
                continue
            full, partial, _ = path.partition(".p/")
            if partial and path not in found:
                assert full in found, path
            else:
                assert found[path] == data, path


def _check_complete(found: dict[str, bytes], newest: Checkpoint) -> None:
    """Bundles and tiles are those of one tree, and the checkpoint signs its root."""
    tree = Tree()
    for bundle in new_bundles(0, newest.size):
        for entry in read_bundle(found[bundle.path], bundle.width):
            tree.append(leaf_hash(entry))
    assert (len(tree), tree.root()) == (newest.size, newest.root)
    for tile in new_tiles(0, newest.size):
        assert found[tile.path] == tile_bytes(tree.node, tile), tile.path
