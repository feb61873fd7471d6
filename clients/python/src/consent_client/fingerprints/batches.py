"""Fingerprints of many pictures on all cores, in order, in bounded memory.

The workers are threads: decoding, resizing, hashing, matrix products and the model all release
Python's lock, one model serves every worker, and a thread needs neither a picklable picture nor a
guarded main module, and may run inside somebody else's worker process (Ray, Spark).
"""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from consent_client.errors import ImageError
from consent_client.fingerprints.crops import crop_fingerprints
from consent_client.fingerprints.images import (
    Bordered,
    ImageFingerprints,
    Models,
    Screened,
    Source,
    check_spaces,
    fingerprint_image,
    load_models,
)
from consent_client.fingerprints.sscd import SscdModel

IN_FLIGHT_PER_WORKER: Final = 4
"""Pictures taken from the caller ahead of the one that is due. Results come in order, so that one
slow picture must not make the other workers idle; more would only hold more files in memory."""


def available_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fingerprint_many[Key](
    sources: Iterable[tuple[Key, Screened]],
    spaces: Collection[str],
    workers: int | None = None,
    *,
    models: Models | None = None,
) -> Iterator[tuple[Key, ImageFingerprints | ImageError]]:
    """Fingerprint pictures for screening, with `workers` at once.

    Args:
        sources: key and file (bytes or path) of each picture; read as far as needed, on the
            caller's thread. The key names a picture that comes as bytes in its error.
        spaces: some of `PICTURE_SPACES`.
        workers: threads; None: one for each core.
        models: from `load_models`; None: the installed ones.

    Yields:
        Each key with its fingerprints, or with the error that says why there are none, in the order
        of `sources`. Closing the iterator, or an interrupt, waits for the pictures that are being
        worked on (a fraction of a second) and starts no others.

    Raises:
        UnknownSpace, MissingModel, ModelMismatch: at once, before any picture is read.
        ValueError: `workers` is less than 1.
    """
    check_spaces(spaces)
    loaded = load_models(spaces) if models is None else models
    asked = frozenset(spaces)

    def compute(source: Screened, name: str) -> ImageFingerprints:
        return fingerprint_image(source, asked, name=name, models=loaded)

    return _run(iter(sources), compute, _threads(workers))


def crop_many[Key](
    sources: Iterable[tuple[Key, Source]], model: SscdModel, workers: int | None = None
) -> Iterator[tuple[Key, Mapping[str, tuple[bytes, ...]] | ImageError]]:
    """As `fingerprint_many`, of pictures' five crops: see `crops.crop_fingerprints`."""

    def compute(source: Source, name: str) -> Mapping[str, tuple[bytes, ...]]:
        return crop_fingerprints(source, model, name)

    return _run(iter(sources), compute, _threads(workers))


def _threads(workers: int | None) -> int:
    threads = available_cores() if workers is None else workers
    if threads < 1:
        raise ValueError("fingerprint_many needs at least one worker")
    return threads


def _run[Key, Found, From: Screened](
    sources: Iterator[tuple[Key, From]], compute: Callable[[From, str], Found], workers: int
) -> Iterator[tuple[Key, Found | ImageError]]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fingerprints")
    due: deque[tuple[Key, Future[Found | ImageError]]] = deque()
    try:
        for key, source in sources:
            due.append((key, pool.submit(_attempt, compute, source, str(key))))
            del source  # the pool alone holds the bytes, until they are hashed
            if len(due) >= workers * IN_FLIGHT_PER_WORKER:
                first, result = due.popleft()
                yield first, result.result()
        while due:
            first, result = due.popleft()
            yield first, result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _attempt[Found, From: Screened](
    compute: Callable[[From, str], Found], source: From, key: str
) -> Found | ImageError:
    name = key if isinstance(source, bytes | Bordered) else ""
    try:
        return compute(source, name)
    except ImageError as problem:
        # As a value it may be kept for long; its traceback would keep the picture's bytes with it.
        problem.__cause__ = problem.__context__ = None
        return problem.with_traceback(None)
