"""`consent screen --contest` on real photographs: an edited copy stands, a chance match falls."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from consent_client.adapters.opening import open_source
from consent_client.builder import AsyncBuilder, Builder, columns_of, contest_of
from consent_client.errors import (
    ImageError,
    OutputError,
    ProtocolError,
    RegistryProblem,
    SourceChanged,
    UnknownSpace,
)
from consent_client.fingerprints import sscd
from consent_client.fingerprints.batches import crop_many
from consent_client.fingerprints.crops import contest_crops, crop_boxes, crop_fingerprints
from consent_client.fingerprints.images import fingerprint_image
from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.spaces import space
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.registrant import Registrant, refusal
from consent_client.screening import contests as contests_module
from consent_client.screening import run as run_module
from consent_client.screening.journal import Journal
from consent_client.screening.plan import Order, Plan
from consent_client.screening.run import screen_source
from tests.clients.conftest import CONSENT, Consent
from tests.clients.proxy import SwallowingProxy
from tests.fingerprints import photographs
from tests.support.serving import Server, serving

SSCD = "sscd-1"
SPACES = ("pdq-1", "sha256", SSCD)
ORDER = Order(dataset="test", use=Use.AI_GENERATIVE_TRAINING, contest=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """One of its own: what these tests register resembles photographs that others screen."""
    with serving(tmp_path_factory.mktemp("contested")) as started:
        yield started


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return server.add_builder("A builder")


def vector(path: Path | bytes) -> np.ndarray:
    (made,) = fingerprint_image(path, (SSCD,)).fingerprints[SSCD]
    return decode_floats(made, space(SSCD))[0].astype(np.float64)


def resembling(axis: np.ndarray, similarity: float, seed: int) -> bytes:
    other = np.random.default_rng(seed).standard_normal(512)
    other -= (other @ axis) * axis
    other /= np.linalg.norm(other)
    made = similarity * axis + np.sqrt(1 - similarity**2) * other
    return encode_float((made / np.linalg.norm(made)).astype(np.float32))


@pytest.fixture(scope="module")
def registered(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The astronaut refuses; so do records that the rocket and the cat resemble by chance."""
    with Registrant(server.url, state=tmp_path_factory.mktemp("person") / "state") as registrant:
        registrant.ensure_phrase()
        astronaut = vector(photographs.path(*photographs.ASTRONAUT))
        whole = encode_float(astronaut.astype(np.float32))
        registrant.protect({SSCD: (whole,)}, refusal())
        for seed, which in enumerate((photographs.ROCKET, photographs.CAT)):
            chance = resembling(vector(photographs.path(*which)), 0.57, seed)
            registrant.protect({SSCD: (chance,)}, refusal())


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """An edited copy of the astronaut, two that are falsely excluded, and one that is clear."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    with Image.open(photographs.path(*photographs.ASTRONAUT)) as opened:
        picture = opened.convert("RGB")
        picture.crop((30, 20, 500, 470)).save(folder / "edited.jpg", quality=70)
    shutil.copy(photographs.path(*photographs.ROCKET), folder / "rocket.jpg")
    shutil.copy(photographs.path(*photographs.CAT), folder / "cat.png")
    shutil.copy(photographs.path(*photographs.COFFEE), folder / "coffee.png")
    return folder


def exclusions(out: Path) -> dict[str, str]:
    return {
        row["key"]: row["verdict"] for row in pq.read_table(out / "exclusions.parquet").to_pylist()
    }


@pytest.mark.usefixtures("registered")
def test_an_edited_copy_stands_and_chance_falls(
    consent: Consent, dataset: Path, tmp_path: Path
) -> None:
    words = ("screen", dataset, "--dataset", "x", "--use", "ai_training", "--out")
    plain = json.loads(consent(*words, tmp_path / "plain", "--json").stdout)
    assert plain["verdicts"]["exclude"] == 3
    assert plain["contested"] is None

    done = consent(*words, tmp_path / "out", "--contest", "--json", "--fail-on-match")
    assert done.returncode == 3, done.stderr
    value = json.loads(done.stdout)
    assert value["verdicts"] == {"clear": 3, "exclude": 1, "permit": 0, "unknown": 0}
    assert (value["contested"], value["overturned"]) == (3, 2)
    assert exclusions(tmp_path / "out") == {"edited.jpg": "EXCLUDE"}
    kept = sorted(path.name for path in (tmp_path / "out" / "kept").iterdir())
    assert kept == ["cat.png", "coffee.png", "rocket.jpg"]

    said = consent(*words, tmp_path / "out", "--contest").stdout
    assert "3 exclusions were contested: 2 fell" in said


@pytest.mark.usefixtures("registered")
def test_a_run_that_did_not_contest_does_not_begin_to(
    server: Server, token: str, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Builder(server.url, token=token) as builder:
        opened = open_source(str(dataset))
        screen_source(builder, opened, Order("test", Use.AI_TRAINING), out)
        with pytest.raises(SourceChanged, match="contest"):
            screen_source(builder, opened, Order("test", Use.AI_TRAINING, contest=True), out)
        order = Order("test", Use.AI_TRAINING, contest=True)
        summary = screen_source(builder, opened, order, out, restart=True)
    assert (summary.contested, summary.overturned) == (3, 2)


def test_without_sscd_it_says_that_it_can_not(
    server: Server, token: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "available_spaces", lambda: ("pdq-1", "sha256"))
    with Builder(server.url, token=token) as builder, pytest.raises(UnknownSpace) as caught:
        screen_source(builder, open_source(str(dataset)), ORDER, tmp_path / "out")
    assert "consent-client[sscd]" in str(caught.value)
    assert not (tmp_path / "out").exists()


SCREEN = """
import sys
from pathlib import Path
from consent_client.adapters.opening import open_source
from consent_client.builder import Builder
from consent_client.screening import contests, run
from tests.clients.test_contest import ORDER

contests.CONTEST_ROWS = 1
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


def contested(journal: Path) -> list[str]:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line["contested_rows"] for line in lines if "contested" in line]


@pytest.mark.usefixtures("registered")
def test_killed_between_contest_and_answer_it_goes_on(
    server: Server, token: str, dataset: Path, tmp_path: Path
) -> None:
    """The second contest is answered and the answer lost: the very same is sent again."""
    out = tmp_path / "out"
    journal = out / ".consent-screen" / "journal.jsonl"
    with SwallowingProxy(server.port, b'"rows": "BA=="') as proxy:  # the third row: edited.jpg
        client = start(proxy.url, token, dataset, out)
        assert proxy.swallowed.wait(120)
        client.send_signal(signal.SIGKILL)
        client.wait()
        client.stderr.close()
        assert contested(journal) == ["AQ=="]
        with journal.open("a") as file:
            file.write('{"screening": "x", "contes')  # and the kill tore a line
        again = start(proxy.url, token, dataset, out)
        _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert contested(journal) == ["AQ==", "BA==", "CA=="]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["contested"], summary["overturned"]) == (3, 2)
    assert len(summary["screenings"]) == 1
    assert summary["verdicts"]["exclude"] == 1


@pytest.mark.usefixtures("registered")
def test_what_can_not_be_contested_any_more_stays_excluded(
    server: Server, token: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the model computes a little differently after an update: never clear by accident."""
    real = contests_module.contest_of

    def differing(block, block_rows, rows, candidates, crops, spaces):
        other = [
            {**each, SSCD: crop[SSCD][:1]} for each, crop in zip(candidates, crops, strict=True)
        ]
        return real(block, block_rows, rows, other, crops, spaces)

    monkeypatch.setattr(contests_module, "contest_of", differing)
    with Builder(server.url, token=token) as builder:
        summary = screen_source(builder, open_source(str(dataset)), ORDER, tmp_path / "out")
    assert (summary.contested, summary.overturned) == (0, 0)
    assert summary.verdicts["exclude"] == 3


@pytest.mark.usefixtures("registered")
def test_pictures_that_changed_are_not_contested(
    server: Server, token: str, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def stop(at: run_module.Progress) -> None:
        if at.done:
            raise KeyboardInterrupt

    with Builder(server.url, token=token) as builder:
        opened = open_source(str(dataset))
        with pytest.raises(KeyboardInterrupt):
            screen_source(builder, opened, ORDER, out, on_progress=stop)
        (dataset / "cat.png").unlink()
        with pytest.raises(SourceChanged):
            screen_source(builder, opened, ORDER, out)
    assert not (out / "kept").exists()


@pytest.mark.usefixtures("registered")
def test_the_builders_own_program_contests_too(server: Server, token: str, dataset: Path) -> None:
    paths = [dataset / "edited.jpg", dataset / "cat.png"]
    made = [dict(fingerprint_image(path, SPACES).fingerprints) for path in paths]
    crops = [crop_fingerprints(path, sscd.load_model()) for path in paths]
    with Builder(server.url, token=token) as builder:
        session = builder.open_screening("own", Use.AI_TRAINING, SPACES, 2)
        answered = builder.screen_block(session, 0, columns_of(made, SPACES))
        assert list(answered.verdicts) == [Verdict.EXCLUDE] * 2
        one = contest_of(0, 2, [1], made[1:], crops[1:], SPACES)
        first = builder.contest(session, one)
        assert list(first.verdicts) == [Verdict.CLEAR]
        assert first.log_size >= answered.log_size
        assert builder.contest(session, one) == first
        with pytest.raises(RegistryProblem) as caught:
            builder.contest(session, contest_of(0, 2, [1], made[:1], crops[1:], SPACES))
        assert caught.value.problem_code == "CONFLICT"
        closed = builder.close_screening(session)
    assert (closed.contested, closed.overturned) == (1, 1)
    assert closed.verdicts[Verdict.EXCLUDE] == 1


@pytest.mark.usefixtures("registered")
async def test_and_with_asyncio(server: Server, token: str, dataset: Path) -> None:
    path = dataset / "cat.png"
    made = [dict(fingerprint_image(path, SPACES).fingerprints)]
    crops = [crop_fingerprints(path, sscd.load_model())]
    async with AsyncBuilder(server.url, token=token) as builder:
        session = await builder.open_screening("own", Use.AI_TRAINING, SPACES, 1)
        await builder.screen_block(session, 0, columns_of(made, SPACES))
        final = await builder.contest(session, contest_of(0, 1, [0], made, crops, SPACES))
    assert list(final.verdicts) == [Verdict.CLEAR]


def test_a_contest_that_does_not_fit_is_not_sent(dataset: Path) -> None:
    path = dataset / "cat.png"
    made = dict(fingerprint_image(path, SPACES).fingerprints)
    crops = crop_fingerprints(path, sscd.load_model())
    four = {SSCD: crops[SSCD][:4]}
    for arguments in (
        (0, 2, [], [], [], SPACES),
        (0, 2, [2], [made], [crops], SPACES),
        (0, 2, [-1], [made], [crops], SPACES),
        (0, 2, [1, 0], [made] * 2, [crops] * 2, SPACES),
        (0, 2, [0, 0], [made] * 2, [crops] * 2, SPACES),
        (0, 2, [0], [made], [four], SPACES),
        (0, 2, [0], [made], [{}], SPACES),
        (0, 2, [0, 1], [made], [crops], SPACES),
        (0, 2, [0], [made], [crops], ("sha256",)),
        (-1, 2, [0], [made], [crops], SPACES),
    ):
        with pytest.raises(ProtocolError):
            contest_of(*arguments)


@pytest.mark.parametrize(
    ("size", "boxes"),
    [
        ((100, 50), ((0, 0, 60, 30), (40, 0, 100, 30), (0, 20, 60, 50), (40, 20, 100, 50))),
        ((7, 3), ((0, 0, 4, 1), (3, 0, 7, 1), (0, 2, 4, 3), (3, 2, 7, 3))),
        ((1, 1), ((0, 0, 1, 1),) * 4),
    ],
)
def test_where_the_crops_lie(size: tuple[int, int], boxes: tuple[tuple[int, ...], ...]) -> None:
    found = crop_boxes(*size)
    assert found[:4] == boxes
    centres = {(100, 50): (20, 10, 80, 40), (7, 3): (1, 1, 5, 2), (1, 1): (0, 0, 1, 1)}
    assert found[4] == centres[size]


def test_crops_show_nothing_of_what_lies_outside() -> None:
    picture = photographs.photograph(*photographs.CAT)
    blackened = Image.new("RGB", picture.size)
    box = crop_boxes(*picture.size)[0]
    blackened.paste(picture.crop(box), box)
    assert np.array_equal(
        sscd.view(contest_crops(picture)[0]), sscd.view(contest_crops(blackened)[0])
    )


def test_many_pictures_crops_come_in_order_and_damage_is_said(dataset: Path) -> None:
    (dataset / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    paths = [dataset / name for name in ("coffee.png", "damaged.jpg", "cat.png")]
    found = list(crop_many(((path.name, path) for path in paths), sscd.load_model(), 2))
    assert [key for key, _ in found] == [path.name for path in paths]
    assert isinstance(found[1][1], ImageError)
    for key, made in (found[0], found[2]):
        again = crop_fingerprints(dataset / key, sscd.load_model())
        assert made == again
        assert len(made[SSCD]) == 5


@pytest.mark.parametrize(
    "damage",
    [
        {"contested": 1},
        {"contested_rows": "Ag=="},  # a row that was not excluded
        {"contested_rows": "Bw=="},  # more rows than verdicts
        {"contested_rows": "AA=="},
        {"contested_rows": "AQE="},
        {"verdicts": "BA=="},
        {"logSize": "9"},
    ],
    ids=str,
)
def test_a_damaged_journal_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    plan = Plan("s", "o", "d", "ai_training", (SSCD,), (SSCD,), 3, 4, contest=True)
    block = {"screening": "s", "block": 0, "logSize": 9, "verdicts": "AQAB", "checked": "AQEB"}
    good = {
        "screening": "s",
        "contested": 0,
        "logSize": 9,
        "contested_rows": "AQ==",
        "verdicts": "AA==",
    }
    lines = [json.dumps(block), json.dumps(good)]
    (tmp_path / "journal.jsonl").write_text("\n".join(lines) + "\n")
    with Journal(tmp_path, plan) as journal:
        (answer,) = journal.in_order()
        assert journal.final(answer).tolist() == [0, 0, 1]
    twice = [*lines, json.dumps(good)]
    wrong = [lines[0], json.dumps(good | damage)]
    for text in (twice, wrong):
        (tmp_path / "journal.jsonl").write_text("\n".join(text) + "\n")
        with pytest.raises(OutputError):
            Journal(tmp_path, plan)
