"""Watching: forks, logs that go back or stand still, and witnesses that are gone, are told."""

import datetime as dt
from pathlib import Path

import pytest

from consent_client.auditor.keeping import Keeping
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import FolderSource
from consent_client.auditor.watching import Watch
from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.notes import add_signature, split_note
from consent_client.protocol.policies import Policy, parse_policy
from tests.support.published import POLICY, SIGNER, Published, day, plain, register

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
TODAY = int(NOW.timestamp()) // 86_400
WITNESS = WitnessSigner("witness.example/w", bytes(range(2, 34)))
WITNESSED = parse_policy(
    f"log {SIGNER.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n".encode()
)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    made = Published(tmp_path / "log")
    made.write([day(TODAY), *plain(600)])
    return made


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    return tmp_path / "keep"


def watching(published: Published, keep: Path | None = None, policy: Policy = POLICY) -> Watch:
    source = FolderSource(published.folder)
    return Watch(source, policy, Keeping(source, keep))


def faults(report: Report) -> list[Fault]:
    return [each.fault for each in report.failed]


@pytest.mark.parametrize("kept", [True, False])
def test_a_log_that_grows_is_quiet(published: Published, keep: Path, kept: bool) -> None:
    watch = watching(published, keep)
    for more in (0, 0, 5, 300):
        published.write([*published.entries, *plain(more)])
        watch = watching(published, keep) if kept else watch
        assert faults(watch.look(NOW)) == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_fork_is_told_again_and_again(published: Published, keep: Path, kept: bool) -> None:
    honest = list(published.entries)
    forked = [*honest[:5], register(1).encode(), *honest[6:]]
    watch = watching(published, keep)
    assert watch.look(NOW).ok
    for entries, fault in ((forked, Fault.FORKED), ([*forked, *plain(9)], Fault.INCONSISTENT)):
        published.write(entries)
        for _ in range(2):
            watch = watching(published, keep) if kept else watch
            assert faults(watch.look(NOW)) == [fault]
    published.write([*honest, *plain(3)])
    assert watch.look(NOW).ok
    assert len(list((keep / "contradictions").iterdir())) == 2


def test_a_log_that_goes_back_is_told(published: Published, keep: Path) -> None:
    assert watching(published, keep).look(NOW).ok
    published.write(published.entries[:500])
    assert faults(watching(published, keep).look(NOW)) == [Fault.ROLLED_BACK]


def test_forks_among_what_is_kept_are_told(published: Published, keep: Path) -> None:
    assert watching(published, keep).look(NOW).ok
    other = Published(published.folder.with_name("other"))
    note = other.write([day(TODAY), *plain(599), register(1).encode()])
    (keep / "checkpoints" / "from-a-friend").write_text(note)
    assert Fault.FORKED in faults(watching(published, keep).look(NOW))


def test_a_log_that_stands_still_is_told(published: Published, keep: Path) -> None:
    watch = watching(published, keep)
    assert watch.look(NOW).ok
    assert watch.look(NOW + dt.timedelta(hours=13)).ok
    assert faults(watch.look(NOW + dt.timedelta(hours=15))) == [Fault.STALE]
    published.write([*published.entries, day(TODAY + 1), *plain(5)])
    assert watch.look(NOW + dt.timedelta(hours=15)).ok


def test_a_log_without_days_is_said_to_have_none(published: Published) -> None:
    published.write(plain(3))
    report = watching(published).look(NOW)
    assert report.ok
    assert [each.fault for each in report.notes] == [Fault.STALE]


def test_missing_witnesses_are_told(published: Published) -> None:
    assert faults(watching(published, policy=WITNESSED).look(NOW)) == [Fault.UNWITNESSED]
    note = (published.folder / "checkpoint").read_text()
    text, _ = split_note(note)
    for seconds, found in ((0, []), (7_200, [Fault.BAD_CHECKPOINT])):
        line = cosign(text, WITNESS, int(NOW.timestamp()) + seconds)
        published.put("checkpoint", add_signature(note, line).encode())
        report = watching(published, policy=WITNESSED).look(NOW)
        assert faults(report) == found
        assert report.facts["standing"] == "WITNESSED"
    published.put("checkpoint", note.replace("registry.example", "registry.exbmple").encode())
    assert faults(watching(published).look(NOW)) == [Fault.BAD_CHECKPOINT]


def test_missing_tiles_are_no_quiet(published: Published, keep: Path) -> None:
    assert watching(published, keep).look(NOW).ok
    published.write([*published.entries, *plain(300)])
    for path in (published.folder / "tile/0").rglob("*"):
        if path.is_file():
            path.unlink()
    assert faults(watching(published, keep).look(NOW)) == [Fault.INCONSISTENT]
