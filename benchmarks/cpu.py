"""Processor time: other programs on the machine hardly change it, as they change clock time."""

import time
from collections.abc import Callable, Sequence

import psutil


def seconds(processes: Sequence[psutil.Process] = ()) -> float:
    """Processor time of this process so far, and of some others."""
    times = [process.cpu_times() for process in processes]
    return time.process_time() + sum(each.user + each.system for each in times)


def least(
    work: Callable[[], object], rounds: int = 3, processes: Sequence[psutil.Process] = ()
) -> float:
    """Processor seconds of the least disturbed round."""
    return min(once(work, processes) for _ in range(rounds))


def once(work: Callable[[], object], processes: Sequence[psutil.Process] = ()) -> float:
    """Processor seconds."""
    start = seconds(processes)
    work()
    return seconds(processes) - start
