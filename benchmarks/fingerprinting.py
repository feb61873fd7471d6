"""What fingerprinting costs, in ratios measured within one run.

    python -m benchmarks.fingerprinting

Three questions: how much faster two cores are than one; what the client adds to the time of the
models themselves; and how our PDQ compares with `pdqhash`, where that is installed. The pictures
are photographs out of scikit-image and scikit-learn, saved as JPEG at the sizes of data sets.
"""

import argparse
import importlib
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from consent_client.fingerprints import pdq, sscd
from consent_client.fingerprints.batches import available_cores, fingerprint_many
from consent_client.fingerprints.images import Models, available_spaces, load_models
from consent_client.fingerprints.loading import decoded

PHOTOGRAPHS = {
    "skimage": ("data", "astronaut.png chelsea.png coffee.png rocket.jpg ihc.png retina.jpg"),
    "sklearn.datasets": ("images", "china.jpg flower.jpg"),
}
SIDES = (384, 512, 768)
"""Longest sides in pixels, as data sets keep them (img2dataset's are 256 to 1024)."""

ROUNDS = 5
"""Measurements are taken in turns, and the median of their ratios is given."""

WANTED_SPEEDUP = 1.7
WANTED_OVERHEAD = 0.10


@dataclass(frozen=True, slots=True)
class Result:
    """Milliseconds per picture: of processor time where one thread works, else on the clock.

    The overhead is a ratio of processor times, which other programs on the machine disturb little;
    the speed-up is of clock times, and means something on an idle machine only.
    """

    pictures: int
    spaces: tuple[str, ...]
    cores: int
    models_ms: float
    decoding_ms: float
    client_ms: float
    one_worker_clock_ms: float
    two_workers_clock_ms: float | None
    overhead: float
    overhead_with_decoding: float
    speedup: float | None
    pdq_against_pdqhash: float | None


def photographs() -> list[bytes]:
    """The pictures as JPEG files."""
    files = []
    for package, (folder, names) in PHOTOGRAPHS.items():
        root = Path(importlib.import_module(package).__file__ or "").parent / folder
        for name in names.split():
            with Image.open(root / name) as opened:
                image = opened.convert("RGB")
            for side in SIDES:
                scaled = image.copy()
                scaled.thumbnail((side, side), Image.Resampling.LANCZOS)
                out = io.BytesIO()
                scaled.save(out, "JPEG", quality=90)
                files.append(out.getvalue())
    return files


def _milliseconds(work: Callable[[], object], pictures: int) -> tuple[float, float]:
    """Processor time of the whole process, and clock time, for each picture."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return (
        1000 * (time.process_time() - processor) / pictures,
        1000 * (time.perf_counter() - clock) / pictures,
    )


def _decode(files: Sequence[bytes]) -> list[Image.Image]:
    images = []
    for data in files:
        with decoded(data, "") as image:
            images.append(image)
    return images


def _models(images: Sequence[Image.Image], models: Models) -> None:
    """What nobody can leave out: PDQ of the pixels, and SSCD of its input."""
    for image in images:
        pdq.hash_samples(pdq.sample(np.asarray(image)))
        if models.of_sscd is not None:
            models.of_sscd.embed(sscd.view(image))


def _client(files: Sequence[bytes], workers: int, spaces: Sequence[str], models: Models) -> None:
    for _ in fingerprint_many(enumerate(files), spaces, workers, models=models):
        pass


def _against_pdqhash(images: Sequence[Image.Image]) -> float | None:
    try:
        pdqhash = importlib.import_module("pdqhash")
    except ImportError:
        return None
    arrays = [np.array(image) for image in images]
    ratios = []
    for _ in range(ROUNDS):
        theirs, _ = _milliseconds(lambda: [pdqhash.compute(each) for each in arrays], len(arrays))
        ours, _ = _milliseconds(
            lambda: [pdq.hash_samples(pdq.sample(each)) for each in arrays], len(arrays)
        )
        ratios.append(theirs / ours)
    return statistics.median(ratios)


@dataclass(frozen=True, slots=True)
class _Round:
    models: float
    decoding: float
    client: float
    one: float
    two: float | None


def _round(
    files: Sequence[bytes], images: Sequence[Image.Image], spaces: Sequence[str], models: Models
) -> _Round:
    count = len(files)
    decoding, _ = _milliseconds(lambda: _decode(files), count)
    bare, _ = _milliseconds(lambda: _models(images, models), count)
    client, one = _milliseconds(lambda: _client(files, 1, spaces, models), count)
    two = None
    if available_cores() > 1:
        _, two = _milliseconds(lambda: _client(files, 2, spaces, models), count)
    return _Round(bare, decoding, client, one, two)


def measure() -> Result:
    """All ratios; each round measures everything, so that a ratio is of one moment."""
    files = photographs()
    spaces = available_spaces()
    models = load_models(spaces)
    images = _decode(files)
    _models(images, models)  # matrices, caches and memory are warm for everything that follows
    rounds = [_round(files, images, spaces, models) for _ in range(ROUNDS)]
    clocks = [(each.one, each.two) for each in rounds if each.two is not None]
    return Result(
        pictures=len(files),
        spaces=spaces,
        cores=available_cores(),
        models_ms=statistics.median(each.models for each in rounds),
        decoding_ms=statistics.median(each.decoding for each in rounds),
        client_ms=statistics.median(each.client for each in rounds),
        one_worker_clock_ms=statistics.median(each.one for each in rounds),
        two_workers_clock_ms=statistics.median(two for _, two in clocks) if clocks else None,
        overhead=statistics.median(
            each.client / (each.models + each.decoding) - 1 for each in rounds
        ),
        overhead_with_decoding=statistics.median(each.client / each.models - 1 for each in rounds),
        speedup=statistics.median(one / two for one, two in clocks) if clocks else None,
        pdq_against_pdqhash=_against_pdqhash(images),
    )


def markdown(result: Result) -> str:
    """A table for people."""

    def times(value: float | None, why: str) -> str:
        return why if value is None else f"{value:.2f} times"

    rows = [
        ("the models alone", f"{result.models_ms:.1f} ms a picture", ""),
        ("decoding alone", f"{result.decoding_ms:.1f} ms a picture", ""),
        ("`fingerprint_many`", f"{result.client_ms:.1f} ms a picture", ""),
        (
            "the client on top of models and decoding",
            f"{100 * result.overhead:.1f} %",
            f"≤ {100 * WANTED_OVERHEAD:.0f} %",
        ),
        (
            "the client on top of the models, decoding included",
            f"{100 * result.overhead_with_decoding:.1f} %",
            f"≤ {100 * WANTED_OVERHEAD:.0f} %",
        ),
        (
            "two workers against one",
            times(result.speedup, "one core only"),
            f"≥ {WANTED_SPEEDUP} times",
        ),
        ("PDQ against pdqhash", times(result.pdq_against_pdqhash, "pdqhash not installed"), ""),
    ]
    setting = (
        f"{result.pictures} photographs, spaces {', '.join(result.spaces)}, {result.cores} cores,"
        f" median of {ROUNDS} rounds."
    )
    lines = [
        setting,
        "",
        "| what | measured | wanted |",
        "|---|---|---|",
        *(f"| {what} | {found} | {wanted} |" for what, found, wanted in rows),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fingerprinting", description=__doc__
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args(arguments)
    result = measure()
    print(json.dumps(asdict(result), indent=1) if chosen.json else markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
