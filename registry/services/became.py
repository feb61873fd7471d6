"""What became of an opt-out: which sessions left images out because of a record.

Counted in the transaction that answers, told to the record's owner alone, and not at once: a
session's terms say after how many days. What is told is a number for each session, never which
images, nor anything else of the builder's set.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.statements import Use
from registry.services.clock import SECONDS_PER_DAY, Clock, day_of
from registry.services.terms import told_after
from registry.store import exclusions

MOST_TOLD: Final = 1_000
"""Sessions told of at once, the newest."""


@dataclass(frozen=True, slots=True)
class Certified:
    """Where a session's certificate was logged.

    Attributes:
        index: of the CERTIFY entry.
        digest: of the certificate, 32 bytes.
    """

    index: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A session that left images out because of a record.

    Attributes:
        dataset: its name, as the builder gave it.
        organisation: the builder.
        use: what the session was for.
        day: when the newest was left out, counted from 1970-01-01.
        images: how many.
        session_index: of the SESSION entry, where the session is committed.
        certificate: the newest, if there is one.
    """

    dataset: str
    organisation: str
    use: Use
    day: int
    images: int
    session_index: int | None
    certificate: Certified | None


def images_of(refused: npt.NDArray[np.int64]) -> Counter[int]:
    """Register index → in how many rows; of int64[p, 2], distinct pairs of a row and an index."""
    indices, counts = np.unique(refused[:, 1], return_counts=True)
    return Counter(dict(zip(indices.tolist(), counts.tolist(), strict=True)))


def changed_by_contest(
    refused: npt.NDArray[np.int64], stands: npt.NDArray[np.int64], log_size: int
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """What a contest changes.

    Args:
        refused: int64[p, 2], contested rows and the records that refused them as screened.
        stands: int64[p, 2], those that still do.
        log_size: the block was answered for: records since then were not counted yet.

    Returns:
        Register index → images that come to it, and images that leave it.
    """
    since = stands[:, 1] >= log_size
    fell = images_of(refused[refused[:, 1] < log_size])
    fell.subtract(images_of(stands[~since]))
    return images_of(stands[since]), {index: count for index, count in fell.items() if count > 0}


async def told(
    connection: AsyncConnection, clock: Clock, register_index: int
) -> tuple[Exclusion, ...]:
    """The sessions that an active record's owner is told of, newest first.

    A session is told of so many days after it was closed as its terms say; while it is open, after
    the newest image that this record excluded.
    """
    today = day_of(clock)
    rows = await exclusions.of_record(connection, register_index, MOST_TOLD)
    return tuple(_told(row) for row in rows if _is_due(row, today))


def _is_due(row: exclusions.ExclusionRow, today: int) -> bool:
    days = told_after(row.terms)
    if days is None:
        return False
    since = row.day if row.closed_at is None else row.closed_at // SECONDS_PER_DAY
    return since + days <= today


def _told(row: exclusions.ExclusionRow) -> Exclusion:
    certificate = None
    if row.certify_index is not None and row.certify_digest is not None:
        certificate = Certified(row.certify_index, row.certify_digest)
    return Exclusion(
        dataset=row.dataset,
        organisation=row.builder,
        use=Use(row.use),
        day=row.day,
        images=row.images,
        session_index=row.session_index,
        certificate=certificate,
    )
