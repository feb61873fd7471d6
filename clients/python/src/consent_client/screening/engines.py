"""Runs the first stage of shards on a cluster that sees the same files; results come to its files.

Both engines may run a shard twice, and may lose a worker: see `stages.look`. Neither is imported
before it is asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from consent_client.errors import ConsentError, MissingExtra
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
            import ray  # noqa: F401, PLC0415 (an extra of its own)

            return on_ray
        import pyspark  # noqa: F401, PLC0415

        return on_spark  # noqa: TRY300
    except ImportError:
        raise MissingExtra(
            f"this engine needs a package: pip install 'consent-client[{name}]'", name.value
        ) from None


def on_ray[Item](work: Callable[[Item], object], items: Sequence[Item]) -> Iterator[object]:
    """A task per thing, of one core each, on the Ray cluster this process is connected to."""
    import ray  # noqa: PLC0415

    if not ray.is_initialized():
        ray.init(logging_level="ERROR", include_dashboard=False)
    remote = ray.remote(num_cpus=1, max_retries=3)(_done)
    waiting = [remote.remote(work, item) for item in items]
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        yield from map(_taken, ray.get(done))


def on_spark[Item](work: Callable[[Item], object], items: Sequence[Item]) -> Iterator[object]:
    """A partition per thing, on the Spark session this process has or makes."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    context = SparkSession.builder.getOrCreate().sparkContext
    things = context.parallelize(items, max(1, len(items)))
    yield from map(_taken, things.map(partial(_done, work)).collect())


@dataclass(frozen=True, slots=True)
class _Raised:
    """What was raised on purpose in a worker. Spark brings exceptions home as text only."""

    kind: type[ConsentError]
    arguments: tuple[object, ...]
    attributes: dict[str, object]


def _done[Item](work: Callable[[Item], object], item: Item) -> object:
    """Work in a worker; what it raises on purpose would come out the same when it is run again."""
    try:
        return work(item)
    except ConsentError as error:
        return _Raised(type(error), error.args, vars(error))


def _taken(found: object) -> object:
    if not isinstance(found, _Raised):
        return found
    error = found.kind.__new__(found.kind, *found.arguments)
    error.__dict__.update(found.attributes)
    raise error
