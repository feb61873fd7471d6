"""Runs the first stage of shards on a cluster that sees the same files; results come to its files.

Both engines may run a shard twice, and may lose a worker: see `stages.look`. Neither is imported
before it is asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from consent_client.errors import MissingExtra
from consent_client.screening.stages import Engine, local


class EngineName(StrEnum):
    """Where the first stage runs."""

    LOCAL = "local"
    RAY = "ray"
    SPARK = "spark"


def engine_of(name: EngineName) -> Engine:
    """The engine of this name.

    Raises:
        MissingExtra: its package is not installed.
    """
    if name is EngineName.LOCAL:
        return local
    try:
        if name is EngineName.RAY:
            import ray  # noqa: F401, PLC0415 (no part of any extra)

            return on_ray
        import pyspark  # noqa: F401, PLC0415

        return on_spark  # noqa: TRY300
    except ImportError:
        package = "ray" if name is EngineName.RAY else "pyspark"
        raise MissingExtra(f"this engine needs {package}: pip install {package}", package) from None


def on_ray[Item](work: Callable[[Item], object], items: Sequence[Item]) -> Iterator[object]:
    """A task per thing, of one core each, on the Ray cluster this process is connected to."""
    import ray  # noqa: PLC0415

    if not ray.is_initialized():
        ray.init(logging_level="ERROR", include_dashboard=False)
    remote = ray.remote(num_cpus=1, max_retries=3)(work)
    waiting = [remote.remote(item) for item in items]
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        yield from ray.get(done)


def on_spark[Item](work: Callable[[Item], object], items: Sequence[Item]) -> Iterator[object]:
    """A partition per thing, on the Spark session this process has or makes."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    context = SparkSession.builder.getOrCreate().sparkContext
    yield from context.parallelize(items, max(1, len(items))).map(work).collect()
