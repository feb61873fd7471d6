"""What calibrations showed: published, never changed."""

from dataclasses import dataclass

from sqlalchemy import insert as insert_into
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from registry.store.tables import CALIBRATION


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One calibration.

    Attributes:
        day: UTC day number on which it was published.
        log_size: greatest log size that the sample was matched at.
        result: JSON, see `services.calibrations`.
    """

    day: int
    log_size: int
    result: str


async def insert(connection: AsyncConnection, row: CalibrationRow) -> None:
    """Writes a calibration."""
    await connection.execute(
        insert_into(CALIBRATION), {"day": row.day, "log_size": row.log_size, "result": row.result}
    )


async def newest(connection: AsyncConnection, most: int) -> list[CalibrationRow]:
    """The newest calibrations, newest first, at most `most`."""
    rows = await connection.execute(
        select(CALIBRATION.c.day, CALIBRATION.c.log_size, CALIBRATION.c.result)
        .order_by(CALIBRATION.c.id.desc())
        .limit(most)
    )
    return [CalibrationRow(*row) for row in rows]
