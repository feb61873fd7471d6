"""A sample against the registry, portion by portion, resumed where it was interrupted."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from registry.calibration.journal import (
    Journal,
    Plan,
    Portion,
    opened,
    read_plan,
    settled_plan,
    write_private,
)
from registry.calibration.matching import POLICIES, Hit, hits_of
from registry.calibration.result import Suspect, calibration_of, suspects
from registry.calibration.review import REVIEW_NAME, Judgement, read_review, review_text
from registry.calibration.sample import Image, Sample, draw, new_seed
from registry.calibration.sheet import Shown, pages_of
from registry.errors import ConfigurationError, InvalidInput
from registry.matching.policies import policy_for
from registry.matching.threads import one_faiss_thread
from registry.services.beside import followed
from registry.services.calibrations import Calibration, publish
from registry.services.clock import Clock, day_of
from registry.services.following import Follower, State
from registry.services.names import plain
from registry.services.operating import founded
from registry.services.running import PROCESS_ID_BYTES
from registry.settings import Settings
from registry.store import records
from registry.store.engine import Store

PORTION_IMAGES: Final = 200
"""Fingerprinted and matched together: some ten seconds of work that an interruption costs."""

MAX_SAMPLE_NAME: Final = 200

_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each portion, and once at the start.

    Attributes:
        done: images looked at.
        total: images in the sample.
        hits: so far.
    """

    done: int
    total: int
    hits: int


@dataclass(frozen=True, slots=True)
class Matched:
    """A sample that was matched.

    Attributes:
        images: images that were matched.
        unreadable: further ones that could not be read.
        hits: pairs of an image and a record, under any policy.
        matched_images: name of a policy → images with a hit under it.
        pages: files to look at.
        review: the file to fill in.
    """

    images: int
    unreadable: int
    hits: int
    matched_images: dict[str, int]
    pages: tuple[Path, ...]
    review: Path


@dataclass(frozen=True, slots=True)
class Publication:
    """A calibration that is published.

    Attributes:
        new: whether it was not before.
        suspects: active records to look at.
    """

    calibration: Calibration
    new: bool
    suspects: tuple[Suspect, ...]


async def match_sample(
    settings: Settings,
    clock: Clock,
    source: str,
    out: Path,
    *,
    drawn: int | None = None,
    workers: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Matched:
    """Matches a sample and writes what is to be reviewed; interrupted, call it again to go on.

    Args:
        settings: of the registry; it may be serving.
        clock: what day it is.
        source: the sample, as `consent screen` takes data sets.
        out: folder for the results, new or of an earlier run; for its owner alone.
        drawn: how many images to draw at random; None: all.
        workers: threads that fingerprint; None: one per core.
        on_progress: told after each portion.

    Raises:
        ConsentError: the sample can not be read, or something is not installed.
        ConfigurationError: `out` can not be used, is another calibration's, or the sample changed.
        InvalidInput: fewer images than are to be drawn.
        RegistryError: the registry's store or keys can not be used.
    """
    earlier = await asyncio.to_thread(_prepare, out)
    seed = new_seed() if earlier is None else earlier.seed
    sample = await asyncio.to_thread(draw, source, drawn, seed)
    plan = settled_plan(
        out,
        Plan(
            run=secrets.token_hex(PROCESS_ID_BYTES),
            origin=settings.origin,
            source=sample.digest,
            drawn=drawn,
            seed=seed,
            size=sample.size,
            spaces=sample.spaces,
            policies=tuple(f"{policy.name}/{policy.version}" for policy in POLICIES),
        ),
    )
    with opened(out) as journal:
        if journal.done < plan.size:
            async with followed(settings, clock) as follower:
                await _match(follower, settings, sample, journal, workers, on_progress)
        if await asyncio.to_thread(sample.changed):
            message = "The sample changed while it was matched. Begin anew in another folder."
            raise ConfigurationError(message)
        pages = await asyncio.to_thread(_write_review, sample, journal.hits, out)
        return _matched(journal, pages, out / REVIEW_NAME)


async def publish_review(
    settings: Settings, clock: Clock, out: Path, review: Path, sample: str
) -> Publication:
    """Publishes a calibration that was reviewed; the same again changes nothing.

    Args:
        settings: of the registry.
        clock: what day it is.
        out: the folder of `match_sample`.
        review: the list, filled in.
        sample: the data set's name, which everyone can read.

    Raises:
        InvalidInput: a review that does not fit, or no name.
        ConfigurationError: no calibration in `out`, or one that is not finished.
        Conflict: it was published with another review.
    """
    if not plain(sample, MAX_SAMPLE_NAME):
        message = f"A sample's name has 1 to {MAX_SAMPLE_NAME} plain characters."
        raise InvalidInput(message)
    plan = await asyncio.to_thread(read_plan, out)
    if plan is None:
        message = f"There is no calibration in {out}."
        raise ConfigurationError(message)
    if plan.origin != settings.origin:
        message = f"The calibration in {out} is of the registry {plan.origin!r}."
        raise ConfigurationError(message)
    with opened(out) as journal:
        if journal.done < plan.size:
            message = f"Only {journal.done} of {plan.size} images were matched: finish that first."
            raise ConfigurationError(message)
        hits = journal.hits
        judgements = await asyncio.to_thread(read_review, review, hits)
        if journal.done == sum(portion.unreadable for portion in journal.portions):
            message = "No image of this sample could be read: there is nothing to publish."
            raise InvalidInput(message)
        calibration = calibration_of(plan, journal, judgements, sample, POLICIES)
    async with founded(settings) as store:
        new = await publish(store, calibration, day_of(clock))
        worst = await _active(store, calibration, list(zip(hits, judgements, strict=True)))
    return Publication(calibration, new, worst)


async def _active(
    store: Store, calibration: Calibration, judged: Sequence[tuple[Hit, Judgement]]
) -> tuple[Suspect, ...]:
    """The suspects that are still there."""
    found = []
    async with store.read() as connection:
        for each in suspects(calibration, judged):
            record = await records.by_register_index(connection, each.record)
            if record is not None and record.terminal_index is None:
                found.append(each)
    return tuple(found)


def _prepare(out: Path) -> Plan | None:
    try:
        out.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        return read_plan(out)
    except OSError as error:
        message = f"{out} can not be used: {error.strerror}."
        raise ConfigurationError(message) from None


async def _match(
    follower: Follower,
    settings: Settings,
    sample: Sample,
    journal: Journal,
    workers: int | None,
    on_progress: Callable[[Progress], None],
) -> None:
    images = sample.images(journal.done, workers)
    loop = asyncio.get_running_loop()
    hits = len(journal.hits)
    on_progress(Progress(journal.done, sample.size, hits))
    with ThreadPoolExecutor(1, "calibrating", one_faiss_thread) as thread:
        try:
            while part := await loop.run_in_executor(thread, _some, images):
                await follower.compact()  # what was withdrawn leaves this memory, too
                state = await follower.answerable()
                policy = policy_for(state.float_records, settings.face_threshold)
                portion = await loop.run_in_executor(thread, _portion, state, policy.name, part)
                await asyncio.to_thread(journal.add, portion)
                hits += len(portion.hits)
                on_progress(Progress(journal.done, sample.size, hits))
        finally:
            await loop.run_in_executor(thread, _close, images)
    if journal.done != sample.size:
        message = "The sample became shorter while it was matched. Begin anew in another folder."
        raise ConfigurationError(message)


def _some(images: Iterator[Image]) -> list[Image]:
    return list(islice(images, PORTION_IMAGES))


def _close(images: Iterator[Image]) -> None:
    """Ends the threads that fingerprint."""
    close = getattr(images, "close", None)
    if close is not None:
        close()


def _portion(state: State, policy: str, images: Sequence[Image]) -> Portion:
    readable = [image for image in images if image.fingerprints]
    found = hits_of(
        state, [image.row for image in readable], [image.fingerprints for image in readable]
    )
    return Portion(
        count=len(images),
        unreadable=len(images) - len(readable),
        log_size=state.log_size,
        active_records=state.active_records,
        policy=policy,
        hits=tuple(found),
    )


def _write_review(sample: Sample, hits: Sequence[Hit], out: Path) -> tuple[Path, ...]:
    """Writes the pages, and the list unless there is one: somebody may have begun to fill it in."""
    wanted = np.zeros(len(sample.chosen), np.bool_)
    wanted[[hit.row for hit in hits]] = True
    shown = {
        row.number: Shown(row.key, picture)
        for row, picture in (sample.pictures(wanted) if hits else ())
    }
    paths = []
    for number, page in enumerate(pages_of(hits, shown), 1):
        paths.append(out / f"hits-{number:03d}.html")
        write_private(paths[-1], page.encode(errors="backslashreplace"))
    review = out / REVIEW_NAME
    if not review.exists():
        keys = {row: image.key for row, image in shown.items()}
        write_private(review, review_text(hits, keys).encode(errors="backslashreplace"))
    return tuple(paths)


def _matched(journal: Journal, pages: tuple[Path, ...], review: Path) -> Matched:
    unreadable = sum(portion.unreadable for portion in journal.portions)
    hits = journal.hits
    return Matched(
        images=journal.done - unreadable,
        unreadable=unreadable,
        hits=len(hits),
        matched_images={
            policy.name: len({hit.row for hit in hits if hit.spaces.get(policy.name)})
            for policy in POLICIES
        },
        pages=pages,
        review=review,
    )
