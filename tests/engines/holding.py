"""Tasks leave a mark of the node they ran on, and wait where a node is to be lost under them.

A node's first task ends when both nodes have one; from its second on, tasks wait until the test
has taken a node away. So both have screened rows, what is lost was whole and half done, and nothing
depends on how fast anything is.
"""

import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.engines.clusters import wait_until


def ray_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def spark_worker() -> str:
    """`one` or `two`: an executor runs in a folder of its worker's."""
    return Path.cwd().parents[1].name


@dataclass(frozen=True)
class Marks:
    """A folder that all tasks of a test see."""

    folder: str

    @property
    def _gate(self) -> Path:
        return Path(self.folder) / "open"

    def of_nodes(self) -> Counter[str]:
        """How many tasks each node has got to the end of, or near it."""
        return Counter(path.name.split("~")[0] for path in Path(self.folder).glob("*~*"))

    def leave(self, node: str) -> None:
        """Called by a task when its rows are screened and not handed on yet."""
        (Path(self.folder) / f"{node}~{uuid.uuid4().hex}").touch()
        while not self._gate.exists():
            seen = self.of_nodes()
            if len(seen) == 2 and seen[node] == 1:
                return
            time.sleep(0.02)

    def wait_until_both_are_in_the_middle(self) -> list[str]:
        """The nodes, each of which holds one task and has ended one."""
        wait_until(lambda: sorted(self.of_nodes().values()) == [2, 2], "two tasks on each node")
        return sorted(self.of_nodes())

    def open(self) -> None:
        self._gate.touch()


def marked(table, marks, node):
    """For whole tables."""
    if table.num_rows:
        marks.leave(node())
    return table


def marked_each(batches, marks, node):
    """For iterators of batches."""
    found = list(batches)
    if found:
        marks.leave(node())
    yield from found


def marked_work(item, work, marks, node):
    """For the function that an engine runs on shards."""
    done = work(item)
    marks.leave(node())
    return done
