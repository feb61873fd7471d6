"""The commands for screening in two stages, as a builder runs them."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from consent_client.cli import main
from consent_client.screening import batches
from consent_client.screening.batches import screen_batch
from tests.support import layouts, planted

ASKED = ("--dataset", "planted", "--use", "ai_training")


@pytest.fixture
def consent(published, tmp_path, monkeypatch):
    monkeypatch.setenv("CONSENT_TOKEN", published.token)

    def run(*words, code=0, snapshot=published.snapshot):
        given = [*map(str, words), "--registry", published.server.url]
        given += ["--registry-key", published.verifier, "--state", str(tmp_path / "state")]
        if snapshot is not None and words[0] in {"screen", "confirm", "recheck"}:
            option = "--snapshot" if words[0] == "screen" else "--folder"
            given += [option, str(snapshot)]
        done = CliRunner().invoke(main, given)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in words else done.output

    return run


def excluded(out):
    rows = pq.read_table(out / "exclusions.parquet").to_pylist()
    return {row["key"] for row in rows if row["verdict"] == "EXCLUDE"}


def test_one_command_drops_planted_copies_from_an_img2dataset_folder(consent, tmp_path):
    names = layouts.img2dataset(tmp_path / "data")
    out = tmp_path / "out"
    words = ("screen", tmp_path / "data", *ASKED, "--out", out, "--confirm", "online")
    done = consent(*words, "--format", "img2dataset", "--json")
    assert {names[key] for key in excluded(out)} == planted.EXCLUDED
    assert done["verdicts"]["exclude"] == 4
    assert done["kept_rows"] == 2
    # the same command again, with the form told, and --resume: nothing is asked anew
    again = consent(*words, "--resume", "--json", "--fail-on-match", code=3)
    assert again["screenings"] == done["screenings"]
    told = consent("report", out)
    assert "4 excluded" in told
    assert consent("report", out, "--json")["snapshot"] == done["snapshot"]


def test_confirming_later_ends_as_confirming_at_once(consent, tmp_path):
    names = layouts.img2dataset(tmp_path / "data")
    out = tmp_path / "out"
    words = ("screen", tmp_path / "data", *ASKED, "--out", out)
    first = consent(*words, "--confirm", "none", "--json")
    assert first["verdicts"]["exclude"] == 0
    assert first["candidates"] >= 4
    assert first["why"]["CANDIDATE"] == first["candidates"]
    confirmed = consent("confirm", out, "--json", "--fail-on-match", code=3)
    assert confirmed["verdicts"]["exclude"] == 4
    assert {names[key] for key in excluded(out)} == planted.EXCLUDED


def test_the_results_of_an_engine_are_confirmed_in_one_session(consent, published, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    screening = published.screening()
    for number, batch in enumerate(planted.table().to_batches(max_chunksize=3)):
        found = screen_batch(batch, screening)
        pq.write_table(pa.Table.from_batches([found]), results / f"part-{number}.parquet")
    out = tmp_path / "confirmed"
    asked = (*ASKED, "--require", ",".join(screening.required_spaces))
    done = consent("confirm", results, "--out", out, *asked, "--json", snapshot=None)
    assert done["verdicts"] == {"clear": 2, "exclude": 4, "permit": 0, "unknown": 1}
    rows = pa.concat_tables(pq.read_table(path) for path in sorted(out.glob("*.parquet")))
    verdicts = dict(zip(rows["key"].to_pylist(), rows["verdict"].to_pylist(), strict=True))
    assert {key for key, verdict in verdicts.items() if verdict == 1} == planted.EXCLUDED
    assert rows["fingerprints"].null_count == rows.num_rows
    again = consent("confirm", results, "--out", out, *asked, "--json", snapshot=None)
    assert again == done


def test_what_is_no_result_is_not_confirmed(consent, tmp_path):
    (tmp_path / "results").mkdir()
    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "results" / "a.parquet")
    asked = (*ASKED, "--require", "sha256", "--out", tmp_path / "out")
    assert "no results of a first stage" in consent(
        "confirm", tmp_path / "results", *asked, code=1, snapshot=None
    )
    consent("confirm", tmp_path / "results", code=2, snapshot=None)


def test_without_a_snapshot_that_may_be_relied_on_it_ends_with_five(
    consent, published, tmp_path, monkeypatch
):
    layouts.img2dataset(tmp_path / "data")
    words = ("screen", tmp_path / "data", *ASKED, "--confirm", "online", "--out")
    consent(*words, tmp_path / "out", code=5, snapshot=tmp_path / "nothing")
    damaged = shutil.copytree(published.snapshot, tmp_path / "damaged")
    part = next((damaged / "targets").glob("*sscd-1*"))
    part.write_bytes(part.read_bytes()[:-1])
    refused = consent(*words, tmp_path / "out", "--json", code=5, snapshot=damaged)
    assert refused["error"]["code"] == "SNAPSHOT_DAMAGED"
    expires = published.screening()
    expires = batches.opened_snapshot(expires).manifest.expires
    monkeypatch.setattr(batches.time, "time", lambda: expires)
    refused = consent(*words, tmp_path / "out", "--json", code=5)
    assert refused["error"]["code"] == "SNAPSHOT_EXPIRED"
    assert not (tmp_path / "out" / "kept").exists()


def test_recheck_drops_what_was_registered_since(consent, published, tmp_path):
    names = layouts.img2dataset(tmp_path / "data", more=[planted.later()])
    out = tmp_path / "out"
    words = ("screen", tmp_path / "data", *ASKED, "--out", out, "--confirm", "online")
    before = consent(*words, "--json")
    assert "Nothing was published" in consent("recheck", out)
    newer = shutil.copytree(published.snapshot, tmp_path / "newer")
    planted.register_file(published.server, tmp_path / "somebody", planted.later())
    planted.pulled(published.server, newer)
    found = consent("recheck", out, "--json", "--fail-on-match", code=3, snapshot=newer)
    assert found["since"] == before["serial"] < found["serial"]
    assert [names[row["key"]] for row in found["excluded"]] == ["later"]
    tables = [pq.read_table(path, columns=["key"]) for path in (out / "kept").glob("*.parquet")]
    kept = pa.concat_tables(tables)
    assert {names[key] for key in kept["key"].to_pylist()} == planted.KEPT
    nothing = consent("recheck", out, "--since", found["serial"], "--json", snapshot=newer)
    assert nothing["rechecked"] is False


@pytest.mark.parametrize(
    "words",
    [
        ("--confirm", "none", "--certify", "--signing-key", "k"),
        ("--confirm", "none", "--contest"),
        ("--confirm", "none", "--resume", "--restart"),
        ("--confirm", "none", "--resume"),
        ("--confirm", "none", "--engine", "abacus"),
        ("--confirm", "none", "--format", "abacus"),
        ("--confirm", "none", "--faces", "--lawful-basis"),
        ("--format", "img2dataset"),
        ("--engine", "ray"),
    ],
)
def test_options_that_do_not_go_together_are_refused(consent, tmp_path, words):
    (tmp_path / "data").mkdir()
    given = ("screen", tmp_path / "data", *ASKED, "--out", tmp_path / "out", *words)
    consent(*given, code=2, snapshot=None if words[0] != "--confirm" else tmp_path)


def test_a_folder_without_results_has_no_report(consent, tmp_path):
    assert "no finished screening" in consent("report", tmp_path, code=1)
    assert "no finished screening" in consent("recheck", tmp_path, code=1)


def test_with_a_pulled_snapshot_nothing_has_to_be_named(published, tmp_path):
    names = layouts.img2dataset(tmp_path / "data")
    out = tmp_path / "out"
    shell = {
        "CONSENT_REGISTRY": published.server.url,
        "CONSENT_STATE": str(tmp_path / "state"),
        "CONSENT_TOKEN": published.token,
    }
    for words in (
        ["snapshot", "pull"],
        ["screen", tmp_path / "data", *ASKED, "--out", out, "--confirm", "online"],
    ):
        done = CliRunner().invoke(main, [*map(str, words)], env=shell)
        assert done.exit_code == 0, done.output
    assert {names[key] for key in excluded(out)} == planted.EXCLUDED
