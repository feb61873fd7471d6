"""Many pictures: in order, on all cores, within memory, whatever is among them."""

import threading
import time

import numpy as np
import pytest

from consent_client.errors import (
    ImageError,
    MissingModel,
    NotAnImage,
    TruncatedImage,
    UnknownSpace,
    UnreadableImage,
)
from consent_client.fingerprints import batches, images, sscd
from consent_client.fingerprints.batches import (
    IN_FLIGHT_PER_WORKER,
    available_cores,
    fingerprint_many,
)
from consent_client.fingerprints.images import available_spaces, fingerprint_image

from . import files

LIGHT = ("pdq-1", "sha256")


def pictures(count):
    random = np.random.default_rng(7)
    for number in range(count):
        side = int(random.integers(40, 300))
        yield number, files.encoded(files.scene(side, side + 9), "PNG", compress_level=1)


def fingerprint_threads():
    return [each for each in threading.enumerate() if each.name.startswith("fingerprints")]


@pytest.mark.parametrize("workers", [1, 2, 5, None])
def test_the_same_as_one_by_one_and_in_order(workers):
    expected = [(key, fingerprint_image(data, LIGHT)) for key, data in pictures(60)]
    assert list(fingerprint_many(pictures(60), LIGHT, workers)) == expected
    assert not fingerprint_threads()


def test_bad_files_are_answers_too(tmp_path):
    good = files.encoded(files.scene(), "PNG")
    sources = [
        ("good", good),
        ("text", b"text"),
        ("half", good[:100]),
        ("missing", tmp_path / "missing.png"),
        ("again", good),
    ]
    found = dict(fingerprint_many(sources, LIGHT))
    assert list(found) == ["good", "text", "half", "missing", "again"]
    assert found["good"] == found["again"] == fingerprint_image(good, LIGHT)
    for key, kind in (("text", NotAnImage), ("half", TruncatedImage), ("missing", UnreadableImage)):
        assert isinstance(found[key], kind)
    assert found["text"].source == "text"
    assert found["missing"].source == str(tmp_path / "missing.png")


def test_an_error_that_is_kept_keeps_no_picture():
    """Its traceback would hold the frames, and these the file's bytes."""
    half = files.encoded(files.scene(), "PNG")[:100]
    ((_, problem),) = fingerprint_many([("half", half)], LIGHT)
    assert isinstance(problem, ImageError)
    assert problem.__traceback__ is None
    assert problem.__cause__ is None
    assert problem.__context__ is None


def test_nothing_at_all():
    assert list(fingerprint_many([], LIGHT)) == []


def test_sources_are_taken_only_as_needed():
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield number, b"text"
            number += 1

    results = fingerprint_many(endless(), LIGHT, workers=2)
    assert taken == []  # nothing before the first is asked for
    for expected in range(30):
        key, _ = next(results)
        assert key == expected
        assert len(taken) <= expected + 1 + 2 * IN_FLIGHT_PER_WORKER
    results.close()
    assert not fingerprint_threads()


@pytest.mark.parametrize("stop", ["close", "throw", "interrupt in the source"])
def test_stopping_early_leaves_no_worker(stop, monkeypatch):
    slow_ones = []

    def slow(*arguments, **named):
        slow_ones.append(arguments)
        time.sleep(0.05)
        return fingerprint_image(*arguments, **named)

    monkeypatch.setattr(batches, "fingerprint_image", slow)

    def source():
        for number, data in pictures(400):
            if stop == "interrupt in the source" and number == 20:
                raise KeyboardInterrupt
            yield number, data

    results = fingerprint_many(source(), LIGHT, workers=2)
    started = time.perf_counter()
    seen = [next(results)[0] for _ in range(5)]
    begun = len(slow_ones)
    if stop == "close":
        results.close()
    elif stop == "throw":
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)
    else:
        with pytest.raises(KeyboardInterrupt):
            seen.extend(key for key, _ in results)
    assert seen == list(range(len(seen)))
    assert not fingerprint_threads()
    assert time.perf_counter() - started < 3
    if stop != "interrupt in the source":
        assert len(slow_ones) <= begun + 2  # those that the two workers were taking up
    done = len(slow_ones)
    time.sleep(0.15)
    assert len(slow_ones) == done


def test_two_runs_at_once():
    """Results of one are asked for while another runs, in the same thread."""
    first, second = (fingerprint_many(pictures(20), LIGHT, workers=2) for _ in range(2))
    assert [left == right for left, right in zip(first, second, strict=True)] == [True] * 20


def test_a_bug_is_not_hidden(monkeypatch):
    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr(batches, "fingerprint_image", broken)
    with pytest.raises(ZeroDivisionError):
        list(fingerprint_many(pictures(3), LIGHT))
    assert not fingerprint_threads()


def test_mistakes_of_the_caller_are_said_at_once(monkeypatch):
    def no_model():
        raise MissingModel("not installed", extra="sscd")

    with pytest.raises(ValueError):
        fingerprint_many(pictures(1), LIGHT, workers=0)
    with pytest.raises(UnknownSpace):
        fingerprint_many(pictures(1), ["url-1"])
    monkeypatch.setattr(images.sscd, "load_model", lambda _file, _provider: no_model())
    with pytest.raises(MissingModel):
        fingerprint_many(pictures(1), ["sscd-1"])


def test_a_large_picture_is_decoded_alone(monkeypatch):
    from consent_client.fingerprints import loading

    at_once, most = [], []
    upright = loading._upright

    def watched(image, name):
        at_once.append(name)
        most.append(len(at_once))
        time.sleep(0.01)
        try:
            return upright(image, name)
        finally:
            at_once.remove(name)

    monkeypatch.setattr(loading, "_upright", watched)
    list(fingerprint_many(pictures(24), LIGHT, workers=4))
    assert max(most) > 1  # small ones side by side
    most.clear()
    monkeypatch.setattr(loading, "LARGE_PIXELS", 0)
    list(fingerprint_many(pictures(24), LIGHT, workers=4))
    assert max(most) == 1


def test_cores():
    assert available_cores() >= 1


@pytest.mark.skipif("sscd-1" not in available_spaces(), reason="needs consent-client[sscd]")
def test_one_model_serves_all_workers():
    expected = [
        (key, fingerprint_image(data, [sscd.SPACE]).fingerprints) for key, data in pictures(6)
    ]
    found = [
        (key, result.fingerprints)
        for key, result in fingerprint_many(pictures(6), [sscd.SPACE], workers=3)
        if not isinstance(result, ImageError)
    ]
    assert found == expected
