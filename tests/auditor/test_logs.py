"""The audit of a log: each corruption is found, and the file or entry is named."""

import datetime as dt
import os
import shutil
from pathlib import Path

import pytest

from consent_client.auditor import logs
from consent_client.auditor.keeping import Keeping
from consent_client.auditor.logs import audit_log
from consent_client.auditor.reports import MAX_LISTED, Fault, Report
from consent_client.auditor.sources import FolderSource
from consent_client.errors import Unreadable
from consent_client.protocol.log import (
    Certify,
    Close,
    Dispute,
    DisputeOutcome,
    DisputeReason,
    Erase,
    EraseReason,
    Session,
    Snapshot,
    encode_bundle,
)
from consent_client.protocol.merkle import leaf_hash
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.policies import Policy
from tests.protocol.test_tessera_log import LOG as TESSERA
from tests.protocol.test_tessera_log import VERIFIER
from tests.support.published import (
    POLICY,
    SIGNER,
    Published,
    day,
    plain,
    register,
    withdraw,
)

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
TODAY = int(NOW.timestamp()) // 86_400
HASH = bytes(32)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path / "log")


def honest() -> list[bytes]:
    """Every type of entry, as a registry that keeps the rules would write them."""
    return [
        day(TODAY - 1),
        register(1).encode(),
        register(2).encode(),
        Session(HASH, HASH, 2_000, HASH).encode(),
        withdraw(1, 1).encode(),
        day(TODAY),
        Close(3, 4, HASH).encode(),
        Certify(3, HASH).encode(),
        Snapshot(0, 5, HASH).encode(),
        register(3).encode(),
        Erase(9, EraseReason.ABUSE).encode(),
        register(4).encode(),
        Certify(3, HASH).encode(),
        Snapshot(1, 13, HASH).encode(),
    ]


def audited(published: Published, keep: Path | None = None, *notes: str) -> Report:
    source = FolderSource(published.folder)
    earlier = [(f"note {number}", note) for number, note in enumerate(notes)]
    return audit_log(source, POLICY, keep=Keeping(source, keep), earlier=earlier, now=NOW)


def found(report: Report) -> set[tuple[Fault, str]]:
    return {(each.fault, each.where) for each in report.failed}


def test_an_honest_log_is_verified_and_what_is_not_is_said(published: Published) -> None:
    published.write(honest())
    report = audited(published)
    assert report.ok
    verified = " ".join(each.what for each in report.verified)
    for part in ("all 14 entries", "tiles", "each of 1 withdrawals", "2 days", "1 sessions"):
        assert part in verified
    [active] = report.bounded
    assert active.numbers == {"atMost": 2, "registered": 4, "withdrawn": 1, "erased": 1}
    assert report.facts["erased.abuse"] == 1
    cannot = " ".join(each.what for each in report.unverifiable)
    for part in ("expired", "everybody is shown", "verdicts", "contained before", "keys"):
        assert part in cannot
    assert report.to_json()["ok"] is True


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_536 + 300])
def test_logs_of_all_sizes_are_verified(published: Published, size: int) -> None:
    published.write(plain(size))
    report = audited(published)
    assert report.ok, report.failed
    assert report.facts["entriesRead"] == size


def test_a_changed_entry_is_named(published: Published) -> None:
    for size, path, entry in (
        (200, "tile/entries/000.p/200", 3),
        (600, "tile/entries/001", 256 + 3),
        (600, "tile/entries/002.p/88", 512 + 3),
    ):
        published.write(plain(size))
        published.flip(path, 3 * (2 + 68) + 60)
        report = audited(published)
        [bad] = report.failed[:1]
        assert (bad.fault, bad.where) == (Fault.BAD_BUNDLE, path)
        assert f"entry {entry} " in bad.message
        assert found(report) == {(Fault.BAD_BUNDLE, path)}


def test_nobody_is_accused_by_entries_that_nobody_signed(published: Published) -> None:
    published.write([register(1).encode(), withdraw(0, 1).encode()])
    published.flip("tile/entries/000.p/2", 60)  # within W, so that the withdrawal looks forged
    report = audited(published)
    assert found(report) == {(Fault.BAD_BUNDLE, "tile/entries/000.p/2")}
    assert [each.fault for each in report.notes] == [Fault.FORGED_WITHDRAWAL]
    assert not report.bounded


def test_a_changed_tile_is_named(published: Published) -> None:
    for path in ("tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"):
        published.write(plain(600))
        published.flip(path, 33)
        assert found(audited(published)) == {(Fault.BAD_TILE, path)}


def test_a_changed_bundle_and_another_tile_are_both_named(published: Published) -> None:
    published.write(plain(600))
    published.flip("tile/0/000", 7)
    published.flip("tile/entries/001", 60)
    assert found(audited(published)) == {
        (Fault.BAD_TILE, "tile/0/000"),
        (Fault.BAD_BUNDLE, "tile/entries/001"),
    }


def test_tiles_that_lie_together_do_not_make_the_entries_wrong(published: Published) -> None:
    """An honest bundle below two tiles that were changed to agree with each other."""
    published.write(plain(600))
    other = Published(published.folder.with_name("other"))
    entries = plain(600)
    entries[300] = register(1).encode()
    other.write(entries)
    for path in ("tile/0/001", "tile/1/000.p/2"):
        shutil.copy(other.folder / path, published.folder / path)
    report = audited(published)
    assert (Fault.BAD_TILE, "tile/0/001") in found(report)
    assert not report.has(Fault.BAD_BUNDLE, Fault.WRONG_ROOT)


def test_missing_files_are_named(published: Published) -> None:
    for path in ("tile/0/001", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"):
        published.write(plain(600))
        (published.folder / path).unlink()
        assert (Fault.MISSING_FILE, path) in found(audited(published))


def test_a_partial_file_that_has_become_a_full_one_is_read_from_that(published: Published) -> None:
    entries = plain(600)
    note = published.write(entries[:300])
    published.write(entries)
    shutil.rmtree(published.folder / "tile/entries/001.p", ignore_errors=True)
    published.put("checkpoint", note.encode())
    report = audited(published)
    assert report.facts["entriesRead"] == 300
    assert not report.has(Fault.BAD_BUNDLE, Fault.WRONG_ROOT, Fault.CONTRADICTION)


def test_entries_and_tiles_made_anew_under_an_old_checkpoint(published: Published) -> None:
    note = published.write(plain(300))
    entries = plain(300)
    entries[7] = register(1).encode()
    published.write(entries)
    published.put("checkpoint", note.encode())
    assert found(audited(published)) == {(Fault.WRONG_ROOT, "checkpoint")}


def test_a_truncated_bundle_and_a_truncated_tile(published: Published) -> None:
    for path, fault in (
        ("tile/entries/000.p/200", Fault.BAD_BUNDLE),
        ("tile/0/000.p/200", Fault.BAD_TILE),
    ):
        published.write(plain(200))
        data = (published.folder / path).read_bytes()
        published.put(path, data[:-5])
        assert (fault, path) in found(audited(published))


def test_a_log_that_went_back_is_told_from_a_kept_checkpoint(
    published: Published, tmp_path: Path
) -> None:
    entries = plain(600)
    published.write(entries)
    assert audited(published, tmp_path / "keep").ok
    note = published.write(entries[:500])
    report = audited(published, tmp_path / "keep")
    assert [each.fault for each in report.failed] == [Fault.ROLLED_BACK]
    assert audited(published, None, note).ok


@pytest.mark.parametrize("size", [300, 700])
def test_a_fork_signed_with_the_real_key_is_told(published: Published, size: int) -> None:
    seen = published.write(plain(300))
    entries = plain(size)
    entries[2] = register(9).encode()
    published.write(entries)
    assert found(audited(published, None, seen)) == {(Fault.FORKED, "note 0")}


def test_a_log_that_grew_is_consistent(published: Published) -> None:
    entries = plain(700)
    notes = [published.write(entries[:size]) for size in (0, 1, 255, 256, 300, 512, 700)]
    published.write(entries)
    report = audited(published, None, *notes)
    assert report.ok
    assert any("all 7 checkpoints" in each.what for each in report.verified)


def test_checkpoints_of_strangers_are_no_checkpoints(published: Published) -> None:
    published.write(plain(3))
    stranger = Published(published.folder.with_name("other"), signer=NoteSigner("other", HASH))
    note = stranger.write(plain(3))
    assert found(audited(published, None, note)) == {(Fault.BAD_CHECKPOINT, "note 0")}
    published.put("checkpoint", note.encode())
    assert found(audited(published)) == {(Fault.BAD_CHECKPOINT, "checkpoint")}
    forged = NoteSigner(SIGNER.name, HASH)
    Published(published.folder, signer=forged).write(plain(3))
    assert found(audited(published)) == {(Fault.BAD_CHECKPOINT, "checkpoint")}


def broken() -> dict[str, tuple[list[bytes], tuple[Fault, str]]]:
    """Logs that were signed and break a rule of their own."""
    first = register(1).encode()
    session = Session(HASH, HASH, 5, HASH).encode()
    close = Close(0, 0, HASH).encode()
    return {
        "a forged withdrawal": (
            [first, withdraw(0, 1, by=2).encode()],
            (Fault.FORGED_WITHDRAWAL, "entry 1"),
        ),
        "another owner's": (
            [first, register(2).encode(), withdraw(0, 2).encode()],
            (Fault.FORGED_WITHDRAWAL, "entry 2"),
        ),
        "withdrawn before it was registered": (
            [withdraw(1, 1).encode(), first],
            (Fault.BAD_REFERENCE, "entry 0"),
        ),
        "withdrawn what is no record": (
            [day(5), withdraw(0, 1).encode()],
            (Fault.BAD_REFERENCE, "entry 1"),
        ),
        "withdrawn far beyond": (
            [first, withdraw(2**50, 1).encode()],
            (Fault.BAD_REFERENCE, "entry 1"),
        ),
        "erased what is no record": (
            [day(5), Erase(0, EraseReason.ABUSE).encode()],
            (Fault.BAD_REFERENCE, "entry 1"),
        ),
        "disputed what is no record": (
            [
                day(5),
                Dispute(0, HASH, DisputeOutcome.STANDS, DisputeReason.UNDECIDED).encode(),
            ],
            (Fault.BAD_REFERENCE, "entry 1"),
        ),
        "days out of order": ([day(6), first, day(5)], (Fault.BAD_DAY, "entry 2")),
        "a day twice": ([day(6), day(6)], (Fault.BAD_DAY, "entry 1")),
        "a day ahead": ([day(TODAY + 2)], (Fault.BAD_DAY, "entry 0")),
        "closed what is no session": ([first, close], (Fault.BAD_SESSION, "entry 1")),
        "closed twice": ([session, close, close], (Fault.BAD_SESSION, "entry 2")),
        "answered ahead": (
            [session, Close(0, 9, HASH).encode()],
            (Fault.BAD_SESSION, "entry 1"),
        ),
        "certified while open": (
            [session, Certify(0, HASH).encode()],
            (Fault.BAD_SESSION, "entry 1"),
        ),
        "a snapshot ahead": ([Snapshot(0, 9, HASH).encode()], (Fault.BAD_SNAPSHOT, "entry 0")),
        "a serial again": (
            [Snapshot(4, 0, HASH).encode(), Snapshot(4, 0, HASH).encode()],
            (Fault.BAD_SNAPSHOT, "entry 1"),
        ),
        "an unknown type": ([first, b"cr1\x63abc"], (Fault.BAD_ENTRY, "entry 1")),
        "no entry": ([b""], (Fault.BAD_ENTRY, "entry 0")),
    }


@pytest.mark.parametrize("name", broken())
def test_a_signed_log_that_breaks_a_rule(published: Published, name: str) -> None:
    entries, wrong = broken()[name]
    published.write(entries)
    assert found(audited(published)) == {wrong}


def test_an_unknown_type_leaves_the_state_unsaid(published: Published) -> None:
    published.write([*honest(), b"cr1\x63abc"])
    report = audited(published)
    assert not report.bounded
    assert any("which records are active" in each.what for each in report.unverifiable)


def test_the_first_ending_stands_and_later_ones_are_reported(published: Published) -> None:
    erased = Erase(0, EraseReason.COURT_ORDER).encode()
    published.write([register(1).encode(), withdraw(0, 1).encode(), erased])
    report = audited(published)
    assert report.ok
    assert [(each.fault, each.where) for each in report.notes] == [(Fault.ENDED_TWICE, "entry 2")]
    assert report.bounded[0].numbers == {
        "atMost": 0,
        "registered": 1,
        "withdrawn": 1,
        "erased": 0,
    }


def test_a_forged_withdrawal_ends_nothing(published: Published) -> None:
    published.write([register(1).encode(), withdraw(0, 1, by=2).encode()])
    assert audited(published).bounded[0].numbers["atMost"] == 1


def test_many_faults_are_counted_and_not_all_listed(published: Published) -> None:
    published.write([day(5)] * 400)
    report = audited(published)
    assert len(report.failed) == MAX_LISTED
    assert report.counts == {Fault.BAD_DAY: 399}
    assert list(report.unlisted()) == [(Fault.BAD_DAY, 299)]


@pytest.mark.skipif(not TESSERA.exists(), reason="../shared/data is not here")
def test_a_log_that_other_software_made_has_a_tree_like_ours(tmp_path: Path) -> None:
    """Its entries are not ours, and that is all that is wrong."""
    folder = tmp_path / "log"
    shutil.copytree(TESSERA, folder)
    shutil.copy(folder / "checkpoint.15", folder / "checkpoint")
    notes = [(f"of {size}", (folder / f"checkpoint.{size}").read_text()) for size in range(15)]
    policy = Policy.of_log(VERIFIER)
    report = audit_log(FolderSource(folder), policy, earlier=notes, now=NOW)
    assert {each.fault for each in report.failed} == {Fault.BAD_ENTRY}
    assert any("all 15 checkpoints" in each.what for each in report.verified)
    assert any("all 15 entries" in each.what for each in report.verified)


def test_reading_ends_where_nothing_is_right(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_FAULTY_FILES", 3)
    published.write(plain(2_600))
    for path in (published.folder / "tile/0").iterdir():
        if path.is_file():
            path.unlink()
    report = audited(published)
    assert report.counts[Fault.MISSING_FILE] == 4
    assert report.facts["entriesRead"] == 4 * 256
    assert any("reading ended" in each.why for each in report.unverifiable)


# Keeping


def test_what_was_kept_is_not_read_again(published: Published, tmp_path: Path) -> None:
    entries = plain(700)
    published.write(entries[:600])
    keep = tmp_path / "keep"
    assert audited(published, keep).facts["filesKeptFromBefore"] == 0
    published.write(entries)
    for path in ("tile/entries/000", "tile/0/000", "tile/entries/001"):
        (published.folder / path).unlink()
    report = audited(published, keep)
    assert report.ok
    assert report.facts["filesKeptFromBefore"] == 4
    assert any("not fetched again" in each.what for each in report.bounded)


def test_what_accuses_a_log_is_on_disk_before_it_has_its_name(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut leaves an empty checkpoint, which looks like the log's fault."""
    lasting: set[int] = set()
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        lasting.add(os.fstat(descriptor).st_ino)

    def named(draft: Path, path: Path) -> None:
        if path.parent.name == "checkpoints" or path.name == "verified":
            assert draft.stat().st_ino in lasting
            lasting.discard(path.parent.stat().st_ino)
        replace(draft, path)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", named)
    published.write(plain(300))
    keep = tmp_path / "keep"
    assert audited(published, keep).ok
    assert {path.stat().st_ino for path in (keep, keep / "checkpoints")} <= lasting


def test_a_damaged_kept_file_is_read_again_and_nobody_accused(
    published: Published, tmp_path: Path
) -> None:
    published.write(plain(600))
    keep = tmp_path / "keep"
    assert audited(published, keep).ok
    (keep / "tile/entries/000").write_bytes(b"damaged")
    (keep / "tile/0/001").write_bytes(b"")
    report = audited(published, keep)
    assert report.ok
    assert report.facts["filesKeptFromBefore"] == 4
    assert (keep / "tile/entries/000").read_bytes() != b"damaged"


def test_what_was_kept_of_a_wrong_log_accuses_nobody_later(
    published: Published, tmp_path: Path
) -> None:
    note = published.write(plain(600))
    entries = plain(600)
    entries[3] = register(5).encode()
    published.write(entries)
    published.put("checkpoint", note.encode())
    keep = tmp_path / "keep"
    assert found(audited(published, keep)) == {(Fault.WRONG_ROOT, "checkpoint")}
    published.write(plain(600))
    assert audited(published, keep).ok
    assert audited(published, keep).ok


def test_what_was_kept_before_an_interruption_accuses_nobody(
    published: Published, tmp_path: Path
) -> None:
    entries = plain(600)
    entries[3] = register(5).encode()
    published.write(entries)
    keep = tmp_path / "keep"
    source = FolderSource(published.folder)

    def interrupt(done: int, _: int) -> None:
        if done == 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_log(source, POLICY, keep=Keeping(source, keep), now=NOW, on_progress=interrupt)
    assert (keep / "tile/entries/000").exists()
    published.write(plain(600))
    report = audited(published, keep)
    assert report.ok, report.failed
    assert report.facts["filesKeptFromBefore"] == 0


def test_an_interrupted_audit_goes_on(published: Published, tmp_path: Path) -> None:
    published.write(plain(1_000))
    keep = tmp_path / "keep"
    source = FolderSource(published.folder)

    def interrupt(done: int, _: int) -> None:
        if done == 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit_log(source, POLICY, keep=Keeping(source, keep), now=NOW, on_progress=interrupt)
    (published.folder / "tile/entries/000").unlink()
    report = audited(published, keep)
    assert report.ok
    assert report.facts["filesKeptFromBefore"] == 4


# Hostile sources


def test_oversized_files_links_and_folders_are_not_read(
    published: Published, tmp_path: Path
) -> None:
    path = published.folder / "tile/entries/000.p/200"
    published.write(plain(200))
    path.write_bytes(bytes(2**20))
    with pytest.raises(Unreadable, match="longer"):
        audited(published)
    path.unlink()
    secret = tmp_path / "secret"
    secret.write_bytes(encode_bundle(plain(200)))
    path.symlink_to(secret)
    with pytest.raises(Unreadable, match="out of the log"):
        audited(published)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unreadable):
        audited(published)
    (published.folder / "checkpoint").unlink()
    with pytest.raises(Unreadable, match="no checkpoint"):
        audited(published)


def test_a_log_of_endless_size_is_not_begun(published: Published) -> None:
    published.write(plain(3))
    published.put("checkpoint", published.sign(2**62, HASH).encode())
    with pytest.raises(Unreadable, match="more than"):
        audited(published)


def test_a_log_that_is_shorter_than_signed_ends_where_it_ends(published: Published) -> None:
    published.write(plain(256))
    published.put("checkpoint", published.sign(2**31, leaf_hash(b"")).encode())
    assert (Fault.MISSING_FILE, "tile/entries/001") in found(audited(published))
