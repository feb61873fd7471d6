"""Two stages over shards: done files, resuming, and the same exclusions whatever the form."""

import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_client.adapters.columns import NO_CHOICE
from consent_client.adapters.img2dataset import downloaded
from consent_client.adapters.opening import Form
from consent_client.adapters.shards import files, tables
from consent_client.builder import Builder
from consent_client.errors import OutputError, SnapshotError, Unreachable
from consent_client.screening import batches, stages
from consent_client.screening.stages import screen_shards
from consent_client.transport import Patience
from tests.support import layouts, planted
from tests.support.shared_data import SHARED


def screened(published, data, out, *, online=True, **asked):
    screening = asked.pop("screening", None) or published.screening(
        columns=data.columns, path_root=data.path_root
    )
    if not online:
        return screen_shards(data, screening, out, None, dataset="planted", **asked)
    with Builder(published.server.url, token=published.token) as builder:
        return screen_shards(data, screening, out, builder, dataset="planted", **asked)


def excluded(out):
    rows = pq.read_table(out / "exclusions.parquet").to_pylist()
    return {row["key"] for row in rows if row["verdict"] == "EXCLUDE"}


def as_parquet(folder):
    folder.mkdir()
    table = planted.table()
    pq.write_table(table.slice(0, 3), folder / "a.parquet", row_group_size=2)
    pq.write_table(table.slice(3), folder / "b.parquet")
    return tables(sorted(folder.iterdir()), NO_CHOICE, None)


def as_csv(folder):
    folder.mkdir()
    lines = ["key,path,url"]
    for sample in planted.samples():
        (folder / f"{sample.key}.jpg").write_bytes(sample.image)
        lines.append(f"{sample.key},{sample.key}.jpg,{sample.url}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return files(Form.CSV, [folder / "list.csv"], NO_CHOICE, folder, hardlink=False)


@pytest.mark.parametrize("make", [as_parquet, as_csv])
def test_tables_lose_the_planted_copies_and_nothing_else(published, tmp_path, make):
    data = make(tmp_path / "data")
    summary = screened(published, data, tmp_path / "out")
    assert excluded(tmp_path / "out") == planted.EXCLUDED
    assert summary.verdicts == {"clear": 2, "exclude": 4, "permit": 0, "unknown": 1}
    assert (summary.kept_rows, summary.serial, summary.shards) == (2, 1, len(data.shards))
    assert summary.log_size > 0


@pytest.mark.parametrize("form", ["webdataset", "files", "parquet"])
def test_img2dataset_folders_lose_the_planted_copies_and_nothing_else(published, tmp_path, form):
    names = layouts.img2dataset(tmp_path / "data", form=form)
    data = downloaded(tmp_path / "data")
    out = tmp_path / "out"
    summary = screened(published, data, out)
    assert {names[key] for key in excluded(out)} == planted.EXCLUDED
    assert summary.kept_rows == len(planted.KEPT)
    tables_kept = [pq.read_table(path) for path in sorted((out / "kept").glob("*.parquet"))]
    kept_keys = [key for table in tables_kept for key in table["key"].to_pylist()]
    assert {names[key] for key in kept_keys} == planted.KEPT
    stats = [json.loads(path.read_text()) for path in (out / "kept").glob("*_stats.json")]
    assert sum(each["successes"] for each in stats) == len(planted.KEPT)
    assert all(each["count"] == each["successes"] and each["duration"] == 1.5 for each in stats)
    if form == "webdataset":
        members = []
        for path in sorted((out / "kept").glob("*.tar")):
            with tarfile.open(path) as tar, tarfile.open(tmp_path / "data" / path.name) as before:
                for member in tar.getmembers():
                    data_of = tar.extractfile(member).read()
                    assert data_of == before.extractfile(member.name).read()
                    members.append(member.name)
        wanted = {key for key, name in names.items() if name in planted.KEPT}
        assert set(members) == {f"{key}.{end}" for key in wanted for end in ("jpg", "json", "txt")}
    if form == "files":
        found = {path.stem for path in (out / "kept").rglob("*.jpg")}
        assert {names[key] for key in found} == planted.KEPT


def test_tars_without_tables_are_told_by_their_json_members(published, tmp_path):
    names = layouts.img2dataset(tmp_path / "data")
    for path in (tmp_path / "data").glob("*.parquet"):
        path.unlink()
    screened(published, downloaded(tmp_path / "data"), tmp_path / "out")
    assert {names[key] for key in excluded(tmp_path / "out")} == planted.EXCLUDED


def test_a_plain_folder_and_plain_tars(published, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for sample in planted.samples():
        (folder / f"{sample.key}.jpg").write_bytes(sample.image)
    data = files(Form.FOLDER, [folder], NO_CHOICE, None, hardlink=False)
    screened(published, data, tmp_path / "out")
    # without addresses, what is registered by its address alone is not found
    wanted = planted.EXCLUDED - {"address"}
    assert excluded(tmp_path / "out") == {f"{key}.jpg" for key in wanted}
    layouts.write_tar(
        tmp_path / "a.tar", [(f"{each.key}.jpg", each.image) for each in planted.samples()]
    )
    data = files(Form.TAR, [tmp_path / "a.tar"], NO_CHOICE, None, hardlink=False)
    screened(published, data, tmp_path / "tar-out")
    assert excluded(tmp_path / "tar-out") == {f"{key}.jpg" for key in wanted}


def test_unconfirmed_candidates_are_not_kept(published, tmp_path):
    data = as_parquet(tmp_path / "data")
    out = tmp_path / "out"
    summary = screened(published, data, out, online=False)
    assert summary.verdicts["exclude"] == 0
    assert summary.candidates >= 4
    assert summary.kept_rows == summary.verdicts["clear"] <= 2
    unchecked = screened(published, data, out, online=False, keep_unknown=True)
    assert unchecked.kept_rows == summary.kept_rows + len(planted.UNCHECKED)  # no candidate
    # with the same folder, a later run only confirms
    before = {path: path.stat().st_mtime_ns for path in out.rglob("stage-one/*.parquet")}
    assert len(before) == 2
    again = screened(published, data, out)
    assert excluded(out) == planted.EXCLUDED
    assert again.kept_rows == 2
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("stage-one/*.parquet")}
    kept_all = screened(published, data, out, keep_unknown=True)
    assert kept_all.kept_rows == 3


class Killed(BaseException):
    """The process is no more."""


def test_killed_anywhere_it_goes_on_and_ends_as_if_it_had_not_been(
    published, tmp_path, monkeypatch
):
    layouts.img2dataset(tmp_path / "data", shards=3)
    data = downloaded(tmp_path / "data")
    whole = screened(published, data, tmp_path / "whole")
    out = tmp_path / "out"
    real, screens = os.fsync, []
    monkeypatch.setattr(
        stages, "screen_batch", lambda *given: screens.append(1) or batches.screen_batch(*given)
    )
    kills = 0
    for at in range(1, 200):
        left = at

        def dying(descriptor):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(descriptor)

        monkeypatch.setattr(os, "fsync", dying)
        try:
            summary = screened(published, data, out)
        except Killed:
            kills += 1
            continue
        break
    assert kills > 5
    assert len(screens) <= 3 + kills  # a shard that was done is not looked at again
    assert replace(summary, screenings=()) == replace(whole, screenings=())
    assert _content(out / "kept") == _content(tmp_path / "whole" / "kept")
    assert pq.read_table(out / "exclusions.parquet").equals(
        pq.read_table(tmp_path / "whole" / "exclusions.parquet")
    )
    assert len(summary.screenings) == 1


def _content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_changed_serial_question_or_shard_invalidates_done_files(
    published, tmp_path, monkeypatch
):
    data = as_parquet(tmp_path / "data")
    out = tmp_path / "out"
    looked = []
    real = stages.screen_batch
    monkeypatch.setattr(stages, "screen_batch", lambda *given: looked.append(1) or real(*given))
    screened(published, data, out, online=False)
    assert len(looked) == 2
    screened(published, data, out, online=False)
    assert len(looked) == 2
    os.utime(tmp_path / "data" / "a.parquet", ns=(1, 1))
    screened(published, data, out, online=False)
    assert len(looked) == 3
    asked = published.screening(columns=data.columns, required_spaces=("sha256",))
    screened(published, data, out, online=False, screening=asked)
    assert len(looked) == 5
    newer = shutil.copytree(published.snapshot, tmp_path / "newer")
    asked = published.screening(
        columns=data.columns, snapshot=planted.pulled(published.server, newer)
    )
    assert asked.serial > 1
    screened(published, data, out, online=False, screening=asked)
    assert len(looked) == 7


def test_a_stale_snapshot_writes_nothing(published, tmp_path, monkeypatch):
    data = as_parquet(tmp_path / "data")
    out = tmp_path / "out"
    screening = published.screening(columns=data.columns)
    screened(published, data, out, online=False, screening=screening)
    expires = batches.opened_snapshot(screening).manifest.expires
    monkeypatch.setattr(batches, "time", SimpleNamespace(time=lambda: expires))
    batches._opened.clear()
    for folder in (out, tmp_path / "other"):
        with pytest.raises(SnapshotError):
            screened(published, data, folder, online=False, screening=screening)
    assert not (tmp_path / "other" / "kept").exists()
    batches._opened.clear()


def test_a_registry_that_does_not_answer_changes_nothing(published, tmp_path):
    data = as_parquet(tmp_path / "data")
    out = tmp_path / "out"
    screening = published.screening(columns=data.columns)
    with (
        Builder("http://127.0.0.1:1", token=published.token, patience=Patience(tries=1)) as builder,
        pytest.raises(Unreachable),
    ):
        screen_shards(data, screening, out, builder, dataset="planted")
    assert not (out / "kept").exists()
    screened(published, data, out)
    assert excluded(out) == planted.EXCLUDED


def test_the_folder_of_another_program_is_not_touched(published, tmp_path):
    data = as_parquet(tmp_path / "data")
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious").write_text("mine")
    with pytest.raises(OutputError):
        screened(published, data, out, online=False)


def test_the_token_is_in_no_file(published, tmp_path, token):
    data = as_parquet(tmp_path / "data")
    screened(published, data, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_lists_of_addresses_need_no_pictures(published, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    urls = [f"https://photos.example/{n}.jpg" for n in range(50)]
    urls[7] = planted.REFUSED_URL.upper().replace("/REFUSED.JPG", "/refused.jpg")
    table = pa.table(
        {
            "URL": pa.array(urls, pa.string()),
            "TEXT": ["a caption"] * 50,
            "x_robots_tag": [None] * 9 + ["noai"] + [None] * 40,
            "tdm_reservation": pa.array([0] * 11 + [1] + [None] * 38, pa.int8()),
        }
    )
    pq.write_table(table, folder / "part.parquet")
    data = tables([folder / "part.parquet"], NO_CHOICE, None)
    summary = screened(published, data, tmp_path / "out")
    assert excluded(tmp_path / "out") == {"7", "9", "11"}
    assert summary.required_spaces == ("url-1",)
    kept = pq.read_table(tmp_path / "out" / "kept" / "part.parquet")
    assert kept.schema.equals(table.schema)
    assert kept.num_rows == 47
    assert np.unique(kept["URL"].to_pylist()).size == 47


@pytest.mark.shared_data
def test_a_thousand_real_rows_of_laion(published, tmp_path):
    """Addresses as people wrote them; none of them is registered, and none is asked for."""
    source = SHARED / "laion" / "test_1000.parquet"
    if not source.exists():
        pytest.skip("needs ../shared/data")
    data = tables([Path(shutil.copy(source, tmp_path / "laion.parquet"))], NO_CHOICE, None)
    summary = screened(published, data, tmp_path / "out")
    assert summary.rows == 1_000
    assert summary.excluded == 0
    assert summary.candidates < 30  # chance hits: fewer than 1 %
    assert summary.kept_rows == summary.verdicts["clear"] == 1_000 - summary.verdicts["unknown"]
    assert summary.verdicts["unknown"] < 10  # addresses that are none
    kept = pq.read_table(tmp_path / "out" / "kept" / "laion.parquet")
    assert kept.schema.equals(pq.read_schema(source))
