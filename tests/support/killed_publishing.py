"""Publishes a log again and again from the same beginning, each time killed one step later.

    python -m tests.support.killed_publishing DATABASE_URL FOLDER COPIES

Each publication is a process of its own, which sends itself SIGKILL before its n-th change to the
disk; it works on a copy of the folder, COPIES/n. The last one came to its end.
"""

import asyncio
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from registry.services.publishing import Publisher
from registry.store.engine import open_store
from registry.tlog.storage import FolderStorage
from tests.support.published import SIGNER

# Everything by which the storage changes what others see, or makes it last.
CHANGES: tuple[tuple[ModuleType, str], ...] = (
    (os, "fsync"),
    (os, "link"),
    (os, "replace"),
    (os, "unlink"),
    (shutil, "rmtree"),
)

ENDED = 0


def _kill_before(step: int) -> None:
    """From now on this process ends before its change number `step`, from 0."""
    done = itertools.count()

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            if next(done) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **options)

        return counting

    for module, name in CHANGES:
        setattr(module, name, counted(getattr(module, name)))


async def _publish(url: str, folder: Path) -> None:
    store = open_store(url)
    await Publisher(store, FolderStorage(folder), SIGNER).publish()
    await store.dispose()


def main(url: str, folder: Path, copies: Path) -> None:
    """Publishes until one is not killed."""
    # Once to the end before any is forked, so that not each of them imports a database's driver.
    shutil.copytree(folder, copies / "whole")
    asyncio.run(_publish(url, copies / "whole"))
    shutil.rmtree(copies / "whole")
    for step in itertools.count():
        copy = copies / str(step)
        shutil.copytree(folder, copy)
        child = os.fork()
        if child == 0:
            _kill_before(step)
            asyncio.run(_publish(url, copy))
            os._exit(ENDED)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        assert os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
