"""How much a builder may learn of one record: a budget of candidates that match it.

Each EXCLUDE tells that a candidate lies within reach of some record. Whoever may ask without end
walks along the border of that reach and, from a few thousand answers, rebuilds the fingerprint
(tests/attacks/test_hill_climbing.py). So the distinct candidates of one builder that match one
record are counted, in the same transaction as the answer, and a block that would exceed the budget
is not answered: the builder is held, with everything new it asks, until the operator has looked.
Answering the others meanwhile would make the hold itself the answer.

What tells most are candidates near the border, whichever side they come to lie on: one such yes or
no is one bit about the record, and a builder who asks only for those that hardly ever match learns
several bits by each match. So what comes near the border is counted as well, with a budget of its
own; a data set of pictures has few of them, an attack has nothing else.

Candidates whose fingerprints are fixed before any answer (committed sessions) can not be steered by
answers: of works, more of them may match. Equality (exact spaces) gives nothing away.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.contests import row_contents
from consent_client.protocol.screening import Column
from consent_client.protocol.spaces import SPACES, Kind, Subject
from registry.errors import Held
from registry.services.builders import Builder
from registry.services.clock import Clock
from registry.services.matched import MAX_PAIRS
from registry.settings import Settings
from registry.store import budgets
from registry.store.engine import Store
from registry.store.tables import Rate

log = structlog.get_logger(__name__)

CANDIDATE_BYTES: Final = 16

_DOMAIN: Final = b"consent-registry/v1/candidate\0"


@dataclass(frozen=True, slots=True)
class Spending:
    """What a block or a contest tells, to be counted.

    Attributes:
        counts: rate → distinct (register index, candidate).
        too_many: there are more than `MAX_PAIRS`; `counts` is empty then.
    """

    counts: Mapping[Rate, frozenset[tuple[int, bytes]]] = field(repr=False)
    too_many: bool = False


type SpacePairs = Mapping[str, npt.NDArray[np.int64]]
"""Space id → int64[p, 2]: a row, and the register index of what it matches or comes near."""


def spending(
    secret: bytes,
    columns: Sequence[Column],
    pairs: SpacePairs,
    borders: SpacePairs,
    extra: Mapping[int, bytes],
    *,
    committed: bool,
) -> Spending:
    """Puts together what is to be counted.

    Args:
        secret: of the vault.
        columns: of the block.
        pairs: what matches.
        borders: what lies near the border of a match, on either side.
        extra: what else a row showed (the crops of a contest).
        committed: whether the candidates were fixed before any answer; never so for faces.
    """
    if any(sum(map(len, each.values())) > MAX_PAIRS for each in (pairs, borders)):
        return Spending({}, too_many=True)
    rows = {row for each in (pairs, borders) for found in each.values() for row in found[:, 0]}
    candidates = candidates_of(secret, columns, sorted(map(int, rows)), extra)
    counts: dict[Rate, set[tuple[int, bytes]]] = {rate: set() for rate in Rate}
    for space_id in pairs.keys() | borders.keys():
        fixed = committed and SPACES[space_id].subject is Subject.WORK
        if not fixed:
            counts[Rate.BORDER] |= _told(candidates, borders.get(space_id))
        counts[Rate.COMMITTED if fixed else Rate.FREE] |= _told(candidates, pairs.get(space_id))
    return Spending({rate: frozenset(told) for rate, told in counts.items() if told})


def _told(
    candidates: Mapping[int, bytes], pairs: npt.NDArray[np.int64] | None
) -> set[tuple[int, bytes]]:
    if pairs is None:
        return set()
    return {(register, candidates[row]) for row, register in pairs.tolist()}


def candidates_of(
    secret: bytes, columns: Sequence[Column], rows: Sequence[int], extra: Mapping[int, bytes]
) -> dict[int, bytes]:
    """What stands for some rows: keyed digests of all they show in spaces with distances.

    Returns:
        Row → 16 bytes; the same for the same fingerprints, in whatever block or session.
    """
    with_distances = [column for column in columns if column.space.kind is not Kind.EXACT]
    contents = row_contents(with_distances, rows)
    return {
        row: hmac.digest(secret, _DOMAIN + content + extra.get(row, b""), "sha256")[
            :CANDIDATE_BYTES
        ]
        for row, content in zip(rows, contents, strict=True)
    }


async def check_not_held(connection: AsyncConnection, builder: Builder) -> None:
    """Lets nothing new pass while a builder is held.

    Raises:
        Held: it is.
    """
    if await budgets.is_held(connection, builder.id):
        raise Held


class Exceeded(Exception):
    """A budget would be exceeded; whoever counted rolls back and calls `hold_builder`."""

    def __init__(self, needs: list[budgets.Need]) -> None:
        super().__init__("a budget would be exceeded")
        self.needs = needs


async def spend(
    connection: AsyncConnection, settings: Settings, builder: Builder, found: Spending
) -> None:
    """Counts what is told, within the transaction that writes the answer.

    Under the writers' lock: two blocks at once do not slip under a budget together. The database
    is asked as often where nothing is told: else the time of an answer would tell that something
    was, which of what comes near a border the verdict does not (tests/attacks/test_timing.py).

    Raises:
        Exceeded: the transaction has to be rolled back.
        Held: the builder was held meanwhile.
    """
    await check_not_held(connection, builder)
    if found.too_many:
        raise Exceeded([budgets.Need(None, Rate.FREE, None)])
    limits = {
        Rate.FREE: settings.budget,
        Rate.COMMITTED: settings.committed_budget,
        Rate.BORDER: settings.border_budget,
    }
    await budgets.count(connection, builder.id, found.counts)
    told = {(rate, register) for rate, pairs in found.counts.items() for register, _ in pairs}
    registers = sorted({register for _, register in told})
    now = await budgets.counted(connection, builder.id, registers)
    allowed = await budgets.allowances(connection, builder.id)
    needs = [
        budgets.Need(register, rate, number + limits[rate])
        for (rate, register), number in sorted(now.items())
        if (rate, register) in told and number > max(limits[rate], allowed.get((rate, register), 0))
    ]
    if needs:
        raise Exceeded(needs)


async def hold_builder(store: Store, clock: Clock, builder: Builder, exceeded: Exceeded) -> Held:
    """Holds a builder whose budget would have been exceeded, and tells the operator.

    Returns:
        What to answer.
    """
    async with store.write() as connection:
        await budgets.hold(connection, builder.id, int(clock.now()), exceeded.needs)
    log.warning("a builder is held", records=len(exceeded.needs))  # whom: `builder holds`
    return Held()
