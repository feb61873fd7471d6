"""Published calibrations: how often images are excluded that no record is a copy of.

The operator matches the registry against a random sample of a data set and judges the hits
(`registry.calibration`); what comes of it is written here, and anyone may read it.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from registry.errors import Conflict, CorruptRegistry
from registry.store import calibrations
from registry.store.engine import Store

RESULT_VERSION: Final = 1

SHOWN: Final = 20
"""Calibrations that the API shows, the newest: some years of them."""

CONFIDENCE: Final = 0.95
"""Of the intervals."""


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What one policy came to on the sample.

    Attributes:
        name: of the policy.
        version: of the policy.
        hits: pairs of an image and a record that matched.
        false_hits: of them, those judged to be of different pictures.
        unsure_hits: of them, those that could not be judged.
        matched_images: images with a hit.
        false_images: of them, those whose hits are all false.
        unsure_images: of them, those of which no hit is right and not all are surely false.
        rate: false images of all images.
        low: lower end of the interval, where every unsure image counts as rightly excluded.
        high: upper end, where every unsure image counts as falsely excluded.
    """

    name: str
    version: int
    hits: int
    false_hits: int
    unsure_hits: int
    matched_images: int
    false_images: int
    unsure_images: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What matching the registry against a sample showed.

    Attributes:
        run: drawn at random, so that nothing is published twice.
        sample: the data set's name, as the operator gave it.
        images: images that were matched.
        unreadable: further images of the sample, which could not be read.
        spaces: in which they were matched.
        least_log_size: log size when matching began.
        log_size: log size when it ended.
        active_records: active records when it ended.
        in_force: name of the policy that new sessions got when it ended.
        policies: each with its result.
    """

    run: str
    sample: str
    images: int
    unreadable: int
    spaces: tuple[str, ...]
    least_log_size: int
    log_size: int
    active_records: int
    in_force: str
    policies: tuple[PolicyResult, ...]

    def encode(self) -> str:
        """JSON, canonical."""
        value = {"version": RESULT_VERSION, **asdict(self)}
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        """What `encode` gave.

        Raises:
            CorruptRegistry: something else.
        """
        try:
            value: dict[str, Any] = json.loads(text)
            if value.pop("version") == RESULT_VERSION:
                policies = tuple(PolicyResult(**each) for each in value.pop("policies"))
                return cls(policies=policies, spaces=tuple(value.pop("spaces")), **value)
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        message = "A stored calibration can not be read."
        raise CorruptRegistry(message)


@dataclass(frozen=True, slots=True)
class Published:
    """A calibration and the UTC day number on which it was published."""

    day: int
    calibration: Calibration


async def publish(store: Store, calibration: Calibration, day: int) -> bool:
    """Publishes a calibration; the same again changes nothing.

    Returns:
        Whether it is new.

    Raises:
        Conflict: this run was published with another result: what is published stays.
    """
    async with store.write() as connection:
        for row in await calibrations.newest(connection, SHOWN):
            earlier = Calibration.decode(row.result)
            if earlier.run == calibration.run:
                if earlier != calibration:
                    message = (
                        "This run is published already, with another result. What is published "
                        "stays: calibrate again, in a new folder."
                    )
                    raise Conflict(message)
                return False
        await calibrations.insert(
            connection,
            calibrations.CalibrationRow(day, calibration.log_size, calibration.encode()),
        )
    return True


async def published(store: Store) -> list[Published]:
    """The newest calibrations, newest first."""
    async with store.read() as connection:
        rows = await calibrations.newest(connection, SHOWN)
    return [Published(row.day, Calibration.decode(row.result)) for row in rows]
