"""Single entries of logs of many sizes, each proved; and nothing that is not."""

from pathlib import Path

import pytest

from consent_client.auditor.sources import FolderSource
from consent_client.auditor.view import LogView
from consent_client.errors import BadProof, Malformed, NotPublished
from consent_client.protocol.checkpoints import open_checkpoint
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
