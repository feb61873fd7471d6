"""A builder's session for one data set and one use: opened, found again, closed and counted."""

import secrets
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from consent_client.protocol.spaces import SPACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.errors import InvalidInput, UnknownScreening
from registry.matching.policies import policy_for
from registry.services.budget import check_not_held
from registry.services.builders import Builder
from registry.services.names import plain
from registry.services.people import check_opt_in
from registry.services.running import Registry
from registry.services.terms import write_terms
from registry.store import contests, screenings

SCREENING_ID_BYTES = 16
ROOT_BYTES = 32
MAX_DATASET_CHARACTERS = 200

# Above the largest list there is (LAION-5B has 5.85e9 rows) and well within a log index.
MAX_CANDIDATES = 10**11


@dataclass(frozen=True, slots=True)
class Closing:
    """The counts of a closed screening.

    Attributes:
        verdicts: images per verdict, after contests.
        present: for each space, images that carried a fingerprint in it.
        answered: images answered.
        contested: images that were contested.
        overturned: how many of those are no longer excluded.
        complete: whether that is all that were announced.
    """

    candidate_count: int
    answered: int
    verdicts: dict[Verdict, int]
    present: dict[str, int]
    least_log_size: int
    greatest_log_size: int
    contested: int = 0
    overturned: int = 0

    @property
    def complete(self) -> bool:
        """Whether every announced candidate was answered."""
        return self.answered == self.candidate_count


@dataclass(frozen=True, slots=True)
class Opening:
    """What a builder asks for.

    Attributes:
        dataset: the data set's name, for the operator.
        required_spaces: an image without a fingerprint in one of them is UNKNOWN.
        candidate_count: how many images will be sent.
        opt_in_spaces: spaces of people to look in too.
        lawful_basis_stated: whether the builder states that they may lawfully look for people.
        root: of the committed manifest (FORMATS §6), 32 bytes; None for an uncommitted session.

    Raises:
        InvalidInput: name, spaces, count or root out of range.
    """

    dataset: str
    use: Use
    required_spaces: tuple[str, ...]
    candidate_count: int
    opt_in_spaces: tuple[str, ...] = ()
    lawful_basis_stated: bool = False
    root: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not plain(self.dataset, MAX_DATASET_CHARACTERS):
            message = f"A data set's name has 1 to {MAX_DATASET_CHARACTERS} plain characters."
            raise InvalidInput(message)
        if not 0 < self.candidate_count <= MAX_CANDIDATES:
            message = f"A screening has 1 to {MAX_CANDIDATES} candidates."
            raise InvalidInput(message)
        for named in (self.required_spaces, self.opt_in_spaces):
            if len(set(named)) != len(named):
                message = "A space is named twice."
                raise InvalidInput(message)
            for name in named:
                if name not in SPACES:
                    message = f"There is no fingerprint space {name[:32]!r} here."
                    raise InvalidInput(message)
        check_opt_in(
            self.required_spaces,
            self.opt_in_spaces,
            lawful_basis_stated=self.lawful_basis_stated,
        )
        if self.root is not None and len(self.root) != ROOT_BYTES:
            message = f"The root of a committed manifest has {ROOT_BYTES} bytes."
            raise InvalidInput(message)


async def open_screening(
    registry: Registry, builder: Builder, opening: Opening
) -> tuple[screenings.ScreeningRow, int]:
    """Opens a session for one data set and one use.

    Returns:
        The session, and the log size now.

    Raises:
        Held: nothing new is answered to this builder for now.
        NotReady: the indexes are still being built.
    """
    async with registry.store.read() as connection:
        await check_not_held(connection, builder)
    state = await registry.follower.answerable()
    policy = policy_for(state.float_records, registry.settings.face_threshold)
    row = screenings.ScreeningRow(
        id=secrets.token_bytes(SCREENING_ID_BYTES),
        builder_id=builder.id,
        dataset=opening.dataset,
        use=opening.use,
        required_spaces=tuple(sorted(opening.required_spaces)),
        candidate_count=opening.candidate_count,
        opened_at=int(registry.clock.now()),
        closed_at=None,
        opt_in_spaces=tuple(sorted(opening.opt_in_spaces)),
        terms=write_terms(
            opening.use,
            opening.required_spaces,
            opening.opt_in_spaces,
            policy,
            registry.bank.version,
        ),
        root=opening.root,
    )
    async with registry.store.write() as connection:
        await screenings.insert(connection, row)
    return row, state.log_size


async def close_screening(registry: Registry, builder: Builder, screening_id: bytes) -> Closing:
    """Closes a session and counts it; closing again gives the same counts.

    Raises:
        UnknownScreening: not a session of this builder.
    """
    async with registry.store.write() as connection:
        row = await own_screening(connection, builder, screening_id)
        if row.closed_at is None:
            await screenings.close(connection, screening_id, int(registry.clock.now()))
    verdicts = np.zeros(len(Verdict), dtype=np.int64)
    present: dict[str, int] = {}
    log_sizes: list[int] = []
    async with registry.store.read() as connection:
        async for block in screenings.blocks(connection, screening_id):
            verdicts += np.bincount(
                np.frombuffer(block.verdicts, dtype=np.uint8), minlength=len(Verdict)
            )
            for name, count in block.present.items():
                present[name] = present.get(name, 0) + count
            log_sizes.append(block.log_size)
        contested = overturned = 0
        async for contest in contests.of_screening(connection, screening_id):
            final = np.bincount(
                np.frombuffer(contest.verdicts, dtype=np.uint8), minlength=len(Verdict)
            )
            contested += len(contest.verdicts)
            overturned += len(contest.verdicts) - int(final[Verdict.EXCLUDE])
            verdicts += final
            verdicts[Verdict.EXCLUDE] -= len(contest.verdicts)
            log_sizes.append(contest.log_size)
    return Closing(
        candidate_count=row.candidate_count,
        answered=int(verdicts.sum()),
        verdicts={verdict: int(verdicts[verdict]) for verdict in Verdict},
        present=dict(sorted(present.items())),
        least_log_size=min(log_sizes, default=0),
        greatest_log_size=max(log_sizes, default=0),
        contested=contested,
        overturned=overturned,
    )


async def own_screening(
    connection: AsyncConnection, builder: Builder, screening_id: bytes
) -> screenings.ScreeningRow:
    """The session with this id, if it is this builder's.

    Raises:
        UnknownScreening: it is not, or there is none.
    """
    row = await screenings.by_id(connection, screening_id)
    if row is None or row.builder_id != builder.id:
        message = "You have no such screening."
        raise UnknownScreening(message)
    return row
