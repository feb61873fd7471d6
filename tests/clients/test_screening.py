"""`consent screen` and what is under it, against a real registry: kept sets, resuming, refusing."""

import json
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from consent_client.adapters.opening import open_source
from consent_client.builder import Builder
from consent_client.errors import OutputError, RegistryProblem, SourceChanged
from consent_client.fingerprints.images import registration_fingerprints
from consent_client.fingerprints.url import url_fingerprint
from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Stance, Statement, Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant, refusal
from consent_client.screening import asking, results
from consent_client.screening import run as run_module
from consent_client.screening.journal import AnsweredBlock, Journal
from consent_client.screening.plan import Order, Plan, default_required
from consent_client.screening.results import outcome_of, write_results
from consent_client.screening.run import screen_source
from tests.clients.conftest import CONSENT, Consent
from tests.clients.proxy import SwallowingProxy
from tests.fingerprints import photographs
from tests.support.serving import Server

ORDER = Order(dataset="test", use=Use.AI_GENERATIVE_TRAINING, required_spaces=("sha256", "pdq-1"))


@pytest.fixture(scope="session")
def registered(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut refuses, the coffee cup is allowed; where a state folder knows it."""
    state = tmp_path_factory.mktemp("person") / "state"
    with Registrant(server.url, state=state) as registrant:
        registrant.ensure_phrase()
        for which, statement in (
            (photographs.ASTRONAUT, refusal()),
            (photographs.COFFEE, Statement.of(dict.fromkeys(Use, Stance.ALLOWED))),
        ):
            made = registration_fingerprints(photographs.path(*which), ("sha256", "pdq-1"))
            registrant.protect(made.fingerprints, statement)
        address = url_fingerprint("https://photos.example/refused.jpg")
        registrant.protect({"url-1": (address,)}, refusal())
    return state


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Originals, an edited copy, an unrelated picture and one that is damaged."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    shutil.copy(photographs.path(*photographs.ASTRONAUT), folder / "astronaut.png")
    shutil.copy(photographs.path(*photographs.COFFEE), folder / "coffee.png")
    shutil.copy(photographs.path(*photographs.ROCKET), folder / "rocket.jpg")
    with Image.open(photographs.path(*photographs.ASTRONAUT)) as opened:
        opened.convert("RGB").rotate(90, expand=True).save(folder / "edited.jpg", quality=60)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    (folder / "astronaut.txt").write_text("a caption")
    (folder / "rocket.txt").write_text("a caption")
    return folder


def exclusions(out: Path) -> dict[str, tuple[str, list[str]]]:
    rows = pq.read_table(out / "exclusions.parquet").to_pylist()
    assert all(row["log_size"] > 0 for row in rows)
    return {row["key"]: (row["verdict"], row["spaces"]) for row in rows}


@pytest.mark.usefixtures("registered")
def test_a_folder(consent_process: Consent, dataset: Path, tmp_path: Path) -> None:
    consent = consent_process
    out = tmp_path / "out"
    arguments = ("screen", dataset, "--dataset", "x", "--use", "ai_training", "--out", out)
    done = consent(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["verdicts"] == {"clear": 1, "exclude": 2, "permit": 1, "unknown": 1}
    assert value["unreadable"] == 1
    assert value["kept_rows"] == 2
    kept = sorted(path.name for path in (out / "kept").iterdir())
    assert kept == ["coffee.png", "rocket.jpg", "rocket.txt"]
    found = exclusions(out)
    assert found.keys() == {"astronaut.png", "edited.jpg", "damaged.jpg"}
    assert found["astronaut.png"][0] == "EXCLUDE"
    assert found["edited.jpg"][0] == "EXCLUDE"
    assert found["damaged.jpg"] == ("UNKNOWN", [])
    assert json.loads((out / "summary.json").read_text())["verdicts"] == value["verdicts"]
    assert "damaged.jpg" in done.stderr

    again = consent(*arguments, "--json", "--fail-on-match")
    assert again.returncode == 3
    assert json.loads(again.stdout)["screenings"] == value["screenings"]

    kept_all = consent(*arguments, "--keep-unknown")
    assert kept_all.returncode == 0
    assert (out / "kept" / "damaged.jpg").exists()
    assert exclusions(out).keys() == {"astronaut.png", "edited.jpg"}


@pytest.mark.usefixtures("registered")
def test_a_tar_a_parquet_and_a_csv(
    server: Server, token: str, dataset: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for path in sorted(dataset.iterdir()):
            tar.add(path, path.name)
    images = sorted(path for path in dataset.iterdir() if path.suffix != ".txt")
    pq.write_table(
        pa.table({"key": [p.name for p in images], "jpg": [p.read_bytes() for p in images]}),
        tmp_path / "set.parquet",
    )
    lines = ["path,caption", *(f"dataset/{path.name},x" for path in images)]
    (tmp_path / "set.csv").write_text("\n".join(lines) + "\n")
    with Builder(server.url, token=token) as builder:
        for name in ("set.tar", "set.parquet", "set.csv"):
            out = tmp_path / f"out-{name}"
            summary = screen_source(builder, open_source(str(tmp_path / name)), ORDER, out)
            assert summary.verdicts == {"clear": 1, "exclude": 2, "permit": 1, "unknown": 1}
            assert len(exclusions(out)) == 3
    with tarfile.open(tmp_path / "out-set.tar" / "kept" / "set.tar") as tar:
        assert tar.getnames() == ["coffee.png", "rocket.jpg", "rocket.txt"]
    kept = pq.read_table(tmp_path / "out-set.parquet" / "kept" / "set.parquet")
    assert kept["key"].to_pylist() == ["coffee.png", "rocket.jpg"]
    text = (tmp_path / "out-set.csv" / "kept" / "set.csv").read_text()
    assert text.split() == ["path,caption", "dataset/coffee.png,x", "dataset/rocket.jpg,x"]


@pytest.mark.usefixtures("registered")
def test_addresses_alone(consent: Consent, tmp_path: Path) -> None:
    urls = ["HTTPS://Photos.Example:443/refused.jpg", "https://photos.example/other.jpg", "ftp://x"]
    pq.write_table(pa.table({"URL": urls}), tmp_path / "list.parquet")
    out = tmp_path / "out"
    done = consent(
        *("screen", tmp_path / "list.parquet", "--dataset", "laion", "--out", out),
        *("--use", "ai_generative_training", "--json"),
    )
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value["spaces"] == ["url-1"]
    assert exclusions(out) == {"0": ("EXCLUDE", ["url-1"]), "2": ("UNKNOWN", [])}
    assert pq.read_table(out / "kept" / "list.parquet")["URL"].to_pylist() == [urls[1]]


def noise(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def asked(journal: Path) -> list[int]:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line["block"] for line in lines if "block" in line]


SCREEN = """
import sys
from pathlib import Path
from consent_client.adapters.opening import open_source
from consent_client.builder import Builder
from consent_client.screening import asking, run
from tests.clients.test_screening import ORDER

asking.BLOCK_ROWS = 4
url, token, source, out = sys.argv[1:]
with Builder(url, token=token) as builder:
    run.screen_source(builder, open_source(source), ORDER, Path(out))
"""


def start(url: str, token: str, source: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [CONSENT[0], "-c", SCREEN, url, token, str(source), str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_between_send_and_answer_it_goes_on(
    server: Server, token: str, tmp_path: Path
) -> None:
    """The third block is answered and the answer lost; nothing answered is asked again."""
    source, out = noise(tmp_path / "set", 24), tmp_path / "out"
    journal = out / ".consent-screen" / "journal.jsonl"
    with SwallowingProxy(server.port, b'"block": 2,') as proxy:
        client = start(proxy.url, token, source, out)
        assert proxy.swallowed.wait(120)
        client.send_signal(signal.SIGKILL)
        client.wait()
        client.stderr.close()
        assert asked(journal) == [0, 1]
        assert not (out / "summary.json").exists()
        assert not (out / "kept").exists()
        first = journal.read_text().splitlines()[0]
        with journal.open("a") as file:
            file.write('{"block": 2, "verdi')  # and the kill tore a line
        again = start(proxy.url, token, source, out)
        _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert asked(journal) == [0, 1, 2, 3, 4, 5]
    assert journal.read_text().splitlines()[0] == first
    summary = json.loads((out / "summary.json").read_text())
    assert len(summary["screenings"]) == 1
    assert summary["verdicts"]["clear"] == 24
    assert len(list((out / "kept").iterdir())) == 24


def test_killed_anywhere_it_ends_the_same(server: Server, token: str, tmp_path: Path) -> None:
    source, out = noise(tmp_path / "set", 24), tmp_path / "out"
    delays = iter(np.random.default_rng(5).uniform(0.6, 2.5, 100))
    for _ in range(8):
        client = start(server.url, token, source, out)
        try:
            client.communicate(timeout=float(next(delays)))
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
    client = start(server.url, token, source, out)
    _, errors = client.communicate(timeout=120)
    assert client.returncode == 0, errors
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdicts"]["clear"] == 24
    assert len(list((out / "kept").iterdir())) == 24
    assert not list((out / ".consent-screen").glob("kept"))


@pytest.mark.parametrize("step", ["_write_kept", "_write_exclusions", "_put"])
def test_interrupted_while_writing_results(
    server: Server, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    source, out = noise(tmp_path / "set", 2), tmp_path / "out"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with Builder(server.url, token=token) as builder:
        opened = open_source(str(source))
        with monkeypatch.context() as patched:
            patched.setattr(results, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                screen_source(builder, opened, ORDER, out)
        assert not (out / "summary.json").exists()
        assert screen_source(builder, opened, ORDER, out).kept_rows == 2
    assert len(list((out / "kept").iterdir())) == 2
    assert pq.read_metadata(out / "exclusions.parquet").num_rows == 0


def test_no_fingerprint_stays_in_out(server: Server, token: str, tmp_path: Path) -> None:
    from consent_client.fingerprints.batches import fingerprint_many
    from consent_client.protocol.encoding import encode_base64

    source, out = noise(tmp_path / "set", 3), tmp_path / "out"
    with Builder(server.url, token=token) as builder:
        spaces = screen_source(builder, open_source(str(source)), ORDER, out).spaces
    made = fingerprint_many(((path, path) for path in source.iterdir()), spaces)
    prints = [value for _, found in made for (value,) in found.fingerprints.values()]
    assert len(prints) >= 6
    files = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".png"]
    for data in (path.read_bytes() for path in files):
        for value in prints:
            for form in (value, value.hex().encode(), encode_base64(value).rstrip("=").encode()):
                assert form[:40] not in data


def test_a_source_that_changed_is_refused(
    server: Server, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = noise(tmp_path / "set", 6), tmp_path / "out"
    monkeypatch.setattr(asking, "BLOCK_ROWS", 2)

    class Stopped(Exception):
        pass

    def stop(at: run_module.Progress) -> None:
        if at.done == 2:
            raise Stopped

    with Builder(server.url, token=token) as builder:
        opened = open_source(str(source))
        with pytest.raises(Stopped):
            screen_source(builder, opened, ORDER, out, on_progress=stop)
        (source / "000.png").write_bytes((source / "001.png").read_bytes())
        with pytest.raises(SourceChanged):
            screen_source(builder, opened, ORDER, out)
        assert not (out / "kept").exists()
        other = Order(dataset="another", use=Use.AI_TRAINING)
        with pytest.raises(SourceChanged, match="dataset"):
            screen_source(builder, opened, other, out)
        assert screen_source(builder, opened, ORDER, out, restart=True).kept_rows == 6


def test_a_folder_with_other_things_is_left_alone(
    server: Server, token: str, tmp_path: Path
) -> None:
    source, out = noise(tmp_path / "set", 1), tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    with Builder(server.url, token=token) as builder, pytest.raises(OutputError):
        screen_source(builder, open_source(str(source)), ORDER, out, restart=True)
    assert (out / "thesis.tex").read_text() == "precious"


def test_a_block_answered_for_other_content_is_asked_anew(
    server: Server, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the model computes a little differently after an update."""
    source, out = noise(tmp_path / "set", 4), tmp_path / "out"
    monkeypatch.setattr(asking, "BLOCK_ROWS", 2)
    with Builder(server.url, token=token) as builder:
        opened = open_source(str(source))
        real = builder.screen_block
        blocks = []

        def differing(screening, number, columns):
            if not blocks:  # answered before the kill, for other fingerprints
                swapped = [type(c)(c.space_id, c.present[::-1], c.data[::-1]) for c in columns[:1]]
                real(screening, number, swapped)
            blocks.append(screening.id)
            return real(screening, number, columns)

        monkeypatch.setattr(builder, "screen_block", differing)
        summary = screen_source(builder, opened, ORDER, out)
    assert len(summary.screenings) == 2
    assert summary.verdicts["clear"] == 4


def test_a_wrong_token_is_an_error(consent: Consent, tmp_path: Path) -> None:
    source = noise(tmp_path / "set", 1)
    arguments = (
        "screen",
        source,
        "--dataset",
        "x",
        "--use",
        "ai_training",
        "--out",
        tmp_path / "o",
    )
    secret = "crb_000000000000_notasecretthatshouldbeshown"
    done = consent(*arguments, "--json", CONSENT_TOKEN=secret)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["problem"] == "UNAUTHENTICATED"
    assert secret not in done.stdout + done.stderr
    assert consent(*arguments, CONSENT_TOKEN="").returncode == 2
    file = tmp_path / "token"
    file.write_text("two words")
    done = consent(*arguments, "--token-file", file, "--json")
    assert done.returncode == 1
    assert "two words" not in done.stdout + done.stderr


def test_a_quota_that_is_used_up_is_incomplete_and_said(server: Server, tmp_path: Path) -> None:
    from consent_client.transport import Patience

    token = server.add_builder("A small builder", "--items-per-day", "5")
    source, out = noise(tmp_path / "set", 8), tmp_path / "out"
    told = []
    with (
        Builder(
            server.url,
            token=token,
            patience=Patience(throttled_seconds=0),
            on_wait=told.append,
        ) as builder,
        pytest.raises(RegistryProblem) as caught,
    ):
        screen_source(builder, open_source(str(source)), ORDER, out)
    assert caught.value.problem_code == "HELD"
    assert caught.value.retry_after > 0
    assert (out / ".consent-screen" / "plan.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--use", "training"],
        ["--use", "ai_training", "--require", ","],
        ["--use", "ai_training", "--workers", "0"],
        ["--use", "ai_training", "--form", "zip"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(consent: Consent, tmp_path: Path, arguments: list[str]) -> None:
    done = consent("screen", tmp_path, "--dataset", "x", "--out", tmp_path / "o", *arguments)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--require", "face-9"], "UNKNOWN_SPACE"),
        (["--require", "url-1"], "UNKNOWN_SPACE"),
        ([], "EMPTY_SOURCE"),
    ],
)
def test_what_can_not_be_screened(
    consent: Consent, tmp_path: Path, arguments: list[str], code: str
) -> None:
    (tmp_path / "set").mkdir()
    done = consent(
        *("screen", tmp_path / "set", "--dataset", "x", "--use", "ai_training", "--json"),
        *("--out", tmp_path / "o", *arguments),
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == code


def test_out_inside_the_source_is_refused(consent: Consent, tmp_path: Path) -> None:
    source = noise(tmp_path / "set", 1)
    done = consent(
        *("screen", source, "--dataset", "x", "--use", "ai_training", "--json"),
        *("--out", source / "screened"),
    )
    assert json.loads(done.stdout)["error"]["code"] == "OUTPUT_ERROR"


def test_unknown_is_never_clear_whatever_the_registry_said(tmp_path: Path) -> None:
    plan = Plan("s", "o", "d", "ai_training", ("pdq-1", "sha256"), ("sha256",), 5, 3)
    clear = bytes([Verdict.CLEAR] * 3)
    permit = bytes([Verdict.PERMIT, Verdict.EXCLUDE])
    with Journal(tmp_path, plan) as journal:
        journal.answered(AnsweredBlock("x", 0, 7, clear, np.array([0, 1, 3], np.uint8)))
        journal.answered(AnsweredBlock("x", 1, 8, permit, np.array([1, 0], np.uint8)))
        outcome = outcome_of(plan, journal)
    assert [Verdict(each).name for each in outcome.verdicts] == [
        *("UNKNOWN", "UNKNOWN", "CLEAR", "UNKNOWN", "EXCLUDE")
    ]


NAMED_CORRUPTIONS = {
    "a line that is no JSON": b"nonsense\n",
    "too few verdicts": (
        b'{"screening":"x","block":0,"logSize":1,"verdicts":"AA==","checked":"AA=="}\n'
    ),
    "a verdict that does not exist": (
        b'{"screening":"x","block":0,"logSize":1,"verdicts":"BAQE","checked":"AAAA"}\n'
    ),
    "a block that does not exist": (
        b'{"screening":"x","block":2,"logSize":1,"verdicts":"AAAA","checked":"AAAA"}\n'
    ),
    "a number": b"7\n",
    "nothing": b"\n",
    "deeply nested": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("corruption", NAMED_CORRUPTIONS)
def test_a_damaged_journal_is_refused(tmp_path: Path, corruption: str) -> None:
    plan = Plan("s", "o", "d", "ai_training", ("sha256",), ("sha256",), 5, 3)
    (tmp_path / "journal.jsonl").write_bytes(NAMED_CORRUPTIONS[corruption])
    with pytest.raises(OutputError, match="journal"):
        Journal(tmp_path, plan)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 10_000, '{"kind": 1}'])
def test_a_damaged_plan_is_refused(text: str) -> None:
    with pytest.raises(OutputError):
        Plan.from_json(text, "plan.json")


def test_default_required_spaces() -> None:
    assert default_required(("pdq-1", "sha256", "sscd-1"), has_images=True) == ("sha256", "sscd-1")
    assert default_required(("pdq-1", "sha256", "url-1"), has_images=True) == ("pdq-1", "sha256")
    assert default_required(("url-1",), has_images=False) == ("url-1",)
    assert set(default_required(tuple(SPACES), has_images=True)) <= set(SPACES)


def test_a_million_rows_take_little_memory(tmp_path: Path) -> None:
    """Reading, planning and writing without the registry's answers: rows are streamed."""
    import resource
    import sys

    count = 1_000_000
    path = tmp_path / "list.parquet"
    schema = pa.schema([("url", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, count, 50_000):
            urls = [f"https://a.example/{n}" for n in range(begin, begin + 50_000)]
            writer.write_table(pa.table({"url": urls}, schema))
    source = open_source(str(path))
    rows, digest = source.survey()
    assert rows == count
    plan = Plan(digest, "o", "d", "ai_training", ("url-1",), ("url-1",), count, 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work = tmp_path / "work"
    work.mkdir()
    began = time.monotonic()
    assert sum(1 for _ in source.rows(np.arange(count) >= 100_000)) == 100_000
    with Journal(work, plan) as journal:
        journal.opened("x")
        ones = np.ones(1_000, np.uint8)
        for block in range(plan.blocks):
            journal.blocks[block] = AnsweredBlock("x", block, 7, bytes([0] * 999 + [1]), ones)
        summary = write_results(source, plan, journal, tmp_path, work, keep_unknown=False)
    assert summary.verdicts["exclude"] == 1_000
    assert pq.read_metadata(tmp_path / "exclusions.parquet").num_rows == 1_000
    assert pq.read_metadata(tmp_path / "kept" / "list.parquet").num_rows == count - 1_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1_024) < 300 * 2**20
    assert time.monotonic() - began < 120


def test_only_the_spaces_asked_for_are_computed(
    consent: Consent, registered: Path, dataset: Path, tmp_path: Path
) -> None:
    assert registered
    words = ["screen", dataset, "--dataset", "d", "--use", "ai_training", "--json"]
    done = consent(*words, "--out", tmp_path / "out", "--spaces", "sha256")
    summary = json.loads(done.stdout)
    assert summary["spaces"] == ["sha256"]
    assert summary["verdicts"]["exclude"] == 1  # the very file, and no edited copy
    for wrong in ("nothing-1", ",", "url-1"):
        done = consent(*words, "--out", tmp_path / "other", "--spaces", wrong)
        assert done.returncode in {1, 2}
