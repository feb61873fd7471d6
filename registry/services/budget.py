"""How much a builder may learn of one record: a budget of candidates that match it.

Each EXCLUDE tells that a candidate lies within reach of some record. Whoever may ask without end
walks along the border of that reach and, from a few thousand answers, rebuilds the fingerprint
(tests/attacks/test_hill_climbing.py). So the distinct candidates of one builder that match one
record are counted, in the same transaction as the answer, and a block that would exceed the budget
is not answered: the builder is held, with everything new it asks, until the operator has looked.
Answering the others meanwhile would make the hold itself the answer.

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
from registry.settings import Settings
from registry.store import budgets
from registry.store.engine import Store

log = structlog.get_logger(__name__)

CANDIDATE_BYTES: Final = 16

MAX_PAIRS: Final = 100_000
"""Pairs of a candidate and a record that one block may match; writing them takes about a second.
More means that thousands of candidates match hundreds of records of one picture."""

_DOMAIN: Final = b"consent-registry/v1/candidate\0"


@dataclass(frozen=True, slots=True)
class Positives:
    """What a block or a contest matched, to be counted.

    Attributes:
        works, people: distinct (register index, candidate), of spaces of works and of people.
        too_many: there are more than `MAX_PAIRS`; neither is complete then.
    """

    works: frozenset[tuple[int, bytes]] = field(repr=False)
    people: frozenset[tuple[int, bytes]] = field(repr=False)
    too_many: bool = False


def positives(
    secret: bytes,
    columns: Sequence[Column],
    pairs: Mapping[str, npt.NDArray[np.int64]],
    extra: Mapping[int, bytes],
) -> Positives:
    """Puts together what is to be counted.

    Args:
        secret: of the vault.
        columns: of the block.
        pairs: space id → int64[p, 2], pairs of a row and the register index of a match.
        extra: what else a row showed (the crops of a contest).
    """
    if sum(map(len, pairs.values())) > MAX_PAIRS:
        return Positives(frozenset(), frozenset(), too_many=True)
    rows = {row for matched in pairs.values() for row in matched[:, 0].tolist()}
    candidates = candidates_of(secret, columns, sorted(rows), extra)
    found: dict[Subject, set[tuple[int, bytes]]] = {subject: set() for subject in Subject}
    for space_id, matched in pairs.items():
        of = found[SPACES[space_id].subject]
        of.update((register, candidates[row]) for row, register in matched.tolist())
    return Positives(frozenset(found[Subject.WORK]), frozenset(found[Subject.PERSON]))


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
    """A budget would be exceeded; whoever counted rolls back and calls `hold_builder`.

    Attributes:
        needs: as `budgets.hold` takes them.
    """

    def __init__(self, needs: list[tuple[int | None, bool, int | None]]) -> None:
        super().__init__("a budget would be exceeded")
        self.needs = needs


async def spend(
    connection: AsyncConnection,
    settings: Settings,
    builder: Builder,
    found: Positives,
    *,
    committed: bool,
) -> None:
    """Counts what matched, within the transaction that writes the answer.

    Under the writers' lock: two blocks at once do not slip under a budget together.

    Raises:
        Exceeded: the transaction has to be rolled back.
        Held: the builder was held meanwhile.
    """
    await check_not_held(connection, builder)
    if found.too_many:
        raise Exceeded([(None, committed, None)])
    needs: list[tuple[int | None, bool, int | None]] = []
    for matched, rate in ((found.works, committed), (found.people, False)):
        if not matched:
            continue
        limit = settings.committed_budget if rate else settings.budget
        registers = sorted({register for register, _ in matched})
        await budgets.count(
            connection, builder.id, ((register, rate, candidate) for register, candidate in matched)
        )
        now = await budgets.counted(connection, builder.id, rate, registers)
        allowed = await budgets.allowances(connection, builder.id, rate)
        needs += [
            (register, rate, number + limit)
            for register, number in sorted(now.items())
            if number > max(limit, allowed.get(register, 0))
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
    log.warning("a builder is held", builder=builder.name, records=len(exceeded.needs))
    return Held()
