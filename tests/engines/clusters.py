"""Real clusters on loopback: Ray with a head and two nodes, Spark with a master and two workers.

Each node has one core: two cores for a whole job is what starves a cluster that is told wrongly how
many of them it may hold.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.serving import free_port

START_SECONDS = 300
STORE_BYTES = 80 << 20
LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for "find an address that others reach"


def wait_until(happened: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Waits for what has to happen; only a broken test waits to the end."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not seen in {seconds} s: {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def in_background[Result](
    work: Callable[..., Result], *given: Any, **named: Any
) -> Iterator[Future[Result]]:
    """Work that goes on while its cluster is broken; if it hangs, the tests end all the same."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work(*given, **named))
        except BaseException as error:  # noqa: BLE001 (it is raised where it is asked for)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    yield future


@dataclass
class RayCluster:
    """A head without cores for tasks, and two nodes with one each."""

    cluster: Any
    nodes: dict[str, Any] = field(default_factory=dict)

    def fill(self) -> None:
        """Adds nodes until there are two."""
        while len(self.nodes) < 2:
            node = self.cluster.add_node(
                num_cpus=1, object_store_memory=STORE_BYTES, node_ip_address=LOOPBACK
            )
            self.nodes[node.node_id] = node
        self.cluster.wait_for_nodes()

    def remove(self, node: str) -> None:
        """Ends a node's processes at once, and with them its objects."""
        self.cluster.remove_node(self.nodes.pop(node), allow_graceful=False)


@contextlib.contextmanager
def _environment(**ours: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _python_path() -> str:
    """Where this process finds what the tests are made of, for those that the engines start."""
    return os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """A started cluster that this process is connected to."""
    with _environment(PYTHONPATH=_python_path(), RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0"):
        yield from _ray_cluster()


def _ray_cluster() -> Iterator[RayCluster]:
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "node_ip_address": LOOPBACK,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
        },
    )
    try:
        ours = RayCluster(cluster)
        ours.fill()
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address=LOOPBACK,
        )
        yield ours
    finally:
        ray.shutdown()
        cluster.shutdown()


def java() -> str | None:
    """The Java that Spark would take, where it starts."""
    home = os.environ.get("JAVA_HOME")
    found = f"{home}/bin/java" if home else shutil.which("java")
    if found is None or not Path(found).exists():
        return None
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    return found if version and int(version[1]) >= 17 else None


@dataclass
class SparkCluster:
    """A standalone master and two workers of one core each, processes of this one."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = "org.apache.spark.deploy.master.Master"
        self._start("master", program, "--port", str(self.port), "--webui-port", "0")
        wait_until(lambda: "I have been elected leader" in self.log("master"), "the master")
        self.fill()

    def fill(self) -> None:
        """Starts workers until there are two."""
        missing = [name for name in ("one", "two") if name not in self.processes]
        for name in missing:
            self._start(
                name,
                "org.apache.spark.deploy.worker.Worker",
                *("--cores", "1", "--memory", "1g", "--work-dir", str(self.folder / name)),
                *("--webui-port", "0", self.master),
            )
        for name in missing:
            wait_until(
                lambda name=name: "Successfully registered" in self.log(name), f"worker {name}"
            )

    def _start(self, name: str, program: str, *arguments: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [home / "bin" / "spark-class", program, "--host", "127.0.0.1", *arguments],
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        """`kill -9` of a process and all that it started: a worker and its executors."""
        process = self.processes.pop(name)
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(process.pid)
            for each in (found, *found.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in [*self.processes][::-1]:
            self.kill(name)


@contextlib.contextmanager
def spark_session(folder: Path) -> Iterator[tuple[SparkCluster, Any]]:
    """A started cluster, and a session with an executor on each worker."""
    ours = {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": _python_path(),
    }
    cluster = SparkCluster(folder)
    with _environment(**ours):
        yield from _spark_session(cluster)


def _spark_session(cluster: SparkCluster) -> Iterator[tuple[SparkCluster, Any]]:
    from pyspark.sql import SparkSession

    try:
        cluster.start()
        builder = SparkSession.builder.master(cluster.master).appName("consent")
        for name, value in {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.executor.cores": "1",
            "spark.executorEnv.PYTHONPATH": _python_path(),
            "spark.ui.enabled": "false",
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
            "spark.locality.wait": "0s",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.files.openCostInBytes": str(128 << 20),  # a partition per file
            "spark.log.level": "ERROR",
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        try:
            yield cluster, session
        finally:
            session.stop()
    finally:
        cluster.stop()
