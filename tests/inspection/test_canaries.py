"""Canaries: what a builder left out is counted, with an interval, and controls beside it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from consent_client.auditor.reports import Fault
from consent_client.errors import OutputError, Unreadable
from consent_client.inspection.canaries import (
    EDITS,
    audit_canaries,
    list_of,
    make_canaries,
    read_canaries,
    shipped_digests,
)
from consent_client.manifest_files import open_manifest, sort_manifest


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    for name, count in (("mine", 3), ("others", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            picture = Image.linear_gradient("L").rotate(30 * number + len(name))
            picture.convert("RGB").save(tmp_path / name / f"{number}.png")
    made = make_canaries(tmp_path / "mine", tmp_path / "others", tmp_path / "offered")
    assert len(made) == 5 * len(EDITS)
    return tmp_path / "offered"


def test_names_tell_nothing_and_the_list_lies_beside(offered: Path) -> None:
    canaries = read_canaries(offered)
    assert {each.file for each in canaries} == {path.name for path in offered.iterdir()}
    assert all(each.sha256.startswith(Path(each.file).stem) for each in canaries)
    assert not list_of(offered).is_relative_to(offered)
    with pytest.raises(OutputError):
        make_canaries(offered, None, offered)


def test_recall_is_counted_with_its_interval(offered: Path, tmp_path: Path) -> None:
    canaries = read_canaries(offered)
    missed = [each for each in canaries if not each.control and each.edit == "grey"]
    shipped = [each for each in canaries if each.control] + missed
    digests = [bytes.fromhex(each.sha256) for each in shipped]
    manifest = sort_manifest(tmp_path / "m", [digest + bytes(32) for digest in digests])
    report = audit_canaries(canaries, shipped_digests(open_manifest(manifest.path)), 0.95)
    assert [each.fault for each in report.failed] == [Fault.MISSED] * 3
    told = {each.what: each.numbers for each in report.bounded}
    whole = told["opted-out copies that were left out"]
    assert (whole["leftOut"], whole["of"]) == (21, 24)
    assert whole["atLeast"] == pytest.approx(0.676, abs=0.01)
    assert told["of these: grey"]["leftOut"] == 0
    assert told["controls that were left out, too"]["leftOut"] == 0
    assert not any("controls" in each.why for each in report.unverifiable)
    for path in offered.iterdir():
        if path.name not in {each.file for each in shipped}:
            path.unlink()
    assert audit_canaries(canaries, shipped_digests(offered), 0.95).to_json() == report.to_json()


def test_without_controls_it_is_said(offered: Path) -> None:
    canaries = [each for each in read_canaries(offered) if not each.control]
    report = audit_canaries(canaries, [], 0.95)
    assert report.ok
    assert any("no controls" in each.why for each in report.unverifiable)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"kind": "x"}', "[" * 100_000, '{"kind":"consent-client/canaries/v1"}'],
)
def test_what_is_no_list_is_refused(offered: Path, text: str) -> None:
    list_of(offered).write_text(text)
    with pytest.raises(Unreadable):
        read_canaries(offered)


def test_a_list_with_other_things_in_it_is_refused(offered: Path) -> None:
    good = json.loads(list_of(offered).read_text())
    for field, value in (("sha256", "xyz"), ("sha256", 7), ("edit", None), ("control", "no")):
        changed = json.loads(json.dumps(good))
        changed["canaries"][0][field] = value
        list_of(offered).write_text(json.dumps(changed))
        with pytest.raises(Unreadable):
            read_canaries(offered)
