"""Single entries of logs of many sizes, each proved; and nothing that is not."""

from pathlib import Path

import pytest

from consent_client.auditor.sources import FolderSource
from consent_client.auditor.view import LogView
from consent_client.errors import BadProof, Malformed, NotPublished, Unreadable
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.log import encode_bundle
from consent_client.protocol.merkle import leaf_hash, node_hash, root_of
from consent_client.protocol.tiles import Bundle, parse_path
from tests.support.published import SIGNER, Published, plain, register


def view(published: Published) -> LogView:
    note = (published.folder / "checkpoint").read_text()
    return LogView(FolderSource(published.folder), open_checkpoint(note, SIGNER.verifier))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 700, 768, 901, 1_024, 1_025, 1_800])
def test_every_entry_is_read_and_proved(tmp_path: Path, size: int) -> None:
    published = Published(tmp_path / "log")
    published.write(plain(size))
    read = view(published)
    assert [entry.encode() for _, entry in read.entries(0)] == published.entries
    assert [at for at, _ in read.backwards()] == list(reversed(range(size)))
    assert [at for at, _ in read.entries(size - 1)] == [size - 1]
    assert read.entry(size - 1).encode() == published.entries[-1]
    for beyond in (size, -1):
        with pytest.raises(BadProof):
            read.entry(beyond)


def test_what_is_not_what_was_signed_is_not_read(tmp_path: Path) -> None:
    published = Published(tmp_path / "log")
    for path in ("tile/entries/001", "tile/1/000.p/3", "tile/entries/003.p/32"):
        published.write(plain(800))
        published.flip(path, 30)
        with pytest.raises(BadProof):
            list(view(published).entries(0))
        published.write(plain(800))
        (published.folder / path).unlink()
        with pytest.raises(NotPublished, match=path.partition(".p")[0]):
            list(view(published).entries(0))
        published.put(path, b"\0\5abc")
        with pytest.raises((BadProof, Malformed)):
            list(view(published).entries(0))


def test_growth_is_proved(tmp_path: Path) -> None:
    published = Published(tmp_path / "log")
    entries = plain(900)
    notes = [published.write(entries[:size]) for size in (0, 1, 256, 300, 512, 899)]
    published.write(entries)
    for note in notes:
        view(published).check_grown_from(open_checkpoint(note, SIGNER.verifier))
    published.write([register(1).encode(), *entries])
    for note in notes[1:]:
        with pytest.raises(BadProof):
            view(published).check_grown_from(open_checkpoint(note, SIGNER.verifier))


def test_a_log_of_endless_size_is_not_read_through(tmp_path: Path) -> None:
    """Who signs the size signs whatever the root is, and can serve one bundle for ever."""
    published = Published(tmp_path / "log")
    published.write(plain(256))
    leaves = root_of([leaf_hash(entry) for entry in published.entries])
    node, levels = leaves, []
    for _ in range(30):
        levels.append(node)
        node = node_hash(node, node)
    checkpoint = Checkpoint(SIGNER.name, 256 << 30, node)
    endless = LogView(Repeating(published.entries, levels), checkpoint)
    assert endless.entry(12_345_678).encode() == published.entries[12_345_678 % 256]
    for read in (endless.entries(0), endless.backwards()):
        with pytest.raises(Unreadable, match="more than"):
            next(read)


class Repeating:
    """A log of one bundle, again and again."""

    name = "endless"

    def __init__(self, entries: list[bytes], levels: list[bytes]) -> None:
        self._bundle, self._levels = encode_bundle(entries), levels
        self._leaves = b"".join(map(leaf_hash, entries))

    def read(self, path: str, limit: int) -> bytes:
        place = parse_path(path)
        if isinstance(place, Bundle):
            data = self._bundle
        elif place.level == 0:
            data = self._leaves
        else:
            data = self._levels[8 * (place.level - 1)] * place.width
        assert len(data) <= limit
        return data

    def close(self) -> None:
        pass
