"""The field measurement on real photographs, beside a registry that serves."""

import base64
import json
import shutil

import numpy as np
import pytest

from consent_client.errors import EmptySource, MissingModel, SourceError
from consent_client.fingerprints.images import fingerprint_image, registration_fingerprints
from consent_client.protocol.fingerprints import decode_floats, encode_float
from consent_client.protocol.log import EraseReason
from consent_client.protocol.spaces import space
from registry.calibration import run, sample
from registry.calibration.review import Judgement
from registry.errors import ConfigurationError, Conflict, InvalidInput
from registry.services.calibrations import published
from registry.services.operating import erase_record
from registry.store.tables import POSITIVE, SCREENING
from tests.fingerprints import photographs
from tests.support.people import CONSENT, Picture

SSCD = "sscd-1"
REFUSED, CHANCE, ALLOWED = Picture(1), Picture(2), Picture(3)


def resembling(which, similarity):
    (made,) = fingerprint_image(photographs.path(*which), (SSCD,)).fingerprints[SSCD]
    axis = decode_floats(made, space(SSCD))[0].astype(np.float64)
    other = np.random.default_rng(5).standard_normal(512)
    other -= (other @ axis) * axis
    vector = similarity * axis + np.sqrt(1 - similarity**2) * other / np.linalg.norm(other)
    return encode_float((vector / np.linalg.norm(vector)).astype(np.float32))


async def protect(harness, fingerprints, *statement):
    owner, request = harness.request(REFUSED, *statement, fingerprints=fingerprints)
    done = await harness.send(request)
    return owner, request, done.register_index


@pytest.fixture
async def registered(harness):
    """The astronaut refuses; a record that the rocket resembles by chance does too; coffee not."""
    path = photographs.path(*photographs.ASTRONAUT)
    whole = registration_fingerprints(path, ("pdq-1", "sha256", SSCD)).fingerprints
    await protect(harness, dict(whole))
    chance = await protect(harness, {SSCD: (resembling(photographs.ROCKET, 0.6),)})
    coffee = fingerprint_image(photographs.path(*photographs.COFFEE), ("sha256",)).fingerprints
    await protect(harness, dict(coffee), CONSENT)
    return chance


def match(harness, folder, out, **options):
    options.setdefault("workers", 1)
    return run.match_sample(harness.registry.settings, harness.clock, str(folder), out, **options)


def publish(harness, out, review=None, name="test photographs"):
    path = review or out / "review.csv"
    return run.publish_review(harness.registry.settings, harness.clock, out, path, name)


def fill(out, **judgements):
    """Fills in the list: name of an image without suffix → judgement."""
    review = out / "review.csv"
    lines = review.read_text().splitlines()
    for number, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        cells[-1] = judgements[cells[2].partition(".")[0]]
        lines[number] = ",".join(cells)
    review.write_text("\n".join(lines) + "\n")


def small(calibration):
    return next(each for each in calibration.policies if each.name == "small")


async def test_the_whole_way(harness, registered, folder, tmp_path):
    out = tmp_path / "out"
    told = []
    matched = await match(harness, folder, out, on_progress=told.append)
    assert (matched.images, matched.unreadable, matched.hits) == (4, 1, 2)
    assert matched.matched_images["small"] == 2
    assert (told[0].done, told[-1].done, told[-1].total) == (0, 5, 5)

    fill(out, edited="copy", rocket="different")
    done = await publish(harness, out)
    assert done.new
    assert done.suspects == ()
    result = small(done.calibration)
    assert (result.hits, result.false_hits, result.false_images) == (2, 1, 1)
    assert result.rate == 0.25
    assert (result.low, result.high) == pytest.approx((0.0063, 0.8059), abs=1e-4)
    assert done.calibration.in_force == "small"
    assert done.calibration.active_records == 3
    assert [each.calibration for each in await published(harness.registry.store)] == [
        done.calibration
    ]

    assert not (await publish(harness, out)).new
    fill(out, edited="copy", rocket="unsure")
    with pytest.raises(Conflict):
        await publish(harness, out)
    assert len(await published(harness.registry.store)) == 1
    # It is the operator's own: no session, no builder's budget.
    async with harness.registry.store.read() as connection:
        for table in (SCREENING, POSITIVE):
            assert (await connection.execute(table.select())).all() == []


async def test_what_is_unsure_widens_the_interval_to_both_sides(
    harness, registered, folder, tmp_path
):
    out = tmp_path / "out"
    await match(harness, folder, out)
    fill(out, edited="unsure", rocket="different")
    result = small((await publish(harness, out)).calibration)
    assert (result.false_images, result.unsure_images, result.rate) == (1, 1, 0.25)
    assert result.low == pytest.approx(0.0063, abs=1e-4)  # 1 of 4
    assert result.high == pytest.approx(0.9324, abs=1e-4)  # 2 of 4


async def test_nothing_of_a_record_or_of_an_image_but_its_picture_is_written(
    harness, registered, folder, tmp_path
):
    out = tmp_path / "out"
    await match(harness, folder, out)
    assert out.stat().st_mode & 0o077 == 0
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "plan.json",
        "journal.jsonl",
        "review.csv",
        "hits-001.html",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    secrets = [resembling(photographs.ROCKET, 0.6)]
    for path in (photographs.path(*photographs.ASTRONAUT), *folder.glob("*.[jp]*g")):
        if path.name != "damaged.jpg":
            made = registration_fingerprints(path, ("pdq-1", "sha256", SSCD)).fingerprints
            secrets += [value for values in made.values() for value in values]
    for data in (path.read_bytes() for path in files):
        for value in secrets:
            for form in (value, value.hex().encode(), base64.b64encode(value).rstrip(b"=")):
                assert form[:40] not in data
    _, request, index = registered
    for name in ("review.csv", "hits-001.html"):
        text = (out / name).read_text()
        assert request.record_id.hex() not in text
        assert "record_entry" not in text
        assert f"{index}," not in text.replace(f"{index},1,", "").replace(f"{index},2,", "")


async def test_interrupted_it_goes_on_where_it_was(
    harness, registered, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(run, "PORTION_IMAGES", 2)
    out = tmp_path / "out"

    class Stopped(Exception):
        pass

    def stop(at):
        if at.done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        await match(harness, folder, out, on_progress=stop)
    assert not (out / "review.csv").exists()
    with pytest.raises(ConfigurationError, match="2 of 5"):
        await publish(harness, out)
    with (out / "journal.jsonl").open("a") as file:
        file.write('{"count": 2, "hi')  # torn by a kill
    told = []
    matched = await match(harness, folder, out, on_progress=told.append)
    assert [at.done for at in told] == [2, 4, 5]
    assert (matched.images, matched.unreadable, matched.hits) == (4, 1, 2)
    lines = (out / "journal.jsonl").read_text().splitlines()
    counts = [json.loads(line)["count"] for line in lines]
    assert counts == [2, 2, 1]
    # And once more: nothing to match, and what was begun to be filled in stays.
    fill(out, edited="copy", rocket="different")
    filled = (out / "review.csv").read_text()
    assert await match(harness, folder, out) == matched
    assert (out / "review.csv").read_text() == filled


async def test_a_record_withdrawn_meanwhile_matches_no_more(
    harness, registered, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(run, "PORTION_IMAGES", 1)
    owner, request, _ = registered
    out = tmp_path / "out"

    class Stopped(Exception):
        pass

    def stop(at):
        if at.done == 4:  # before the rocket
            raise Stopped

    with pytest.raises(Stopped):
        await match(harness, folder, out, on_progress=stop)
    await harness.withdraw(owner, request.commitment)
    assert (await match(harness, folder, out)).hits == 1
    fill(out, edited="copy")
    calibration = (await publish(harness, out)).calibration
    assert calibration.least_log_size < calibration.log_size


async def test_a_record_with_too_many_false_hits_is_named_until_it_is_erased(
    harness, registered, folder, tmp_path
):
    shutil.copy(folder / "rocket.jpg", folder / "second.jpg")
    out = tmp_path / "out"
    await match(harness, folder, out)
    fill(out, edited="copy", rocket="different", second="different")
    done = await publish(harness, out)
    _, _, index = registered
    assert [(each.record, each.false_images) for each in done.suspects] == [(index, 2)]
    await erase_record(harness.registry.settings, index, EraseReason.ABUSE)
    assert (await publish(harness, out)).suspects == ()


async def test_a_sample_is_drawn_at_random_and_the_same_when_resumed(folder):
    everything = sample.draw(str(folder), None, 1)
    assert everything.size == 5
    drawn = [sample.draw(str(folder), 2, seed).chosen for seed in range(30)]
    assert all(each.sum() == 2 for each in drawn)
    assert np.array_equal(drawn[3], sample.draw(str(folder), 2, 3).chosen)
    assert (np.sum(drawn, axis=0) > 0).all()


async def test_a_folder_is_one_calibrations(harness, registered, folder, tmp_path):
    out = tmp_path / "out"
    await match(harness, folder, out, drawn=2)
    with pytest.raises(ConfigurationError, match="drawn"):
        await match(harness, folder, out)
    (folder / "cat.png").unlink()
    with pytest.raises(ConfigurationError, match="source"):
        await match(harness, folder, out, drawn=2)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigurationError):
        await match(harness, folder, other)
    assert (other / "thesis.tex").read_text() == "precious"
    with pytest.raises(ConfigurationError):
        await publish(harness, other)
    with pytest.raises(InvalidInput):
        await publish(harness, out, name=" ")


@pytest.mark.parametrize("damage", [b"{}\n", b"nonsense\n", b'{"count": "x"}\n', b"[]\n"])
async def test_a_damaged_folder_is_refused(harness, folder, tmp_path, damage):
    out = tmp_path / "out"
    await match(harness, folder, out, drawn=1)
    for name in ("journal.jsonl", "plan.json"):
        kept = (out / name).read_bytes()
        (out / name).write_bytes(damage)
        with pytest.raises(ConfigurationError, match="damaged"):
            await match(harness, folder, out, drawn=1)
        (out / name).write_bytes(kept)


async def test_what_can_not_be_calibrated(harness, folder, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptySource):
        await match(harness, tmp_path / "empty", tmp_path / "a")
    with pytest.raises(SourceError):
        await match(harness, tmp_path / "missing", tmp_path / "b")
    with pytest.raises(InvalidInput, match="drawn"):
        await match(harness, folder, tmp_path / "c", drawn=6)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        await match(harness, folder, tmp_path / "file")
    for path in folder.iterdir():
        path.write_bytes(b"\xff\xd8 no more")
    matched = await match(harness, folder, tmp_path / "d")
    assert (matched.images, matched.unreadable, matched.pages) == (0, 5, ())
    with pytest.raises(InvalidInput, match="No image"):
        await publish(harness, tmp_path / "d")

    def missing(_spaces):
        raise MissingModel("install it", extra="sscd", source=SSCD)

    monkeypatch.setattr(sample, "load_models", missing)
    with pytest.raises(MissingModel):
        await match(harness, folder, tmp_path / "e")


def test_judgements_are_words_that_stay():
    assert [each.value for each in Judgement] == ["copy", "different", "unsure"]
