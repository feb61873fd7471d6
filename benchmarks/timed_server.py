"""`consent-registry serve`, with a note of what each block's matching took.

    python -m benchmarks.timed_server serve

The server is the real one. Only the search in the indexes is wrapped, in the thread that matches:
for each block a line is added to the file that TIMINGS_FILE names, with the seconds on the clock
and the seconds of that thread's processor time that went into searching.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry import cli
from registry.matching.kernels import Graded, Vectors
from registry.matching.policies import Policy
from registry.matching.registry_index import IndexView
from registry.services import matched

TIMINGS_FILE = "CONSENT_REGISTRY_BENCHMARK_TIMINGS"

_search = IndexView.graded
_match = matched.match  # this is where a block's matching begins and ends
_spent = threading.local()


def _timed_search(
    view: IndexView, space_id: str, vectors: Vectors, policy: Policy
) -> Iterator[Graded]:
    portions = _search(view, space_id, vectors, policy)
    while True:
        clock, processor = time.perf_counter(), time.thread_time()
        hits = next(portions, None)
        _spent.clock += time.perf_counter() - clock
        _spent.processor += time.thread_time() - processor
        if hits is None:
            return
        yield hits


def _timed_match(*block: Any) -> matched.Matched:
    _spent.clock = _spent.processor = 0.0
    found = _match(*block)
    with Path(os.environ[TIMINGS_FILE]).open("a") as file:
        file.write(json.dumps([_spent.clock, _spent.processor]) + "\n")
    return found


if __name__ == "__main__":
    # Granian's processes are forks of this one, so what is replaced here is replaced there.
    setattr(IndexView, "graded", _timed_search)  # noqa: B010 (it is replaced, not assigned)
    setattr(matched, "match", _timed_match)  # noqa: B010
    cli.main()
